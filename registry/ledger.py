"""The erasure ledger: what was destroyed and withdrawn, in a file outside the database. A restore leaves it.

Dangerous because what is missing here comes back with an old backup. The rules:

- An act is queued in its own transaction (LedgerQueue), written and forced to disk here, and only then taken off the
  queue: at least once, in the order of the queue. Twice does no harm, the replay finds nothing the second time.
- The file only grows. A last line that was cut off is removed before the next one; a whole line never is.
- Before anything is written the file must end as the database knows it, or go on with acts that the database confirms.
- No value and no index stands in it: a person's reference, numbers, codes, the ground, the moment.
- Marks promise how far the numbers of this database go at most until the next mark: letters that are out there hold
  numbers, and after a restore none is given out a second time.

Called by: registry.tasks (every minute), the `ledger` command, consent.recovery.
Sources: Law 94-V art. 18, policy clause 19.
"""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from registry import chain, recovery
from registry.chain import START, Act, Head, LedgerError
from registry.models import LedgerQueue
from registry.recovery import MARGIN, MARK

PORTION = 5000  # lines forced to disk at once
FETCH = 2000  # rows held in memory
MARK_AFTER = timedelta(days=1)

# The first acts of the queue: at least one row of it, then as many as make about a portion.
NEXT = """
    SELECT id FROM (
        SELECT id, cardinality(numbers) AS own, sum(cardinality(numbers)) OVER (ORDER BY id) AS total
        FROM (SELECT id, numbers FROM registry_ledgerqueue ORDER BY id LIMIT 2000) AS waiting
    ) AS counted WHERE total - own < %(portion)s ORDER BY id
"""
# Proof by proof through the indexes (LIMIT 1): joined otherwise, every portion would read millions of them.
QUEUED = """
    SELECT queue.kind, queue.at, (SELECT reference FROM registry_datasubject WHERE id = proof.subject_id), purpose.code,
        proof.datum_id, category.code, proof.rule_version, proof.ground
    FROM registry_ledgerqueue queue CROSS JOIN unnest(queue.numbers) WITH ORDINALITY AS act (number, place)
    CROSS JOIN LATERAL (
        (SELECT subject_id, purpose_id, datum_id, category_id, rule_version, ground FROM registry_erasurerecord
            WHERE queue.kind = 'erased' AND datum_id = act.number LIMIT 1)
        UNION ALL
        (SELECT subject_id, purpose_id, NULL, NULL, NULL, NULL FROM registry_processing
            WHERE queue.kind = 'withdrawn' AND id = act.number LIMIT 1)
    ) AS proof
    LEFT JOIN registry_datacategory category ON category.id = proof.category_id
    LEFT JOIN registry_processingpurpose purpose ON purpose.id = proof.purpose_id
    WHERE queue.id = ANY(%(queued)s) ORDER BY queue.id, act.place
"""
EVERY_ERASURE = """
    SELECT 'erased', record.at, subject.reference, purpose.code,
        record.datum_id, category.code, record.rule_version, record.ground
    FROM registry_erasurerecord record JOIN registry_datasubject subject ON subject.id = record.subject_id
    LEFT JOIN registry_datacategory category ON category.id = record.category_id
    LEFT JOIN registry_processingpurpose purpose ON purpose.id = record.purpose_id ORDER BY record.id
"""
# Withdrawing sets the end; where it starts the term instead, the term counts from it.
EVERY_WITHDRAWAL = """
    SELECT 'withdrawn', greatest(processing.began_at, least(%(now)s,
            CASE purpose.clock WHEN 'withdrawn' THEN processing.term_from ELSE processing.lapses_at END)),
        subject.reference, purpose.code
    FROM registry_processing processing JOIN registry_datasubject subject ON subject.id = processing.subject_id
    JOIN registry_processingpurpose purpose ON purpose.id = processing.purpose_id
    WHERE processing.state = 'withdrawn' ORDER BY processing.id
"""


def write(now: datetime) -> int:
    """Writes what waits in the queue; returns how many lines. LedgerError or Recovering: nothing was lost, it waits.

    The first time, everything that was ever destroyed or withdrawn.
    """
    path = settings.LEDGER_FILE
    with chain.alone(path):
        start = head = _settle(now)
        if head == START:
            return _begin(now).lines
        if mark := _mark_due(now):
            head = chain.append(path, [mark], head)
            acknowledge(head, now, mark=mark)
        while queued := _next():
            head = chain.append(path, _acts(QUEUED, {"queued": queued}), head)
            acknowledge(head, now, queued=queued)
    return head.lines - start.lines


