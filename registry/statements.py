"""Statements of the acts that many people do: sent as they are, planned once for a session of the database.

Planning takes longer than most of them do, and building them from models longer still. So it is for what is asked about
one person, again and again, and is answered from an index whatever stands in it; never for what concerns everybody, and
must be planned for what it concerns. A new row written like this tells no signal: a model with a history is saved the
ordinary way, and so is one with JSON, which Django reads and writes in a form of its own.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.utils import CursorWrapper
from django.db.models.expressions import DatabaseDefault

Model = TypeVar("Model", bound=models.Model)
SELECT = "SELECT {columns} FROM {table} WHERE {condition}"
INSERT = "INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING id"


def run(statement: str, values: Sequence[Any] | Mapping[str, Any]) -> CursorWrapper:
    """What it answers, to be fetched. Where statements are logged it goes the ordinary way: the log wants its text."""
    session = connections[DEFAULT_DB_ALIAS]
    session.ensure_connection()
    plain: Any = psycopg.Cursor(session.connection)
    cursor = session.cursor() if session.queries_logged else session.make_cursor(plain)
    cursor.execute(statement, values)
    return cursor


def select(model: type[Model], condition: str, *values: Any) -> list[Model]:
    """The rows of this model for which the condition holds, in no order."""
    names, columns = _columns(model)
    statement = SELECT.format(columns=columns, table=model._meta.db_table, condition=condition)
    return [model.from_db(DEFAULT_DB_ALIAS, names, row) for row in run(statement, values).fetchall()]


@cache
def _columns(model: type[models.Model]) -> tuple[list[str], str]:
    fields = model._meta.concrete_fields
    return [field.attname for field in fields], ", ".join(field.column or "" for field in fields)


def insert(row: models.Model) -> None:
    """Saves this new row and gives it its number."""
    fields, statement = _insert_into(type(row))
    (row.pk,) = run(statement, [_value(row, field) for field in fields]).fetchone()
    row._state.adding = False


@cache
def _insert_into(model: type[models.Model]) -> tuple[list[Any], str]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns, values = ", ".join(field.column or "" for field in fields), ", ".join(["%s"] * len(fields))
    return fields, INSERT.format(table=model._meta.db_table, columns=columns, values=values)


def _value(row: models.Model, field: Any) -> Any:
    value = getattr(row, field.attname)
    return field.db_default if isinstance(value, DatabaseDefault) else value
