"""The end of copies that nobody fetched or that may not be given any more, and of files that belong to none."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from registry.models import CopyPackage
from registry.requests.copying import rows
from registry.requests.copying.rows import State
from registry.sealing import SealError


def destroy_over(now: datetime) -> int:
    """Destroys key and file of copies whose time is over, whose data are (partly) destroyed, or whose request was
    refused, and every file that no ready copy holds; how many copies."""
    ready = CopyPackage.objects.filter(state=State.READY).select_related("request__subject").order_by("pk")
    gone = sum(_look(package, now) for package in list(ready))
    rows.FILES.sweep(CopyPackage.objects.filter(state=State.READY).only("pk"))
    return gone


def _look(package: CopyPackage, now: datetime) -> bool:
    """Whether the copy was destroyed. One that does not open any more has failed."""
    try:
        return _end(package, rows.numbers_in(package), now)
    except ValidationError:
        return False  # fetched a moment ago
    except (OSError, SealError) as error:
        rows.give_up(package, error, now)
        return False


@transaction.atomic
def _end(package: CopyPackage, numbers: list[int], now: datetime) -> bool:
    row = rows.locked(package, State.READY)
    if reason := _reason(row, numbers, now):
        rows.destroy(row, now, reason)
    return bool(reason)


def _reason(row: CopyPackage, numbers: list[int], now: datetime) -> str:
    """Why it goes; empty: it stays."""
    if row.expires_at is None or row.expires_at <= now:
        return "not fetched in time"
    if rows.lost(row, numbers):
        return rows.ERASED
    return "request refused" if rows.is_refused(row.request) else ""
