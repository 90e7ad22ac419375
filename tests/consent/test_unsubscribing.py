"""Unsubscribing: a link of any age works, for people and for mail programs (RFC 8058), and asks for nothing.

Broken and seen to fail: the body read as a form, by the view or before it, a CSRF token wanted, the channel of one click,
purposes never agreed to ended, those of another ground now left open, an erased person's link refused, the language of the
browser, a key made of SECRET_KEY; of tokens, the use left out, the canonical check, the count of numbers.
"""

import struct
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from consent import decisions, links
from consent.models import ConsentRecord
from registry import demands, purging
from registry.models import DataSubject, LegalGround, LegalHold, Processing, ProcessingPurpose
from registry.processing import may_process
from tests.consent.pages import URLENCODED, deliver, open_form, path_of
from tests.factories import DAY, EMAIL, MOMENT, block, hold, keep_until, person, purpose, question, staff
from tests.faults.tables import rows_written

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
NEWS, FEEDBACK = "site-news", "feedback"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
MULTIPART = "multipart/form-data; boundary=limit"
PART = b'--limit\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--limit--\r\n'
BODIES = {
    "urlencoded": (b"List-Unsubscribe=One-Click", URLENCODED),
    "multipart": (PART, MULTIPART),
    "multipart cut off": (PART[:60], MULTIPART),
    "multipart without a boundary": (PART, "multipart/form-data"),
    "another word": (b"List-Unsubscribe=No", URLENCODED),
    "another field": (b"a=b&a=c", URLENCODED),
    "empty": (b"", URLENCODED),
    "empty multipart": (b"", MULTIPART),
    "empty without a type": (b"", ""),
    "text": (b"List-Unsubscribe=One-Click", "text/plain"),
    "JSON": (b'{"List-Unsubscribe": "One-Click"}', "application/json"),
    "another code page": (b"List-Unsubscribe=One-Click", f"{URLENCODED}; charset=windows-1251"),
    "no text at all": (b"List-Unsubscribe=\xff\xfe\x00", URLENCODED),
}


def one(subject, code=NEWS):
    return path_of(links.unsubscribe_url(subject.pk, purpose(code).pk))


def everything(subject):
    return path_of(links.unsubscribe_url(subject.pk))


def click(path, name="urlencoded"):
    """One click in a mail program: no cookie, no language, nothing of a browser. What is always true of the answer."""
    body, content_type = BODIES[name]
    answer = Client(raise_request_exception=False, enforce_csrf_checks=True).post(path, body, content_type)
    assert answer.status_code == 200, name
    assert "Location" not in answer.headers and "Set-Cookie" not in answer.headers and not answer.cookies
    assert answer.headers["Cache-Control"] == "no-store"
    return answer


def open_of(subject):
    held = Processing.objects.live(timezone.now()).filter(subject=subject, purpose__ground=None)
    return set(held.values_list("purpose__code", flat=True))


@pytest.fixture
def subject(today):
    return person(NEWS, FEEDBACK, email=EMAIL, now=today - DAY)


# --- one click --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", BODIES)
def test_whatever_the_body_one_click_is_enough_and_again_changes_nothing(subject, name):
    click(one(subject), name)
    assert open_of(subject) == {FEEDBACK}
    before = rows_written()
    for other in BODIES:
        click(one(subject), other)
    assert rows_written() == before and open_of(subject) == {FEEDBACK}


@pytest.mark.parametrize("name", ["urlencoded", "multipart"])
def test_the_act_says_that_it_was_one_click(subject, name):
    click(one(subject), name)
    withdrawn = ConsentRecord.objects.get(act="withdrawn")
    assert (withdrawn.channel, withdrawn.purpose, withdrawn.evidence_id) == ("one_click", purpose(NEWS), None)


def test_a_press_on_the_page_says_that_it_was_a_link(client, subject):
    answer = open_form(client, one(subject)).press(client)
    assert answer.status_code == 200
    assert ConsentRecord.objects.get(act="withdrawn").channel == "link"


def test_the_link_to_everything_ends_everything(subject):
    click(everything(subject))
    assert open_of(subject) == set()
    assert ConsentRecord.objects.filter(act="withdrawn").count() == 2


def test_a_purpose_never_agreed_to_ends_nothing_and_says_nothing(subject):
    """Nor do those whose ground is not consent: answers to a person's own requests still come."""
    before = rows_written()
    pages = {click(one(subject, code)).content for code in ("advertising", "confirmation", "request-answer")}
    assert len(pages) == 1 and rows_written() == before
    assert open_of(subject) == {NEWS, FEEDBACK}


def test_nobody_is_told_more_than_that_it_is_done(subject):
    answer = click(everything(subject))
    assert EMAIL.lower().split("@")[0] not in answer.content.decode().lower()
    assert subject.reference not in answer.content.decode()


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_the_page_speaks_the_language_of_the_person_whatever_the_browser_wants(subject, language):
    DataSubject.objects.filter(pk=subject.pk).update(language=language)
    page = Client().get(one(subject), headers={"accept-language": "de, en;q=0.5"}).content.decode()
    with override(language):
        assert str(purpose(NEWS)) in page and f'<html lang="{language}">' in page


