"""Values that open for a crowd that was copied: an address and a number each, sealed under keys of their own and wrapped
under the benchmark's master key, by several processes, each for some of the people."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

from benchmarks.support.crowd import INDEXES, person_id
from benchmarks.support.databases import Server, connect
from benchmarks.support.people import indexes_made_afterwards
from registry import sealing

TABLES = ("registry_personaldatum", "registry_datumkey")
DATA = """
COPY registry_personaldatum (id, subject_id, category_id, sealed, index, source, standing, recorded_at, confirmed_at)
FROM STDIN
"""
KEYS = "COPY registry_datumkey (datum_id, wrapped) FROM STDIN"
CATEGORIES = "SELECT code, id FROM registry_datacategory WHERE code IN ('email', 'phone')"
FIRST_OF_A_PERSON = 50  # numbers of the first person's own data lie below
TOGETHER = 5_000  # people
Row = tuple[object, ...]


def fill(server: Server, database: str, people: int) -> None:
    """For everybody but the first person."""
    workers = os.cpu_count() or 1
    bounds = [1 + (people - 1) * number // workers for number in range(workers + 1)]
    with server.as_owner(database) as connection, indexes_made_afterwards(connection, INDEXES, [list(TABLES)]):
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.support.really_sealed", str(first), str(end)],
                env=server.environment(database),
            )
            for first, end in pairwise(bounds)
        ]
        if any([process.wait() for process in started]):
            raise AssertionError("the values could not be sealed")
    with server.as_owner(database) as connection:
        connection.execute("VACUUM (FREEZE, ANALYZE)")


def main(first: int, end: int) -> None:
    masters = sealing.MasterKeys.parse(os.environ["MASTER_KEYS"])
    with connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        categories = {str(code): int(number) for code, number in connection.execute(CATEGORIES)}
        for begin in range(first, end, TOGETHER):
            several = [row for number in range(begin, min(begin + TOGETHER, end)) for row in _of(number, categories)]
            for statement, rows in zip((DATA, KEYS), _sealed(several, masters), strict=True):
                with connection.cursor().copy(statement) as copy:
                    for row in rows:
                        copy.write_row(row)


def _of(number: int, categories: dict[str, int]) -> Iterator[tuple[int, int, int, str]]:
    """Person, category, datum, value."""
    person = person_id(number)
    yield person, categories["email"], person + FIRST_OF_A_PERSON, f"person.{number}@example.kz"
    yield person, categories["phone"], person + FIRST_OF_A_PERSON + 1, f"+7701{number:07}"


def _sealed(several: list[tuple[int, int, int, str]], masters: sealing.MasterKeys) -> tuple[list[Row], list[Row]]:
    data: list[Row] = []
    keys: list[Row] = []
    for person, category, datum, value in several:
        key = sealing.new_key()
        sealed = sealing.seal(key, value, sealing.datum_binding(category, person, datum))
        data.append((datum, person, category, sealed, secrets.token_bytes(32), "subject", "stated", "now", None))
        keys.append((datum, sealing.wrap(masters, key, sealing.key_binding(datum))))
    return data, keys


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
