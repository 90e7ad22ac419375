"""What staff do with a request may take nothing from its person: a kind corrected, one request joined to another, a
demanded erasure beside what is asked, an answer to what is so already, a term extended.

Broken and seen to fail. In registry/requests: what is asked anew in `answer`, in `state_of` and in `disown`, the end of
`confirmed_as` at the last confirmation, the kind the page showed in `confirm`, the kinds in `join` and in `may_answer`,
the second look in `_leave`, holds and other use in already.py, the code of the reason in `_erase`, whom an extension is
told. In registry/spared.py: waiting requests in `needed_to_answer` and in `is_needed`, `spare` left out, and for later
requests too. In registry/demands.py: what was released and came after the demand.
"""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone
from django.utils.translation import override

from registry import certifying, demands, mail, purging
from registry.models import (
    AuditEntry,
    DataSubject,
    ErasureCertificate,
    LegalGround,
    OutgoingMessage,
    PersonalDatum,
    ReplyTemplate,
    SubjectRequest,
)
from registry.processing import may_process
from registry.requests import already, anew, answering, handling, letters, opening, papers, verifying
from registry.requests.answering import Details
from registry.requests.verifying import Outcome as Link
from tests.factories import DAY, block, hold, person, purpose, staff

pytestmark = pytest.mark.django_db
State, Kind, Channel, Outcome = (
    SubjectRequest.State,
    SubjectRequest.Kind,
    SubjectRequest.Channel,
    SubjectRequest.Outcome,
)
CANARY = "my hens must be counted"
ENDING = ["blocking", "erasure", "unblocking", "withdrawal"]


@pytest.fixture(autouse=True)
def _in_english():
    with override("en"):
        yield


@pytest.fixture
def clerk(db):
    return staff("clerk")


def received(subject, kind=Kind.OTHER, *, now, channel=Channel.PAGE, **also):
    contact = subject.data.live().contacts().order_by("pk").first()
    asked = {"channel": channel, "language": "ru", "contact_id": contact.pk, "text": CANARY} | also
    return opening.receive(subject, kind, now=now, **asked)


def in_work(subject, kind=Kind.OTHER, *, now, **also):
    request = received(subject, kind, now=now, **also)
    assert verifying.confirm(request.pk, now=now) == Link.DONE
    return read(request)


def read(request):
    return SubjectRequest.objects.get(pk=request.pk)


def ground():
    return LegalGround.objects.first()


def questions(request):
    return OutgoingMessage.objects.filter(letter=opening.CONFIRM, about_id=request.pk).count()


def erased(subject, by, now):
    return demands.demand(subject, ground=ground(), reason="a court said so", by=by, now=now)


def sent(now):
    return mail.send_due(now, clock=lambda: now)


# --- a kind that ends something is confirmed as that kind ---------------------------------------------------------------
@pytest.mark.parametrize("kind", ENDING)
def test_a_kind_that_ends_something_is_not_carried_out_on_the_word_of_the_staff(now, clerk, kind):
    subject = person(now=now)
    if kind == Kind.UNBLOCKING:
        block(subject)
    request = in_work(subject, now=now)
    before = request.received_at, request.identity, request.verified_at
    assert handling.correct_kind(request, Kind(kind), by=clerk, now=now)
    request = read(request)
    assert (request.received_at, request.identity, request.verified_at) == before and request.state == State.OPEN
    assert anew.is_asked(request) and questions(request) == 1
    with pytest.raises(ValidationError, match="another kind"):
        answering.answer(request, Outcome.GRANTED, "Done.", by=clerk, now=now, details=Details(ground()))
    subject.refresh_from_db()
    assert subject.status == ("blocked" if kind == Kind.UNBLOCKING else "active")
    assert not ErasureCertificate.objects.exists() and not OutgoingMessage.objects.filter(letter=answering.LETTER)


