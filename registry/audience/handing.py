"""The transfer of one call of a program: who was handed out, each written down before they go.

It is made with the first people, so that a call that gives nobody leaves none. While it lasts it is `sending`, with an
end that every portion moves: what was killed or cut off is closed by the next run of the job, with the lines it has. A
program so slow that its transfer was closed goes on with the next one.

Called by: registry.audience.feed, registry.audience.suppressing; registry.tasks (every minute).
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction

from registry import auditing
from registry.audience.keys import SYSTEM
from registry.models import RecipientKey, Transfer
from registry.transfers import telling
from registry.transfers.gate import Counts
from registry.transfers.refusing import Asked
from registry.transfers.rows import Operation, State, turn

LEASE = timedelta(minutes=10)
MOST_AT_ONCE = 2  # answers with one key: each holds a thread of the web server as long as the program reads
LINES = """
    COPY registry_transferline (transfer_id, place, subject_id, processing_id, record_id, began_at, lapses_at,
        third_parties, cross_border) FROM STDIN
"""
FEED, PLAIN, HASHED = "feed", "suppression plain", "suppression hashed"  # what for, as it stands in the journal


class Person(NamedTuple):
    """What a line of a transfer keeps: columns of the gate's people, in this order."""

    subject_id: int
    processing_id: int
    record_id: int | None
    began_at: datetime
    lapses_at: datetime | None
    third_parties: bool
    cross_border: bool


class Busy(Exception):
    """As many answers as may be are being read with this key."""


def check_room(key: RecipientKey, now: datetime) -> None:
    """Busy if one more answer with this key would be too many."""
    if Transfer.objects.filter(key=key, state=State.SENDING, expires_at__gt=now).count() >= MOST_AT_ONCE:
        raise Busy


class Handing:
    """What one call hands out. Its digest is that of every byte of the answer that was `counted`."""

    def __init__(self, key: RecipientKey, asked: Asked, counts: Counts, what_for: str) -> None:
        self.key, self.asked, self.counts, self.what_for = key, asked, counts, what_for
        self.number: int | None = None
        self.digest = hashlib.sha256()

    def note(self, people: Sequence[Person], now: datetime) -> None:
        """In the transaction that opens their values: lines, and who is to be told of it."""
        if not people:
            return
        row = self._row(now)
        with connection.cursor() as cursor, cursor.copy(LINES) as lines:
            for place, person in enumerate(people, row.written + 1):
                lines.write_row((row.pk, place, *person))
        row.people = row.written = row.written + len(people)
        row.expires_at = now + LEASE
        row.save(update_fields=["people", "written", "expires_at"])
        if self.what_for == FEED:  # who must not be written to was given before
            telling.open_notices(row, now)

    def _row(self, now: datetime) -> Transfer:
        """The transfer, locked, while it is open; otherwise the next one."""
        row = _open(self.number)
        if row is None:
            row = self._begun(now)
            self.number = row.pk
        return row

    def _begun(self, now: datetime) -> Transfer:
        recipient = self.key.recipient
        row = Transfer.objects.create(
            recipient=recipient,
            country=recipient.country_id,
            ground=self.asked.ground,
            purpose=self.asked.purpose,
            categories=[category.code for category in self.asked.categories],
            is_cross_border=recipient.is_abroad,
            reason=self.what_for,
            format=Transfer.Format.CSV if self.what_for in {PLAIN, HASHED} else Transfer.Format.JSON,
            with_links=self.asked.with_links,
            key=self.key,
            state=State.SENDING,
            people=0,
            left_out=self.counts.left_out,
            requested_by_id=self.key.made_by_id,
            requested_at=now,
            expires_at=now + LEASE,
        )
        _record(Operation.APPROVE, row, now, f"by key {self.key.prefix}")
        return row

    def counted(self, text: str) -> bytes:
        """The bytes of the next piece of the answer."""
        content = text.encode()
        self.digest.update(content)
        return content

    def finish(self, now: datetime) -> None:
        """The answer ended, whole or cut off."""
        with transaction.atomic():
            if row := _open(self.number):
                _close(row, now, self.digest.hexdigest(), "")


def close_abandoned(now: datetime) -> int:
    """Closes what a killed process left behind; how many."""
    over = Transfer.objects.filter(state=State.SENDING, expires_at__lte=now).order_by("pk")
    return sum(_close_abandoned(number, now) for number in list(over.values_list("pk", flat=True)))


@transaction.atomic
def _close_abandoned(number: int, now: datetime) -> bool:
    row = _open(number)
    if row is None or row.expires_at is None or row.expires_at > now:
        return False  # it goes on, or ended a moment ago
    _close(row, now, "", ", cut off")
    return True


def _open(number: int | None) -> Transfer | None:
    if number is None:
        return None
    return Transfer.objects.select_for_update(of=("self",)).filter(pk=number, state=State.SENDING).first()


def _close(row: Transfer, now: datetime, digest: str, how: str) -> None:
    turn(row, State.TAKEN, taken_at=now, digest=digest, expires_at=None)
    _record(Operation.TRANSFER, row, now, f"{row.ground}, {row.written} people{how}")


def _record(operation: Operation, row: Transfer, now: datetime, reason: str) -> None:
    auditing.record(operation, now=now, system=SYSTEM, about=row, reason=reason)
