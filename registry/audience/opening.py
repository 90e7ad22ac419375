"""The values a program is given, opened for one portion of people that was locked and written down.

Dangerous because values are open here without a person looking on. They go into the bytes of the answer and nowhere
else. A value that does not open stays behind with its person; nothing is said of it but that there is one.

Called by: registry.audience.feed, registry.audience.suppressing.
"""

import logging
from collections.abc import Collection
from typing import Any

import psycopg
from django.db import connection

from registry import sealing
from registry.keyring import keyring
from registry.sealing import SealError

logger = logging.getLogger(__name__)
HOLD = "SELECT FROM registry_retentiondue WHERE subject_id = ANY(%s) ORDER BY subject_id FOR SHARE"
VALUES = """
    SELECT datum.id, datum.subject_id, datum.category_id, datum.sealed, key.wrapped FROM registry_personaldatum datum
    JOIN registry_datumkey key ON key.datum_id = datum.id
    WHERE datum.id = ANY(%(data)s) AND datum.superseded_at IS NULL AND datum.standing <> 'claimed'
    ORDER BY datum.id
"""


def hold(subject_ids: Collection[int]) -> None:
    """Until the transaction ends nobody withdraws, is blocked or is erased of these people: before it, they are not
    handed out; after it, their recipient is told. Shared: two programs do not wait for one another."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [sorted(subject_ids)])


def values(data: Collection[int]) -> dict[int, tuple[int, str]]:
    """Person and value by number of the datum, of those that are in force and open."""
    opened, found = sealing.opener(keyring().masters), {}
    for datum_id, subject_id, category_id, sealed, wrapped in _rows(data):
        try:
            found[datum_id] = subject_id, opened(category_id, subject_id, datum_id, sealed, wrapped)
        except SealError:
            logger.error("a value of a mailing list does not open")
    return found


def _rows(data: Collection[int]) -> list[tuple[Any, ...]]:
    """Binary: sealed values are not turned into text and back."""
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(VALUES, {"data": list(data)}, binary=True).fetchall()
