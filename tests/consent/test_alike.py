"""Known and unknown addresses are answered alike: page, headers and time tell nobody who is in the registry.

The time is compared with itself: the difference between known and unknown must drown in the difference that chance makes
between unknown and unknown, measured in turns in the same minute. No number of milliseconds is asserted.

Broken and seen to fail: the request written for the known only, the letter queued by the page and not by the worker (by
the statements; by the clock on a quiet machine), a claim found at the address's owner.
"""

import random
import re
from itertools import count
from statistics import median
from time import perf_counter

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from consent import decisions, links
from consent.models import Confirmation, LinkRequest
from registry import demands, purging
from registry.models import DataSubject, LegalGround, OutgoingMessage
from tests.consent.pages import post
from tests.factories import DAY, block, keep_until, person, purpose, question, shown_form, staff
from tests.faults.tables import row_counts

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
NEWS = [("purposes", "site-news"), ("purposes", "feedback")]
_numbers = count(10_000)


@pytest.fixture(autouse=True)
def _home(settings, tmp_path):
    settings.EMAIL_BACKEND, settings.SMS_BACKEND = "config.mail_folder.EmailBackend", "config.sms_folder.send"
    settings.HOME = tmp_path / "home"
    settings.HOME.mkdir()


def address():
    """All of one length and one mask."""
    return f"a{next(_numbers)}@example.kz"


def number():
    return f"8701{next(_numbers):07}"


# --- who may stand behind an address -----------------------------------------------------------------------------------
def unknown(today):
    return address()


def known(today):
    email = address()
    person("site-news", email=email, now=today - DAY)
    return email


def known_by_number(today):
    phone = number()
    asked = decisions.ask({"phone": phone}, [purpose()], language="kk", now=today - DAY)
    code = links.code(asked.pk, asked.asked_at)
    assert decisions.confirm(asked.pk, now=today - DAY, code=code) == "done"
    return phone


def stated_number(today):
    phone = number()
    person("site-news", email=address(), phone=phone, now=today - DAY)
    return phone


def claimed(today):
    email = address()
    question(email=email, now=today)
    return email


def blocked(today):
    email = known(today)
    block(DataSubject.objects.latest("pk"))
    return email


def erased(today):
    email = known(today)
    subject = DataSubject.objects.latest("pk")
    act = demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=staff(), now=today)
    assert demands.finish(act.pk, now=today)
    return email


def purged(today):
    email = known(today)
    keep_until(DataSubject.objects.latest("pk"), today)
    assert purging.purge(today).data == 1
    return email


BY_MAIL = [known, claimed, blocked, erased, purged]
BY_NUMBER = [known_by_number, stated_number]


# --- the answer ---------------------------------------------------------------------------------------------------------
def ask_for_link(contact, **headers):
    return post(Client(), "/kk/mine/", [("contact", contact), ("shown", shown_form())], **headers)


def ask(contact, **headers):
    name = "email" if "@" in contact else "phone"
    return post(Client(), "/kk/consent/", [(name, contact), *NEWS, ("shown", shown_form())], **headers)


def told(answer):
    """Everything of an answer but the tokens in it, which are all of one length, and the masked number."""
    body = re.sub(r"[\w-]{24,}", "…", answer.content.decode())
    body = re.sub(r"\+7 701 •••-••-\d\d", "…", body)
    return answer.status_code, sorted(answer.headers.items()), answer.cookies.output(), body


@pytest.mark.parametrize("page", [ask_for_link, ask])
@pytest.mark.parametrize("who", [*BY_MAIL, *BY_NUMBER])
def test_the_answer_is_the_same_whoever_stands_behind_the_address(today, page, who):
    nobody = number() if who in BY_NUMBER else address()
    expected, actual = told(page(nobody)), told(page(who(today)))
    assert expected[0] == 200
    assert actual == expected


@pytest.mark.parametrize("page", [ask_for_link, ask])
@pytest.mark.parametrize("who", [known, blocked, erased, purged])
def test_the_same_rows_are_written_whoever_stands_behind_the_address(today, page, who):
    """So the work is the same too, and nothing of the known person is touched."""
    page(address())  # what is stored once for all, like wordings
    contact = who(today)
    counts = [row_counts()]
    for one in (address(), contact):
        page(one)
        counts.append(row_counts())
    before, after_unknown, after_known = counts
    added = [{name: now[name] - was[name] for name in was if now[name] != was[name]} for was, now in
             ((before, after_unknown), (after_unknown, after_known))]  # fmt: skip
    assert added[0] == added[1] != {}


def statements(page, contact):
    """What is asked of the database, without the values."""
    with CaptureQueriesContext(connection) as queries:
        page(contact)
    return [re.sub(r"'[^']*'| *-?\b\d+\b|\bs\d+_x\d+", "?", query["sql"]) for query in queries]


@pytest.mark.parametrize("page", [ask_for_link, ask])
@pytest.mark.parametrize("who", [known, blocked, erased, purged])
def test_the_same_is_asked_of_the_database_whoever_stands_behind_the_address(today, page, who):
    """An exact look at what the clock can only tell by and large."""
    contact = who(today)
    page(address())  # whose wordings are kept
    page(address())  # and then known
    expected = statements(page, address())
    assert len(expected) > 2 and statements(page, contact) == expected


def test_sending_again_says_the_same_whether_a_letter_goes_or_not(today):
    pages = []
    for one in (address(), known(today)):
        ask(one)
        asked = Confirmation.objects.latest("pk")
        path = f"/kk/consent/again/{links.token(links.SEND_AGAIN, asked.pk)}/"
        pages.append([told(Client().get(path)), told(post(Client(), path, []))])
    assert pages[0] == pages[1]


# --- the time -----------------------------------------------------------------------------------------------------------
ROUNDS, ADDRESSES, TURNS, ATTEMPTS = {ask_for_link: 400, ask: 60}, 50, 1000, 3


def seconds(act, contact):
    begin = perf_counter()
    assert act(contact).status_code == 200
    return perf_counter() - begin


def by_chance(differences):
    """How far from nothing the median of differences comes that mean nothing: all but for one time in a hundred."""
    chance = random.Random(1)
    turned = [[one * chance.choice((1, -1)) for one in differences] for _ in range(TURNS)]
    return sorted(abs(median(one)) for one in turned)[TURNS * 99 // 100]


def told_apart(page, today):
    """Whether the time tells known from unknown. One of each kind a round, in any order: a busy moment meets all."""
    contacts = {kind: [kind(today) for _ in range(ADDRESSES)] for kind in (known, unknown)}
    contacts["control"] = [address() for _ in range(ADDRESSES)]
    times = {kind: [] for kind in contacts}
    for number in range(ROUNDS[page]):
        for kind in random.sample(list(contacts), len(contacts)):
            times[kind].append(seconds(page, contacts[kind][number % ADDRESSES]))
    apart = abs(median(a - b for a, b in zip(times[known], times[unknown], strict=True)))
    noise = by_chance([a - b for a, b in zip(times["control"], times[unknown], strict=True)])
    medians = [round(median(times[kind]) * 1000, 2) for kind in contacts]
    print(f"{page.__name__}: known, unknown, control {medians} ms; apart {apart * 1000:.2f}, by chance {noise * 1000:.2f}")
    return apart > noise


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", [ask_for_link, ask])
def test_the_time_does_not_tell_known_from_unknown(today, page):
    for _ in range(5):
        page(address())
    assert not all(told_apart(page, today) for _ in range(ATTEMPTS))
    assert LinkRequest.objects.exists() or OutgoingMessage.objects.exists()
