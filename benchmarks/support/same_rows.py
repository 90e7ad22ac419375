"""Whether two databases that began alike hold as much as each other, and as much as was asked for."""

import psycopg
from psycopg import sql

COLUMNS = """
SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position)
FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' GROUP BY table_name
"""
DONE = """
SELECT count(*) FILTER (WHERE act = 'withdrawn') AS withdrawn, count(*) FILTER (WHERE act = 'asked') AS asked
FROM consent_consentrecord WHERE at > (SELECT max(issued_at) FROM consent_receipt)
"""
Counts = dict[str, int]


def count(connection: psycopg.Connection) -> Counts:
    """The rows of every table, and by `table.column` those in which the column is filled."""
    counts: Counts = {}
    for table, columns in connection.execute(COLUMNS).fetchall():
        counted = [sql.SQL("count(*)"), *(sql.SQL("count({})").format(sql.Identifier(name)) for name in columns)]
        query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(counted), sql.Identifier(table))
        names = [table, *(f"{table}.{name}" for name in columns)]
        counts |= dict(zip(names, connection.execute(query).fetchone() or (), strict=True))
    return counts


def differences(ours: Counts, theirs: Counts) -> list[str]:
    return [f"{name}: {number} and {theirs[name]}" for name, number in ours.items() if number != theirs[name]]


def check(connection: psycopg.Connection, requests: int) -> None:
    """Raises unless so many `requests` of each kind left an act each, and no more."""
    found = connection.execute(DONE).fetchone()
    if found != (requests, requests):
        raise AssertionError(f"{requests} people came, acts of withdrawing and asking: {found}")
