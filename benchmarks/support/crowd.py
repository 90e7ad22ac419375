"""A registry of people who agreed to one purpose: the first by the operations themselves, the others copies of them.

Every row of the first person is copied, its numbers moved on by STRIDE for each copy. The sealed bytes of a copy open
nowhere; what is measured with them opens none.
"""

import subprocess
import sys
from collections.abc import Collection

from psycopg import sql

from benchmarks.support.databases import Server
from benchmarks.support.people import indexes_made_afterwards
from benchmarks.support.terminal import progress

PURPOSE = "site-news"
FIRST = 1
STRIDE = 100  # more than one person has rows in a table
# What is moved on, the column that says whose row it is before the others.
NUMBERS = {
    "registry_datasubject": ("id",),
    "registry_retentiondue": ("subject_id",),
    "registry_personaldatum": ("subject_id", "id"),
    "registry_datumkey": ("datum_id",),
    "registry_processing": ("subject_id", "id"),
    "registry_historicalprocessing": ("subject_id", "history_id", "id"),
    "registry_auditentry": ("subject_id", "id", "object_id"),
    "registry_outgoingmessage": ("subject_id", "id", "about_id", "datum_id"),
    "consent_confirmation": ("subject_id", "id"),
    "consent_consentrecord": ("subject_id", "id", "confirmation_id", "evidence_id"),
    "consent_receipt": ("subject_id", "id"),
}
UNIQUE = {
    "registry_datasubject": {"reference": "'DS-' || lpad(n::text, 9, '0')"},
    "registry_personaldatum": {"index": "sha256(original.index || int8send(n))"},
    "consent_receipt": {"number": f"'CR-' || lpad((original.id + n * {STRIDE})::text, 9, '0')"},
}
COPY = """
INSERT INTO {table} SELECT copy.* FROM {table} original, generate_series(1, {copies}) n,
    LATERAL jsonb_populate_record(original, jsonb_build_object({changes})) copy
WHERE original.{owner} IS NOT NULL ORDER BY n
"""
# What random keys would make slow.
INDEXES = """
SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid::regclass::text = ANY(%s) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
GO_ON = """
SELECT setval(pg_get_serial_sequence(table_name, column_name), %s) FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = ANY(%s) AND is_identity = 'YES'
"""


def person_id(number: int) -> int:
    """Of the people counted from 0."""
    return FIRST + number * STRIDE


def fill(
    server: Server,
    database: str,
    people: int,
    first_person: str = "benchmarks.support.first_person",
    without: Collection[str] = (),
) -> None:
    """Turns a migrated, empty database into a registry with so many `people`; some tables may have the first one's rows
    only. `first_person`: the module that makes them."""
    environment = server.environment(database)
    subprocess.run([sys.executable, "manage.py", "prepare"], check=True, env=environment, stdout=subprocess.DEVNULL)
    first = [sys.executable, "-m", first_person]
    made = subprocess.run(first, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    if int(made.stdout) != FIRST:
        raise AssertionError(f"the first person is number {made.stdout}")
    with server.as_owner(database) as connection:
        for setting in (
            "session_replication_role = replica",
            "synchronous_commit = off",
            "maintenance_work_mem = '512MB'",
        ):
            connection.execute(f"SET {setting}")
        with indexes_made_afterwards(connection, INDEXES, [list(NUMBERS)]):
            copied = [table for table in NUMBERS if table not in without]
            for done, table in enumerate(copied, start=1):
                connection.execute(_copy(table, people - 1))
                progress("tables", done, len(copied))
        connection.execute(GO_ON, [people * STRIDE, list(NUMBERS)])
        connection.execute("VACUUM (FREEZE, ANALYZE)")


def _copy(table: str, copies: int) -> sql.Composed:
    changes = {column: f"original.{column} + n * {STRIDE}" for column in NUMBERS[table]} | UNIQUE.get(table, {})
    pairs = [sql.SQL("{}, {}").format(sql.Literal(name), sql.SQL(value)) for name, value in changes.items()]
    return sql.SQL(COPY).format(
        table=sql.Identifier(table),
        copies=sql.Literal(copies),
        changes=sql.SQL(", ").join(pairs),
        owner=sql.Identifier(NUMBERS[table][0]),
    )
