"""The gate of transfers: who may go to this recipient, and why the others stay. One query says both.

Dangerous because what it lets through is out of reach for ever. The rules:

- First the transfer itself is looked at (`refusing`): what cannot be at all. Nobody is counted then, and the attempt is
  recorded.
- Then every person with a processing of the purpose gets the first reason that keeps them, or none. On ground a only a
  consent that covers third parties, names this recipient and, where the country is not known to protect personal data,
  covers sending abroad lets a person go. On o nothing leaves the operator, and neither is asked. On b and c the law
  stands for the consent, on c not for the one to sending abroad (docs/decisions/0027-cross-border-by-law.md). A blocked
  person, a lapsed processing and an open request to stop keep a person on every ground.
- `freeze` writes the lines in the statement that decides. Building and handing over ask again (`drop_lost`).
- What a consent named is known to the package `consent` only: it tells the gate how to ask (`covered_by`).

Called by: registry.transfers. Sources: policy clauses 15, 16, 23; Law 94-V art. 8, 10, 15, 16.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from registry.models import DataCategory, SubjectRequest, Transfer
from registry.transfers.refusing import Asked, Ground

DAMAGED = "damaged"  # found out when the file is built
REASONS: dict[str, Promise] = {
    "ended": _("consent withdrawn or processing ended"),
    "lapsed": _("term is over"),
    "paused": _("waits for a new consent"),
    "blocked": _("blocked"),
    "unconfirmed": _("nobody has confirmed the address"),
    "asked_to_stop": _("an open request asks to stop"),
    "third_parties": _("no consent for third parties"),
    "cross_border": _("no consent to sending abroad"),
    "not_named": _("the consent does not name this recipient"),
    "no_value": _("no value of these categories"),
    DAMAGED: _("value cannot be opened"),
}
STOPPING = [
    SubjectRequest.Kind.BLOCKING,
    SubjectRequest.Kind.ERASURE,
    SubjectRequest.Kind.WITHDRAWAL,
    SubjectRequest.Kind.OBJECTION,
]
# `covered` is put in by consent. A subquery where few rows are concerned, never a join that would multiply people.
PEOPLE = """
    SELECT processing.subject_id, processing.id AS processing_id, processing.began_at, processing.lapses_at,
        processing.third_parties, processing.cross_border, covered.record_id,
        CASE
            WHEN processing.state <> 'open' OR subject.status = 'erased' THEN 'ended'
            WHEN processing.lapses_at <= %(now)s THEN 'lapsed'
            WHEN processing.paused_at IS NOT NULL THEN 'paused'
            WHEN subject.status = 'blocked' THEN 'blocked'
            WHEN subject.status <> 'active' THEN 'unconfirmed'
            WHEN stopping.subject_id IS NOT NULL THEN 'asked_to_stop'
            WHEN %(by_consent)s AND NOT processing.third_parties THEN 'third_parties'
            WHEN %(abroad)s AND NOT processing.cross_border THEN 'cross_border'
            WHEN %(by_consent)s AND covered.record_id IS NULL THEN 'not_named'
            WHEN NOT EXISTS (
                SELECT FROM registry_personaldatum datum
                WHERE datum.subject_id = processing.subject_id AND datum.category_id = ANY(%(categories)s)
                    AND datum.superseded_at IS NULL AND datum.standing <> 'claimed'
            ) THEN 'no_value'
        END AS reason
    FROM registry_processing processing
    JOIN registry_datasubject subject ON subject.id = processing.subject_id
    LEFT JOIN (
        SELECT DISTINCT subject_id FROM registry_subjectrequest
        WHERE state IN ('unverified', 'open', 'paused') AND kind = ANY(%(stopping)s)
    ) stopping ON stopping.subject_id = processing.subject_id
    LEFT JOIN LATERAL ({covered}) covered ON %(by_consent)s
    WHERE processing.purpose_id = %(purpose)s AND processing.began_at <= %(now)s
        AND (%(references)s::text[] IS NULL OR subject.reference = ANY(%(references)s))
"""
COUNT = "SELECT reason, count(*) FROM ({people}) people GROUP BY reason"
FREEZE = """
    WITH people AS MATERIALIZED ({people}),
    lines AS (
        INSERT INTO registry_transferline (transfer_id, place, subject_id, processing_id, record_id, began_at,
            lapses_at, third_parties, cross_border)
        SELECT %(transfer)s, row_number() OVER (ORDER BY subject_id), subject_id, processing_id, record_id, began_at,
            lapses_at, third_parties, cross_border
        FROM people WHERE reason IS NULL ORDER BY subject_id
    )
    SELECT reason, count(*) FROM people GROUP BY reason
