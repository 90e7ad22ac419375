"""Technical data of the request that gave consent: sealed, for their own time, for consents only.

Broken and seen to fail: tokens left in the form's address, older data renewed by newer ones, those of a question that came
to nothing kept, their length, their repr, their text in the index, some kept of a withdrawal, a key that survives its row.
"""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from consent import decisions, evidence, links
from consent.evidence import Circumstances
from consent.models import Confirmation, ConsentRecord
from registry import demands, purging
from registry.deadlines import end_of_term
from registry.keyring import keyring
from registry.models import DatumKey, LegalGround, PersonalDatum, ProcessingPurpose
from registry.processing import may_process
from tests.consent.pages import deliver, forms_of, open_form, path_of, post
from tests.factories import DAY, EMAIL, MOMENT, PHONE, keep_until, person, purpose, shown_form, staff
from tests.traces import dump

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
NEWS = ("purposes", "site-news")
BROWSER, HERE = "CanaryBrowser/7.5 (\u00abX11\u00bb)", "203.0.113.77"
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _letters_as_files(settings):
    settings.EMAIL_BACKEND, settings.SMS_BACKEND = "config.mail_folder.EmailBackend", "config.sms_folder.send"


@pytest.fixture
def visitor(client):
    """A browser whose name and address would be recognised anywhere."""
    client.defaults |= {"HTTP_USER_AGENT": BROWSER, "REMOTE_ADDR": HERE}
    return client


def came(number=1):
    return Circumstances(f"203.0.113.{number}", f"Canary/{number}", "http://testserver/kk/consent/")


def kept():
    return PersonalDatum.objects.filter(category__code="technical").order_by("pk")


def opened(datum):
    return json.loads(datum.unseal(keyring().masters))


def asked(*codes, now=MOMENT, number=1, **contact):
    purposes = [purpose(code) for code in codes or ("site-news",)]
    return decisions.ask(contact or {"email": EMAIL}, purposes, language="kk", now=now, circumstances=came(number))


def agreed(*codes, now=MOMENT, number=1, **contact):
    """Asked and confirmed, with technical data of both requests."""
    waiting = asked(*codes, now=now, number=number, **contact)
    assert decisions.confirm(waiting.pk, now=now, circumstances=came(number + 1)) == "done"
    return waiting


# --- what is kept, and where ------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_each_consent_keeps_where_it_came_from_under_seal_and_nowhere_else(visitor, today):
    form = open_form(visitor, "/kk/consent/")
    answer = post(visitor, form.action, form.filled(email=EMAIL, shown=shown_form(), tick={NEWS}))
    assert answer.wsgi_request.headers["User-Agent"] == BROWSER and answer.wsgi_request.META["REMOTE_ADDR"] == HERE
    (letter,) = deliver(timezone.now())
    open_form(visitor, letter.path("confirm")).press(visitor)
    (letter,) = deliver(timezone.now())
    open_form(visitor, letter.path("mine")).press(visitor, tick={("purposes", "feedback")})

    said = {"ip": HERE, "user_agent": BROWSER}
    pages = ["consent", "confirm", "mine"]
    assert [opened(datum) for datum in kept()] == [said | {"form_url": f"http://testserver/kk/{page}/"} for page in pages]
    records = ConsentRecord.objects.order_by("pk")
    assert list(records.values_list("act", "evidence_id")) == [
        (act, datum.pk) for act, datum in zip(["asked", "confirmed", "given"], kept(), strict=True)
    ]
    content = dump()
    assert b"registry_personaldatum" in content
    needles = (b"CanaryBrowser", b"Canary", HERE.encode(), b"203.0.113", bytes([203, 0, 113, 77]).hex().encode())
    assert not [needle for needle in needles if needle in content]


