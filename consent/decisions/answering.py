"""Answering a question: by the link in its letter, by the code of its message, by the representative of a minor."""

import hmac
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy

from consent import evidence, links, wording
from consent.decisions.acts import Act, Channel, append, lines_of
from consent.decisions.asking import CLAIM, CONFIRMATION, LETTERS, MOST_TRIES, has_other_data
from consent.decisions.giving import record_consent
from consent.evidence import Circumstances
from consent.models import Confirmation, ConsentRecord
from registry import mail, sms
from registry.models import DataSubject, OutgoingMessage, PersonalDatum, Processing, ProcessingPurpose
from registry.processing import end_processing, lock_subjects, refresh_due
from registry.registration import confirm_identity, lock_identities

PORTION = 100  # questions noted as expired in one transaction


class Outcome(models.TextChoices):
    """What came of opening or answering a question."""

    OPEN = "open", gettext_lazy("waiting")
    DONE = "done", gettext_lazy("confirmed")
    PASSED_ON = "passed_on", gettext_lazy("waits for the legal representative")
    USED = "used", gettext_lazy("used already")
    REFUSED = "refused", gettext_lazy("refused")
    EXPIRED = "expired", gettext_lazy("expired")
    SUPERSEDED = "superseded", gettext_lazy("asked anew with other data")
    CHANGED = "changed", gettext_lazy("wording changed")
    BLOCKED = "blocked", gettext_lazy("blocked")
    WRONG_CODE = "wrong_code", gettext_lazy("wrong code")
    LOCKED = "locked", gettext_lazy("too many wrong codes")


def state_of(confirmation: Confirmation, now: datetime) -> Outcome:
    """What a link to this question is good for at `now`. Changes nothing."""
    answered = {
        Confirmation.Answer.CONFIRMED: Outcome.USED,
        Confirmation.Answer.REFUSED: Outcome.REFUSED,
        Confirmation.Answer.EXPIRED: Outcome.EXPIRED,
    }
    if confirmation.answer in answered:
        return answered[Confirmation.Answer(confirmation.answer)]
    if confirmation.expires_at <= now:
        return Outcome.EXPIRED
    if confirmation.attempts >= MOST_TRIES:
        return Outcome.LOCKED
    if has_other_data(confirmation):
        return Outcome.SUPERSEDED
    if _has_changed(confirmation, now):
        return Outcome.CHANGED
    return Outcome.PASSED_ON if confirmation.owned_at else Outcome.OPEN


def _has_changed(confirmation: Confirmation, now: datetime) -> bool:
    """Whether what was agreed to is no longer what we would do: another text, or a purpose closed since."""
    offered = wording.offer(now, confirmation.language).texts
    for record in confirmation.records.asked():
        text = offered.get(record.purpose.code)
        if text is None or record.wording is None or text.digest != record.wording.digest:
            return True
    return False


@transaction.atomic
def confirm(
    confirmation_id: int, *, now: datetime, code: str = "", circumstances: Circumstances | None = None
) -> Outcome:
    """Makes the asked consents count, or asks a minor's representative. Again changes nothing the second time."""
    confirmation = Confirmation.objects.taken(confirmation_id)
    state = state_of(confirmation, now)
    if state != Outcome.OPEN:
        return state
    if confirmation.way == Confirmation.Way.CODE and not _is_right(confirmation, code):
        confirmation.attempts += 1
        confirmation.save(update_fields=["attempts"])
        return Outcome.LOCKED if confirmation.attempts >= MOST_TRIES else Outcome.WRONG_CODE
    person = identified(confirmation, now)
    if isinstance(person, Outcome):
        return person
    if confirmation.representative_id:
        return _pass_on(confirmation, now)
    count(confirmation, person, now, circumstances)
    return Outcome.DONE


def identified(confirmation: Confirmation, now: datetime) -> DataSubject | Outcome:
    """Whose the address is, now that it was answered for, locked; or why the answer does not count."""
    person = confirm_identity(confirmation.subject, now=now)
    if person is None:
        return Outcome.EXPIRED
    if has_other_data(confirmation):  # entered while this one waited for the lock
        return _undone(Outcome.SUPERSEDED)
    return Outcome.BLOCKED if person.status == DataSubject.Status.BLOCKED else person


