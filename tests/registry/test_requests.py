"""The life of a request: who may take which step, and what each leaves behind.

Broken and seen to fail: the text of a waiting request replaced by anybody, the trigger's list of steps, `_same_in_work`, `close` letting the text go, PER_DAY.
"""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, transaction

from registry import mail
from registry.models import (
    AuditEntry,
    DataSubject,
    ErasureCertificate,
    LegalGround,
    OutgoingMessage,
    PersonalDatum,
    RequestStep,
    SubjectRequest,
)
from registry.processing import may_process
from registry.registration import accept, register
from registry.requests import answering, handling, opening, papers, rectifying, verifying
from registry.requests.answering import Details
from registry.requests.verifying import Outcome as Link
from tests.factories import DAY, block, person, purpose, staff

State, Kind, Channel, Outcome = (
    SubjectRequest.State,
    SubjectRequest.Kind,
    SubjectRequest.Channel,
    SubjectRequest.Outcome,
)
CANARY = "my hens must be forgotten"
pytestmark = pytest.mark.django_db


def asked(subject, kind=Kind.ACCESS, *, now, channel=Channel.PAGE, text=CANARY, **also):
    contact = subject.data.live().contacts().first()
    return opening.receive(
        subject, kind, channel=channel, language="ru", now=now, contact_id=contact.pk, text=text, **also
    )


def in_work(subject, kind=Kind.ACCESS, *, now):
    request = asked(subject, kind, now=now)
    assert verifying.confirm(request.pk, now=now) == Link.DONE
    return SubjectRequest.objects.get(pk=request.pk)


@pytest.fixture
def clerk(db):
    return staff("clerk")


def test_a_request_waits_for_its_person_and_holds_no_text(now):
    request = asked(person(now=now), now=now)
    assert request.state == State.UNVERIFIED and request.due_on is not None
    assert papers.read(request.text_id) == CANARY
    assert CANARY not in str(vars(request))


def test_the_same_asked_again_opens_no_second_row(now):
    subject = person(now=now)
    first = asked(subject, now=now)
    assert asked(subject, now=now + DAY).pk == first.pk


def test_nobody_changes_what_somebody_else_is_about_to_confirm(now):
    subject = person(now=now)
    first = asked(subject, Kind.RECTIFICATION, now=now)
    other = asked(subject, Kind.RECTIFICATION, now=now, text="my address is evil@example.kz")
    first.refresh_from_db()
    assert other.pk != first.pk and papers.read(first.text_id) == CANARY


def test_at_the_desk_the_later_text_counts(now, clerk):
    subject = person(now=now)
    first = asked(subject, channel=Channel.DESK, by=clerk, now=now)
    again = asked(subject, channel=Channel.DESK, by=clerk, now=now + DAY, text="and my geese")
    assert again.pk == first.pk and papers.read(again.text_id) == "and my geese"
    old = PersonalDatum.objects.get(pk=first.text_id)
    assert old.keep_until == now + DAY


def test_nobody_may_ask_more_often_than_so_many_times_a_day(now):
    subject = person(now=now)
    kinds = list(Kind)[: opening.PER_DAY]
    for kind in kinds:
        asked(subject, kind, now=now)
    with pytest.raises(opening.TooMany):
        asked(subject, list(Kind)[opening.PER_DAY], now=now)
    assert asked(subject, list(Kind)[opening.PER_DAY], now=now + DAY)


def test_the_link_makes_it_a_known_persons(now):
    request = asked(person(now=now), now=now)
    assert verifying.confirm(request.pk, now=now + DAY) == Link.DONE
    request.refresh_from_db()
    assert (request.state, request.identity, request.verified_at) == (State.OPEN, "link", now + DAY)
    assert OutgoingMessage.objects.filter(letter="request_open", about_id=request.pk).count() == 1
    assert verifying.confirm(request.pk, now=now + DAY) == Link.DONE
    assert request.steps.filter(step="confirmed").count() == 1


def test_the_same_request_in_work_takes_the_second_one_in(now):
    subject = person(now=now)
    first = in_work(subject, now=now)
    second = asked(subject, now=now, text="again")
    assert verifying.confirm(second.pk, now=now) == Link.JOINED
    second.refresh_from_db()
    assert (second.state, second.joined_to_id) == (State.JOINED, first.pk)


