"""The end of files that nobody fetched, and of files that belong to no transfer."""

from datetime import datetime

from django.db import transaction

from registry.models import Transfer
from registry.transfers import rows
from registry.transfers.rows import Operation, State


def destroy_over(now: datetime) -> int:
    """Destroys key and file of what was not fetched in time, and every file without a ready transfer; how many.

    Nothing is being built at the time: the same job does both, and runs once.
    """
    over = Transfer.objects.filter(state=State.READY, expires_at__lte=now).order_by("pk")
    gone = sum(_destroy(transfer, now) for transfer in over)
    kept = {rows.path_of(transfer) for transfer in Transfer.objects.filter(state=State.READY).only("number")}
    for path in rows.folder().glob("*"):
        if path not in kept:
            path.unlink(missing_ok=True)
    return gone


@transaction.atomic
def _destroy(transfer: Transfer, now: datetime) -> bool:
    row = Transfer.objects.select_for_update().get(pk=transfer.pk)
    if row.state != State.READY:
        return False  # fetched or cancelled a moment ago
    rows.turn(row, State.DESTROYED, destroyed_at=now)
    rows.note(Operation.DESTROY, row, None, now, "not fetched in time")
    return True
