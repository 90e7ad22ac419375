"""Opening the values of a transfer and writing them sealed, portion by portion, anew after any interruption.

Dangerous because a million values are opened in this process, one portion at a time. The rules:

- They go into the sealed file and nowhere else: a part a portion, in it each person as the format writes them
  (`formats.people`, `packing`), so that whoever loses the ground meanwhile can be left out.
- A value that does not open stays behind with its person, and the line says so (`damaged`). Nothing of the value is
  said anywhere. More than one in a thousand are no accident: then the transfer fails.
- What is written counts only while the key is the one this file was begun with: an erasure takes it.

Called by: registry.tasks (every minute and when woken).
"""

import gc
import logging
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import closing
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import psycopg
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from registry import sealed_files, sealing
from registry.auditing import NotRecorded
from registry.keyring import keyring
from registry.models import AccessSettings, DataCategory, Transfer, TransferLine
from registry.sealing import Opener, SealError
from registry.transfers import formats, mailing, packing, rows
from registry.transfers.formats import Column, Line
from registry.transfers.gate import DAMAGED, as_asked
from registry.transfers.rows import Operation, State

logger = logging.getLogger(__name__)
FIRST_COLUMN = 2  # behind reference and language
PORTION = 2000  # people: one part of the sealed file, and what is open at a time
STRETCH = 10 * PORTION  # people read by one statement, after which the way so far is noted
ROWS = 1000  # taken from it at a time
BEARABLE = 1000  # one person in so many may stay behind because a value is damaged
Clock = Callable[[], datetime]
Row = tuple[Any, ...]
VALUES = """
    SELECT line.place, line.subject_id, subject.reference, subject.language, datum.category_id, datum.id, datum.sealed,
        key.wrapped
    FROM registry_transferline line
    JOIN registry_datasubject subject ON subject.id = line.subject_id
    JOIN registry_personaldatum datum ON datum.subject_id = line.subject_id AND datum.category_id = ANY(%(categories)s)
        AND datum.superseded_at IS NULL AND datum.standing = ANY(%(standings)s)
    JOIN registry_datumkey key ON key.datum_id = datum.id
    WHERE line.transfer_id = %(transfer)s AND line.place > %(after)s AND line.place <= %(last)s AND line.dropped = ''
    ORDER BY line.place, datum.id
"""
# Rows come while others are opened: one person after the other, nothing sorted or hashed before the first.
IN_PASSING = """
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_bitmapscan = off;
    SET LOCAL max_parallel_workers_per_gather = 0
"""


class Stopped(Exception):
    """This file is not wanted any more: the transfer was cancelled, or somebody of it was erased and it begins anew."""


class TooManyDamaged(Exception):
    """So many values do not open that it can't be left at that."""


def build_waiting(*, clock: Clock) -> int:
    """Builds one file after the other; how many are ready. The caller sees to it that nobody else does at the time."""
    ready = 0
    waiting = Transfer.objects.filter(state=State.BUILDING).select_related("recipient", "purpose")
    while transfer := waiting.order_by("pk").first():
        ready += build(transfer, clock=clock)
    return ready


def build(transfer: Transfer, *, clock: Clock) -> bool:
    """Whether the file is ready. If not its state says why, and nothing of it stays on the disk.

    A database that fails is raised: the transfer stays as asked, and the next run begins anew, with the same lines.
    """
    try:
        key, transfer.wrapped = rows.FILES.new_key(transfer)
        if not _row(transfer).update(wrapped=transfer.wrapped, written=0):
            raise Stopped
        with sealed_files.writing(rows.path_of(transfer), key, transfer.pk) as add:
            _write(transfer, add, clock)
        life = timedelta(hours=AccessSettings.objects.get().export_hours)
        _note(transfer, state=State.READY, built_at=clock(), expires_at=clock() + life)
    except Stopped:
        rows.remove(transfer)
        return False
    except (DatabaseError, NotRecorded):
        raise
    except Exception as error:
        logger.error("transfer %s not built: %s", transfer.pk, type(error).__name__)
        rows.give_up(transfer, error, clock())
        return False
    return True


