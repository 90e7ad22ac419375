"""Asking for a list, the second person's answer, and giving it up."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import lists
from registry.exporting import rows
from registry.exporting.rows import Kind, Operation, State
from registry.models import DataExport, ProcessingPurpose, StaffMember
from registry.normalise import check_given

PERMISSIONS = {Kind.MASKED: "registry.export_masked", Kind.PLAIN: "registry.export_plain"}
APPROVER = "registry.approve_dataexport"


def ask(purpose: ProcessingPurpose, *, kind: Kind, reason: str, by: StaffMember, now: datetime) -> DataExport:
    """Opens the row: it waits for a second person, or to be built.

    PermissionDenied, ValidationError (no reason, nobody on the list).
    """
    rows.check(by.has_perm(PERMISSIONS[kind]), by, purpose, now)
    check_given(reason)
    people = lists.people(purpose, now).count()
    if not people:
        raise ValidationError(_("Nobody's data may be used for this purpose now: the list would be empty."))
    with transaction.atomic():
        export = DataExport.objects.create(
            kind=kind,
            purpose=purpose,
            reason=reason.strip(),
            state=State.WAITING if rows.needs_a_second(kind, people) else State.BUILDING,
            people=people,
            requested_by=by,
            requested_at=now,
        )
        rows.note(Operation.APPROVE, export, by, now, export.reason)
    return export


def approve(export: DataExport, *, by: StaffMember, now: datetime) -> None:
    """The second person's yes: the list is built. PermissionDenied, ValidationError (nothing is changed)."""
    _decide(export, State.BUILDING, "approved", by, now)


def refuse(export: DataExport, *, by: StaffMember, reason: str, now: datetime) -> None:
    """The second person's no, with a reason. PermissionDenied, ValidationError (nothing is changed)."""
    check_given(reason)
    _decide(export, State.REFUSED, reason.strip(), by, now)


def _decide(export: DataExport, state: State, reason: str, by: StaffMember, now: datetime) -> None:
    rows.check(by.has_perm(APPROVER), by, export, now)
    with transaction.atomic():
        row = rows.locked(export, State.WAITING)
        if row.requested_by_id == by.pk:
            raise ValidationError(_("This needs another person: who asks for a list does not approve it."))
        rows.turn(row, state, approved_by=by, approved_at=now)
        rows.note(Operation.APPROVE, row, by, now, reason)


def cancel(export: DataExport, *, by: StaffMember, now: datetime) -> None:
    """Whoever asked gives it up; what was written is destroyed. PermissionDenied, ValidationError."""
    rows.check(export.requested_by_id == by.pk, by, export, now)
    with transaction.atomic():
        row = rows.locked(export, State.WAITING, State.BUILDING, State.READY)
        rows.turn(row, State.CANCELLED, destroyed_at=now)
        rows.note(Operation.DESTROY, row, by, now, "cancelled")
    rows.remove(row)
