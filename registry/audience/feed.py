"""Who may be written to now, and every change since a cursor: one stream of lines.

Each line is JSON with its cursor: `in` and `contact` with the address and its links, `out` with neither. The last line
says that this was all. Memory holds one portion.

- A portion is one transaction: its people are held against their own acts, the gate and the key are asked again, the
  values opened, the lines of the transfer written. Only after its commit do the bytes go.
- Who may not go any more is told as `out`, and marked (`datum_id` 0), so that the next refresh tells whatever holds
  then. Without the mark somebody blocked and unblocked between two calls would be lost.
- Refused or revoked in the middle, the stream breaks off without its last line.

Called by: consent.api.audience.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from registry.audience import handing, lists, opening, refreshing
from registry.audience.handing import Handing, Person
from registry.models import ProcessingPurpose, RecipientKey
from registry.transfers import gate, mailing
from registry.transfers.refusing import Asked

PORTION = 500  # people in memory, and held in one transaction
Clock = Callable[[], datetime]
as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
ENTRIES = """
    SELECT entry.sequence, entry.in_since, entry.datum_id, entry.id, entry.subject_id, subject.reference,
        subject.language
    FROM registry_audienceentry entry JOIN registry_datasubject subject ON subject.id = entry.subject_id
    WHERE entry.recipient_id = %(list)s AND entry.purpose_id = %(purpose)s
        AND entry.sequence > %(after)s AND entry.sequence <= %(top)s
    ORDER BY entry.sequence LIMIT %(portion)s
"""
MAY_GO = """
    SELECT subject_id, processing_id, record_id, began_at, lapses_at, third_parties, cross_border FROM ({people}) people
    WHERE reason IS NULL
"""
# A row that is locked is being changed by a refresh, and gets a cursor anyway.
MARK = """
    UPDATE registry_audienceentry SET datum_id = 0 WHERE id IN (
        SELECT id FROM registry_audienceentry WHERE id = ANY(%s) AND is_in FOR UPDATE SKIP LOCKED
    )
"""


class Entry(NamedTuple):
    """One row of ENTRIES. Without `datum_id` the person is out."""

    sequence: int
    in_since: int
    datum_id: int | None
    id: int
    subject_id: int
    reference: str
    language: str


@dataclass(frozen=True)
class Stretch:
    """What is to be told: everything after `since` up to `top`. `is_whole`: to somebody who knew nobody before."""

    given: Handing
    since: int
    top: int
    is_whole: bool
    links: mailing.LinksOf


def opened(
    key: RecipientKey, purpose: ProcessingPurpose, since: int, *, clock: Clock, is_whole: bool = False
) -> Iterator[bytes]:
    """The stream, once: close it. Refused, Busy, StartAgain: before the first byte, nothing is given.

    `is_whole`: this goes on with a whole list that was cut off.
    """
    now = clock()
    asked = lists.asked_with(key, purpose, with_links=True)
    lists.check(key, asked, now)
    handing.check_room(key, now)
    refreshed = refreshing.refresh(key, asked, since, now, is_whole=is_whole)
    given = Handing(key, asked, refreshed.counts, handing.FEED)
    is_whole = is_whole or since == 0
    return _lines(Stretch(given, since, refreshed.top, is_whole, mailing.links_for(purpose.pk)), clock)


def _lines(told: Stretch, clock: Clock) -> Iterator[bytes]:
    after, given = told.since, told.given
    try:
        while after < told.top:
            lists.check_again(given.key, given.asked, clock())
            portion = _portion(told, after, clock())
            after = portion[-1]["cursor"] if portion else told.top
            yield _written(given, portion)
        if not told.is_whole and told.since < refreshing.horizon_of(given.asked):
            raise refreshing.StartAgain  # a place was forgotten while we read
        end = _written(given, [{"cursor": told.top, "end": True}])
        given.finish(clock())  # before the line that says so
        yield end
    finally:
        given.finish(clock())


def _written(given: Handing, lines: Sequence[dict[str, Any]]) -> bytes:
    return given.counted("".join(f"{as_json(line)}\n" for line in lines))


@transaction.atomic
def _portion(told: Stretch, after: int, now: datetime) -> list[dict[str, Any]]:
    """The next lines, whose people are written down."""
    entries = _entries(told, after)
    inside = [entry for entry in entries if entry.datum_id is not None]
    goes = _who_goes(inside, told.given.asked, now)
    told.given.note([person for person, _email in goes.values()], now)
    _mark([entry.id for entry in inside if entry.subject_id not in goes])
    return [_line(entry, told, goes[entry.subject_id][1] if entry.subject_id in goes else None) for entry in entries]


def _entries(told: Stretch, after: int) -> list[Entry]:
    asked = told.given.asked
    of_list = {"list": asked.recipient.pk, "purpose": asked.purpose.pk if asked.purpose else None}
    with connection.cursor() as cursor:
        cursor.execute(ENTRIES, of_list | {"after": after, "top": told.top, "portion": PORTION})
        return [Entry(*row) for row in cursor.fetchall()]


def _who_goes(inside: Sequence[Entry], asked: Asked, now: datetime) -> dict[int, tuple[Person, str]]:
    """Who of these may go now, each with the address in force. They are held until the commit."""
    if not inside:
        return {}
    opening.hold([entry.subject_id for entry in inside])
    these = replace(asked, references=tuple(entry.reference for entry in inside))
    may_go = {row[0]: Person(*row) for row in gate.ask_of_people(MAY_GO, these, now)}
    contacts = opening.values([entry.datum_id for entry in inside if entry.datum_id and entry.subject_id in may_go])
    return {subject_id: (may_go[subject_id], email) for subject_id, email in contacts.values()}


def _mark(lost: Sequence[int]) -> None:
    if lost:
        with connection.cursor() as cursor:
            cursor.execute(MARK, [list(lost)])


def _line(entry: Entry, told: Stretch, email: str | None) -> dict[str, Any]:
    line = {"cursor": entry.sequence, "reference": entry.reference}
    if email is None:
        return line | {"change": "out"}
    change = "in" if entry.in_since > told.since else "contact"
    of_person = told.links(entry.subject_id)._asdict()
    return line | {"change": change, "language": entry.language, "email": email} | of_person