def test_a_code_and_a_parents_yes_keep_theirs(visitor, today):
    waiting = asked(phone=PHONE, now=today)
    code = links.code(waiting.pk, waiting.asked_at)
    post(visitor, f"/kk/code/{links.token(links.ENTER_CODE, waiting.pk)}/", [("answer", "confirm"), ("code", code)])
    assert opened(kept().last()) == {"ip": HERE, "user_agent": BROWSER, "form_url": "http://testserver/kk/code/"}

    minor = decisions.ask(
        {"email": EMAIL}, [purpose()], language="kk", now=today,
        representative={"email": "parent@example.kz"}, adult_at=today + 90 * DAY,
    )  # fmt: skip
    decisions.confirm(minor.pk, now=today)
    post(visitor, path_of(links.represent_url(minor.pk, "kk")), [("answer", "confirm")])
    assert opened(kept().last())["form_url"] == "http://testserver/kk/represent/"
    assert ConsentRecord.objects.latest("pk").evidence_id == kept().last().pk


def test_a_question_asked_twice_is_one_question_with_one_datum():
    assert asked() == asked(now=MOMENT + SECOND, number=2)
    assert opened(kept().get())["ip"] == "203.0.113.1"


@pytest.mark.parametrize("said", ["", "x" * 100_000, "\0\x1b[31m", "'; DROP TABLE --", "Қ" * 2000, "\udcff"])
def test_whatever_a_browser_says_of_itself_is_kept_as_it_is_up_to_its_length(said):
    where = Circumstances("2001:db8::1", said.encode("utf-8", "replace").decode(), "http://testserver/kk/consent/")
    decisions.ask({"email": EMAIL}, [purpose()], language="kk", now=MOMENT, circumstances=where)
    assert opened(kept().get())["user_agent"] == where.user_agent[: evidence.LONGEST]


def test_nothing_shows_it_but_its_unsealing():
    agreed()
    shown = [repr(came()), *map(repr, kept()), *map(str, kept()), *map(str, kept().values())]
    assert came().user_agent == "Canary/1" and not [text for text in shown if "Canary/" in text or "203.0.113" in text]


def test_where_its_purpose_is_closed_nothing_is_kept_and_consents_go_on():
    ProcessingPurpose.objects.filter(code=evidence.PURPOSE).update(closes_at=MOMENT)
    waiting = agreed()
    assert may_process(waiting.subject, purpose(), MOMENT) and not kept().exists()
    assert not ConsentRecord.objects.exclude(evidence_id=None).exists()


# --- how long ---------------------------------------------------------------------------------------------------------
def six_months_after(moment):
    return end_of_term(moment, 6, "months", timezone.get_current_timezone())


def left(now):
    purging.purge(now)
    assert DatumKey.objects.count() == PersonalDatum.objects.count()
    return [opened(datum)["ip"][-1] for datum in kept()]


def test_it_goes_after_its_own_six_months_while_the_consent_goes_on():
    began = MOMENT - 190 * DAY
    waiting = agreed(now=began)
    end = six_months_after(began)
    assert left(end - SECOND) == ["1", "2"]
    assert left(end) == []
    assert may_process(waiting.subject, purpose(), end) and waiting.subject.data.contacts().exists()


def test_a_newer_one_renews_none_of_the_older_ones():
    first, second, third = (MOMENT - days * DAY for days in (400, 300, 200))
    subject = agreed(now=first).subject
    for number, now in ((3, second), (5, third)):
        agreed("feedback", now=now, number=number)
    assert left(six_months_after(first) - SECOND) == ["1", "2", "3", "4", "5", "6"]
    assert left(six_months_after(first)) == ["3", "4", "5", "6"]
    assert left(six_months_after(second)) == ["5", "6"]
    assert left(six_months_after(third)) == []
    assert may_process(subject, purpose(), MOMENT)


def test_what_was_asked_of_a_known_person_goes_after_its_time_too():
    """The claim goes with the next purge; its technical data prove what the person then agreed to."""
    began = MOMENT - 190 * DAY
    known = person(email=EMAIL, now=began - DAY)
    waiting = agreed("feedback", now=began)
    assert waiting.subject != known
    assert left(began + DAY) == ["1", "2"]
    assert not waiting.subject.data.contacts().exists()
    assert left(six_months_after(began)) == []
    waiting.subject.refresh_from_db()
    assert waiting.subject.status == "erased"


