"""The replay: brings a restored database up to what the erasure ledger proves. It ends recovery mode.

Dangerous because it destroys on the word of a file. The rules:

- The whole chain is checked before the first act; a broken one is refused with the number of its first bad line.
- Only a datum whose number and person both are those of the line goes. Holds do not stop it: it was destroyed after all
  of them were over, in days this database has not seen.
- A consent is withdrawn as of the line's moment if it began before; one given later stays.
- Numbers given out in the lost days are passed over first, so that no letter out there points to somebody else.
- A transaction per chunk. Interrupted, the registry stays in recovery mode and the next replay finds what is left.

What it does goes through the queue into the ledger again: these are new acts, with a proof and a moment of their own.

Called by: the `replay_erasures` command, as the owner of the database.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from django.conf import settings
from django.db import connection, transaction

from consent import decisions
from consent.models import ConsentRecord
from registry import chain, ledger, recovery
from registry.chain import START, Act, Head, LedgerError
from registry.erasure import erase_again
from registry.models import DataSubject, DestructionGround, LedgerQueue, ProcessingPurpose
from registry.processing import lock_subjects
from registry.recovery import FIELDS, MARK, columns

Kind = LedgerQueue.Kind
TO_ERASE = """
    SELECT line.ground, datum.id, datum.subject_id
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS line (datum_id, person, ground)
    JOIN registry_personaldatum datum ON datum.id = line.datum_id
    JOIN registry_datasubject subject ON subject.id = datum.subject_id AND subject.reference = line.person
    ORDER BY line.ground, datum.id
"""
TO_WITHDRAW = """
    SELECT line.at, processing.purpose_id, processing.subject_id
    FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS line (person, purpose, at)
    JOIN registry_datasubject subject ON subject.reference = line.person
    JOIN registry_processingpurpose purpose ON purpose.code = line.purpose
    JOIN registry_processing processing
        ON processing.subject_id = subject.id AND processing.purpose_id = purpose.id
    WHERE processing.state = 'open' AND processing.began_at <= line.at
        AND (processing.lapses_at IS NULL OR processing.lapses_at > line.at)
    ORDER BY line.at, processing.id
"""


@dataclass
class Replay:
    """What a replay has done so far."""

    lines: int = 0
    erased: int = 0
    withdrawn: int = 0
    mark: Act = field(default_factory=dict)


Report = Callable[[Replay], None]


def replay(now: datetime, *, report: Report) -> Replay:
    """Erases and withdraws again. `report` is called after each committed chunk; it may raise to interrupt.

    Raises LedgerError (the ledger can't be followed: nothing was done), Recovering (the database is empty).
    """
    path, done = settings.LEDGER_FILE, Replay()
    with chain.alone(path):
        head = _verified(done)
        ledger.raise_sequences(done.mark.get("sequences", {}))
        for acts, end in recovery.chunks(chain.read(path)):
            _replay_chunk(acts, done, now)
            done.lines = end.lines
            report(done)
        ledger.acknowledge(head, now, mark=done.mark)
    recovery.forget()
    return done


def _verified(done: Replay) -> Head:
    """Where the whole and unbroken ledger ends; notes the furthest promise of every sequence."""
    with suppress(recovery.Recovering):  # that is what we are here for; a ledger that lost something is not
        recovery.inspect()
    head = START
    promised: dict[str, int] = {}
    for act, end in chain.read(settings.LEDGER_FILE):
        head = end
        if act.get("kind") not in {*Kind.values, MARK} or act.get("ground", "") not in {*DestructionGround.values, ""}:
            raise LedgerError(f"line {end.lines} was written by a newer version of the product")
        for name, promise in act.get("sequences", {}).items():
            promised[name] = max(promise, promised.get(name, 0))
            done.mark = act
    if head != START and not DataSubject.objects.exists():
        raise recovery.Recovering(recovery.older(head))
    done.mark = done.mark | {"sequences": promised}
    return head


@transaction.atomic
def _replay_chunk(acts: Sequence[Act], done: Replay, now: datetime) -> None:
    """Withdrawals first: what is counted when data go depends on what has ended."""
    people = {row[2] for row in [*_to_withdraw(acts), *_to_erase(acts)]}
    if not people:
        return
    lock_subjects(people)
    for at, purpose_id, subject_id in _to_withdraw(acts):
        done.withdrawn += _withdraw(subject_id, purpose_id, at)
    for ground, rows in groupby(_to_erase(acts), key=lambda row: row[0]):
        done.erased += erase_again([row[1] for row in rows], ground=DestructionGround(ground), now=now)


def _withdraw(subject_id: int, purpose_id: int, at: datetime) -> int:
    person, purpose = DataSubject.objects.get(pk=subject_id), ProcessingPurpose.objects.get(pk=purpose_id)
    return len(decisions.withdraw(person, purpose, now=at, channel=ConsentRecord.Channel.JOB))


def _to_withdraw(acts: Sequence[Act]) -> list[tuple[datetime, int, int]]:
    return _rows(TO_WITHDRAW, acts, Kind.WITHDRAWN, *FIELDS[Kind.WITHDRAWN])


def _to_erase(acts: Sequence[Act]) -> list[tuple[str, int, int]]:
    return _rows(TO_ERASE, acts, Kind.ERASED, *FIELDS[Kind.ERASED], "ground")


def _rows(statement: str, acts: Sequence[Act], kind: Kind, *fields: str) -> list[tuple]:
    ours = [act for act in acts if act["kind"] == kind]
    with connection.cursor() as cursor:
        cursor.execute(statement, columns(ours, fields))
        return cursor.fetchall()