def test_a_claimed_request_goes_over_to_the_person_it_is_from(now):
    owner = person(email="Owner.Canary@example.kz", now=now)
    accepted = accept({"email": "owner.canary@example.kz"}, [papers.purpose()])
    claimant = register(accepted, claim="email", language="kk", now=now)
    claim = claimant.data.live().get()
    request = opening.receive(
        claimant, Kind.ERASURE, channel=Channel.PAGE, language="kk", now=now, contact_id=claim.pk, text=CANARY
    )
    assert verifying.confirm(request.pk, now=now) == Link.DONE
    request.refresh_from_db()
    assert request.subject == owner and papers.read(request.text_id) == CANARY
    assert PersonalDatum.objects.get(pk=request.contact_id).subject == owner
    assert PersonalDatum.objects.get(pk=request.text_id).subject == owner


def test_disowned_and_lapsed_requests_lose_their_text(now):
    disowned, lapsed = asked(person(now=now), now=now), asked(person(now=now), now=now)
    assert verifying.disown(disowned.pk, now=now) == Link.DISOWNED
    assert verifying.lapse(now + 8 * DAY) == 1
    for request, state in ((disowned, State.DISOWNED), (lapsed, State.LAPSED)):
        request.refresh_from_db()
        assert request.state == state
        assert PersonalDatum.objects.get(pk=request.text_id).keep_until is not None


def test_lapsing_waits_for_its_day(now):
    asked(person(now=now), now=now)
    assert verifying.lapse(now + 7 * DAY - DAY / 24) == 0
    assert verifying.lapse(now + 7 * DAY) == 1


def test_the_desk_wants_enough_to_know_who_asks(now, clerk):
    request = asked(person(now=now), channel=Channel.DESK, by=clerk, now=now)
    with pytest.raises(ValidationError):
        verifying.check(request, ["contact"], by=clerk, now=now)
    assert verifying.check(request, ["document"], by=clerk, now=now) == Link.DONE
    request.refresh_from_db()
    assert request.identity == "checklist" and request.steps.last().reason == "document"


@pytest.mark.parametrize("appointed", [True, False])
def test_without_right_or_appointment_nothing_moves(now, appointed):
    outsider = staff("outsider", superuser=not appointed, appointed=appointed)
    request = in_work(person(now=now), now=now)
    acts = [
        lambda: handling.take(request, by=outsider, now=now),
        lambda: handling.extend(request, 1, by=outsider, reason="slow", now=now),
        lambda: verifying.doubt(request, by=outsider, reason="strange", now=now),
        lambda: answering.answer(request, Outcome.GRANTED, "done", by=outsider, now=now),
    ]
    for act in acts:
        with pytest.raises(PermissionDenied):
            act()
    assert AuditEntry.objects.filter(operation="refused", actor=outsider).count() == len(acts)
    request.refresh_from_db()
    assert request.state == State.OPEN and request.assignee is None


def test_doubt_pauses_and_the_desk_resumes(now, clerk):
    request = in_work(person(now=now), now=now)
    verifying.doubt(request, by=clerk, reason="another signature", now=now)
    request.refresh_from_db()
    assert request.state == State.PAUSED and request.due_on is None and request.identity == "none"
    assert verifying.confirm(request.pk, now=now + 7 * DAY) == Link.DOUBTED
    assert verifying.check(request, ["document"], by=clerk, now=now + 7 * DAY) == Link.DONE
    request.refresh_from_db()
    assert request.state == State.OPEN and request.due_on is not None
    assert list(request.steps.values_list("step", flat=True))[-3:] == ["paused", "resumed", "confirmed"]


STEPS = {
    ("unverified", "open"), ("unverified", "paused"), ("unverified", "answered"), ("unverified", "joined"),
    ("unverified", "spam"), ("unverified", "lapsed"), ("unverified", "disowned"),
    ("open", "paused"), ("open", "answered"), ("open", "joined"), ("open", "spam"),
    ("paused", "open"), ("paused", "answered"), ("paused", "joined"), ("paused", "spam"), ("paused", "lapsed"),
    ("paused", "disowned"),
}  # fmt: skip


