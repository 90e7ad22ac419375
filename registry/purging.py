"""The retention engine: finds what is due and has it destroyed, in batches of people.

Dangerous because it destroys without being asked. The rules:

- One transaction per batch: take people whose moment has come (FOR UPDATE SKIP LOCKED), then, in a second statement,
  decide again and destroy. Deciding in the statement that takes the lock loses a consent given in between.
- Killed at any moment, a batch is done or not done at all; the next run takes what is left. Nothing twice.
- Any number of workers may run at once: they skip each other's people.
- "Due" has one definition, the view behind DatumTerm; `preview` reads the same.
- The clock is an argument; a moment later than the database's own clock is refused, or tomorrow's data would go today.

Called by: registry.tasks (every day), the `purge` command, benchmarks.
Sources: policy clauses 9, 25; Law 94-V art. 18.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count
from django.utils import timezone

from registry.erasure import erase_due
from registry.models import DatumTerm, PurgeRun

BATCH = 1000  # people: longest transaction under half a second (benchmarks/purge.py)
CLOCK_TOLERANCE = timedelta(minutes=2)
TAKE = """
    SELECT subject_id FROM registry_retentiondue WHERE due_at <= %s ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
"""


class ClockError(Exception):
    """The moment asked for has not come yet by the database's clock."""


def purge(now: datetime, *, batch: int = BATCH, report: Callable[[PurgeRun], None] = lambda run: None) -> PurgeRun:
    """Destroys everything due at `now`. `report` is called after each committed batch; it may raise to interrupt."""
    if now > _database_clock() + CLOCK_TOLERANCE:
        raise ClockError
    run = PurgeRun.objects.create(started_at=timezone.now(), as_of=now)
    while purge_batch(run, batch):
        report(run)
    run.finished_at = timezone.now()
    run.save(update_fields=["finished_at"])
    return run


@transaction.atomic
def purge_batch(run: PurgeRun, size: int) -> int:
    """One batch in one transaction; returns how many people were looked at."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [run.as_of, size])
        subject_ids = [row[0] for row in cursor.fetchall()]
    if subject_ids:
        run.data += erase_due(subject_ids, now=run.as_of, run=run)
        run.subjects += len(subject_ids)
        run.save(update_fields=["data", "subjects"])
    return len(subject_ids)


def preview(now: datetime) -> Counter[tuple[str, str]]:
    """How many data would go at `now`, by purpose code (empty: none) and ground. Changes nothing."""
    counts = DatumTerm.objects.due(now).values_list("purpose__code", "ground").annotate(Count("pk"))
    return Counter({(code or "", ground): count for code, ground, count in counts})


def _database_clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
