"""Placing and releasing legal holds: law or an unfulfilled obligation forbids destruction meanwhile."""

from datetime import datetime

from django.db import transaction

from registry import auditing
from registry.models import AuditEntry, LegalHold, StaffMember
from registry.normalise import check_given
from registry.processing import lock_subjects, refresh_due


@transaction.atomic
def place(hold: LegalHold, *, by: StaffMember, now: datetime) -> LegalHold:
    """Saves a new hold. The person is locked first, so a purge under way either sees it or was done before."""
    lock_subjects([hold.subject_id])
    hold.placed_at, hold.placed_by = now, by
    hold.full_clean()
    hold.save(force_insert=True)
    _finish(hold, by, now, hold.reason)
    return hold


@transaction.atomic
def release(hold: LegalHold, *, by: StaffMember, reason: str, now: datetime) -> bool:
    """Ends a hold; False if it was released before. What it deferred is due at the next purge. ValidationError."""
    check_given(reason)
    lock_subjects([hold.subject_id])
    hold.refresh_from_db()
    if hold.released_at:
        return False
    hold.released_at, hold.released_by, hold.release_reason = now, by, reason
    hold.save()
    _finish(hold, by, now, reason)
    return True


def _finish(hold: LegalHold, by: StaffMember, now: datetime, reason: str) -> None:
    auditing.record(AuditEntry.Operation.HOLD, now=now, actor=by, subject_id=hold.subject_id, about=hold, reason=reason)
    refresh_due([hold.subject_id])