@pytest.mark.parametrize("before", State.values)
def test_the_database_knows_which_step_may_follow_which(now, before):
    subject = person(now=now)
    other = asked(subject, Kind.OTHER, now=now)
    row = asked(subject, now=now)
    _force(row, before, other, now)
    allowed = {after for after in State.values if after != before and _is_taken(row, after, other, now)}
    assert allowed == {after for first, after in STEPS if first == before}


def _is_taken(row, after, other, now):
    """Whether the database lets this step pass; it is undone either way."""
    before = row.state
    try:
        with transaction.atomic():
            _force(row, after, other, now)
            transaction.set_rollback(True)
    except IntegrityError:
        return False
    finally:
        row.state = before
    return True


def _force(row, state, other, now):
    """Past the operations, with all the fields the constraints ask for."""
    is_known = state in {"open", "answered"}
    if state == row.state:
        return
    SubjectRequest.objects.filter(pk=row.pk).update(
        state=state,
        identity="link" if is_known else "none",
        verified_at=now if is_known else None,
        due_on=None if state == "paused" else now.date(),
        alarm_on=None if state == "paused" else now.date(),
        joined_to=other if state == "joined" else None,
        outcome="granted" if state == "answered" else "",
        answered_at=now if state == "answered" else None,
    )
    row.state = state


