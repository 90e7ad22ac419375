"""Giving and withdrawing, by a person who is known. Withdrawing asks nothing but the person's lock."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from consent import evidence, receipts
from consent.decisions.acts import Act, Channel, Line, Past, append, past_of
from consent.decisions.asking import shown
from consent.evidence import Circumstances
from consent.models import Receipt
from registry import auditing, statements
from registry.models import AuditEntry, DataSubject, PersonalDatum, Processing, ProcessingPurpose, StaffMember
from registry.processing import (
    OWN_USE,
    Opening,
    Scope,
    end_processing,
    lock_subjects,
    note_contact,
    open_all,
    refresh_due,
)
from registry.transfers import notices

ANSWERED = "UPDATE consent_campaignmember SET answered_at = %s WHERE subject_id = %s AND answered_at IS NULL"


@transaction.atomic
def give(
    person: DataSubject,
    purposes: Sequence[ProcessingPurpose],
    *,
    now: datetime,
    channel: Channel = Channel.PAGE,
    scope: Scope = OWN_USE,
) -> None:
    """Consent of a person who is known already, in their language. DataSubject.DoesNotExist if destroyed meanwhile."""
    lock_known(person)
    lines = shown(purposes, person.language, now, {purpose.code: scope for purpose in purposes})
    record_consent(person, lines, Act.GIVEN, channel, now=now)


def lock_known(person: DataSubject) -> None:
    lock_subjects([person.pk])
    if not is_known(person):
        raise DataSubject.DoesNotExist


def is_known(person: DataSubject) -> bool:
    """Whether an address or number of theirs is confirmed and not destroyed. Evidence alone may outlive it."""
    return person.data.live().filter(standing=PersonalDatum.Standing.CONFIRMED).exists()


def record_consent(
    person: DataSubject,
    lines: Sequence[Line],
    act: Act,
    channel: Channel,
    *,
    now: datetime,
    until: dict[str, datetime] | None = None,
    circumstances: Circumstances | None = None,
    actor: StaffMember | None = None,
    **also: Any,
) -> Receipt:
    """Opens what was agreed to, appends the acts, signs the receipt. The person is locked by the caller.

    `until`: by code of the purpose, where it ends before the purpose's own term. `also`: fields of ConsentRecord.
    """
    ends = until or {}
    evidence_id = evidence.keep(person, circumstances, evidence.place(now), now=now) if circumstances else None
    openings = [Opening(line.purpose, line.scope, ends.get(line.purpose.code)) for line in lines]
    open_all(person, openings, now=now, channel=channel)
    note_contact(person, now=now)
    records = append(act, person, lines, channel, now=now, evidence_id=evidence_id, **also)
    note_answered(person, now)
    auditing.record(
        AuditEntry.Operation.CONSENT, now=now, actor=actor, system=channel, subject_id=person.pk, about=person
    )
    refresh_due([person.pk])
    language = lines[0].wording.language if lines[0].wording else person.language
    return receipts.issue(person, records, language=language, now=now)


@transaction.atomic
def withdraw(
    person: DataSubject,
    purpose: ProcessingPurpose | int | None,
    *,
    now: datetime,
    channel: Channel,
    actor: StaffMember | None = None,
) -> list[ProcessingPurpose]:
    """Ends the consent for one purpose (or its number), or for all (None), at once; returns what was ended.

    Nothing open writes nothing.
    """
    lock_subjects([person.pk])
    number = purpose.pk if isinstance(purpose, ProcessingPurpose) else purpose
    past = past_of(person)
    wanted = {one for one in past.agreed if number in {None, one}}
    return end_consents(person, wanted, channel, now=now, actor=actor, past=past)


def note_answered(person: DataSubject, now: datetime) -> None:
    """Whatever they chose, a campaign that asked them anew has its answer."""
    statements.write(ANSWERED, [now, person.pk])


def end_consents(
    person: DataSubject,
    purposes: Iterable[int],
    channel: Channel,
    *,
    now: datetime,
    actor: StaffMember | None = None,
    past: Past | None = None,
) -> list[ProcessingPurpose]:
    """Ends what is open among the purposes with these numbers; which. The person is locked by the caller. `past`: as it
    is for `append`."""
    ended = end_processing(person, purposes, Processing.State.WITHDRAWN, now=now)
    if ended:
        with statements.at_once():
            append(Act.WITHDRAWN, person, [Line(purpose) for purpose in ended], channel, now=now, past=past)
            note_answered(person, now)
        auditing.record(
            AuditEntry.Operation.WITHDRAW, now=now, actor=actor, system=channel, subject_id=person.pk, about=person
        )
        refresh_due([person.pk])
        numbers = [purpose.pk for purpose in ended]
        notices.open_for([person.pk], notices.Event.WITHDRAWN, now=now, purposes=numbers)
    return ended
