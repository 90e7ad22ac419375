"""Writing a list that was asked for and allowed: in portions, sealed, anew after any interruption."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import DatabaseError

from registry import lists, sealed_files
from registry.auditing import NotRecorded
from registry.exporting import rows
from registry.exporting.rows import State
from registry.models import AccessSettings, DataExport

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]


class Stopped(Exception):
    """The list is not being built any more: it was cancelled, or somebody it concerns was erased."""


class TooManyError(Exception):
    """Since it was asked for, the list has come to more people than one person alone may take out readable."""


def build_waiting(*, clock: Clock) -> int:
    """Builds one list after the other; how many are ready. The caller sees to it that nobody else does at the time."""
    ready = 0
    waiting = DataExport.objects.filter(state=State.BUILDING).select_related("purpose").order_by("pk")
    while export := waiting.first():
        ready += build(export, clock=clock)
    return ready


def build(export: DataExport, *, clock: Clock) -> bool:
    """Whether the list is ready. If not its state says why, and nothing of it stays on the disk.

    A database that fails is raised: the list stays as asked, and the next run begins anew.
    """
    try:
        key, wrapped = rows.new_key(export)
        _note(export, written=0, wrapped=wrapped)
        with sealed_files.writing(rows.path_of(export), key, export.pk) as add:
            _write(export, add, clock)
        _note(export, state=State.READY, built_at=clock(), expires_at=clock() + _life())
    except Stopped:
        rows.remove(export)
        return False
    except (DatabaseError, NotRecorded):
        raise
    except Exception as error:
        logger.error("list %s not built: %s", export.pk, type(error).__name__)
        rows.give_up(export, error, clock())
        return False
    return True


def _write(export: DataExport, add: Callable[[bytes], None], clock: Clock) -> None:
    columns, last, written = lists.categories(export.purpose), 0, 0
    while portion := lists.portion(export, columns, after=last, now=clock()):
        last, written = portion.last, written + len(portion.lines)
        if export.approved_by_id is None and rows.needs_a_second(export.kind, written):
            raise TooManyError
        add("".join(portion.lines).encode())
        _note(export, written=written)


def _note(export: DataExport, **values: object) -> None:
    if not DataExport.objects.filter(pk=export.pk, state=State.BUILDING).update(**values):
        raise Stopped


def _life() -> timedelta:
    return timedelta(hours=AccessSettings.objects.get().export_hours)