def test_a_finished_request_stays_as_it_is(now, clerk):
    request = in_work(person(now=now), Kind.OTHER, now=now)
    answering.answer(request, Outcome.GRANTED, "We keep hens.", by=clerk, now=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        SubjectRequest.objects.filter(pk=request.pk).update(outcome="refused")
    with pytest.raises(ValidationError):
        handling.take(request, by=clerk, now=now)


def test_an_answer_is_sealed_sent_to_the_contact_and_ends_the_term(now, clerk):
    request = in_work(person(now=now), Kind.OTHER, now=now)
    answering.answer(request, Outcome.GRANTED, CANARY, by=clerk, now=now)
    request.refresh_from_db()
    assert (request.state, request.outcome, request.answered_by) == (State.ANSWERED, "granted", clerk)
    assert papers.read(request.answer_id) == CANARY
    letter = OutgoingMessage.objects.get(letter="request_answer")
    assert (letter.datum_id, letter.about_id) == (request.contact_id, request.pk)
    kept = request.subject.processing.get(purpose__code="request-answer")
    assert kept.state == "closed" and kept.lapses_at > now + 360 * DAY


def test_a_refusal_needs_ground_and_text(now, clerk):
    request = in_work(person(now=now), Kind.ERASURE, now=now)
    with pytest.raises(ValidationError):
        answering.answer(request, Outcome.REFUSED, "No.", by=clerk, now=now)
    with pytest.raises(ValidationError):
        answering.answer(request, Outcome.REFUSED, " ", by=clerk, now=now, details=Details(LegalGround.objects.first()))
    answering.answer(request, Outcome.REFUSED, "No.", by=clerk, now=now, details=Details(LegalGround.objects.first()))
    request.refresh_from_db()
    assert request.outcome == "refused" and request.ground is not None
    assert not ErasureCertificate.objects.exists()


def test_only_a_refusal_reaches_somebody_unknown(now, clerk):
    request = asked(person(now=now), Kind.OTHER, channel=Channel.MAIL, now=now)
    with pytest.raises(ValidationError):
        answering.answer(request, Outcome.GRANTED, "Yes.", by=clerk, now=now)
    answering.answer(request, Outcome.REFUSED, "Who?", by=clerk, now=now, details=Details(LegalGround.objects.first()))
    request.refresh_from_db()
    assert request.state == State.ANSWERED


def test_blocking_takes_the_person_out_and_the_answer_still_comes(now, clerk):
    subject = person(now=now)
    request = in_work(subject, Kind.BLOCKING, now=now)
    assert may_process(subject, purpose(), now)
    answering.answer(request, Outcome.GRANTED, "Blocked.", by=clerk, now=now)
    subject.refresh_from_db()
    assert subject.status == DataSubject.Status.BLOCKED and not may_process(subject, purpose(), now)
    letter = OutgoingMessage.objects.select_related("subject", "purpose").get(letter="request_answer")
    assert mail._is_allowed(letter, now)


def test_unblocking_by_request(now, clerk):
    subject = person(now=now)
    block(subject)
    request = in_work(subject, Kind.UNBLOCKING, now=now)
    answering.answer(request, Outcome.GRANTED, "Unblocked.", by=clerk, now=now)
    subject.refresh_from_db()
    assert subject.status == DataSubject.Status.ACTIVE


def test_an_act_that_fails_leaves_the_request_in_work_and_sends_nothing(now, clerk):
    subject = person(now=now)
    request = in_work(subject, Kind.UNBLOCKING, now=now)
    with pytest.raises(ValidationError):
        answering.answer(request, Outcome.GRANTED, "Unblocked.", by=clerk, now=now)
    request.refresh_from_db()
    assert request.state == State.OPEN and request.answer_id is None
    assert not OutgoingMessage.objects.filter(letter="request_answer").exists()


def test_withdrawal_needs_nobody_on_the_staff(now):
    subject = person("site-news", "advertising", now=now)
    request = asked(subject, Kind.WITHDRAWAL, now=now)
    assert may_process(subject, purpose(), now)
    assert verifying.confirm(request.pk, now=now) == Link.DONE
    request.refresh_from_db()
    assert (request.state, request.outcome, request.answered_by) == (State.ANSWERED, "granted", None)
    assert not may_process(subject, purpose(), now) and not may_process(subject, purpose("advertising"), now)


def test_a_stated_value_is_corrected_at_once(now, clerk):
    subject = person(phone="+7 701 555 12 34", now=now)
    number = subject.data.live().get(category__code="phone")
    request = in_work(subject, Kind.RECTIFICATION, now=now)
    details = Details(datum=number, value="8 701 555 00 99")
    answering.answer(request, Outcome.GRANTED, "Corrected.", by=clerk, now=now, details=details)
    number.refresh_from_db()
    assert number.superseded_at == now and number.keep_until == now + 30 * DAY
    assert subject.data.live().get(category__code="phone").standing == "stated"


def test_a_confirmed_address_changes_when_the_new_one_answers(now, clerk):
    subject = person(email="old.canary@example.kz", now=now)
    old = subject.data.live().get()
    request = in_work(subject, Kind.RECTIFICATION, now=now)
    details = Details(datum=old, value="new.canary@example.kz")
    answering.answer(request, Outcome.GRANTED, "Asked.", by=clerk, now=now, details=details)
    old.refresh_from_db()
    fresh = subject.data.live().contacts().exclude(pk=old.pk).get()
    assert old.superseded_at is None and fresh.standing == "stated"
    assert OutgoingMessage.objects.get(letter="new_address").datum_id == fresh.pk
    assert rectifying.confirm_new(old.pk, fresh.pk, now=now + DAY)
    old.refresh_from_db(), fresh.refresh_from_db()
    assert old.superseded_at == now + DAY and fresh.standing == "confirmed"
    assert rectifying.confirm_new(old.pk, fresh.pk, now=now + 2 * DAY)


def test_somebody_elses_address_is_never_taken_over(now, clerk):
    other = person(email="other.canary@example.kz", now=now)
    subject = person(now=now)
    old = subject.data.live().get()
    request = in_work(subject, Kind.RECTIFICATION, now=now)
    details = Details(datum=old, value="OTHER.canary@example.kz")
    answering.answer(request, Outcome.GRANTED, "Asked.", by=clerk, now=now, details=details)
    fresh = subject.data.live().contacts().exclude(pk=old.pk).get()
    assert not rectifying.confirm_new(old.pk, fresh.pk, now=now)
    old.refresh_from_db()
    assert old.superseded_at is None and other.data.live().contacts().get().standing == "confirmed"


def test_every_step_is_evidence(now):
    request = asked(person(now=now), now=now)
    with pytest.raises(DatabaseError, match="permission"), transaction.atomic():
        RequestStep.objects.filter(request=request).update(reason="other")


def test_a_corrected_kind_gets_its_own_term(now, clerk):
    request = asked(person(now=now), Kind.OTHER, channel=Channel.MAIL, now=now)
    handling.correct_kind(request, Kind.ERASURE, by=clerk, now=now + DAY)
    request.refresh_from_db()
    assert (request.kind, request.length, request.steps.last().reason) == ("erasure", 15, "other > erasure")