def _undone(outcome: Outcome) -> Outcome:
    """Nobody's identity is confirmed by an answer that does not count."""
    transaction.set_rollback(True)
    return outcome


def _is_right(confirmation: Confirmation, code: str) -> bool:
    """A code that went to nobody is nobody's: otherwise asking again and again would buy guesses."""
    letters = OutgoingMessage.objects.filter(letter=LETTERS[Confirmation.Way.CODE], subject=confirmation.subject)
    typed = "".join(char for char in code if char.isdigit())
    is_equal = hmac.compare_digest(typed.encode(), links.code(confirmation.pk, confirmation.asked_at).encode())
    return is_equal and letters.filter(about_id=confirmation.pk).exists()


def _pass_on(confirmation: Confirmation, now: datetime) -> Outcome:
    """The address is the child's own; now the representative is asked, at theirs."""
    confirmation.owned_at = now
    confirmation.save(update_fields=["owned_at"])
    guardian = confirmation.representative
    claims = PersonalDatum.objects.live().filter(subject=guardian, standing=PersonalDatum.Standing.CLAIMED)
    claim = claims.first() or PersonalDatum.objects.live().contacts().filter(subject=guardian).first()
    if claim:
        waiting_for = ProcessingPurpose.objects.get(code=CONFIRMATION)
        mail.queue(
            "represent",
            about=confirmation,
            datum=claim,
            purpose=waiting_for,
            language=confirmation.language,
            now=now,
        )
    return Outcome.PASSED_ON


@transaction.atomic
def represent(confirmation_id: int, *, now: datetime, circumstances: Circumstances | None = None) -> Outcome:
    """The legal representative agrees for a minor; it lapses when the minor comes of age."""
    confirmation = Confirmation.objects.taken(confirmation_id)
    state = state_of(confirmation, now)
    if state != Outcome.PASSED_ON or confirmation.representative is None:
        return state
    lock_identities([confirmation.subject_id, confirmation.representative.pk])
    guardian = confirm_identity(confirmation.representative, now=now)
    person = confirm_identity(confirmation.subject, now=now)
    if guardian is None or person is None or guardian == person:
        return _undone(Outcome.EXPIRED)
    if has_other_data(confirmation):  # entered while this one waited for the lock
        return _undone(Outcome.SUPERSEDED)
    if DataSubject.Status.BLOCKED in {person.status, guardian.status}:
        return _undone(Outcome.BLOCKED)
    count(confirmation, person, now, circumstances, represented_by=guardian)
    _end_waiting(confirmation.representative, now)
    return Outcome.DONE


def count(
    confirmation: Confirmation,
    person: DataSubject,
    now: datetime,
    circumstances: Circumstances | None = None,
    represented_by: DataSubject | None = None,
) -> None:
    """Opens what was asked, for the person it turned out to be, and sends the receipt. Everybody is locked."""
    lines = lines_of(confirmation.records.asked())
    adult_at = confirmation.adult_at
    receipt = record_consent(
        person,
        lines,
        Act.CONFIRMED,
        Channel(confirmation.way),
        now=now,
        until={line.purpose.code: adult_at for line in lines} if adult_at else None,
        circumstances=circumstances,
        actor=confirmation.checked_by,
        confirmation=confirmation,
        represented_by=represented_by,
        **at_the_desk(confirmation),
    )
    _close(confirmation, Confirmation.Answer.CONFIRMED, now)
    if address := _reached_at(person):
        purpose, language = lines[0].purpose, confirmation.language
        mail.queue("receipt", about=receipt, datum=address, purpose=purpose, language=language, now=now)


def at_the_desk(confirmation: Confirmation) -> dict[str, Any]:
    """What an act of this question says of the staff who entered and checked it; nobody, where it was answered."""
    return {
        "entered_by_id": confirmation.entered_by_id,
        "checked_by_id": confirmation.checked_by_id,
        "document_digest": confirmation.document_digest,
    }