@pytest.mark.parametrize("way", ["link", "desk"])
def test_the_person_confirms_the_new_kind_and_then_it_is_carried_out(now, clerk, way):
    subject = person(now=now)
    request = in_work(subject, now=now)
    handling.correct_kind(request, Kind.ERASURE, by=clerk, now=now)
    if way == "link":
        assert verifying.confirm(request.pk, now=now, kind="erasure") == Link.DONE
    else:
        assert verifying.check(request, ["document"], by=clerk, now=now) == Link.DONE
    request = read(request)
    assert not anew.is_asked(request) and verifying.state_of(request) == Link.DONE
    answering.answer(request, Outcome.GRANTED, "Done.", by=clerk, now=now, details=Details(ground()))
    assert read(request).certificate == ErasureCertificate.objects.get()


def test_a_withdrawal_is_carried_out_by_whoever_confirms_it_and_not_before(now, clerk):
    subject = person(now=now)
    request = in_work(subject, now=now)
    handling.correct_kind(request, Kind.WITHDRAWAL, by=clerk, now=now)
    assert may_process(subject, purpose(), now) and read(request).state == State.OPEN
    assert verifying.confirm(request.pk, now=now) == Link.DONE
    assert not may_process(subject, purpose(), now) and read(request).state == State.ANSWERED


def test_a_page_that_shows_another_kind_confirms_nothing(now, clerk):
    request = received(person(now=now), now=now)
    handling.correct_kind(request, Kind.WITHDRAWAL, by=clerk, now=now)
    assert verifying.confirm(request.pk, now=now, kind="other") == Link.OPEN
    assert (read(request).state, read(request).identity) == (State.UNVERIFIED, "none")
    assert may_process(request.subject, purpose(), now)
    assert verifying.confirm(request.pk, now=now, kind="withdrawal") == Link.DONE


def test_who_did_not_ask_for_the_new_kind_keeps_what_they_asked(now, clerk):
    request = in_work(person(now=now), Kind.ACCESS, now=now)
    due = request.due_on
    handling.correct_kind(request, Kind.ERASURE, by=clerk, now=now)
    assert read(request).due_on > due
    assert verifying.disown(request.pk, now=now) == Link.DONE
    request = read(request)
    assert (request.state, request.kind, request.due_on) == (State.OPEN, "access", due)
    assert papers.read(request.text_id) == CANARY and not anew.is_asked(request)
    assert request.steps.last().reason == "erasure > access" and request.steps.last().by is None


def test_what_they_asked_is_joined_to_the_same_one_that_came_meanwhile(now, clerk):
    subject = person(now=now)
    request = in_work(subject, Kind.ACCESS, now=now)
    handling.correct_kind(request, Kind.ERASURE, by=clerk, now=now)
    same = in_work(subject, Kind.ACCESS, now=now)
    assert verifying.disown(request.pk, now=now) == Link.JOINED
    assert (read(request).state, read(request).joined_to) == (State.JOINED, same)


def test_nobody_is_asked_anew_about_what_they_confirmed_or_what_ends_nothing(now, clerk):
    request = in_work(person(now=now), Kind.ERASURE, now=now)
    for kind in (Kind.ACCESS, Kind.ERASURE, Kind.OTHER, Kind.RECTIFICATION, Kind.OBJECTION):
        assert not handling.correct_kind(request, kind, by=clerk, now=now), kind
    assert questions(request) == 0
    assert handling.correct_kind(request, Kind.BLOCKING, by=clerk, now=now) and questions(request) == 1


def test_before_anybody_confirmed_the_kind_is_only_corrected(now, clerk):
    request = received(person(now=now), now=now)
    assert not handling.correct_kind(request, Kind.ERASURE, by=clerk, now=now)
    assert verifying.confirm(request.pk, now=now) == Link.DONE and not anew.is_asked(read(request))


def test_in_doubt_the_kind_is_confirmed_with_the_person(now, clerk):
    request = in_work(person(now=now), now=now)
    verifying.doubt(request, by=clerk, reason="another signature", now=now)
    assert not handling.correct_kind(request, Kind.BLOCKING, by=clerk, now=now)
    verifying.check(request, ["document"], by=clerk, now=now)
    assert not anew.is_asked(read(request))


