"""Opening the values of a transfer and writing them sealed, portion by portion, anew after any interruption.

Dangerous because a million values are open in this process, one portion at a time. They go into the sealed file and
nowhere else: a list of JSON a portion, in it a list a person (place, reference, language, values by category). What
format the recipient gets is decided when the file is handed over, so one file serves all, and whoever lost the ground
meanwhile can be left out.

Called by: registry.tasks (every minute and when woken).
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import psycopg
from django.db import DatabaseError, connection
from django.db.models import QuerySet

from registry import sealed_files, sealing
from registry.auditing import NotRecorded
from registry.keyring import keyring
from registry.models import AccessSettings, DataCategory, Transfer
from registry.sealing import MasterKeys
from registry.transfers import rows
from registry.transfers.rows import State

logger = logging.getLogger(__name__)
as_json = json.JSONEncoder(ensure_ascii=False).encode
PORTION = 2000  # people: one part of the sealed file
Clock = Callable[[], datetime]
VALUES = """
    SELECT line.place, line.subject_id, subject.reference, subject.language, datum.category_id, datum.id, datum.sealed,
        key.wrapped
    FROM registry_transferline line
    JOIN registry_datasubject subject ON subject.id = line.subject_id
    JOIN registry_personaldatum datum ON datum.subject_id = line.subject_id AND datum.category_id = ANY(%(categories)s)
        AND datum.superseded_at IS NULL AND datum.standing <> 'claimed'
    JOIN registry_datumkey key ON key.datum_id = datum.id
    WHERE line.transfer_id = %(transfer)s AND line.place > %(after)s AND line.place <= %(last)s AND line.dropped = ''
    ORDER BY line.place, datum.id
"""


class Stopped(Exception):
    """This file is not wanted any more: the transfer was cancelled, or somebody of it was erased and it begins anew."""


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
        key, transfer.wrapped = sealed_files.new_key(rows.KIND, transfer.pk)
        if not _row(transfer).update(wrapped=transfer.wrapped, written=0):
            raise Stopped
        with sealed_files.writing(rows.path_of(transfer), key, transfer.pk) as add:
            _write(transfer, add)
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


def _write(transfer: Transfer, add: Callable[[bytes], None]) -> None:
    categories = columns(transfer)
    places, masters = {category.pk: place for place, category in enumerate(categories)}, keyring().masters
    values = {"transfer": transfer.pk, "categories": list(places)}
    for after in range(0, transfer.people, PORTION):
        found = _portion(values | {"after": after, "last": after + PORTION})
        lines = [_line(list(one), places, masters) for _place, one in groupby(found, itemgetter(0))]
        add(as_json(lines).encode())
        _note(transfer, written=min(after + PORTION, transfer.people))


def columns(transfer: Transfer) -> list[DataCategory]:
    """The categories of the transfer, in the order of the file."""
    return list(DataCategory.objects.filter(code__in=transfer.categories).order_by("pk"))


def _portion(values: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    """Binary: a million sealed values are not turned into text and back."""
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(VALUES, values, binary=True).fetchall()


def _line(data: list[tuple[Any, ...]], places: dict[int, int], masters: MasterKeys) -> list[Any]:
    place, subject_id, reference, language = data[0][:4]
    cells: list[list[str]] = [[] for _one in places]
    for *_same, category_id, datum_id, sealed, wrapped in data:
        key = sealing.unwrap(masters, wrapped, sealing.key_binding(datum_id))
        value = sealing.unseal(key, sealed, sealing.datum_binding(category_id, subject_id, datum_id))
        cells[places[category_id]].append(value)
    return [place, reference, language, *cells]


def lines_of(parts: Iterator[bytes]) -> Iterator[list[Any]]:
    """What `build` wrote: place, reference, language, values by category."""
    for part in parts:
        yield from json.loads(part or b"[]")  # the last part is empty


def _note(transfer: Transfer, **values: object) -> None:
    """While the key is the one this file was begun with: an erasure takes it."""
    if not _row(transfer).filter(wrapped=transfer.wrapped).update(**values):
        raise Stopped


def _row(transfer: Transfer) -> QuerySet[Transfer]:
    return Transfer.objects.filter(pk=transfer.pk, state=State.BUILDING)
