"""Sealing: binds the audit's new entries to all before them. A row once sealed can't change unseen.

Dangerous because a seal over a series that still grows in its middle would call honest rows forged. The rules:

- Writers of the audit wait for nobody and know nothing of seals. Sealing waits for them (`_settled`).
- Only what is settled is sealed: every entry up to that number is committed or never will be.
- One transaction a seal, under a lock of its own; it begins where the seal before it, read under that lock, ends. The
  database takes no second seal behind the same one (`previous` is unique). Killed at any moment, the next run goes on.
- A seal reaches up to `last_entry`, whether or not that number was given to an entry: no place is left between two.
- A seal is evidence: the application can't change it, and what tells that the owner did lies outside (checkpoints).

Called by: registry.tasks (every five minutes), the `audit` command.
Sources: policy clauses 20, 22, 28; Law 94-V art. 22.
"""

import time
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, transaction

from registry.models import AuditSeal
from registry.seals import form

PATIENCE = 100  # seconds: our longest statement takes 60, and an idle transaction is ended after as many
PAUSE = 0.05  # seconds
GIVEN = "SELECT coalesce(max(last_value), 0) FROM pg_sequences WHERE sequencename = 'registry_auditentry_id_seq'"
WRITERS = """
    SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted
        AND relation = 'registry_auditentry'::regclass AND pid IS DISTINCT FROM pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Unsettled(Exception):
    """Somebody has been writing to the audit for too long. Nothing was sealed; the next run looks again."""


def seal(now: datetime) -> int:
    """Seals what is settled and returns how many entries. Unsettled: not now."""
    upto, sealed = _settled(), 0
    while count := _seal_next(upto, now):
        sealed += count
    return sealed


def _settled() -> int:
    """A number: every entry up to it is committed, or will never be.

    An INSERT locks the table, until its transaction ends, before it draws its number. So whoever drew a number up to
    the last one given either is among those who hold that lock when we look after having read it, or has ended; and
    whoever takes the lock later draws a higher one. Once those we saw have ended there is nobody left to wait for.
    """
    given = _column(GIVEN)[0]
    writers, patience = set(_column(WRITERS)), time.monotonic() + PATIENCE
    while writers := writers & set(_column(WRITERS)):
        if time.monotonic() > patience:
            raise Unsettled
        time.sleep(PAUSE)
    return int(given)


def _column(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def _seal_next(upto: int, now: datetime) -> int:
    """Puts one seal behind the last one; over how many entries."""
    _column("SELECT pg_advisory_xact_lock(hashtext('registry.seal'))")
    last = AuditSeal.objects.defer("lines").first()
    after, previous = (last.last_entry, bytes(last.head)) if last else (0, form.START)
    sealed = list(islice(form.entries(after if last else form.BEFORE_ALL, upto), form.BATCH))
    if not sealed:
        return 0
    head = previous
    for _number, digest in sealed:
        head = form.behind(head, digest)
    AuditSeal.objects.create(
        first_entry=after + 1,
        last_entry=sealed[-1][0] if len(sealed) == form.BATCH else upto,
        count=len(sealed),
        lines=form.pack(sealed),
        previous=previous,
        head=head,
        sealed_at=now,
    )
    return len(sealed)
