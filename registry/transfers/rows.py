"""The row of a transfer and its file: who may act on it, how its state turns, where the file lies."""

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from registry import auditing
from registry.disclosure import may_see_people
from registry.models import AuditEntry, StaffMember, Transfer

State = Transfer.State
Operation = AuditEntry.Operation
KIND, SYSTEM = b"transfer", "transfers"
ASK, APPROVE = "registry.ask_transfer", "registry.approve_transfer"


def check(is_allowed: bool, by: StaffMember, about: models.Model, now: datetime) -> None:
    """PermissionDenied, and the attempt recorded, unless it is allowed and an appointment is in force (clause 29)."""
    if not (is_allowed and may_see_people(by, now)):
        record_refused(by, about, now, SYSTEM)
        raise PermissionDenied


def record_refused(by: StaffMember, about: models.Model, now: datetime, reason: str) -> None:
    with transaction.atomic():
        auditing.record(Operation.REFUSED, now=now, actor=by, about=about, reason=reason)


def locked(transfer: Transfer, *states: State) -> Transfer:
    """The row, locked; ValidationError if it is in none of these states any more."""
    rows = Transfer.objects.select_for_update(of=("self",)).select_related("recipient__country", "purpose")
    row = rows.get(pk=transfer.pk)
    if row.state not in states:
        raise ValidationError(_("Somebody else has decided about this meanwhile."))
    return row


def turn(row: Transfer, state: State, **also: object) -> None:
    """The next state of a locked row; the key goes with the last one that has a file."""
    if state not in Transfer.WITH_FILE:
        also["wrapped"] = None
    for name, value in also.items():
        setattr(row, name, value)
    row.state = state
    row.save(update_fields=["state", *also])


def note(operation: Operation, row: Transfer, by: StaffMember | None, now: datetime, reason: str) -> None:
    auditing.record(operation, now=now, actor=by, system="" if by else SYSTEM, about=row, reason=reason)


def give_up(transfer: Transfer, error: Exception, now: datetime) -> None:
    """Failed, if it was still being built or ready. The error is noted by its type."""
    name = type(error).__name__
    with transaction.atomic():
        row = Transfer.objects.select_for_update().get(pk=transfer.pk)
        if row.state in Transfer.WITH_FILE:
            turn(row, State.FAILED, destroyed_at=now, failure=name)
            note(Operation.DESTROY, row, None, now, f"failed: {name}")
    remove(row)


def folder() -> Path:
    return settings.HOME / "transfers"


def path_of(transfer: Transfer) -> Path:
    return folder() / f"{transfer.number}.sealed"


def remove(transfer: Transfer) -> None:
    """Takes the file away. Its key is gone already: if this fails, noise stays until the next run."""
    path_of(transfer).unlink(missing_ok=True)
