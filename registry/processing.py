"""The gate, and the only writers of Processing.

Everyone who changes what may be kept (data, processing, holds) first takes the person's RetentionDue row with
`lock_subjects`, and at the end lets `refresh_due` say when the purge must look again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from registry import statements
from registry.models import DataSubject, Processing, ProcessingPurpose, RetentionDue


@dataclass(frozen=True)
class Scope:
    """What a consent allows beyond the operator's own use (Law 94-V art. 8(4)(4)-(6))."""

    third_parties: bool = False
    cross_border: bool = False
    public_sources: bool = False


OWN_USE = Scope()
TRACKED = [field.column for field in Processing.history.model.tracked_fields if field.column != "counted_at"]
HISTORY_COLUMNS = ", ".join(TRACKED)
LOCK = "SELECT FROM registry_retentiondue WHERE subject_id = ANY(%s) ORDER BY subject_id FOR UPDATE"


def lock_subjects(subject_ids: Iterable[int]) -> None:
    """Holds these people against the purge and against each other until the transaction ends, in one order for all."""
    wanted = sorted(set(subject_ids))
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a lock is held until a transaction ends, and there is none")
    if statements.run(LOCK, [wanted]).rowcount != len(wanted):
        raise DataSubject.DoesNotExist


def refresh_due(subject_ids: Iterable[int]) -> None:
    """Sets when the purge must look at these people next: the first moment at which nothing keeps one of their data."""
    statements.run("SELECT registry_refresh_due(%s::bigint[])", [list(subject_ids)])


def recount(purpose_id: int | None = None, batch: int = 1000) -> int:
    """Sets the next moment anew for everybody, or for everybody this purpose concerns, batch by batch; how many people.

    After a change of a purpose: its categories or its closing move the end of many data at once.
    """
    people = RetentionDue.objects.order_by("pk")
    if purpose_id is not None:
        people = people.filter(subject__in=Processing.objects.filter(purpose=purpose_id).values("subject"))
    last, seen = 0, 0
    while subject_ids := _recount_batch(people.filter(pk__gt=last), batch):
        last, seen = subject_ids[-1], seen + len(subject_ids)
    return seen


@transaction.atomic
def _recount_batch(people: QuerySet[RetentionDue], batch: int) -> list[int]:
    """Whoever holds a person at the moment sets their next moment too, when they are done: they are not waited for."""
    subject_ids = list(people.values_list("pk", flat=True)[:batch])
    free = RetentionDue.objects.filter(pk__in=subject_ids).select_for_update(skip_locked=True).order_by("pk")
    refresh_due(list(free.values_list("pk", flat=True)))
    return subject_ids


def may_process(subject: DataSubject, purpose: ProcessingPurpose, now: datetime) -> bool:
    """Whether this person's data may be used for this purpose at `now`."""
    return Processing.objects.live(now).filter(subject=subject, purpose=purpose).exists()


@dataclass(frozen=True)
class Opening:
    """One processing to open: for what, how far, and `until`, where it ends before the purpose's own term."""

    purpose: ProcessingPurpose
    scope: Scope = OWN_USE
    until: datetime | None = None

    def term_from(self, now: datetime) -> datetime | None:
        """From when its term counts, opened at `now`; None if opening does not start the clock."""
        return now if self.purpose.starts_with_opening() else None

    def lapses_at(self, now: datetime) -> datetime | None:
        """When it ends, opened at `now` under the rule in force."""
        ends = (self.purpose.lapse(self.term_from(now)), self.until)
        return max(now, min(end for end in ends if end)) if any(ends) else None


OPEN = """SELECT registry_open_processing(%s, %s, %s, %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::int[],
    %s::bool[], %s::bool[], %s::bool[])"""
END = """registry_end_processing(%(subject)s, %(purposes)s::bigint[], %(state)s, %(is_at_once)s, %(now)s)
    AS registry_processingpurpose"""
PAUSE = """
    WITH paused AS (
        UPDATE registry_processing AS processing SET paused_at = %(now)s
        FROM unnest(%(subject)s::bigint[], %(purpose)s::bigint[]) AS line (subject_id, purpose_id)
        WHERE (processing.subject_id, processing.purpose_id) = (line.subject_id, line.purpose_id)
            AND processing.paused_at IS NULL RETURNING processing.*
    )
    INSERT INTO registry_historicalprocessing ({columns}, history_date, history_type)
    SELECT {columns}, %(now)s, '~' FROM paused
"""


def open_processing(
    subject: DataSubject, purpose: ProcessingPurpose, *, now: datetime, scope: Scope = OWN_USE, channel: str = ""
) -> datetime | None:
    """Opens or renews one processing; its end. The person is locked by the caller."""
    opening = Opening(purpose, scope)
    open_all(subject, [opening], now=now, channel=channel)
    return opening.lapses_at(now)


def open_all(subject: DataSubject, openings: Sequence[Opening], *, now: datetime, channel: str = "") -> None:
    """Opens or renews. The person is locked by the caller."""
    if not openings:
        return
    lines = [
        (one.purpose.pk, one.term_from(now), one.lapses_at(now), one.purpose.rule_version, *vars(one.scope).values())
        for one in openings
    ]
    columns = map(list, zip(*lines, strict=True))
    statements.write(OPEN, [subject.pk, now, channel, *columns])


def end_processing(
    subject: DataSubject,
    purposes: Iterable[int],
    state: Processing.State,
    *,
    now: datetime,
    is_at_once: bool = False,
) -> list[ProcessingPurpose]:
    """Ends what is still open and not lapsed among the purposes with these numbers, at once; which, in their order. The
    person is locked by the caller.

    Nothing may be used any more. What is kept goes at once as well, unless this very event starts the purpose's term:
    `is_at_once` says that there was nothing to prove, and it does not. What is withdrawn waits for the ledger, at a
    moment when all of it had begun: what begins later is another consent, and a replay leaves it.
    """
    values = {"subject": subject.pk, "purposes": list(purposes), "state": str(state), "is_at_once": is_at_once}
    return statements.select_from(ProcessingPurpose, END, values | {"now": now})


def pause(wider: Iterable[tuple[int, int]], *, now: datetime) -> None:
    """What became wider, by subject and purpose, waits until it is opened anew; what waits already goes on waiting.
    The people are locked by the caller."""
    if pairs := list(wider):
        subjects, purposes = zip(*pairs, strict=True)
        _run(PAUSE, {"subject": list(subjects), "purpose": list(purposes), "now": now})


def _run(statement: str, values: dict[str, Any]) -> None:
    """Rows and their history in one statement: simple-history writes nothing for what is not saved one by one."""
    with connection.cursor() as cursor:
        cursor.execute(statement.format(columns=HISTORY_COLUMNS), values)


def note_contact(subject: DataSubject, *, now: datetime) -> int:
    """The person was in contact: terms that count from the last contact begin anew; how many. Locked by the caller."""
    counting = Processing.objects.live(now).filter(subject=subject, purpose__clock=ProcessingPurpose.Clock.LAST_CONTACT)
    later = [processing for processing in counting.select_related("purpose") if (processing.term_from or now) < now]
    for processing in later:
        processing.term_from = now
        processing.lapses_at = processing.purpose.lapse(now)
        processing.save()
    return len(later)