def rebuild(now: datetime) -> int:
    """Puts the file that lies there aside and writes a new one from every proof in the database; how many lines.

    Raises Recovering where the file knows of acts that this database does not: they would be forgotten.
    """
    with chain.alone(settings.LEDGER_FILE):
        if chain.size_of(settings.LEDGER_FILE) is not None:
            _refuse_to_forget()
        return _begin(now).lines


def _refuse_to_forget() -> None:
    try:
        recovery.inspect()
    except LedgerError:
        return  # nobody can follow it any more


def _settle(now: datetime) -> Head:
    """Where to go on. Lines that were written and not acknowledged are adopted, a cut-off one is removed."""
    head, known = recovery.inspect(), recovery.state()
    if (chain.size_of(settings.LEDGER_FILE) or 0) > head.size:
        chain.cut(settings.LEDGER_FILE, head.size)
    if head.size > known.size:
        acknowledge(head, now)
    return head


def _begin(now: datetime) -> Head:
    """A whole new file: under another name until it is complete."""
    path, part = settings.LEDGER_FILE, settings.LEDGER_FILE.with_name(settings.LEDGER_FILE.name + ".part")
    queued = list(LedgerQueue.objects.values_list("pk", flat=True))  # before the proofs are read: they hold all of it
    mark = _mark(recovery.sequences(), now)
    proofs = itertools.chain([mark], _acts(EVERY_ERASURE, {}), _acts(EVERY_WITHDRAWAL, {"now": now}))
    try:
        part.unlink(missing_ok=True)
        head = chain.append(part, proofs, START)
        _put_aside(path, now)
        os.rename(part, path)
        chain.sync_folder(path.parent)
    except OSError as error:
        raise LedgerError(f"the ledger {path} can't be written ({error.strerror})") from None
    acknowledge(head, now, queued=queued, mark=mark)
    return head


def _put_aside(path: Path, now: datetime) -> None:
    if chain.size_of(path):
        path.rename(path.with_name(f"{path.name}.{now.astimezone(UTC):%Y%m%dT%H%M%S}.old"))


@transaction.atomic
def acknowledge(head: Head, now: datetime, *, queued: Sequence[int] = (), mark: Act | None = None) -> None:
    """Notes that the file reaches `head`, and takes off the queue what it holds now."""
    LedgerQueue.objects.filter(pk__in=queued).delete()
    known = recovery.state()
    known.lines, known.size, known.digest, known.written_at = head.lines, head.size, head.digest, now
    known.promised |= {"database": recovery.database()} | (mark or {})
    known.save()


def _mark_due(now: datetime) -> Act | None:
    """A mark where numbers have gone half of the way promised, or moved at all since a mark of yesterday."""
    promised, given = recovery.state().promised, recovery.sequences()
    last: Mapping[str, int] = promised.get("sequences", {})
    is_far = any(name not in last or value > last[name] - MARGIN // 2 for name, value in given.items())
    has_moved = any(value > last.get(name, 0) - MARGIN for name, value in given.items())
    is_old = not last or now - datetime.fromisoformat(promised["at"]) >= MARK_AFTER
    return _mark(given, now) if is_far or (is_old and has_moved) else None


def _mark(given: Mapping[str, int], now: datetime) -> Act:
    return {"kind": MARK, "at": _moment(now), "sequences": {name: value + MARGIN for name, value in given.items()}}


def raise_sequences(promised: Mapping[str, int]) -> None:
    """Numbers go on behind what was promised. Only the owner of the database may; where nothing is to do, everybody."""
    names, promises = list(promised), list(promised.values())
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, least(promise, max_value))
            FROM pg_sequences JOIN unnest(%s::text[], %s::bigint[]) AS line (name, promise) ON sequencename = name
            WHERE schemaname = 'public' AND coalesce(last_value, 0) < least(promise, max_value)
            """,
            [names, promises],
        )


def _next() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(NEXT, {"portion": PORTION})
        return [row[0] for row in cursor.fetchall()]


def _acts(statement: str, values: Mapping[str, Any]) -> Iterator[Act]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, values)
        while rows := cursor.fetchmany(FETCH):
            yield from map(_act, rows)


def _act(row: Sequence[Any]) -> Act:
    kind, at, person, purpose, *proof = row
    act = {"kind": kind, "at": _moment(at), "person": person, "purpose": purpose}
    if kind == LedgerQueue.Kind.ERASED:
        act |= dict(zip(("datum", "category", "rule", "ground"), proof, strict=True))
    return act


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
