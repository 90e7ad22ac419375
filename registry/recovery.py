"""Recovery mode: whether this database is older than the erasure ledger, and so brings erased people back.

Dangerous because a restored backup looks healthy: it would show, mail and pass on what was destroyed since. The rules:

- The ledger lies outside the database. LedgerState says how much of it this database knows. What goes on behind that
  must be confirmed line by line: then only a writer was stopped between file and database. At the first line that the
  database can't confirm, it is the older one.
- A dump that was restored is another database (its number differs), even if nobody was erased since.
- A ledger that is gone, shorter or of another chain proves nothing, so it counts like an older database.
- While that is so nothing is served, sent or written; `replay_erasures` or `ledger --rebuild` end it.

Called by: config.middleware, registry.jobs, `healthz` and the commands that write.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from registry import chain
from registry.chain import START, Act, Head, LedgerError
from registry.keyring import keyring
from registry.models import DataSubject, LedgerQueue, LedgerState

MARGIN = 1_000_000  # numbers promised beyond those given out: more than are used between two writings
LOOK_AGAIN = 3  # seconds
CHUNK = 1000  # lines
MARK = "mark"
REPLAY = "Run `./run manage replay_erasures`."

UNKNOWN = {
    LedgerQueue.Kind.ERASED: """
        SELECT count(*) FROM unnest(%s::bigint[], %s::text[]) AS line (datum_id, person) WHERE NOT EXISTS (
            SELECT FROM registry_erasurerecord record JOIN registry_datasubject subject ON subject.id = subject_id
            WHERE record.datum_id = line.datum_id AND subject.reference = line.person
        )
    """,
    LedgerQueue.Kind.WITHDRAWN: """
        SELECT count(*) FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS line (person, purpose, at)
        WHERE NOT EXISTS (
            SELECT FROM registry_processing processing
            JOIN registry_datasubject subject ON subject.id = processing.subject_id
            JOIN registry_processingpurpose purpose ON purpose.id = processing.purpose_id
            WHERE subject.reference = line.person AND purpose.code = line.purpose
                AND (processing.state <> 'open' OR processing.began_at > line.at)
        )
    """,
}
FIELDS = {LedgerQueue.Kind.ERASED: ("datum", "person"), LedgerQueue.Kind.WITHDRAWN: ("person", "purpose", "at")}


class Recovering(Exception):
    """The database is older than the ledger, or nobody can tell. The message is meant for the administrator."""


def must_be_ready() -> None:
    """Raises Sealed or Recovering: then nothing may be served, sent or written."""
    keyring()
    check()


@dataclass
class _Seen:
    """What the last look of this process found, and until when (monotonic, seconds) that is good enough."""

    path: Path = Path()
    until: float = 0
    reason: str = ""


_seen = _Seen()


def check() -> None:
    """Raises Recovering. Looks again after a few seconds; in between it costs nothing."""
    if _seen.path != settings.LEDGER_FILE or time.monotonic() > _seen.until:
        _look()
    if _seen.reason:
        raise Recovering(_seen.reason)


def _look() -> None:
    began = time.monotonic()
    try:
        compare()
        reason = ""
    except (Recovering, LedgerError) as found:
        reason = str(found)
    took = time.monotonic() - began  # a look that takes long is not taken at every page
    _seen.path, _seen.until, _seen.reason = settings.LEDGER_FILE, began + LOOK_AGAIN + 10 * took, reason


def forget() -> None:
    """The next check looks at once."""
    _seen.until = 0


def compare() -> Head:
    """Where the ledger ends if this database knows every line of it; a cut-off last line does not count.

    Raises Recovering, or LedgerError where the file does not hold what this database wrote.
    """
    known = state()  # before the file: that only grows
    head = Head(known.lines, known.size, known.digest)
    size = chain.size_of(settings.LEDGER_FILE)
    if head != START and size is None:
        raise LedgerError(lost("is gone"))
    if known.promised.get("database") not in {None, database()}:
        raise Recovering(f"This database was restored or moved. {REPLAY}")
    if (size or 0) < head.size:
        raise LedgerError(lost("is shorter than this database knows it"))
    return _known_end(head) if size and size > head.size else head


def inspect() -> Head:
    """Like `compare`; the line it ends with must be the very one, too."""
    head = compare()
    if head != START and not chain.ends_with(settings.LEDGER_FILE, head):
        raise LedgerError(lost("is not the one this database wrote"))
    return head


def _known_end(head: Head) -> Head:
    try:
        for acts, end in chunks(chain.read(settings.LEDGER_FILE, head)):
            if not _knows(acts):
                raise Recovering(older(end))
            head = end
    except LedgerError as error:
        raise LedgerError(lost(f"is damaged ({error})")) from None
    return head


def state() -> LedgerState:
    return LedgerState.objects.filter(pk=1).first() or LedgerState(pk=1)


def database() -> str:
    """The number of this database: another one for each restored dump, the same where a server takes over from another.

    A rented server may not tell its own half of it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT oid, has_function_privilege('pg_control_system()', 'EXECUTE') "
            "FROM pg_database WHERE datname = current_database()"
        )
        number, may_ask = cursor.fetchone()
        if may_ask:
            cursor.execute("SELECT system_identifier FROM pg_control_system()")
        return f"{cursor.fetchone()[0]}/{number}" if may_ask else str(number)


def chunks(lines: Iterable[tuple[Act, Head]], size: int = CHUNK) -> Iterator[tuple[list[Act], Head]]:
    """Many acts at a time, with the head behind the last of them."""
    rest = iter(lines)
    while taken := list(islice(rest, size)):
        yield [act for act, _ in taken], taken[-1][1]


def _knows(acts: Sequence[Act]) -> bool:
    kinds = {act["kind"] for act in acts}
    return kinds <= {*UNKNOWN, MARK} and all(not _unknown(kind, acts) for kind in kinds)


def _unknown(kind: str, acts: Sequence[Act]) -> bool:
    """Whether one of the acts of this kind never happened in this database."""
    ours = [act for act in acts if act["kind"] == kind]
    if kind == MARK:
        return any(_is_ahead(act["sequences"]) for act in ours)
    with connection.cursor() as cursor:
        chosen = LedgerQueue.Kind(kind)
        cursor.execute(UNKNOWN[chosen], columns(ours, FIELDS[chosen]))
        return bool(cursor.fetchone()[0])


def columns(acts: Sequence[Act], fields: Sequence[str]) -> list[list[Any]]:
    return [[act[field] for act in acts] for field in fields]


def _is_ahead(promised: dict[str, int]) -> bool:
    """Whether numbers had been given out, when this was promised, that this database has not given out yet."""
    given = sequences()
    return any(given.get(name, 0) < promise - MARGIN for name, promise in promised.items())


def sequences() -> dict[str, int]:
    """The last number that every sequence gave out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'public'")
        return dict(cursor.fetchall())


def older(end: Head) -> str:
    if not DataSubject.objects.exists():
        return (
            f"This database is empty and the erasure ledger {settings.LEDGER_FILE} is not: restore the backup, "
            "or set LEDGER_FILE to a new place for a new registry."
        )
    return (
        f"This database is older than the erasure ledger {settings.LEDGER_FILE}, "
        f"lines up to {end.lines} are not all in it. {REPLAY}"
    )


def lost(how: str) -> str:
    """What is wrong with the ledger, and what to do."""
    return (
        f"The erasure ledger {settings.LEDGER_FILE} {how}. Bring it back (LEDGER_FILE, docs/operations.md). "
        "If it is lost: `./run manage ledger --rebuild`."
    )
