"""Statements of the acts that many people do: sent as they are, planned once for a session of the database.

Planning takes longer than most of them do, and building them from models longer still. So it is for what is asked about
one person, again and again, and is answered from an index whatever stands in it; never for what concerns everybody, and
must be planned for what it concerns. A new row written like this tells no signal: a model with a history is saved the
ordinary way, and so is one with JSON, which Django reads and writes in a form of its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.expressions import DatabaseDefault

Model = TypeVar("Model", bound=models.Model)
Other = TypeVar("Other", bound=models.Model)
SELECT = "SELECT {columns} FROM {source}"
INSERT = "INSERT INTO {table} ({columns}) VALUES {rows}"
Writing = tuple[str, Sequence[Any]]  # a statement and its values
_gathered: ContextVar[list[Writing] | None] = ContextVar("gathered", default=None)


def run(statement: str, values: Sequence[Any] | Mapping[str, Any]) -> Any:
    """The cursor with what it answers, to be fetched. Where Django's statements are watched it goes their way: whoever
    watches wants to see it."""
    session: Any = connections[DEFAULT_DB_ALIAS]
    if not session.health_check_done:
        session.close_if_health_check_failed()
    if session.connection is None:
        session.ensure_connection()
    if session.queries_logged or session.execute_wrappers:
        cursor = session.cursor()
        cursor.execute(statement, values)
        return cursor
    session.validate_no_broken_transaction()
    with session.wrap_database_errors:
        return psycopg.Cursor(session.connection).execute(statement, values)


def write(statement: str, values: Sequence[Any]) -> None:
    """A statement that answers nothing: now, or with the others where `at_once` is open. An INSERT, an UPDATE, or the
    SELECT of one function."""
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
    """A part that is a SELECT is done only if it is read; the others are in any case."""
    parts = {f"part_{number}": statement for number, statement in enumerate(written)}
    read = ", ".join(name for name, statement in parts.items() if statement.startswith("SELECT"))
    written_as = ", ".join(f"{name} AS ({statement})" for name, statement in parts.items())
    return f"WITH {written_as} SELECT {f'FROM {read}' if read else ''}"


def select(model: type[Model], condition: str, *values: Any) -> list[Model]:
    """The rows of this model for which the condition holds, in no order."""
    return select_from(model, f"{model._meta.db_table} WHERE {condition}", values)


def select_from(model: type[Model], source: str, values: Sequence[Any] | Mapping[str, Any]) -> list[Model]:
    """The rows of this model that `source` gives under its table's name: what may stand behind FROM. In its order."""
    names, columns = _columns(model)
    rows = run(SELECT.format(columns=columns, source=source), values).fetchall()
    return [_made(model, names, row) for row in rows]


def select_beside(first: type[Model], second: type[Other], condition: str, *values: Any) -> list[tuple[Model, Other]]:
    """The rows of the first model for which the condition holds, each beside each row of the second."""
    (names, columns), (others, more) = _columns(first), _columns(second)
    tables = f"{first._meta.db_table} JOIN {second._meta.db_table} ON {condition}"
    rows = run(SELECT.format(columns=f"{columns}, {more}", source=tables), values).fetchall()
    return [(_made(first, names, row), _made(second, others, row[len(names) :])) for row in rows]


def _made(model: type[Model], names: list[str], row: Sequence[Any]) -> Model:
    return model.from_db(DEFAULT_DB_ALIAS, names, row[: len(names)])


@cache
def _columns(model: type[models.Model]) -> tuple[list[str], str]:
    fields, table = model._meta.concrete_fields, model._meta.db_table
    return [field.attname for field in fields], ", ".join(f"{table}.{field.column}" for field in fields)


def insert(*rows: models.Model) -> None:
    """Saves these new rows of one model, in their order, and gives them numbers, if they have none; none yet where
    `at_once` is open."""
    if not rows:
        return
    model, has_number = type(rows[0]), rows[0].pk is not None
    table = [_values(row, has_number) for row in rows]
    filled = tuple(place for place, values in enumerate(zip(*table, strict=True)) if any(v is not None for v in values))
    statement = _insert_into(model, has_number, filled, len(rows))
    values = [row[place] for row in table for place in filled]
    if has_number or _gathered.get() is not None:
        write(statement, values)
    else:
        for row, (number,) in zip(rows, run(statement + " RETURNING id", values).fetchall(), strict=True):
            row.pk = number
    for row in rows:
        row._state.adding = False


def _values(row: models.Model, has_number: bool) -> list[Any]:
    read, left_to_database = _reading(type(row), has_number)
    values = list(read(row))
    for place, default in left_to_database.items():
        if isinstance(values[place], DatabaseDefault):
            values[place] = default
    return values


@cache
def _reading(model: type[models.Model], has_number: bool) -> tuple[Callable[[Any], Any], dict[int, Any]]:
    """What reads the values of a row, and the values the database would give, by their place."""
    fields = _fields(model, has_number)
    defaults = {place: field.db_default for place, field in enumerate(fields) if field.has_db_default()}
    return attrgetter(*(field.attname for field in fields)), defaults


@cache
def _insert_into(model: type[models.Model], has_number: bool, filled: tuple[int, ...], how_many: int) -> str:
    """Names the columns at these places only: a NULL that is named is one more value to send, and psycopg reads a
    statement of more than fifty values anew each time."""
    columns = [field.column or "" for place, field in enumerate(_fields(model, has_number)) if place in filled]
    row = ", ".join(["%s"] * len(columns))
    rows = ", ".join([f"({row})"] * how_many)
    return INSERT.format(table=model._meta.db_table, columns=", ".join(columns), rows=rows)


def _fields(model: type[models.Model], has_number: bool) -> list[Any]:
    return [field for field in model._meta.concrete_fields if has_number or not field.primary_key]
