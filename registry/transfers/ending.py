"""The end of files that nobody fetched, and of files that belong to no transfer."""

from datetime import datetime

from django.db import transaction

from registry.models import Transfer
from registry.transfers import rows
from registry.transfers.rows import Operation, State


def destroy_over(now: datetime) -> int:
    """Destroys key and file of what was not fetched in time, and every file without a ready transfer; how many."""
    over = Transfer.objects.filter(state=State.READY, expires_at__lte=now).order_by("pk")
    gone = sum(_destroy(transfer, now) for transfer in over)
    rows.FILES.sweep(Transfer.objects.filter(state=State.READY).only("number"))
    return gone


@transaction.atomic
def _destroy(transfer: Transfer, now: datetime) -> bool:
    row = Transfer.objects.select_for_update().get(pk=transfer.pk)
    if row.state != State.READY:
        return False  # fetched or cancelled a moment ago
    rows.turn(row, State.DESTROYED, destroyed_at=now)
    rows.note(Operation.DESTROY, row, None, now, "not fetched in time")
    return True
