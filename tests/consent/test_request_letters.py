"""The letters about requests: what each says in three languages, to an address and to a number; when none goes any more;
and their links, which change nothing by being opened, however often, and act once.

Broken and seen to fail: each letter when it is no longer true, one that does not reach a blocked person, an answer
without its text, the article of a refusal's ground left out, an end of the link for somebody in doubt, the number told
before it is confirmed, answering by GET, a POST without a button taken for confirming.
"""

import pytest
from django.utils.formats import date_format
from django.utils.translation import override

from consent import asking_requests
from registry import mail
from registry.models import DatumKey, LegalGround, OutgoingMessage, PersonalDatum, SubjectRequest
from registry.normalise import normalise
from registry.registration import record_datum
from registry.requests import answering, contacts, handling, letters, opening, rectifying, verifying
from registry.requests.answering import Details
from tests.consent.pages import deliver, forms_of, path_of
from tests.consent.test_languages import foreign_words
from tests.factories import DAY, EMAIL, PHONE, block, person, staff
from tests.faults.tables import rows_written

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
Kind, Outcome = SubjectRequest.Kind, SubjectRequest.Outcome
OURS = (opening.CONFIRM, opening.OPENED, handling.EXTENDED, answering.LETTER, rectifying.LETTER)
CANARY = "Канарейка жауабы"
NEW = {"email": "new.canary@example.kz", "phone": "+77010000099"}
CONTACTS = {"email": EMAIL, "phone": PHONE}
OTHER = normalise("email", "another.canary@example.kz")


@pytest.fixture(autouse=True)
def _folders(settings):
    settings.EMAIL_BACKEND, settings.SMS_BACKEND = "config.mail_folder.EmailBackend", "config.sms_folder.send"


# --- how each letter comes to be ---------------------------------------------------------------------------------------
def asked(now, category="email", kind=Kind.OTHER, language="kk", text="x"):
    page = SubjectRequest.Channel.PAGE
    contact = CONTACTS[category]
    return asking_requests.ask(category, contact, kind, channel=page, language=language, now=now, text=text)


def opened(now, category="email", kind=Kind.OTHER, language="kk"):
    request = asked(now, category, kind, language)
    assert verifying.confirm(request.pk, now=now) == verifying.Outcome.DONE
    return SubjectRequest.objects.get(pk=request.pk)


def answered(now, category="email", language="kk", outcome=Outcome.GRANTED):
    request = opened(now, category, language=language)
    ground = LegalGround.objects.get(code="access") if outcome == Outcome.REFUSED else None
    by = staff(f"clerk{request.pk}")
    return answering.answer(request, outcome, CANARY, by=by, now=now, details=Details(ground=ground))


def refused(now, category="email", language="kk"):
    return answered(now, category, language, Outcome.REFUSED)


def corrected(now, category="email", language="kk"):
    request = opened(now, category, Kind.RECTIFICATION, language)
    details = Details(datum=request.subject.data.get(category__code=category), value=NEW[category])
    by = staff(f"clerk{request.pk}")
    answering.answer(request, Outcome.GRANTED, CANARY, by=by, now=now, details=details)
    return request


def extended(now, category="email", language="kk"):
    request = opened(now, category, language=language)
    handling.extend(request, 2, by=staff(f"clerk{request.pk}"), reason=CANARY, now=now)
    return SubjectRequest.objects.get(pk=request.pk)


LETTERS = {
    "request": (opening.CONFIRM, asked),
    "request_open": (opening.OPENED, opened),
    "request_extended": (handling.EXTENDED, extended),
    "request_answer": (answering.LETTER, answered),
    "refusal": (answering.LETTER, refused),
    "new_address": (rectifying.LETTER, corrected),
}
by_name = pytest.mark.parametrize("name", LETTERS)
by_category = pytest.mark.parametrize("category", list(CONTACTS))


