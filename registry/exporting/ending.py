"""The end of lists that nobody fetched, and of files that belong to none."""

from datetime import datetime

from django.db import transaction

from registry.exporting import rows
from registry.exporting.rows import Operation, State
from registry.models import DataExport


def destroy_over(now: datetime) -> int:
    """Destroys key and file of lists not fetched in time, and every file that no ready list holds; how many lists."""
    over = DataExport.objects.filter(state=State.READY, expires_at__lte=now).order_by("pk")
    gone = sum(_destroy(export, now) for export in over)
    rows.FILES.sweep(DataExport.objects.filter(state=State.READY).only("number"))
    return gone


@transaction.atomic
def _destroy(export: DataExport, now: datetime) -> bool:
    row = DataExport.objects.select_for_update().get(pk=export.pk)
    if row.state != State.READY:
        return False  # fetched or cancelled a moment ago
    rows.turn(row, State.DESTROYED, destroyed_at=now)
    rows.note(Operation.DESTROY, row, None, now, "not fetched in time")
    return True