def _reached_at(person: DataSubject) -> PersonalDatum | None:
    """Where the receipt goes: the confirmed address, else the number, if messages can be sent to it."""
    confirmed = person.data.live().contacts().filter(standing=PersonalDatum.Standing.CONFIRMED)
    address = confirmed.filter(category__code=CLAIM).first()
    return address or (confirmed.first() if sms.is_available() else None)


@transaction.atomic
def refuse(confirmation_id: int, *, now: datetime) -> Outcome:
    """ "I did not ask for this": nothing counts, and the claim goes with the next purge."""
    confirmation = Confirmation.objects.taken(confirmation_id)
    if confirmation.answer != Confirmation.Answer.WAITING:
        return state_of(confirmation, now)
    turn_down(confirmation, now)
    return Outcome.REFUSED


def turn_down(confirmation: Confirmation, now: datetime) -> None:
    """Notes that nothing counts. The question is locked by the caller, its people are not."""
    people = {confirmation.subject_id, confirmation.representative_id or confirmation.subject_id}
    lock_subjects(people)
    _count_nothing(Act.REFUSED, confirmation, Channel(confirmation.way), now)
    _close(confirmation, Confirmation.Answer.REFUSED, now)
    if confirmation.representative:
        _end_waiting(confirmation.representative, now)


def _close(confirmation: Confirmation, answer: Confirmation.Answer, now: datetime) -> None:
    """Notes the answer; the address is no longer held for confirmation, unless another question waits."""
    confirmation.answer, confirmation.answered_at = answer, now
    confirmation.save(update_fields=["answer", "answered_at"])
    _end_waiting(confirmation.subject, now)


def _end_waiting(person: DataSubject, now: datetime) -> None:
    waiting = Confirmation.objects.waiting(now).filter(models.Q(subject=person) | models.Q(representative=person))
    if not waiting.exists():
        purposes = ProcessingPurpose.objects.filter(code=CONFIRMATION).values_list("pk", flat=True)
        end_processing(person, purposes, Processing.State.CLOSED, now=now)
        if not _has_agreed(person):
            evidence.drop(person, now=now)
    refresh_due([person.pk])


def _has_agreed(person: DataSubject) -> bool:
    """Whether a consent rests on what this person was asked, theirs or of whom the address turned out to be.

    Asked one after the other: with OR over a join, PostgreSQL reads everybody's records.
    """
    agreed = ConsentRecord.objects.filter(act__in=[Act.CONFIRMED, Act.GIVEN])
    questions = Confirmation.objects.filter(subject=person)
    return agreed.filter(subject=person).exists() or agreed.filter(confirmation__in=questions).exists()


def expire_unconfirmed(now: datetime) -> int:
    """Notes which questions nobody answered in time; returns how many. The addresses lapse by themselves."""
    noted = 0
    while portion := _expire(now):
        noted += portion
    return noted


@transaction.atomic
def _expire(now: datetime) -> int:
    waiting = Confirmation.objects.overdue(now).select_related("subject", "representative").order_by("pk")
    overdue = list(waiting.select_for_update(skip_locked=True, of=("self",))[:PORTION])
    people = {one.subject for one in overdue} | {one.representative for one in overdue if one.representative}
    lock_subjects(person.pk for person in people)
    Confirmation.objects.filter(pk__in=[confirmation.pk for confirmation in overdue]).update(
        answer=Confirmation.Answer.EXPIRED, answered_at=now
    )
    for confirmation in overdue:
        _count_nothing(Act.EXPIRED, confirmation, Channel.JOB, now)
    for person in people:
        _end_waiting(person, now)
    return len(overdue)


def _count_nothing(act: Act, confirmation: Confirmation, channel: Channel, now: datetime) -> None:
    """What was asked ends in this act; a scan and the technical data of the question have nothing to prove."""
    asked, person = list(confirmation.records.asked()), confirmation.subject
    append(act, person, lines_of(asked), channel, now=now, confirmation=confirmation, **at_the_desk(confirmation))
    evidence.drop_scan(person, confirmation.document_id, now=now)
    evidence.drop_these(person, {record.evidence_id for record in asked} - {None}, now=now)