# --- whoever it is -----------------------------------------------------------------------------------------------------
def erased(subject, today):
    act = demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=staff(), now=today)
    assert demands.finish(act.pk, now=today)


def purged(subject, today):
    for code in (NEWS, FEEDBACK):
        keep_until(subject, today, code)
    purging.purge(today)


@pytest.mark.parametrize("destroy", [erased, purged])
@pytest.mark.parametrize("name", ["urlencoded", "multipart", "empty"])
def test_who_was_destroyed_is_answered_like_anybody(subject, today, destroy, name, settings, tmp_path):
    settings.HOME = tmp_path / "home"
    settings.HOME.mkdir()
    destroy(subject, today)
    assert not subject.data.exists()
    before = rows_written()
    for path in (one(subject), everything(subject)):
        for _ in range(2):
            click(path, name)
            assert Client().get(path).status_code == 200
    assert rows_written() == before


def test_a_blocked_person_and_one_under_a_hold_can_leave(subject, today):
    held = person(NEWS, now=today - DAY)
    hold(held), block(subject)
    for one_of_them in (held, subject):
        click(everything(one_of_them))
        assert not Processing.objects.ongoing(timezone.now()).filter(subject=one_of_them, purpose__ground=None).exists()
    assert LegalHold.objects.get().released_at is None and held.data.exists()


def test_a_closed_purpose_and_one_with_another_ground_now_can_be_left(subject):
    ProcessingPurpose.objects.filter(code=NEWS).update(is_public=False, ground=LegalGround.objects.first())
    ProcessingPurpose.objects.filter(code=FEEDBACK).update(closes_at=timezone.now() + timedelta(hours=1))
    click(one(subject)), click(one(subject, FEEDBACK))
    assert ConsentRecord.objects.filter(act="withdrawn").count() == 2


def test_who_was_only_asked_has_nothing_to_end(today):
    asked = question(now=today)
    before = rows_written()
    click(everything(asked.subject))
    assert rows_written() == before


# --- whenever it is ----------------------------------------------------------------------------------------------------
def test_a_link_from_a_letter_of_years_ago_works(settings, monkeypatch):
    """Nothing of a moment is in it: the letter of the first day and one of today hold the same link."""
    settings.EMAIL_BACKEND = "config.mail_folder.EmailBackend"
    subject = person(NEWS, now=MOMENT - 700 * DAY)
    old = deliver(MOMENT - 700 * DAY)[-1]
    decisions.give(subject, [purpose(NEWS)], now=MOMENT - 600 * DAY)
    late = MOMENT - DAY
    assert may_process(subject, purpose(NEWS), late)
    monkeypatch.setattr(timezone, "now", lambda: late)
    click(old.path("u"))
    assert not may_process(subject, purpose(NEWS), late)
    assert old.path("u") == one(subject)
    header = old.headers["List-Unsubscribe"]
    assert header.startswith("<http") and header.endswith(">") and "," not in header
    assert old.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_new_secret_key_breaks_no_link(subject, settings):
    path = one(subject)
    settings.SECRET_KEY = "another one, after a break-in or a move to another machine"
    assert path == one(subject)
    click(path)
    assert open_of(subject) == {FEEDBACK}


def test_a_consent_given_after_it_can_be_left_by_the_same_link(subject):
    for _ in range(3):
        click(one(subject))
        assert open_of(subject) == {FEEDBACK}
        decisions.give(subject, [purpose(NEWS)], now=timezone.now())
        assert open_of(subject) == {NEWS, FEEDBACK}


# --- what is no link of ours -------------------------------------------------------------------------------------------
def made_up(subject):
    good = one(subject).split("/")[2]
    return {
        "cut off": good[:-1],
        "cut in half": good[: len(good) // 2],
        "longer": good + "A",
        "padded": good + "=",
        "changed": good[:10] + ("A" if good[10] != "A" else "B") + good[11:],
        "for another use": links.token(links.CONFIRM, subject.pk, purpose(NEWS).pk),
        "the link to one's consents": links.token(links.MINE, subject.pk, purpose(NEWS).pk),
        "one number": links.token(links.UNSUBSCRIBE, subject.pk),
        "three numbers": links.token(links.UNSUBSCRIBE, subject.pk, purpose(NEWS).pk, 0),
        "nobody": links.token(links.UNSUBSCRIBE, 2**40, purpose(NEWS).pk),
        "numbers in the clear": links.base64.urlsafe_b64encode(struct.pack(">qq", subject.pk, 0)).decode().rstrip("="),
        "in another alphabet": good[:10] + "+" + good[11:],
    }


@pytest.mark.parametrize("name", ["urlencoded", "multipart", "empty"])
def test_what_is_no_link_of_ours_says_why_and_ends_nothing(subject, name):
    body, content_type = BODIES[name]
    before = rows_written()
    for what, token in made_up(subject).items():
        for answer in (Client().get(f"/u/{token}/"), Client().post(f"/u/{token}/", body, content_type)):
            assert answer.status_code == 404, what
            assert answer.templates[0].name == "cut_link.html", what
            assert not answer.cookies
    assert rows_written() == before and open_of(subject) == {NEWS, FEEDBACK}


def test_one_persons_link_ends_nothing_of_another(subject, today):
    other = person(NEWS, now=today - DAY)
    click(everything(subject))
    assert open_of(other) == {NEWS}
