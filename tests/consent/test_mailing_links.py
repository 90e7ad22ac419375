"""The ways out beside an address that is given for a mailing: in files, in the stream, and that they work, at any age.

Broken and seen to fail: a link of every purpose instead of this one, links where the gate forbids them, `with_links` let change
by the trigger that keeps what was asked.
"""

import csv
import io
import json
import re
from datetime import timedelta

import openpyxl
import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from consent import links, mailing_links
from consent.models import ConsentRecord
from registry import audience, transfers
from registry.admin.transfer_forms import AskForm
from registry.audience import keys
from registry.models import DataCategory, Operator, ProcessingPurpose, RecipientKey, Transfer
from registry.processing import may_process
from registry.transfers import refusing
from tests.consent.pages import path_of
from tests.factories import DAY, enter, person, purpose, staff
from tests.registry.test_recipient_keys import mailer
from tests.registry.test_transfer_gate import recipient
from tests.registry.test_transfers import BOTH, gave

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
YEAR = timedelta(days=366)
POST = "List-Unsubscribe=One-Click"


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.HOME = tmp_path


@pytest.fixture
def by():
    return staff("sender")


def emails():
    return tuple(DataCategory.objects.filter(code="email"))


def asked(whom, ground="o", categories=None, code="site-news"):
    chosen = emails() if categories is None else categories
    return transfers.Asked(whom, Transfer.Ground(ground), purpose(code), chosen, with_links=True)


def file_of(whom, by, now, file_format, ground="o"):
    given = transfers.ask(asked(whom, ground), file_format=file_format, reason="news", by=by, now=now)
    assert transfers.build_waiting(clock=lambda: now) == 1
    taken = transfers.take(Transfer.objects.get(pk=given.pk), by=by, now=now)
    content = b"".join(taken)
    taken.close()
    return content


def in_csv(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))[-1][-3:]


def in_xlsx(content):
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    return [cell.value for cell in list(sheet.iter_rows())[-1]][-3:]


def in_json(content):
    (one,) = json.loads(content)["people"]
    return [one[name][0] for name in ("list_unsubscribe", "list_unsubscribe_post", "unsubscribe_link")]


def expected(subject):
    page = links.unsubscribe_url(subject.pk, purpose().pk)
    return [f"<{page}>", POST, page]


# --- where they stand ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("file_format", "read"), [("csv", in_csv), ("xlsx", in_xlsx), ("json", in_json)])
def test_each_person_of_a_file_has_their_own(by, today, file_format, read):
    subject = person(now=today)
    assert read(file_of(mailer(), by, today, file_format)) == expected(subject)


def test_on_ground_a_as_well(by, today):
    partner = recipient("KZ")
    subject = gave(BOTH, now=today)
    assert in_csv(file_of(partner, by, today, "csv", "a")) == expected(subject)


def test_two_people_never_share_a_link(by, today):
    people = [person(now=today) for _number in range(2)]
    given = json.loads(file_of(mailer(), by, today, "json"))["people"]
    assert {one["unsubscribe_link"][0] for one in given} == {expected(one)[2] for one in people}


def test_a_file_without_them_has_none(by, today):
    person(now=today)
    whom = mailer()
    plain = transfers.Asked(whom, Transfer.Ground.OWN, purpose(), emails())
    given = transfers.ask(plain, file_format="csv", reason="news", by=by, now=today)
    transfers.build_waiting(clock=lambda: today)
    taken = transfers.take(Transfer.objects.get(pk=given.pk), by=by, now=today)
    content = b"".join(taken)
    taken.close()
    assert b"/u/" not in content and b"One-Click" not in content


def streamed(by, now):
    key, _text = keys.make(mailer(), last_day=timezone.localdate(now), by=by, now=now)
    fresh = RecipientKey.objects.select_related("recipient__country").get(pk=key.pk)
    return json.loads(b"".join(audience.opened(fresh, purpose(), 0, clock=lambda: now)).splitlines()[0])


def test_each_line_of_the_stream_has_them(by, today):
    subject = person(now=today)
    line = streamed(by, today)
    names = ("list_unsubscribe", "list_unsubscribe_post", "unsubscribe_link")
    assert [line[name] for name in names] == expected(subject)


def test_where_a_mailbox_is_read_there_is_a_way_by_mail(by, today, settings):
    settings.MAILBOX_URL = "imaps://a:b@127.0.0.1:1/"
    subject = person(now=today)
    token = links.token(links.UNSUBSCRIBE, subject.pk, purpose().pk)
    page, mail = in_csv(file_of(mailer(), by, today, "csv"))[0].split(", ")
    assert page == f"<{links.unsubscribe_url(subject.pk, purpose().pk)}>"
    assert mail == f"<mailto:{Operator.objects.get().contact_email}?subject=unsubscribe%20{token}>"


