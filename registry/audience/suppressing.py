"""Addresses that must not be written to for a purpose: of people the registry still holds whom the gate keeps.

Dangerous because it names just those who said no. The rules:

- It goes to whoever has the address already: the operator's own program, or a recipient that was given that person.
- Plain for the operator's own program and for a processor; for others only as SHA-256 of the canonical address, as
  mailers compare them. That is no anonymity: whoever has an address can look whether it is in the list.
- An address that somebody else may be written to at is not in it: two people gave it, and one of them agreed.
- Every call is a transfer in the journal, with a line for everybody in it. Erased people are not: nothing of them is
  here; `checking` answers for them.

Called by: consent.api.suppression. Sources: policy clauses 13, 16, 19.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from registry.audience import handing, lists, opening
from registry.audience.feed import Clock
from registry.audience.handing import Handing, Person
from registry.models import DataCategory, ProcessingPurpose, Recipient, RecipientKey
from registry.normalise import normalise
from registry.transfers import gate
from registry.transfers.gate import Counts

PORTION = 500  # people
HEADS = {handing.PLAIN: "email", handing.HASHED: "sha256"}
KEPT = """
    SELECT subject_id, processing_id, record_id, began_at, lapses_at, third_parties, cross_border FROM ({people}) people
    WHERE reason IS NOT NULL AND subject_id > %(after)s AND (%(is_own)s OR EXISTS (
        SELECT FROM registry_transferline line JOIN registry_transfer transfer ON transfer.id = line.transfer_id
        WHERE line.subject_id = people.subject_id AND line.dropped = '' AND transfer.recipient_id = %(to)s
            AND transfer.state IN ('taken', 'sending')
    ))
    ORDER BY subject_id LIMIT %(portion)s
"""
DATA = """
    SELECT datum.id FROM registry_personaldatum datum
    WHERE datum.subject_id = ANY(%(subjects)s) AND datum.category_id = ANY(%(categories)s)
        AND datum.superseded_at IS NULL AND datum.standing <> 'claimed' AND NOT EXISTS (
            SELECT FROM registry_personaldatum other JOIN ({people}) people ON people.subject_id = other.subject_id
            WHERE other.index = datum.index AND other.superseded_at IS NULL AND other.standing = ANY(%(standings)s)
                AND people.reason IS NULL
        )
"""


def suppressed(key: RecipientKey, purpose: ProcessingPurpose, *, is_plain: bool, clock: Clock) -> Iterator[bytes]:
    """Lines below the name of the column, as they are opened: close it. Refused, Busy: before the first byte."""
    now, asked = clock(), lists.asked_with(key, purpose)
    lists.check(key, asked, now)
    if is_plain and key.recipient.kind not in {Recipient.Kind.OWN, Recipient.Kind.PROCESSOR}:
        lists.refuse(key, asked, "hashed_only", now)
    handing.check_room(key, now)
    return _lines(Handing(key, asked, Counts(0), handing.PLAIN if is_plain else handing.HASHED), clock)


def _lines(given: Handing, clock: Clock) -> Iterator[bytes]:
    after: int | None = 0
    try:
        yield given.counted(f"{HEADS[given.what_for]}\n")
        while after is not None:
            lists.check_again(given.key, given.asked, clock())
            after, found = _portion(given, after, clock())
            yield given.counted("".join(f"{line}\n" for line in found))
    finally:
        given.finish(clock())


@transaction.atomic
def _portion(given: Handing, after: int, now: datetime) -> tuple[int | None, list[str]]:
    """The last person looked at, None after the last of all, and the lines."""
    to = given.key.recipient
    whom = {"is_own": to.kind == Recipient.Kind.OWN, "to": to.pk, "after": after, "portion": PORTION}
    people = [Person(*row) for row in gate.ask_of_people(KEPT, given.asked, now, few=True, **whom)]
    if not people:
        return None, []
    subject_ids = [person.subject_id for person in people]
    opening.hold(subject_ids)
    data = [pk for (pk,) in gate.ask_of_people(DATA, given.asked, now, few=True, subjects=subject_ids)]
    values = opening.values(data).values()
    has_value = {subject_id for subject_id, _value in values}
    given.note([person for person in people if person.subject_id in has_value], now)
    found = [value for _subject_id, value in values]
    return subject_ids[-1], found if given.what_for == handing.PLAIN else [hashed(value) for value in found]


def hashed(address: str) -> str:
    """SHA-256 of the canonical form in hexadecimal digits."""
    try:
        canonical = normalise(DataCategory.Kind.EMAIL, address).canonical
    except ValidationError:  # accepted under older rules
        canonical = address.lower()
    return hashlib.sha256(canonical.encode()).hexdigest()
