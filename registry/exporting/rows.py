"""The row of a list and its file: who may act on it, how its state turns (registry.handed_out)."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import handed_out
from registry.handed_out import Files
from registry.models import AccessSettings, AuditEntry, DataExport

Kind = DataExport.Kind
State = DataExport.State
Operation = AuditEntry.Operation
FILES = Files("exports", b"export")
check, note, remove, path_of = FILES.check, FILES.note, FILES.remove, FILES.path_of
new_key, key_of, turn = FILES.new_key, FILES.key_of, handed_out.turn


def needs_a_second(kind: str, people: int) -> bool:
    return kind == Kind.PLAIN and people > AccessSettings.objects.get().plain_export_people


def locked(export: DataExport, *states: State) -> DataExport:
    """The row, locked; ValidationError if it is in none of these states any more."""
    row = DataExport.objects.select_for_update(of=("self",)).select_related("purpose").get(pk=export.pk)
    if row.state not in states:
        raise ValidationError(_("Somebody else has decided about this meanwhile."))
    return row


def give_up(export: DataExport, error: Exception, now: datetime) -> None:
    """Failed, if it was still being built or ready."""
    with transaction.atomic():
        FILES.fail(DataExport.objects.select_for_update().get(pk=export.pk), error, now)
    remove(export)
