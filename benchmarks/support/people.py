"""A registry full of invented people, made inside the database by set-based INSERT ... SELECT.

What is due lies as a real day leaves it: people whose terms ran out together are neighbours on disk, so are claims that
nobody confirmed; withdrawals and replaced values are scattered over everybody. Held and blocked people are among all of
them, and audit entries, history and earlier erasures lie beside them. Sealed bytes are noise of the real length.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from benchmarks.support import people_sql as sql
from benchmarks.support.terminal import progress
from registry import sealing

CHUNK = 50_000  # people per statement: often enough for the progress line
STEPS = (
    sql.PERSON,
    sql.SUBJECT,
    sql.DATUM,
    sql.KEY,
    sql.PROCESSING,
    sql.HISTORY,
    sql.HOLD,
    sql.AUDIT,
    sql.ERASED_BEFORE,
    sql.RETENTION_DUE,
)


@dataclass(frozen=True)
class Population:
    people: int
    lapsed: int


def fill(connection: psycopg.Connection, population: Population) -> None:
    """Fills a freshly migrated database; `connection` is the owner's, in autocommit mode."""
    for setting in ("session_replication_role = replica", "synchronous_commit = off", "maintenance_work_mem = '512MB'"):
        connection.execute(f"SET {setting}")  # replica: the statements are right by construction, no foreign key looks
    connection.execute(sql.SCRATCH)
    connection.execute(sql.CATALOGUE)
    with indexes_made_afterwards(connection):
        _make_people(connection, population)
    for statement in (sql.SEQUENCES, "VACUUM (FREEZE, ANALYZE)", sql.EXPECTED, "CHECKPOINT"):
        connection.execute(statement)


def _make_people(connection: psycopg.Connection, population: Population) -> None:
    lengths = _sealed_lengths()
    for first in range(1, population.people + 1, CHUNK):
        last = min(first + CHUNK - 1, population.people)
        values = {"first": first, "last": last, "people": population.people, "lapsed": population.lapsed, **lengths}
        for step in STEPS:
            connection.execute(step, values)
        if first == 1:
            connection.execute("ANALYZE")  # or the view would be planned for empty tables
        progress("people", last, population.people)


def _sealed_lengths() -> dict[str, int]:
    key = sealing.new_key()
    masters = sealing.MasterKeys.parse(sealing.new_master("bench"))
    return {
        "sealed": len(sealing.seal(key, "a.person@example.kz", b"")),
        "wrapped": len(sealing.wrap(masters, key, b"")),
    }


@contextmanager
def indexes_made_afterwards(
    connection: psycopg.Connection, which: str = sql.SECONDARY_INDEXES, values: Sequence[object] = ()
) -> Iterator[None]:
    """Drops what random keys would make slow (of ours: except what the view needs), and makes it again at the end."""
    found = connection.execute(which, values or None).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    yield
    for done, (_, definition) in enumerate(found, start=1):
        connection.execute(definition)
        progress("indexes", done, len(found))
