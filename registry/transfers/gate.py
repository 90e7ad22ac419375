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
            WHEN processing.state <> 'open' OR standing.status = 'erased' THEN 'ended'
            WHEN processing.lapses_at <= %(now)s THEN 'lapsed'
            WHEN processing.paused_at IS NOT NULL THEN 'paused'
            WHEN standing.status = 'blocked' THEN 'blocked'
            WHEN standing.status IS NOT NULL THEN 'unconfirmed'
            WHEN stopping.subject_id IS NOT NULL THEN 'asked_to_stop'
            WHEN %(by_consent)s AND NOT processing.third_parties THEN 'third_parties'
            WHEN %(abroad)s AND NOT processing.cross_border THEN 'cross_border'
            WHEN %(by_consent)s AND covered.record_id IS NULL THEN 'not_named'
            WHEN held.subject_id IS NULL THEN %(without)s
        END AS reason
    FROM registry_processing processing
    LEFT JOIN (SELECT id, status FROM registry_datasubject WHERE status <> 'active') standing
        ON standing.id = processing.subject_id
    LEFT JOIN (
        SELECT DISTINCT subject_id FROM registry_subjectrequest
        WHERE state IN ('unverified', 'open', 'paused') AND kind = ANY(%(stopping)s)
    ) stopping ON stopping.subject_id = processing.subject_id
    LEFT JOIN LATERAL ({covered}) covered ON %(by_consent)s AND covered.subject_id = processing.subject_id
    LEFT JOIN LATERAL (
        SELECT DISTINCT datum.subject_id FROM registry_personaldatum datum
        WHERE datum.category_id = ANY(%(categories)s) AND datum.superseded_at IS NULL
            AND datum.standing = ANY(%(standings)s) AND {values}
    ) held ON held.subject_id = processing.subject_id
    WHERE processing.purpose_id = %(purpose)s AND processing.began_at <= %(now)s
        AND (%(references)s::text[] IS NULL OR processing.subject_id = ANY(ARRAY(
            SELECT id FROM registry_datasubject WHERE reference = ANY(%(references)s)
        )))
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
# Few are lost, whatever the planner thinks: their places are looked up instead of reading all lines once more.
DROP = """
    WITH lost AS MATERIALIZED (
        SELECT line.place, coalesce(people.reason, 'ended') AS reason
        FROM registry_transferline line LEFT JOIN ({people}) people ON people.subject_id = line.subject_id
        WHERE line.transfer_id = %(transfer)s AND line.dropped = ''
            AND (people.subject_id IS NULL OR people.reason IS NOT NULL)
    )
    UPDATE registry_transferline line SET dropped = lost.reason
    FROM lost WHERE line.transfer_id = %(transfer)s AND line.place = lost.place
        AND line.place = ANY(ARRAY(SELECT place FROM lost)) AND line.dropped = ''
"""
# Until the transaction ends. Processing, consents and values have indexes in the order of people: read side by side, a
# million people need no memory, and half the time. Left alone, the planner takes lines just written for very few.
MANY = """
    SET LOCAL statement_timeout = '10min'; SET LOCAL work_mem = '64MB';
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = off
"""
FEW = 1000  # people: so many are looked up one by one
ONE_BY_ONE = {
    "consents": "record.subject_id = processing.subject_id",
    "values": "datum.subject_id = processing.subject_id",
}
ALL_AT_ONCE = dict.fromkeys(ONE_BY_ONE, "true")
NOBODYS = "SELECT NULL::bigint AS subject_id, NULL::bigint AS record_id WHERE {consents}"
_covered: list[str] = [NOBODYS]


def covered_by(statement: str) -> None:
    """A SELECT of `subject_id` and `record_id`, at most one row a person: the consent in force to `%(purpose)s` that
    names the recipient `%(recipient)s` (its code) and, where `%(abroad)s`, its country `%(country)s`. `{consents}` is a
    condition on the table `record` of consents: one person's, or everybody's at once."""
    _covered[0] = statement


@dataclass(frozen=True)
class Counts:
    """How many may go, and how many stay for which reason (codes of REASONS)."""

    people: int
    left_out: dict[str, int] = field(default_factory=dict)


def count(asked: Asked, now: datetime) -> Counts:
    """Who may go and who stays. Nothing is written and nothing opened. One query."""
    return _counts(_ask(COUNT, asked, now))


def freeze(transfer: Transfer, asked: Asked, now: datetime) -> Counts:
    """Writes the lines of this transfer; the same counts. One statement."""
    return _counts(_ask(FREEZE, asked, now, transfer=transfer.pk))


def ask_of_people(
    statement: str, asked: Asked, now: datetime, *, few: bool = False, **also: Any
) -> list[tuple[Any, ...]]:
    """The rows of `statement`, which reads `{people}`: everybody of the purpose, with the reason that keeps them.
    `few`: it picks a few of them."""
    return list(_ask(statement, asked, now, few=few, **also))


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
        by_program=transfer.key_id is not None,
    )


def drop_lost(transfer: Transfer, now: datetime) -> None:
    """Notes on the lines why somebody may not go any more. One statement; what is dropped stays dropped."""
    _ask(DROP, as_asked(transfer), now, few=transfer.people <= FEW, transfer=transfer.pk)


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
        "standings": asked.standings,
        "without": "unconfirmed" if asked.is_mailing else "no_value",
        "references": None if asked.references is None else list(asked.references),
        "stopping": [str(kind) for kind in STOPPING],
    }


@transaction.atomic
def _ask(statement: str, asked: Asked, now: datetime, *, few: bool = False, **also: Any) -> Collection[tuple[Any, ...]]:
    is_few = few or asked.references is not None
    whose = ONE_BY_ONE if is_few else ALL_AT_ONCE
    people = PEOPLE.format(covered=_covered[0].format(**whose), **whose)
    with connection.cursor() as cursor:
        if not is_few:
            cursor.execute(MANY)
        cursor.execute(statement.format(people=people), _values(asked, now) | also)
        return cursor.fetchall() if cursor.description else []


def _counts(rows: Collection[tuple[str | None, int]]) -> Counts:
    by_reason = Counter(dict(rows))
    people = by_reason.pop(None, 0)
    return Counts(people, {reason: by_reason[reason] for reason in REASONS if by_reason[reason]})
