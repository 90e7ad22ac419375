"""Blocking: the data stay, are used by nothing, are sent nothing and are not destroyed (Law 94-V art. 1)."""

from datetime import datetime

from django.db import transaction

from registry import auditing
from registry.models import AuditEntry, DataSubject, StaffMember
from registry.processing import lock_subjects, refresh_due
from registry.transfers import notices
from registry.transfers.notices import Event


def block(subject: DataSubject, *, by: StaffMember | None, reason: str, now: datetime) -> bool:
    """False, and nothing written, if the person is not active."""
    return _turn(subject, DataSubject.Status.ACTIVE, DataSubject.Status.BLOCKED, by=by, reason=reason, now=now)


def unblock(subject: DataSubject, *, by: StaffMember | None, reason: str, now: datetime) -> bool:
    """False, and nothing written, if the person is not blocked. What became due meanwhile goes with the next purge."""
    return _turn(subject, DataSubject.Status.BLOCKED, DataSubject.Status.ACTIVE, by=by, reason=reason, now=now)


@transaction.atomic
def _turn(
    subject: DataSubject,
    before: DataSubject.Status,
    after: DataSubject.Status,
    *,
    by: StaffMember | None,
    reason: str,
    now: datetime,
) -> bool:
    lock_subjects([subject.pk])
    if not DataSubject.objects.filter(pk=subject.pk, status=before).update(status=after):
        return False
    subject.status = after
    auditing.record(AuditEntry.Operation.BLOCK, now=now, actor=by, subject_id=subject.pk, about=subject, reason=reason)
    refresh_due([subject.pk])
    told = Event.BLOCKED if after == DataSubject.Status.BLOCKED else Event.UNBLOCKED
    notices.open_for([subject.pk], told, now=now)
    return True