def letter_of(name, now, category="email", language="kk"):
    """The letter of this name alone, as it lies in its folder; what else is queued is not sent."""
    letter, make = LETTERS[name]
    request = make(now, category, language=language)
    OutgoingMessage.objects.exclude(letter=letter).update(state="cancelled")
    (sent,) = deliver(now)
    assert ("@" in sent.to) == (category == "email")
    return request, sent


def test_all_of_them_answer_the_person_and_reach_a_blocked_one():
    assert all(mail.writers[name].is_service and mail.writers[name].reaches_blocked for name in OURS)


@by_name
@by_category
@pytest.mark.parametrize("language", ["kk", "ru"])
def test_letters_speak_the_language_of_the_request(today, name, category, language):
    _request, sent = letter_of(name, today, category, language)
    said = sent.headers.get("Subject", "") + sent.text.replace(CANARY, "").replace("395/НҚ", "")
    assert foreign_words(said, language) == []


@by_name
@by_category
def test_a_letter_has_one_link_of_ours_and_no_contact_in_the_clear(today, name, category):
    request, sent = letter_of(name, today, category, "en")
    (url,) = sent.urls
    assert path_of(url).startswith("/en/")
    for value in (*CONTACTS.values(), *NEW.values(), "77015551234"):
        assert value.lower() not in sent.text.lower()
    if name not in {"request", "new_address"}:
        assert request.number in sent.text


@by_category
def test_the_question_says_what_was_asked_and_by_when_and_not_the_number_or_the_text(today, category):
    request, sent = letter_of("request", today, category, "en")
    assert "nother question" in sent.text and request.number not in sent.text
    assert ("a•••@example.kz" in sent.text.lower()) == (category == "email")


@by_category
@pytest.mark.parametrize("name", ["request_answer", "refusal"])
def test_the_answer_itself_goes_to_addresses_and_to_numbers(today, name, category):
    _request, sent = letter_of(name, today, category, "en")
    assert CANARY in sent.text
    assert ("authorised body" in sent.text) == (name == "refusal") == ("Legal ground of the refusal" in sent.text)


def test_who_is_asked_again_in_doubt_is_told_no_end_of_the_link(today):
    request = opened(today, language="en")
    deliver(today)
    clerk, theirs = staff(), request.subject.data.live().contacts().first()
    verifying.doubt(request, by=clerk, reason="another voice", now=today)
    other = record_datum(theirs.subject, theirs.category, OTHER, standing="confirmed", now=today)
    contacts.use(request, other, by=clerk, now=today)
    (sent,) = deliver(today)
    assert "request/confirm" in sent.text and "works until" not in sent.text


@by_category
@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_an_extension_is_told_with_the_new_last_day_and_its_ground(today, category, language):
    request, sent = letter_of("request_extended", today, category, language)
    with override(language):
        assert date_format(request.due_on) in sent.text
        assert letters.cited(request.deadline.ground) in sent.text
        assert (request.explained(language) in sent.text) == (CANARY in sent.text) == (category == "email")


# --- when none goes any more -------------------------------------------------------------------------------------------
def states(letter):
    return list(OutgoingMessage.objects.filter(letter=letter).values_list("state", flat=True))


def test_the_question_is_not_asked_once_it_is_answered(today):
    request = asked(today)
    verifying.disown(request.pk, now=today)
    assert deliver(today) == [] and states(opening.CONFIRM) == ["cancelled"]


def test_what_is_answered_already_is_not_said_to_be_in_work(today):
    answered(today)
    assert len(deliver(today)) == 1
    assert states(opening.OPENED) == ["cancelled"] and states(answering.LETTER) == ["sent"]


def test_of_an_extended_term_nobody_is_told_once_it_is_answered_or_in_doubt(today):
    request, doubted = extended(today), extended(today, "phone")
    details = Details(ground=LegalGround.objects.get(code="access"))
    answering.answer(request, Outcome.REFUSED, CANARY, by=staff("other"), now=today, details=details)
    verifying.doubt(doubted, by=staff("another"), reason="another voice", now=today)
    deliver(today)
    assert states(handling.EXTENDED) == ["cancelled", "cancelled"]