def test_a_kind_that_waits_for_its_person_waits_on_the_clock_of_the_staff(now, clerk):
    request = in_work(person(now=now), now=now)
    handling.correct_kind(request, Kind.ERASURE, by=clerk, now=now)
    assert verifying.lapse(now + 40 * DAY) == 0
    assert read(request).is_overdue(timezone.localdate(now + 40 * DAY))
    answering.answer(request, Outcome.REFUSED, "Not confirmed.", by=clerk, now=now, details=Details(ground()))
    assert read(request).outcome == "refused"


def test_the_question_is_asked_once_more_and_only_while_it_waits(now, clerk):
    request = in_work(person(now=now), now=now)
    with pytest.raises(ValidationError):
        handling.ask(request, by=clerk, now=now)
    with pytest.raises(ValidationError):
        verifying.check(request, ["document"], by=clerk, now=now)
    handling.correct_kind(request, Kind.ERASURE, by=clerk, now=now)
    handling.ask(request, by=clerk, now=now)
    assert questions(request) == 2


# --- joined is only what asks for the same -------------------------------------------------------------------------------
def test_an_erasure_is_not_lost_in_a_question(now, clerk):
    subject = person(now=now)
    erasure, question = in_work(subject, Kind.ERASURE, now=now), in_work(subject, now=now)
    with pytest.raises(ValidationError, match="asks for something else"):
        handling.join(erasure, question, by=clerk, now=now)
    assert read(erasure).state == State.OPEN and not handling.may_answer(erasure).exists()
    handling.join(question, erasure, by=clerk, now=now)
    assert read(question).joined_to == erasure


def test_the_same_thing_asked_twice_is_joined(now, clerk):
    subject = person(now=now)
    first = in_work(subject, Kind.ACCESS, now=now)
    second = received(subject, Kind.ACCESS, channel=Channel.DESK, by=clerk, now=now)
    handling.join(second, first, by=clerk, now=now)
    assert read(second).joined_to == first


def test_another_person_s_request_answers_nobody_else_s(now, clerk):
    mine, foreign = in_work(person(now=now), now=now), in_work(person(now=now), now=now)
    with pytest.raises(ValidationError, match="same person"):
        handling.join(mine, foreign, by=clerk, now=now)
    assert read(mine).state == State.OPEN


# --- an erasure leaves nobody without an answer ---------------------------------------------------------------------------
def test_what_waits_beside_a_demand_of_the_console_is_still_answered_and_goes_then(now, clerk):
    subject = person(now=now)
    request = in_work(subject, now=now)
    certificate = erased(subject, clerk, now)
    contact = subject.data.get(pk=request.contact_id)
    assert certificate.spared == sorted([request.contact_id, request.text_id])
    assert not demands.finish(certificate.pk, now=now + DAY) and papers.read(request.text_id) == CANARY
    purging.purge(now + DAY)
    answering.answer(request, Outcome.GRANTED, "Nothing is held.", by=clerk, now=now + DAY)
    letter = OutgoingMessage.objects.get(letter=answering.LETTER)
    assert letter.datum_id == contact.pk and subject.data.live().filter(pk=contact.pk).exists()
    certificate.refresh_from_db()
    assert set(certificate.spared) == {request.contact_id, request.text_id, read(request).answer_id}
    assert not demands.finish(certificate.pk, now=now + DAY)  # the letter is not gone yet
    assert sent(now + DAY) == 1
    assert demands.finish(certificate.pk, now=now + 2 * DAY)
    assert not subject.data.exists() and DataSubject.objects.get(pk=subject.pk).status == "erased"


def test_what_waits_for_its_person_keeps_the_contact_until_it_lapses(now, clerk):
    subject = person(now=now)
    request = received(subject, channel=Channel.MAIL, now=now)
    certificate = erased(subject, clerk, now)
    sent(now)  # of when the person consented
    assert not demands.finish(certificate.pk, now=now + DAY)
    assert subject.data.filter(pk=request.contact_id).exists()
    assert verifying.lapse(now + 31 * DAY) == 1
    assert demands.finish(certificate.pk, now=now + 31 * DAY) and not subject.data.exists()