def test_they_are_those_of_our_own_letters(today):
    """RFC 2369: addresses in angle brackets, separated by commas; RFC 8058: the one value there is."""
    subject = person(now=today)
    told = mailing_links.links_for(purpose().pk)(subject.pk)
    assert re.fullmatch(r"<https?://[^<>, ]+>(, <mailto:[^<>, ]+>)?", told.list_unsubscribe)
    assert told.list_unsubscribe_post == POST and told.list_unsubscribe.isascii()


# --- that they work --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("age", [timedelta(0), YEAR])
def test_one_click_withdraws_this_purpose_of_this_person(today, age):
    """Nothing in a link grows old: what was given a year ago is what is given now."""
    subject = person("site-news", "advertising", now=today - age)
    subject.processing.update(lapses_at=today + DAY)
    given = mailing_links.links_for(purpose().pk)(subject.pk)
    (url,) = re.findall("<(http[^>]+)>", given.list_unsubscribe)
    assert may_process(subject, purpose(), now=timezone.now())
    body, form = given.list_unsubscribe_post, "application/x-www-form-urlencoded"
    answer = Client(enforce_csrf_checks=True).post(path_of(url), body, form)
    assert answer.status_code == 200 and not answer.cookies
    assert not may_process(subject, purpose(), now=timezone.now())
    assert may_process(subject, purpose("advertising"), now=timezone.now())
    assert ConsentRecord.objects.get(act="withdrawn").channel == ConsentRecord.Channel.ONE_CLICK


@pytest.mark.parametrize("age", [timedelta(0), YEAR])
def test_the_visible_page_asks_first(today, age):
    subject = person(now=today - age)
    subject.processing.update(lapses_at=today + DAY)
    page = path_of(mailing_links.links_for(purpose().pk)(subject.pk).unsubscribe_link)
    assert Client().get(page).status_code == 200
    assert may_process(subject, purpose(), now=timezone.now())
    assert Client().post(page).status_code == 200
    assert not may_process(subject, purpose(), now=timezone.now())


def test_whoever_left_by_it_is_out_of_the_stream(by, today):
    key, _text = keys.make(mailer(), last_day=timezone.localdate(today), by=by, now=today)
    person(now=today)
    key = RecipientKey.objects.select_related("recipient__country").get(pk=key.pk)
    line, end = map(json.loads, b"".join(audience.opened(key, purpose(), 0, clock=timezone.now)).splitlines())
    Client().post(path_of(line["unsubscribe_link"]))
    out, _end = map(
        json.loads, b"".join(audience.opened(key, purpose(), end["cursor"], clock=timezone.now)).splitlines()
    )
    assert (out["reference"], out["change"]) == (line["reference"], "out")


# --- who may have them -----------------------------------------------------------------------------------------------
def test_they_want_an_address_a_ground_and_a_purpose_by_consent(today):
    whom, phone = mailer(), tuple(DataCategory.objects.filter(code="phone"))
    whom.categories.set(DataCategory.objects.filter(kind__in=DataCategory.CONTACTS))
    by_law = ProcessingPurpose.objects.filter(ground__isnull=False, categories__code="email").first()
    assert refusing.codes(asked(whom), today) == []
    assert refusing.codes(asked(whom, categories=phone), today) == ["no_links"]
    assert "no_links" in refusing.codes(asked(whom, code=by_law.code), today)
    assert "no_links" in refusing.codes(asked(mailer("state_body", code="court"), "b"), today)


def test_that_they_were_asked_for_can_t_be_changed(by, today):
    person(now=today)
    transfers.ask(asked(mailer()), file_format="csv", reason="news", by=by, now=today)
    with pytest.raises(DatabaseError), transaction.atomic():
        Transfer.objects.update(with_links=False)
    assert Transfer.objects.update(with_links=True) == 1  # as it was


def test_the_form_asks_for_them_with_a_tick(client, by, today):
    person(now=today)
    enter(client, by)
    fields = {
        "recipient": [f"{mailer().pk}"], "ground": ["o"], "purpose": [f"{purpose().pk}"],
        "categories": [f"{emails()[0].pk}"], "with_links": ["on"],
    }  # fmt: skip
    sent = fields | {"act": "ask", "seen": AskForm(MultiValueDict(fields)).mark(), "reason": "x", "file_format": "csv"}
    assert client.post(reverse("admin:transfer_ask"), sent).status_code == 302
    assert Transfer.objects.get().with_links
