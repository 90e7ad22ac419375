"""The row of a list and its file: who may act on it, how its state turns, where the file lies and what opens it."""

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from registry import auditing, sealed_files
from registry.disclosure import may_see_people
from registry.models import AccessSettings, AuditEntry, DataExport, StaffMember

Kind = DataExport.Kind
State = DataExport.State
Operation = AuditEntry.Operation
WITH_KEY = [State.BUILDING, State.READY]
SYSTEM = "exports"
KIND = b"export"  # what keys of these files are bound to


def check(is_allowed: bool, by: StaffMember, about: models.Model, now: datetime) -> None:
    """PermissionDenied, and the attempt recorded, unless it is allowed and an appointment is in force."""
    if is_allowed and may_see_people(by, now):
        return
    with transaction.atomic():
        auditing.record(Operation.REFUSED, now=now, actor=by, about=about, reason=SYSTEM)
    raise PermissionDenied


def needs_a_second(kind: str, people: int) -> bool:
    return kind == Kind.PLAIN and people > AccessSettings.objects.get().plain_export_people


def locked(export: DataExport, *states: State) -> DataExport:
    """The row, locked; ValidationError if it is in none of these states any more."""
    row = DataExport.objects.select_for_update(of=("self",)).select_related("purpose").get(pk=export.pk)
    if row.state not in states:
        raise ValidationError(_("Somebody else has decided about this meanwhile."))
    return row


def turn(row: DataExport, state: State, **also: object) -> None:
    """The next state of a locked row; the key goes with the last one that has a file."""
    if state not in WITH_KEY:
        also["wrapped"] = None
    for field, value in also.items():
        setattr(row, field, value)
    row.state = state
    row.save(update_fields=["state", *also])


def note(operation: Operation, row: DataExport, by: StaffMember | None, now: datetime, reason: str) -> None:
    auditing.record(operation, now=now, actor=by, system="" if by else SYSTEM, about=row, reason=reason)


def give_up(export: DataExport, error: Exception, now: datetime) -> None:
    """Failed, if it was still being built or ready. The error is noted by its type."""
    with transaction.atomic():
        row = DataExport.objects.select_for_update().get(pk=export.pk)
        if row.state in WITH_KEY:
            turn(row, State.FAILED, destroyed_at=now)
            note(Operation.DESTROY, row, None, now, f"failed: {type(error).__name__}")
    remove(row)


def folder() -> Path:
    return settings.HOME / "exports"


def path_of(export: DataExport) -> Path:
    return folder() / f"{export.number}.sealed"


def remove(export: DataExport) -> None:
    """Takes the file away. Its key is gone already: if this fails, noise stays until the next run."""
    path_of(export).unlink(missing_ok=True)


def new_key(export: DataExport) -> tuple[bytes, bytes]:
    """A key for the file, plain and wrapped."""
    return sealed_files.new_key(KIND, export.pk)


def key_of(export: DataExport) -> bytes:
    """SealError if there is none."""
    return sealed_files.key_of(export.wrapped, KIND, export.pk)
