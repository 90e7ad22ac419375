"""The list of one recipient and purpose brought up to now: every difference gets the next cursor.

Dangerous because a change that gets no cursor is never told. The rules:

- One statement compares who may go now (the gate's own query) with what was told (AudienceEntry). It sees acts and
  lapses alike, and needs no event.
- It runs under a lock of the list until the commit, so a cursor is given before every later one is thought of: whoever
  has read cursor n has missed nothing below it.
- A cursor is a moment in microseconds, or one more than the last: after a restore from a backup new cursors lie beyond
  every one that was given out. Whoever comes with one that nobody gave is sent back to the beginning (`StartAgain`).
- So is whoever has not read of a place that is forgotten since (registry.traces): the database keeps how far back a
  list is known (AudienceHorizon). Whoever is still reading the whole list for the first time knew nobody.

Called by: registry.audience.feed.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from registry import auditing
from registry.audience.keys import SYSTEM
from registry.models import AuditEntry, RecipientKey
from registry.transfers import gate
from registry.transfers.gate import Counts
from registry.transfers.refusing import Asked

PATIENCE = "SET LOCAL statement_timeout = '10min'"  # the first time a million people come in at once
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('registry.audience ' || %s || ' ' || %s, 0))"
LAST = "SELECT coalesce(max(sequence), 0) FROM registry_audienceentry WHERE recipient_id = %s AND purpose_id = %s"
HORIZON = "SELECT coalesce(max(sequence), 0) FROM registry_audiencehorizon WHERE recipient_id = %s AND purpose_id = %s"
REFRESH = """
    WITH people AS MATERIALIZED ({people}),
    may AS (
        SELECT people.subject_id, contact.id AS datum_id FROM people
        CROSS JOIN LATERAL (
            SELECT datum.id FROM registry_personaldatum datum
            WHERE datum.subject_id = people.subject_id AND datum.category_id = ANY(%(categories)s)
                AND datum.superseded_at IS NULL AND datum.standing = ANY(%(standings)s)
            ORDER BY datum.id DESC LIMIT 1
        ) contact
        WHERE people.reason IS NULL
    ),
    told AS (SELECT * FROM registry_audienceentry WHERE recipient_id = %(list)s AND purpose_id = %(purpose)s),
    changed AS (
        SELECT coalesce(may.subject_id, told.subject_id) AS subject_id, may.datum_id,
            CASE WHEN told.is_in AND told.datum_id <> 0 THEN told.in_since END AS in_since
        FROM may FULL JOIN told ON told.subject_id = may.subject_id
        WHERE CASE WHEN may.subject_id IS NULL THEN told.is_in ELSE told.datum_id IS DISTINCT FROM may.datum_id END
    ),
    numbered AS (
        SELECT *, %(base)s + row_number() OVER (ORDER BY subject_id) AS sequence FROM changed
    ),
    written AS (
        INSERT INTO registry_audienceentry AS entry
            (recipient_id, purpose_id, subject_id, sequence, in_since, is_in, datum_id, changed_at)
        SELECT %(list)s, %(purpose)s, subject_id, sequence,
            CASE WHEN datum_id IS NULL THEN 0 ELSE coalesce(in_since, sequence) END,
            datum_id IS NOT NULL, datum_id, %(now)s
        FROM numbered ORDER BY sequence
        ON CONFLICT (recipient_id, purpose_id, subject_id) DO UPDATE SET sequence = excluded.sequence,
            in_since = excluded.in_since, is_in = excluded.is_in, datum_id = excluded.datum_id,
            changed_at = excluded.changed_at
    )
    SELECT reason, count(*), (SELECT count(*) FROM numbered) FROM people GROUP BY reason
    UNION ALL SELECT 'changed', 0, (SELECT count(*) FROM numbered)
"""


class StartAgain(Exception):
    """What happened since this cursor is not known any more: the program takes the whole list anew."""


@dataclass(frozen=True)
class Refreshed:
    """The last cursor of the list, how many may go, and why the others stay."""

    top: int
    counts: Counts


@transaction.atomic
def refresh(key: RecipientKey, asked: Asked, since: int, now: datetime, *, is_whole: bool = False) -> Refreshed:
    """Brings the list up to `now`. StartAgain, and nothing is changed, if nobody knows what is new since `since`."""
    with connection.cursor() as cursor:
        cursor.execute(PATIENCE)
        cursor.execute(LOCK, [str(one) for one in _list_of(asked)])
    horizon = horizon_of(asked)
    last = max(_number(LAST, asked), horizon)
    if since > last or (not is_whole and 0 < since < horizon):
        raise StartAgain
    base = max(last, microseconds(now))
    rows = gate.ask_of_people(REFRESH, asked, now, list=key.recipient_id, base=base)
    top = max(_number(LAST, asked), since)
    changed = max(count for _reason, _people, count in rows)
    if changed:
        told = f"{asked.purpose and asked.purpose.code}: {changed} changes"
        auditing.record(AuditEntry.Operation.CHANGE, now=now, system=SYSTEM, about=key, reason=told)
    by_reason = Counter({reason: people for reason, people, _changed in rows if people})
    people = by_reason.pop(None, 0)
    return Refreshed(top, Counts(people, dict(by_reason)))


def microseconds(moment: datetime) -> int:
    """Since 1970; below 2^53 for two hundred years, so that every program can read it."""
    return round(moment.timestamp() * 1_000_000)


def horizon_of(asked: Asked) -> int:
    """The highest cursor of a place of this list that is forgotten."""
    return _number(HORIZON, asked)


def _number(statement: str, asked: Asked) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, _list_of(asked))
        return int(cursor.fetchone()[0])


def _list_of(asked: Asked) -> list[int | None]:
    return [asked.recipient.pk, asked.purpose.pk if asked.purpose else None]