def test_one_letter_answers_what_is_joined_to_the_erasure_and_nothing_else_stays(now, clerk):
    subject = person(now=now)
    erasure, question = in_work(subject, Kind.ERASURE, now=now), in_work(subject, now=now)
    answering.answer(erasure, Outcome.GRANTED, "Done.", by=clerk, now=now, details=Details(ground()))
    erasure = read(erasure)
    assert read(question).joined_to == erasure
    assert erasure.certificate.spared == sorted([erasure.contact_id, erasure.answer_id])


def test_an_answer_to_a_later_question_is_not_taken_by_an_old_demand(now, clerk):
    subject = person(now=now)
    hold(subject)
    certificate = erased(subject, clerk, now)
    request = in_work(subject, now=now + DAY)
    answering.answer(request, Outcome.GRANTED, "We keep hens.", by=clerk, now=now + DAY)
    certificate.refresh_from_db()
    assert certificate.spared == []


# --- what is so already is granted ----------------------------------------------------------------------------------------
SO = {"is_so_already": True}


def test_a_second_erasure_is_granted_while_a_hold_puts_the_first_off(now, clerk):
    subject = person(now=now)
    request = in_work(subject, Kind.ERASURE, now=now)
    hold(subject)
    certificate = erased(subject, clerk, now)
    assert already.why(request) == already.ERASED
    assert letters.draft(request, Outcome.GRANTED).startswith("Здравствуйте")
    assert "принято раньше" in letters.draft(request, Outcome.GRANTED)
    with pytest.raises(ValidationError):
        answering.answer(request, Outcome.GRANTED, "Done.", by=clerk, now=now, details=Details(ground()))
    answering.answer(request, Outcome.GRANTED, "It is so.", by=clerk, now=now, details=Details(**SO))
    request = read(request)
    assert (request.outcome, request.steps.last().reason) == ("granted", "granted erased")
    assert OutgoingMessage.objects.filter(letter=answering.LETTER, datum_id=request.contact_id).exists()
    assert ErasureCertificate.objects.get() == certificate
    certificate.refresh_from_db()
    assert request.answer_id in certificate.spared


def test_blocking_of_a_blocked_person_is_granted_and_changes_nothing(now, clerk):
    subject = person(now=now)
    block(subject)
    request = in_work(subject, Kind.BLOCKING, now=now)
    acts = AuditEntry.objects.filter(operation="block")
    before = acts.count()
    assert already.why(request) == already.BLOCKED and "уже заблокированы" in letters.draft(request, Outcome.GRANTED)
    answering.answer(request, Outcome.GRANTED, "It is so.", by=clerk, now=now, details=Details(**SO))
    assert read(request).outcome == "granted" and acts.count() == before
    assert not read(request).steps.filter(step="done").exists()


def test_unblocking_of_somebody_not_blocked_is_granted(now, clerk):
    request = in_work(person(now=now), Kind.UNBLOCKING, now=now)
    assert already.why(request) == already.UNBLOCKED and "не заблокированы" in letters.draft(request, Outcome.GRANTED)
    answering.answer(request, Outcome.GRANTED, "It is so.", by=clerk, now=now, details=Details(**SO))
    assert read(request).outcome == "granted"


@pytest.mark.parametrize("kind", [Kind.ERASURE, Kind.BLOCKING, Kind.ACCESS, Kind.OTHER])
def test_what_is_to_be_done_is_never_answered_as_done(now, clerk, kind):
    subject = person(now=now)
    request = in_work(subject, kind, now=now)
    assert already.why(request) == ""
    with pytest.raises(ValidationError, match="not so any more"):
        answering.answer(request, Outcome.GRANTED, "It is so.", by=clerk, now=now, details=Details(**SO))
    assert read(request).state == State.OPEN
    assert DataSubject.objects.get(pk=subject.pk).status == "active"


def test_of_an_erased_person_nothing_is_held_whatever_is_asked(now, clerk):
    subject = person(now=now)
    requests = [in_work(subject, kind, now=now) for kind in (Kind.ACCESS, Kind.RECTIFICATION, Kind.BLOCKING)]
    erased(subject, clerk, now)
    assert {already.why(request) for request in requests} == {already.ERASED}
    for request in requests:
        answering.answer(request, Outcome.GRANTED, "Nothing is held.", by=clerk, now=now, details=Details(**SO))
    assert not SubjectRequest.objects.waiting().exists()