def test_an_answer_without_its_text_does_not_go(today):
    request = answered(today)
    for rows in (DatumKey.objects.filter(datum=request.answer_id), PersonalDatum.objects.filter(pk=request.answer_id)):
        rows.delete()
    assert deliver(today) == [] and states(answering.LETTER) == ["cancelled"]


@pytest.mark.parametrize("gone", ["confirmed", "superseded", "the old one"])
def test_a_new_address_is_asked_only_while_that_can_be_done(today, gone):
    request = corrected(today)
    old, new = request.subject.data.filter(category__code="email").order_by("pk")
    if gone == "confirmed":
        assert rectifying.confirm_new(old.pk, new.pk, now=today)
    else:
        row = old if gone == "the old one" else new
        PersonalDatum.objects.filter(pk=row.pk).update(superseded_at=today, keep_until=today)
    deliver(today)
    assert states(rectifying.LETTER) == ["cancelled"]


def test_a_blocked_person_gets_all_of_them(today):
    subject = person("site-news", email=EMAIL, now=today - DAY)
    block(subject)
    deliver(today)
    answered(today)
    deliver(today)
    assert states(answering.LETTER) == ["sent"] and SubjectRequest.objects.get().subject == subject


# --- their links -------------------------------------------------------------------------------------------------------
PRESSED = {
    "request": [("answer", "confirm"), ("answer", "disown")],
    "new_address": [("answer", "confirm")],
}


@by_name
@by_category
def test_opening_a_link_changes_nothing_however_often(client, today, name, category):
    _request, sent = letter_of(name, today, category)
    before = rows_written()
    for url in sent.urls:
        for method in ("get", "head") * 3:
            answer = getattr(client, method)(path_of(url))
            assert answer.status_code == 200 and not answer.cookies and "Location" not in answer.headers
            assert answer["Cache-Control"] == "no-store" and answer["X-Robots-Tag"] == "noindex"
            assert rows_written() == before, f"{method} {url}"


@by_name
@by_category
def test_a_button_acts_once_and_a_post_without_it_not_at_all(client, today, name, category):
    _request, sent = letter_of(name, today, category)
    path = path_of(sent.urls[0])
    forms, before = forms_of(client.get(path)), rows_written()
    assert [button for form in forms for button in form.buttons] == PRESSED.get(name, [])
    assert client.post(path).status_code == 400 and rows_written() == before
    for form in forms:
        first = form.press(client)
        written = rows_written()
        assert written > before and form.press(client).content == first.content and rows_written() == written
        assert first.status_code == 200


# --- the drafts that ship ----------------------------------------------------------------------------------------------
def drafts(now, language):
    request = opened(now, language=language)
    for kind in Kind:
        request.kind = kind
        for outcome in Outcome:
            yield f"{kind}-{outcome}", request, letters.draft(request, outcome)


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_every_kind_and_outcome_has_a_draft_with_number_day_operator_and_contact(today, language):
    found = list(drafts(today, language))
    assert len(found) == len(Kind) * len(Outcome)
    for name, request, text in found:
        assert request.number in text and "info@sergekgroup.com" in text and "Sergek" in text, name
        assert "{" not in text and "26" in text


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_drafts_say_nothing_in_another_language(today, language):
    assert [word for _name, _request, text in drafts(today, language) for word in foreign_words(text, language)] == []


def test_what_goes_without_anybody_looking_it_over_has_no_place_to_fill_in(today):
    assert all("[" not in text for name, _request, text in drafts(today, "en") if name == "withdrawal-granted")
    assert all("[" in text for name, _request, text in drafts(today, "en") if name.endswith("-refused"))


def test_what_was_not_done_says_where_to_complain(today):
    for name, _request, text in drafts(today, "en"):
        assert ("authorised body" in text) == (name.endswith(("-refused", "-partly")) or name == "objection-granted")
