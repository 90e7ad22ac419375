"""The row of a transfer and its file: who may act on it, how its state turns (registry.handed_out)."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import handed_out
from registry.handed_out import Files
from registry.models import AuditEntry, Transfer

State = Transfer.State
Operation = AuditEntry.Operation
ASK, APPROVE = "registry.ask_transfer", "registry.approve_transfer"
FILES = Files("transfers", b"transfer")
check, note, remove, path_of = FILES.check, FILES.note, FILES.remove, FILES.path_of
turn, record_refused = handed_out.turn, handed_out.record_refused


def locked(transfer: Transfer, *states: State) -> Transfer:
    """The row, locked; ValidationError if it is in none of these states any more."""
    rows = Transfer.objects.select_for_update(of=("self",)).select_related("recipient__country", "purpose")
    row = rows.get(pk=transfer.pk)
    if row.state not in states:
        raise ValidationError(_("Somebody else has decided about this meanwhile."))
    return row


def give_up(transfer: Transfer, error: Exception, now: datetime) -> None:
    """Failed, if it was still being built or ready."""
    with transaction.atomic():
        FILES.fail(Transfer.objects.select_for_update().get(pk=transfer.pk), error, now)
    remove(transfer)
