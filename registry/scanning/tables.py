"""Looks through every table: each once, one statement per table, in the caller's transaction."""

import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

from registry.scanning.needles import Needles
from registry.scanning.results import Scan

# Whatever can hold a text or bytes, also in tables that came later or are not ours. Numbers, dates and the like can't.
COLUMNS = """
    SELECT namespace.nspname, class.relname, attribute.attname,
        coalesce(nullif(type.typbasetype, 0), type.oid) = 'bytea'::regtype,
        class.relkind <> 'f' AND has_schema_privilege(namespace.oid, 'USAGE')
            AND has_column_privilege(class.oid, attribute.attnum, 'SELECT')
    FROM pg_attribute attribute
    JOIN pg_class class ON class.oid = attribute.attrelid
    JOIN pg_namespace namespace ON namespace.oid = class.relnamespace
    JOIN pg_type type ON type.oid = attribute.atttypid
    WHERE class.relkind IN ('r', 'm', 'f') AND class.relispopulated AND attribute.attnum > 0
        AND NOT attribute.attisdropped
        AND namespace.nspname NOT IN ('pg_catalog', 'information_schema') AND namespace.nspname !~ '^pg_(toast|temp)'
        AND type.typcategory NOT IN ('B', 'D', 'G', 'I', 'N', 'R', 'T', 'V') AND type.oid <> 'uuid'::regtype
    ORDER BY 1, 2, attribute.attnum
"""
# The values stand in settings of this transaction, not in the statements that take long: those are seen by others in
# pg_stat_activity and, if they fail, in the server's log.
SETTINGS = ("registry.maybe", "registry.surely", "registry.encoded")
MAYBE = sql.SQL("(SELECT current_setting('registry.maybe'))::text[]")
SURELY = sql.SQL("(SELECT current_setting('registry.surely'))")
ENCODED = sql.SQL("(SELECT current_setting('registry.encoded'))::text[]")
# Every row is asked what is cheap; only the few that may hold something are asked column by column.
COUNT = sql.SQL("SELECT {counts} FROM ONLY {table} WHERE {maybe}")
MAY_HOLD = sql.SQL('lower(({texts}) COLLATE "C") LIKE ANY ({maybe})')
HOLDS = sql.SQL('({text} ~* {surely} OR lower({text} COLLATE "C") LIKE ANY ({encoded}))')
TEXT = sql.SQL("coalesce({column}::text, '')")
TEXT_OF_BYTES = sql.SQL("coalesce(replace(encode({column}, 'escape'), '\\000', ''), '')")  # UTF-16 without its zeros
HOLDS_BYTES = sql.SQL("{column} LIKE ANY (%(bytes)s::bytea[])")
# Somebody else may have given the same address: its index stands beside their data by right.
ITS_OWN = sql.SQL("id = ANY (%(data)s) AND ")
ROWS = ((("public", "registry_personaldatum"), "id"), (("public", "registry_datumkey"), "datum_id"))


@dataclass(frozen=True)
class Column:
    schema: str
    table: str
    name: str
    is_bytes: bool
    is_readable: bool

    @property
    def place(self) -> str:
        return f"{self.schema}.{self.table}.{self.name}"


def look(needles: Needles) -> Scan:
    seen = Scan()
    _without_limits()
    surely = "|".join(spelling.pattern for spelling in needles.spellings)
    _set(_array(_maybe(needles)), surely, _array(_encoded(needles)))
    for _, group in groupby(_columns(), key=lambda column: (column.schema, column.table)):
        _look_through(list(group), needles, seen)
    _set("", "", "")
    _look_for_rows(needles, seen)
    return seen


def _without_limits() -> None:
    """A table of millions takes longer than a page may."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")


def _set(*values: str) -> None:
    """Bound on the server: in this way no log and no list of statements shows them. Gone when the transaction ends."""
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        for name, value in zip(SETTINGS, values, strict=True):
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def _maybe(needles: Needles) -> list[str]:
    """What every spelling has in common, and the encoded forms, which need no second look."""
    return [f"%{'%'.join(spelling.parts)}%" for spelling in needles.spellings] + _encoded(needles)


def _encoded(needles: Needles) -> list[str]:
    """Base64 has two alphabets; a sign of either stands for both."""
    return [f"%{form.replace('+', '_').replace('/', '_')}%" for form in needles.encoded]


def _array(patterns: list[str]) -> str:
    """As PostgreSQL writes an array; these hold letters, digits, % and _ only."""
    return f"{{{','.join(patterns)}}}"


def _columns() -> list[Column]:
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        return [Column(*row) for row in cursor.fetchall()]


def _look_through(columns: list[Column], needles: Needles, seen: Scan) -> None:
    """One statement for one table; how many rows of which column hold something."""
    readable = [column for column in columns if column.is_readable]
    seen.unseen += [column.place for column in columns if not column.is_readable]
    seen.look("tables", bool(readable))
    seen.look("columns", len(readable))
    asked = [column for column in readable if needles.spellings or column.is_bytes]
    if asked:
        for column, count in zip(asked, _ask(_count(asked, needles), needles), strict=True):
            seen.found(column.place, count)


def _count(columns: list[Column], needles: Needles) -> sql.Composed:
    counts = [sql.SQL("count(*) FILTER (WHERE {})").format(_holds(column, needles)) for column in columns]
    maybe = [_bytes(column) for column in columns if column.is_bytes]
    if needles.spellings:
        texts = sql.SQL(" || E'\\n' || ").join(_text(column) for column in columns)
        maybe.append(MAY_HOLD.format(texts=texts, maybe=MAYBE))
    table = sql.Identifier(columns[0].schema, columns[0].table)
    return COUNT.format(counts=sql.SQL(", ").join(counts), table=table, maybe=sql.SQL(" OR ").join(maybe))


def _holds(column: Column, needles: Needles) -> sql.Composable:
    parts = [_bytes(column)] if column.is_bytes else []
    if needles.spellings:
        parts.append(HOLDS.format(text=_text(column), surely=SURELY, encoded=ENCODED))
    return sql.SQL(" OR ").join(parts)


def _text(column: Column) -> sql.Composed:
    return (TEXT_OF_BYTES if column.is_bytes else TEXT).format(column=sql.Identifier(column.name))


def _bytes(column: Column) -> sql.Composed:
    is_index = (column.schema, column.table, column.name) == ("public", "registry_personaldatum", "index")
    own = ITS_OWN if is_index else sql.SQL("")
    return own + HOLDS_BYTES.format(column=sql.Identifier(column.name))


def _look_for_rows(needles: Needles, seen: Scan) -> None:
    for name, key in ROWS:
        query = sql.SQL("SELECT count(*) FROM {} WHERE {} = ANY (%(data)s)")
        (count,) = _ask(query.format(sql.Identifier(*name), sql.Identifier(key)), needles)
        seen.found(f"{'.'.join(name)}: {key}", count)


def _ask(query: sql.Composable, needles: Needles) -> tuple[Any, ...]:
    stored = [b"%" + _literal(one) + b"%" for one in (*needles.sealed, *needles.indexes)]
    with connection.cursor() as cursor:
        cursor.execute(query, {"bytes": stored, "data": list(needles.data)})
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _literal(stored: bytes) -> bytes:
    """Bytes that mean something in LIKE mean themselves."""
    return re.sub(rb"([\\%_])", rb"\\\1", stored)