def test_it_outlives_a_withdrawal_as_proof_and_goes_in_its_time():
    began = MOMENT - 190 * DAY
    waiting = agreed(now=began)
    decisions.withdraw(waiting.subject, None, now=began + DAY, channel=ConsentRecord.Channel.LINK)
    assert left(began + 2 * DAY) == ["1", "2"] and not waiting.subject.data.contacts().exists()
    assert left(six_months_after(began)) == []


def test_withdrawing_keeps_none(visitor, today):
    subject = person(now=today - DAY)
    for path in (links.unsubscribe_url(subject.pk), links.mine_url(subject.pk, "kk", today)):
        form = open_form(visitor, path_of(path))
        form.press(visitor, form.buttons[-1])
    assert not kept().exists()
    assert not ConsentRecord.objects.filter(act="withdrawn").exclude(evidence_id=None).exists()


# --- for consents only ------------------------------------------------------------------------------------------------
def refused(waiting, now):
    assert decisions.refuse(waiting.pk, now=now) == "refused"


def expired(waiting, now):
    Confirmation.objects.filter(pk=waiting.pk).update(expires_at=now)
    assert decisions.expire_unconfirmed(now) == 1


@pytest.mark.parametrize("end", [refused, expired])
def test_what_came_to_nothing_leaves_none(end):
    end(asked(), MOMENT)
    assert left(MOMENT) == [] and not PersonalDatum.objects.exists()


@pytest.mark.parametrize("end", [refused, expired])
@pytest.mark.parametrize("other", ["confirmed before", "confirmed after", "still waits"])
def test_of_two_questions_the_one_that_came_to_nothing_leaves_none(end, other):
    good, bad = asked(), asked("feedback", number=5, now=MOMENT + SECOND)
    now = MOMENT + 2 * SECOND
    if other == "confirmed before":
        decisions.confirm(good.pk, now=now, circumstances=came(2))
    end(bad, now)
    if other == "confirmed after":
        decisions.confirm(good.pk, now=now, circumstances=came(2))
    assert left(now) == (["1"] if other == "still waits" else ["1", "2"])


def test_a_minors_question_that_the_parent_refuses_leaves_none():
    minor = decisions.ask(
        {"email": EMAIL}, [purpose()], language="kk", now=MOMENT, circumstances=came(),
        representative={"email": "parent@example.kz"}, adult_at=MOMENT + 90 * DAY,
    )  # fmt: skip
    decisions.confirm(minor.pk, now=MOMENT, circumstances=came(2))
    assert kept().count() == 1
    decisions.refuse(minor.pk, now=MOMENT)
    assert left(MOMENT) == [] and not PersonalDatum.objects.exists()


def test_a_demanded_erasure_takes_it_along(settings, tmp_path):
    settings.HOME = tmp_path / "home"
    settings.HOME.mkdir()
    waiting = agreed()
    act = demands.demand(waiting.subject, ground=LegalGround.objects.first(), reason="asked", by=staff(), now=MOMENT)
    assert demands.finish(act.pk, now=MOMENT)
    assert not PersonalDatum.objects.exists() and not DatumKey.objects.exists()


def test_a_page_shows_none_of_it(visitor, today):
    """Not even masked: neither to the person nor to whoever holds a link."""
    waiting = agreed(now=today)
    urls = [links.confirm_url(waiting.pk, "kk"), links.mine_url(waiting.subject_id, "kk", today)]
    urls += [url for letter in deliver(today) for url in letter.urls]
    for url in urls:
        answer = visitor.get(path_of(url))
        assert answer.status_code == 200 and forms_of(answer) is not None
        assert "Canary/" not in answer.content.decode() and "203.0.113" not in answer.content.decode()


def test_its_end_is_shown_where_terms_are_kept():
    subject = agreed(now=MOMENT).subject
    keep_until(subject, MOMENT + DAY)
    assert subject.data.filter(category__code="technical").first().term.until == six_months_after(MOMENT)
