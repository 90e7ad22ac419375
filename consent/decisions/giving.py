"""Giving and withdrawing, by a person who is known. Withdrawing asks nothing but the person's lock."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from consent import evidence, receipts
from consent.decisions.acts import Act, Channel, Line, append
from consent.decisions.asking import shown
from consent.evidence import Circumstances
from consent.models import CampaignMember, ConsentRecord, Receipt
from registry import auditing
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
    evidence_id = evidence.keep(person, circumstances, now=now)
    openings = [Opening(line.purpose, line.scope, ends.get(line.purpose.code)) for line in lines]
    open_all(person, openings, now=now, channel=channel)
    note_contact(person, now=now)
    records = append(act, person, lines, channel, now=now, evidence_id=evidence_id, **also)
    CampaignMember.objects.filter(subject=person, answered_at=None).update(answered_at=now)
    auditing.record(
        AuditEntry.Operation.CONSENT, now=now, actor=actor, system=channel, subject_id=person.pk, about=person
    )
    refresh_due([person.pk])
    language = lines[0].wording.language if lines[0].wording else person.language
    return receipts.issue(person, records, language=language, now=now)


@transaction.atomic
def withdraw(
    person: DataSubject,
    purpose: ProcessingPurpose | None,
    *,
    now: datetime,
    channel: Channel,
    actor: StaffMember | None = None,
) -> list[ProcessingPurpose]:
    """Ends the consent for one purpose, or for all (None), at once; returns what was ended.

    Nothing open writes nothing.
    """
    lock_subjects([person.pk])
    wanted = consented(person)
    return end_consents(person, wanted.filter(purpose=purpose) if purpose else wanted, channel, now=now, actor=actor)


def consented(person: DataSubject) -> Any:
    """The numbers of the purposes this person ever agreed to, whatever their basis is by now."""
    return ConsentRecord.objects.filter(subject=person, act__in=[Act.GIVEN, Act.CONFIRMED]).values("purpose")


def end_consents(
    person: DataSubject,
    purposes: Iterable[ProcessingPurpose],
    channel: Channel,
    *,
    now: datetime,
    actor: StaffMember | None = None,
) -> list[ProcessingPurpose]:
    """Ends what is open among them; which. The person is locked by the caller."""
    ended = [one.purpose for one in end_processing(person, purposes, Processing.State.WITHDRAWN, now=now)]
    if ended:
        append(Act.WITHDRAWN, person, [Line(purpose) for purpose in ended], channel, now=now)
        CampaignMember.objects.filter(subject=person, answered_at=None).update(answered_at=now)
        auditing.record(
            AuditEntry.Operation.WITHDRAW, now=now, actor=actor, system=channel, subject_id=person.pk, about=person
        )
        refresh_due([person.pk])
        numbers = [purpose.pk for purpose in ended]
        notices.open_for([person.pk], notices.Event.WITHDRAWN, now=now, purposes=numbers)
    return ended
