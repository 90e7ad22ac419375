"""What a retention rule would do before it is one: asks the one definition of "due" about other rules. Writes nothing.

The text of the view is read from the database and pointed at proposed rows, so a simulation can't drift from the purge.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from django.db import connection

from registry.models import ProcessingPurpose, RuleChange

PORTION = 2000  # people looked at at once
RULE = RuleChange.RULE

# The end a processing gets under a proposed rule; null where no end is known, which `least` passes over.
NEW_END = """
    CASE WHEN processing.state <> 'open' THEN processing.lapses_at
    WHEN %(is_consent)s THEN least(processing.lapses_at, {lapse}) ELSE {lapse} END
""".format(
    lapse="""CASE WHEN %(clock)s IN ('consent_given', 'asked', 'last_contact', 'fixed') THEN greatest(
        processing.began_at, registry_lapse(%(clock)s, {start}, %(term_value)s, %(term_unit)s, %(ends_on)s::date)
    ) END""".format(
        start="CASE %(clock)s WHEN 'last_contact' THEN coalesce(processing.term_from, processing.began_at)"
        " ELSE processing.began_at END"
    )
)
CONCERNED = f"""
    FROM registry_processing processing
    WHERE purpose_id = %(purpose)s AND subject_id > %(last)s AND (
        %(has_other_data)s
        OR (coalesce(processing.lapses_at <= %(at)s, false) <> coalesce(({NEW_END}) <= %(at)s, false))
    )
"""
TOUCHED = f"SELECT subject_id {CONCERNED} ORDER BY subject_id LIMIT %(portion)s"
COUNT = f"SELECT count(*) {CONCERNED}"
SIMULATE = """
    WITH proposed_processing AS (
        SELECT subject_id, purpose_id, state, rule_version,
            CASE WHEN purpose_id = %(purpose)s THEN {new_end} ELSE lapses_at END AS lapses_at
        FROM registry_processing processing
    ),
    proposed_purpose AS (
        SELECT id, closes_at, CASE WHEN id = %(purpose)s THEN %(clock)s ELSE clock END AS clock,
            CASE WHEN id = %(purpose)s THEN %(term_value)s ELSE term_value END AS term_value,
            CASE WHEN id = %(purpose)s THEN %(term_unit)s ELSE term_unit END AS term_unit
        FROM registry_processingpurpose
    ),
    proposed_needs AS (
        SELECT processingpurpose_id, datacategory_id FROM registry_processingpurpose_categories
        WHERE processingpurpose_id <> %(purpose)s
        UNION ALL SELECT %(purpose)s, unnest(%(categories)s::bigint[])
    )
    SELECT coalesce(purpose.code, ''), proposed.until <= %(at)s, count(*)
    FROM ({definition}) proposed
    JOIN registry_datumterm present ON present.datum_id = proposed.datum_id AND present.subject_id = ANY(%(subjects)s)
    LEFT JOIN registry_processingpurpose purpose
        ON purpose.id = CASE WHEN proposed.until <= %(at)s THEN present.purpose_id ELSE proposed.purpose_id END
    WHERE proposed.subject_id = ANY(%(subjects)s)
        AND coalesce(proposed.until <= %(at)s, false) <> coalesce(present.until <= %(at)s, false)
    GROUP BY 1, 2
"""
ENDS = f"""
    SELECT count(*) FILTER (WHERE new_end < old_end), count(*) FILTER (WHERE new_end > old_end), count(*)
    FROM (
        SELECT coalesce(lapses_at, 'infinity') AS old_end, coalesce(({NEW_END}), 'infinity') AS new_end
        FROM registry_processing processing WHERE purpose_id = %(purpose)s AND state = 'open'
    ) AS ends
"""  # noqa: S608 (our own text)


Report = Callable[[int], None]


def quiet(people: int) -> None:
    """Reports nothing."""


@dataclass(frozen=True)
class Proposal:
    """A retention rule as it would be: the fields of the purpose, and the categories it would need."""

    purpose: ProcessingPurpose
    clock: str
    term_value: int
    term_unit: str
    ends_on: date | None
    outcome: str
    categories: tuple[int, ...]

    @classmethod
    def of(cls, change: RuleChange) -> "Proposal":
        rule: dict[str, Any] = {field: getattr(change, field) for field in RULE}
        return cls(change.purpose, categories=tuple(change.category_ids()), **rule)

    def values(self) -> dict[str, Any]:
        rule = {field: getattr(self, field) for field in RULE}
        is_consent = self.purpose.ground_id is None
        return rule | {
            "purpose": self.purpose.pk, "categories": list(self.categories), "is_consent": is_consent
        }  # fmt: skip


@dataclass(frozen=True)
class Simulation:
    """What a rule would do on the day it takes effect: data by purpose code that would become due, or be kept after
    all; and of the processing now open, how many would end earlier, later, and all."""

    at: datetime
    newly_due: Counter[str]
    newly_kept: Counter[str]
    earlier: int
    later: int
    open: int

    def as_json(self) -> dict[str, Any]:
        return {
            "at": self.at.isoformat(), "newly_due": dict(self.newly_due), "newly_kept": dict(self.newly_kept),
            "earlier": self.earlier, "later": self.later, "open": self.open,
        }  # fmt: skip


def simulate(proposal: Proposal, at: datetime, report: Report = quiet) -> Simulation:
    """What the proposed rule would change at `at`, in portions of people. Changes nothing."""
    newly_due: Counter[str] = Counter()
    newly_kept: Counter[str] = Counter()
    values = proposal.values() | {"at": at}
    seen = 0
    for subject_ids in _touched(proposal, at):
        statement = SIMULATE.format(new_end=NEW_END, definition=_definition_of_due())
        for purpose, is_due, count in _rows(statement, values | {"subjects": subject_ids}):
            (newly_due if is_due else newly_kept)[purpose] += count
        seen += len(subject_ids)
        report(seen)
    earlier, later, total = _rows(ENDS, values)[0]
    return Simulation(at, newly_due, newly_kept, earlier, later, total)


def concerned(proposal: Proposal, at: datetime) -> int:
    """For how many people something could change on that day: how long a simulation takes."""
    count: int = _rows(COUNT, _where(proposal, at))[0][0]
    return count


def _touched(proposal: Proposal, at: datetime) -> Iterator[list[int]]:
    """Those people, in portions."""
    where = _where(proposal, at)
    while rows := _rows(TOUCHED, where):
        subject_ids = [row[0] for row in rows]
        yield subject_ids
        where["last"] = subject_ids[-1]


def _where(proposal: Proposal, at: datetime) -> dict[str, Any]:
    present = set(proposal.purpose.categories.values_list("pk", flat=True))
    is_other = set(proposal.categories) != present
    return proposal.values() | {"at": at, "has_other_data": is_other, "last": 0, "portion": PORTION}


@cache
def _definition_of_due() -> str:
    """The view's own text, reading proposed rows instead of the present ones."""
    definition: str = _rows("SELECT pg_get_viewdef('registry_datumterm')", {})[0][0]
    for present, proposed in (
        ("registry_processing processing", "proposed_processing processing"),
        ("registry_processingpurpose purpose", "proposed_purpose purpose"),
        ("registry_processingpurpose_categories needs", "proposed_needs needs"),
    ):
        if definition.count(present) != 1:
            raise LookupError(f"the view registry_datumterm no longer reads {present}")
        definition = definition.replace(present, proposed)
    return definition.rstrip().rstrip(";").replace("%", "%%")


def _rows(statement: str, values: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()
