"""Building the copies that were asked for: sealed, in parts, anew after any interruption."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import DatabaseError, connection, transaction
from django.utils.translation import override

from registry import sealed_files
from registry.auditing import NotRecorded
from registry.models import CopyPackage
from registry.requests.copying import contents, rows
from registry.requests.copying.contents import Written
from registry.requests.copying.parts import Whose
from registry.requests.copying.rows import Operation, State

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]
KEPT_FOR = timedelta(days=7)


def build_waiting(*, clock: Clock) -> int:
    """Builds one copy after the other; how many are ready. The caller sees to it that nobody else does at the time."""
    ready = 0
    waiting = CopyPackage.objects.filter(state=State.BUILDING).select_related("request__subject").order_by("pk")
    while package := waiting.first():
        ready += build(package, clock=clock)
    return ready


def build(package: CopyPackage, *, clock: Clock) -> bool:
    """Whether the copy is ready. If not its state says why, and nothing of it stays on the disk.

    A database that fails is raised: the copy stays as asked, and the next run begins anew.
    """
    try:
        is_ready = _build(package, clock)
    except (DatabaseError, NotRecorded):
        rows.remove(package)
        raise
    except Exception as error:
        logger.error("copy %s not built: %s", package.pk, type(error).__name__)
        rows.give_up(package, error, clock())
        return False
    if not is_ready:
        rows.remove(package)
    return is_ready


def _build(package: CopyPackage, clock: Clock) -> bool:
    key, wrapped = rows.FILES.new_key(package)
    with sealed_files.writing(rows.path_of(package), key, package.pk) as add:
        numbers, written = _write(package, add, clock())
    return _finish(package, wrapped, numbers, written, clock())


def _write(package: CopyPackage, add: Callable[[bytes], None], now: datetime) -> tuple[list[int], Written]:
    """Which data are in it, as a part that is never given, and the zip file behind it."""
    whose = Whose(package.request.subject, package.request, now)
    with _one_moment(), override(package.request.language):
        numbers = list(whose.subject.data.order_by("pk").values_list("pk", flat=True))
        add(json.dumps(numbers).encode())
        return numbers, contents.write(whose, add)


@contextmanager
def _one_moment() -> Iterator[None]:
    """Everything is read as it was at one moment, and nobody is locked meanwhile. A transaction that has begun already
    goes on as it is."""
    is_first = not connection.in_atomic_block
    with transaction.atomic():
        if is_first:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@transaction.atomic
def _finish(package: CopyPackage, wrapped: bytes, numbers: list[int], written: Written, now: datetime) -> bool:
    """Ready, unless something in it was destroyed while it was built. The key is kept from here on and not before."""
    row = rows.locked(package, State.BUILDING)
    if rows.lost(row, numbers):
        rows.destroy(row, now, rows.ERASED)
        return False
    rows.turn(
        row,
        State.READY,
        wrapped=wrapped,
        built_at=now,
        expires_at=now + KEPT_FOR,
        size=written.size,
        digest=written.digest,
    )
    rows.note(Operation.EXPORT, row, now, "copy built")
    return True
