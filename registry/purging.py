"""The retention engine: finds what is due and has it destroyed, in batches of people.

Dangerous because it destroys without being asked. The rules:

- One transaction per batch: take people whose moment has come (FOR UPDATE SKIP LOCKED), then, in a second statement,
  decide again and destroy. Deciding in the statement that takes the lock loses a consent given in between.
- Killed at any moment, a batch is done or not done at all; the next run takes what is left. Nothing twice.
- Any number of workers may run at once: they skip each other's people.
- "Due" has one definition, the queue and the view behind DatumTerm; registry.previewing reads the same.
- An approved preview narrows what goes: what is not on it, or changed since, stays.
- The clock is an argument; a moment later than the database's own clock is refused, or tomorrow's data would go today.

Called by: registry.approving, which knows the brake, and by benchmarks.
Sources: policy clauses 9, 25; Law 94-V art. 18.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from registry.erasure import erase_approved, erase_due
from registry.models import PurgePreview, PurgeRun

BATCH = 1000  # people: longest transaction under half a second (benchmarks/purge.py)
CLOCK_TOLERANCE = timedelta(minutes=2)
TAKE = """
    SELECT subject_id FROM registry_retentiondue WHERE due_at <= %s ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
TAKE_APPROVED = """
    SELECT subject_id FROM registry_retentiondue WHERE subject_id IN (
        SELECT DISTINCT subject_id FROM registry_previewline
        WHERE preview_id = %s AND subject_id > %s ORDER BY subject_id LIMIT %s
    ) ORDER BY subject_id FOR UPDATE
"""
Report = Callable[[PurgeRun], None]


class ClockError(Exception):
    """The moment asked for has not come yet by the database's clock."""


def quiet(run: PurgeRun) -> None:
    """Reports nothing."""


def purge(now: datetime, *, batch: int = BATCH, report: Report = quiet) -> PurgeRun:
    """Destroys everything due at `now`. `report` is called after each committed batch; it may raise to interrupt."""
    if now > database_clock() + CLOCK_TOLERANCE:
        raise ClockError
    run = PurgeRun.objects.create(started_at=timezone.now(), as_of=now)
    while purge_batch(run, batch):
        report(run)
    return _finish(run)


def purge_approved(preview: PurgePreview, run: PurgeRun, *, batch: int = BATCH, report: Report = quiet) -> PurgeRun:
    """Destroys what stands on the preview and is due as it was. Interrupted, it goes on from the same run."""
    last = 0
    while subject_ids := _approved_batch(preview, run, last, batch):
        last = subject_ids[-1]
        report(run)
    return _finish(run)


@transaction.atomic
def purge_batch(run: PurgeRun, size: int) -> int:
    """One batch in one transaction; returns how many people were looked at."""
    subject_ids = _take(TAKE, run.as_of, size)
    if subject_ids:
        _count(run, len(subject_ids), erase_due(subject_ids, now=run.as_of, run=run))
    return len(subject_ids)


@transaction.atomic
def _approved_batch(preview: PurgePreview, run: PurgeRun, last: int, size: int) -> list[int]:
    subject_ids = _take(TAKE_APPROVED, preview.pk, last, size)
    if subject_ids:
        _count(run, len(subject_ids), erase_approved(subject_ids, now=run.as_of, run=run, preview=preview))
    return subject_ids


def _take(statement: str, *values: datetime | int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [row[0] for row in cursor.fetchall()]


def _count(run: PurgeRun, subjects: int, data: int) -> None:
    """In the database too, not only here: an approved run may be carried on by another worker."""
    PurgeRun.objects.filter(pk=run.pk).update(subjects=F("subjects") + subjects, data=F("data") + data)
    run.subjects += subjects
    run.data += data


def _finish(run: PurgeRun) -> PurgeRun:
    run.refresh_from_db()
    if run.finished_at is None:
        run.finished_at = timezone.now()
        run.save(update_fields=["finished_at"])
    return run


def database_clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