def _write(transfer: Transfer, add: Callable[[bytes], None], clock: Clock) -> None:
    named, opened = columns(transfer), sealing.opener(keyring().masters)
    links = mailing.cells_of(transfer)
    slots = {category.pk: slot for slot, category in enumerate(_categories(transfer), FIRST_COLUMN)}
    standings = as_asked(transfer).standings
    values = {"transfer": transfer.pk, "categories": list(slots), "standings": standings}
    gc.freeze()  # what lives already is not looked through while a million values come and go
    try:
        for after in range(0, transfer.people, STRETCH):
            damaged: dict[int, int] = {}
            with closing(_rows(values | {"after": after, "last": after + STRETCH})) as found:
                for _number, some in groupby(found, lambda row: (row[0] - 1) // PORTION):
                    people, closed = _lines(some, slots, opened, links)
                    add(packing.pack(people, formats.people(transfer.format, named, people.values())))
                    damaged |= closed
            if damaged:
                _leave_out(transfer, damaged, clock())
            _note(transfer, written=min(after + STRETCH, transfer.people))
    finally:
        gc.unfreeze()


def columns(transfer: Transfer) -> list[Column]:
    """The columns of the file behind reference and language."""
    links = mailing.TITLES.items() if transfer.with_links else ()
    return [*(Column(one.code, one) for one in _categories(transfer)), *(Column(*link) for link in links)]


def _categories(transfer: Transfer) -> list[DataCategory]:
    return list(DataCategory.objects.filter(code__in=transfer.categories).order_by("pk"))


def _rows(values: dict[str, Any]) -> Generator[Row, None, None]:
    """As they come, and binary: a million sealed values are not turned into text and back."""
    with transaction.atomic(), connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(IN_PASSING)
        yield from cursor.stream(VALUES, values, binary=True, size=ROWS)


def _lines(
    found: Iterable[Row], slots: dict[int, int], opened: Opener, links: Callable[[int], list[list[str]]]
) -> tuple[dict[int, Line], dict[int, int]]:
    """The people by place, and by place the numbers of those one of whose values does not open."""
    people: dict[int, Line] = {}
    damaged: dict[int, int] = {}
    for place, subject_id, reference, language, category_id, datum_id, sealed, wrapped in found:
        line = people.get(place)
        if line is None:
            line = people[place] = [reference, language, *([] for _slot in slots), *links(subject_id)]
        try:
            line[slots[category_id]].append(opened(category_id, subject_id, datum_id, sealed, wrapped))
        except SealError:
            damaged[place] = subject_id
    for place in damaged:
        del people[place]
    return people, damaged


def _leave_out(transfer: Transfer, damaged: dict[int, int], now: datetime) -> None:
    """Notes who stays because a value does not open, and counts them on the transfer. TooManyDamaged."""
    with transaction.atomic():
        lines = TransferLine.objects.filter(transfer=transfer)
        lines.filter(place__in=damaged, dropped="").update(dropped=DAMAGED)
        count = lines.filter(dropped=DAMAGED).count()
        _note(transfer, left_out=transfer.left_out | {DAMAGED: count})
        is_bearable = count < transfer.people and count <= max(1, transfer.people // BEARABLE)
        if is_bearable:
            _record(transfer, damaged.values(), now)
    if not is_bearable:
        raise TooManyDamaged


def _record(transfer: Transfer, people: Collection[int], now: datetime) -> None:
    for subject_id in people:
        rows.note(Operation.CHANGE, transfer, None, now, DAMAGED, subject_id=subject_id)


def _note(transfer: Transfer, **values: object) -> None:
    """While the key is the one this file was begun with: an erasure takes it."""
    if not _row(transfer).filter(wrapped=transfer.wrapped).update(**values):
        raise Stopped


def _row(transfer: Transfer) -> QuerySet[Transfer]:
    return Transfer.objects.filter(pk=transfer.pk, state=State.BUILDING)
