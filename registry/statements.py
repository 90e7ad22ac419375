"""Statements of the acts that many people do: sent as they are, planned once for a session of the database.

Planning takes longer than most of them do, and building them from models longer still. So it is for what is asked about
one person, again and again, and is answered from an index whatever stands in it; never for what concerns everybody, and
must be planned for what it concerns. A new row written like this tells no signal: a model with a history is saved the
ordinary way, and so is one with JSON, which Django reads and writes in a form of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.utils import CursorWrapper
from django.db.models.expressions import DatabaseDefault

Model = TypeVar("Model", bound=models.Model)
SELECT = "SELECT {columns} FROM {source}"
INSERT = "INSERT INTO {table} ({columns}) VALUES {rows}"
Writing = tuple[str, Sequence[Any]]  # a statement and its values
_gathered: ContextVar[list[Writing] | None] = ContextVar("gathered", default=None)


def run(statement: str, values: Sequence[Any] | Mapping[str, Any]) -> CursorWrapper:
    """What it answers, to be fetched. Where statements are logged it goes the ordinary way: the log wants its text."""
    session: Any = connections[DEFAULT_DB_ALIAS]
    if not session.health_check_done:
        session.close_if_health_check_failed()
    if session.connection is None:
        session.ensure_connection()
    plain = psycopg.Cursor(session.connection)
    cursor: CursorWrapper = session.cursor() if session.queries_logged else session.make_cursor(plain)
    cursor.execute(statement, values)
    return cursor


def write(statement: str, values: Sequence[Any]) -> None:
    """A statement that answers nothing: now, or with the others where `at_once` is open."""
    gathered = _gathered.get()
    if gathered is None:
        run(statement, values)
    else:
        gathered.append((statement, values))


@contextmanager
def at_once() -> Iterator[None]:
    """What is written in here goes to the database at the end as one statement, and into different rows: there is no
    order in it, and nothing in here reads it. If this fails, none of it was written."""
    if _gathered.get() is not None:
        yield  # with what goes out already
        return
    gathered: list[Writing] = []
    token = _gathered.set(gathered)
    try:
        yield
    finally:
        _gathered.reset(token)
    if gathered:
        together = _together(tuple(statement for statement, _ in gathered))
        run(together, [value for _, values in gathered for value in values])


@cache
def _together(written: tuple[str, ...]) -> str:
    parts = ", ".join(f"part_{number} AS ({statement})" for number, statement in enumerate(written))
    return f"WITH {parts} SELECT"


def select(model: type[Model], condition: str, *values: Any) -> list[Model]:
    """The rows of this model for which the condition holds, in no order."""
    return select_from(model, f"{model._meta.db_table} WHERE {condition}", values)


def select_from(model: type[Model], source: str, values: Sequence[Any] | Mapping[str, Any]) -> list[Model]:
    """The rows of this model that `source` gives, such as a function: what may stand behind FROM. In its order."""
    names, columns = _columns(model)
    rows = run(SELECT.format(columns=columns, source=source), values).fetchall()
    return [model.from_db(DEFAULT_DB_ALIAS, names, row) for row in rows]


@cache
def _columns(model: type[models.Model]) -> tuple[list[str], str]:
    fields = model._meta.concrete_fields
    return [field.attname for field in fields], ", ".join(field.column or "" for field in fields)


def insert(*rows: models.Model) -> None:
    """Saves these new rows of one model, in their order, and gives them numbers, if they have none; none yet where
    `at_once` is open."""
    if not rows:
        return
    has_number = rows[0].pk is not None
    fields, statement = _insert_into(type(rows[0]), has_number, len(rows))
    values = [_value(row, field) for row in rows for field in fields]
    if has_number or _gathered.get() is not None:
        write(statement, values)
    else:
        for row, (number,) in zip(rows, run(statement + " RETURNING id", values).fetchall(), strict=True):
            row.pk = number
    for row in rows:
        row._state.adding = False


@cache
def _insert_into(model: type[models.Model], has_number: bool, how_many: int) -> tuple[list[Any], str]:
    fields = [field for field in model._meta.concrete_fields if has_number or not field.primary_key]
    columns, row = ", ".join(field.column or "" for field in fields), ", ".join(["%s"] * len(fields))
    rows = ", ".join([f"({row})"] * how_many)
    return fields, INSERT.format(table=model._meta.db_table, columns=columns, rows=rows)


def _value(row: models.Model, field: Any) -> Any:
    value = getattr(row, field.attname)
    return field.db_default if isinstance(value, DatabaseDefault) else value