"""
DROP = """
    UPDATE registry_transferline line SET dropped = coalesce(people.reason, 'ended')
    FROM registry_transferline lost LEFT JOIN ({people}) people ON people.subject_id = lost.subject_id
    WHERE line.id = lost.id AND lost.transfer_id = %(transfer)s AND lost.dropped = '' AND line.dropped = ''
        AND (people.subject_id IS NULL OR people.reason IS NOT NULL)
"""
# Until the transaction ends: a million people take their time and are sorted in memory, and to remember whose consent
# was looked up is of no use where each is asked for once.
MANY = "SET LOCAL statement_timeout = '10min'; SET LOCAL work_mem = '64MB'; SET LOCAL enable_memoize = off"
NOBODYS = "SELECT NULL::bigint AS record_id WHERE false"
_covered: list[str] = [NOBODYS]


def covered_by(statement: str) -> None:
    """A SELECT of `record_id`, at most one row, over `processing`: the consent in force that names the recipient
    `%(recipient)s` (its code) and, where `%(abroad)s`, its country `%(country)s`."""
    _covered[0] = statement


@dataclass(frozen=True)
class Counts:
    """How many may go, and how many stay for which reason (codes of REASONS)."""

    people: int
    left_out: dict[str, int] = field(default_factory=dict)


def count(asked: Asked, now: datetime) -> Counts:
    """Who may go and who stays. Nothing is written and nothing opened. One query."""
    return _counts(_run_patiently(COUNT, _values(asked, now)))


def freeze(transfer: Transfer, asked: Asked, now: datetime) -> Counts:
    """Writes the lines of this transfer; the same counts. One statement."""
    return _counts(_run_patiently(FREEZE, _values(asked, now) | {"transfer": transfer.pk}))


def ask_of_people(statement: str, asked: Asked, now: datetime, **also: Any) -> list[tuple[Any, ...]]:
    """The rows of `statement`, which reads `{people}`: everybody of the purpose, with the reason that keeps them."""
    return list(_run(statement, _values(asked, now) | also))


def as_asked(transfer: Transfer) -> Asked:
    """What was asked for with this transfer, about everybody of its purpose."""
    return Asked(
        transfer.recipient,
        Ground(transfer.ground),
        transfer.purpose,
        tuple(DataCategory.objects.filter(code__in=transfer.categories)),
        request_number=transfer.request_number,
        requested_on=transfer.requested_on,
        article=transfer.article,
        incident=transfer.incident,
        with_links=transfer.with_links,
    )


def drop_lost(transfer: Transfer, now: datetime) -> None:
    """Notes on the lines why somebody may not go any more. One statement; what is dropped stays dropped."""
    _run_patiently(DROP, _values(as_asked(transfer), now) | {"transfer": transfer.pk}, has_rows=False)


def _values(asked: Asked, now: datetime) -> dict[str, Any]:
    by_consent = asked.ground == Ground.PARTNER
    return {
        "now": now,
        "purpose": asked.purpose and asked.purpose.pk,
        "categories": [category.pk for category in asked.categories],
        "by_consent": by_consent,
        "abroad": asked.recipient.needs_cross_border_tick and asked.ground != Ground.STATE_BODY,
        "recipient": asked.recipient.code,
        "country": asked.recipient.country_id,
        "references": None if asked.references is None else list(asked.references),
        "stopping": [str(kind) for kind in STOPPING],
    }


def _run_patiently(statement: str, values: dict[str, Any], *, has_rows: bool = True) -> Collection[Any]:
    """The same, where everybody of a purpose may be concerned."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(MANY)
        return _run(statement, values, has_rows=has_rows)


def _run(statement: str, values: dict[str, Any], *, has_rows: bool = True) -> Collection[tuple[str | None, int]]:
    with connection.cursor() as cursor:
        cursor.execute(statement.format(people=PEOPLE.format(covered=_covered[0])), values)
        return cursor.fetchall() if has_rows else []


def _counts(rows: Collection[tuple[str | None, int]]) -> Counts:
    by_reason = Counter(dict(rows))
    people = by_reason.pop(None, 0)
    return Counts(people, {reason: by_reason[reason] for reason in REASONS if by_reason[reason]})