def test_what_a_hold_or_a_new_consent_keeps_is_still_held(now, clerk):
    held, back = person(now=now), person(email="back@example.kz", now=now)
    copies = [in_work(one, Kind.ACCESS, now=now) for one in (held, back)]
    again = in_work(back, Kind.ERASURE, now=now)
    hold(held)
    hold(back)
    for one in (held, back):
        erased(one, clerk, now)
    person(email="back@example.kz", now=now + DAY)  # consents anew
    assert [already.why(one) for one in (*copies, again)] == ["", "", ""]


def test_every_reason_has_its_letter_in_three_languages():
    codes = [f"already-{why}" for why in already.NAMES]
    templates = ReplyTemplate.objects.filter(code__in=codes)
    assert len(templates) == len(codes) == 3
    assert all(one.text("text", language) for one in templates for language in ("kk", "ru", "en"))


# --- the reason of an erasure is a code ----------------------------------------------------------------------------------
@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_the_reason_of_an_erasure_is_kept_as_a_code_and_read_in_every_language(now, clerk, language):
    request = in_work(person(now=now), Kind.ERASURE, now=now)
    with override(language):
        answering.answer(request, Outcome.GRANTED, "Done.", by=clerk, now=now, details=Details(ground()))
    certificate = ErasureCertificate.objects.get()
    assert certificate.reason == certifying.ASKED == "asked for by the person"
    entry = AuditEntry.objects.get(operation="destroy", object_id=certificate.pk)
    assert entry.reason == certifying.ASKED
    told = {}
    for one in ("kk", "ru", "en"):
        with override(one):
            told[one] = certifying.reason_of(certificate)
    assert told["en"] == certifying.ASKED and len(set(told.values())) == 3
    certificate.reason = "a court said so"
    assert certifying.reason_of(certificate) == "a court said so"


# --- an extended term is told ----------------------------------------------------------------------------------------------
def extended():
    return OutgoingMessage.objects.filter(letter=handling.EXTENDED)


def test_who_is_known_is_told_of_another_last_day_and_nobody_else(now, clerk):
    known, unknown = in_work(person(now=now), now=now), received(person(now=now), now=now)
    for request in (known, unknown):
        handling.extend(request, 2, by=clerk, reason="many papers", now=now)
    (letter,) = extended()
    assert (letter.about_id, letter.datum_id, letter.language) == (known.pk, known.contact_id, "ru")


def test_the_step_keeps_the_ground_as_a_code_and_the_reason(now, clerk):
    request = in_work(person(now=now), now=now)
    handling.extend(request, 1, by=clerk, reason="many papers", now=now)
    step = read(request).steps.last()
    term = request.deadline.ground
    assert step.reason == f"{term.code}: many papers"
    with override("ru"):
        assert letters.extension_of(step) == (f"{term.act_ru}, {term}", "many papers")
    other = LegalGround.objects.exclude(pk=term.pk).first()
    handling.extend(request, 1, by=clerk, reason="x" * 300, now=now, ground=other)
    step = read(request).steps.last()
    assert step.reason.startswith(f"{other.code}: xxx") and len(step.reason) == 300


def test_an_older_step_without_a_ground_is_read_as_it_was_written(now, clerk):
    request = in_work(person(now=now), now=now)
    handling.extend(request, 1, by=clerk, reason="many papers", now=now)
    step = read(request).steps.last()
    step.reason = "slow: many papers"
    assert letters.extension_of(step) == ("", "slow: many papers")


def test_who_may_not_handle_requests_extends_nothing_and_tells_nothing(now):
    request = in_work(person(now=now), now=now)
    with pytest.raises(PermissionDenied):
        handling.extend(request, 2, by=staff("outsider", superuser=False), reason="many papers", now=now)
    assert not extended().exists() and PersonalDatum.objects.filter(pk=request.contact_id).exists()
