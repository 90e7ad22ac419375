"""The gate, and the only writers of Processing.

Everyone who changes what may be kept (data, processing, holds) first takes the person's RetentionDue row with
`lock_subjects`, and at the end lets `refresh_due` say when the purge must look again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet

from registry.models import DataSubject, LedgerQueue, Processing, ProcessingPurpose, RetentionDue


@dataclass(frozen=True)
class Scope:
    """What a consent allows beyond the operator's own use (Law 94-V art. 8(4)(4)-(6))."""

    third_parties: bool = False
    cross_border: bool = False
    public_sources: bool = False


OWN_USE = Scope()


def lock_subjects(subject_ids: Iterable[int]) -> None:
    """Holds these people against the purge and against each other until the transaction ends, in one order for all."""
    wanted = sorted(set(subject_ids))
    locked = RetentionDue.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
    if len(locked) != len(wanted):
        raise DataSubject.DoesNotExist


def refresh_due(subject_ids: Iterable[int]) -> None:
    """Sets when the purge must look at these people next: the first moment at which nothing keeps one of their data."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE registry_retentiondue AS due SET due_at = term.due_at
            FROM (
                SELECT id, (SELECT min(until) FROM registry_datumterm WHERE subject_id = id) AS due_at
                FROM unnest(%s::bigint[]) AS id
            ) AS term
            WHERE due.subject_id = term.id AND due.due_at IS DISTINCT FROM term.due_at
            """,
            [list(subject_ids)],
        )


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


def open_processing(
    subject: DataSubject, purpose: ProcessingPurpose, *, now: datetime, scope: Scope = OWN_USE, channel: str = ""
) -> Processing:
    """Opens or renews; the person is locked by the caller. The term runs under the rule in force, from `now` if opening
    starts its clock."""
    term_from = now if purpose.starts_with_opening() else None
    lapse = purpose.lapse(term_from)
    values = {
        "state": Processing.State.OPEN,
        "began_at": now,
        "term_from": term_from,
        "lapses_at": lapse and max(lapse, now),
        "channel": channel,
        "counted_at": None,
        "rule_version": purpose.rule_version,
        "third_parties": scope.third_parties,
        "cross_border": scope.cross_border,
        "public_sources": scope.public_sources,
    }
    return Processing.objects.update_or_create(subject=subject, purpose=purpose, defaults=values)[0]


def end_processing(
    subject: DataSubject, purposes: Iterable[ProcessingPurpose], state: Processing.State, *, now: datetime
) -> list[Processing]:
    """Ends what is still open and not lapsed, at once; returns it. The person is locked by the caller.

    Nothing may be used any more. What is kept goes at once as well, unless this very event starts the purpose's term.
    """
    still_open = Processing.objects.filter(subject=subject, purpose__in=purposes, state=Processing.State.OPEN)
    ended = [
        processing
        for processing in still_open.select_related("purpose")
        if processing.lapses_at is None or processing.lapses_at > now
    ]
    for processing in ended:
        at = max(now, processing.began_at)
        starts_term = processing.purpose.clock == state  # "consent withdrawn" and "request closed" are clocks too
        processing.term_from = at if starts_term else processing.term_from
        processing.lapses_at = (starts_term and processing.purpose.lapse(at)) or at
        processing.state = state
        processing.save()
    if state == Processing.State.WITHDRAWN:
        _queue_for_the_ledger(ended, now)
    return ended


def _queue_for_the_ledger(withdrawn: list[Processing], now: datetime) -> None:
    """At a moment when all of it had begun: what begins later is another consent, and a replay leaves it."""
    if withdrawn:
        at = max(now, *(processing.began_at for processing in withdrawn))
        numbers = [processing.pk for processing in withdrawn]
        LedgerQueue.objects.create(kind=LedgerQueue.Kind.WITHDRAWN, numbers=numbers, at=at)


def note_contact(subject: DataSubject, *, now: datetime) -> int:
    """The person was in contact: terms that count from the last contact begin anew; how many. Locked by the caller."""
    counting = Processing.objects.live(now).filter(subject=subject, purpose__clock=ProcessingPurpose.Clock.LAST_CONTACT)
    later = [processing for processing in counting.select_related("purpose") if (processing.term_from or now) < now]
    for processing in later:
        processing.term_from = now
        processing.lapses_at = processing.purpose.lapse(now)
        processing.save()
    return len(later)
