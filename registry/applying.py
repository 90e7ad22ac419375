"""A new rule, or the end of a purpose, carried into the processing it concerns: set-based, in batches of locked people.

Dangerous because it moves the end of many data at once. Each batch is one transaction with the people locked first, and
leaves history; done again it changes nothing, so an interrupted one goes on where it stopped.

Called by: registry.rules. Sources: policy clauses 9, 25; Law 94-V art. 8, 18.
"""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from registry.models import Processing, ProcessingPurpose
from registry.processing import HISTORY_COLUMNS, lock_subjects, refresh_due
from registry.simulating import NEW_END, Proposal, Report, quiet

BATCH = 1000  # people
CHANGE = """
    WITH changed AS (
        UPDATE registry_processing AS processing SET {changes}
        FROM registry_processingpurpose purpose
        WHERE purpose.id = processing.purpose_id AND processing.purpose_id = %(purpose)s
            AND processing.subject_id = ANY(%(subjects)s) AND processing.state = 'open' AND {which}
        RETURNING processing.*
    )
    INSERT INTO registry_historicalprocessing ({columns}, history_date, history_type, history_change_reason)
    SELECT {columns}, %(now)s, '~', {why} FROM changed
"""
NEW_RULE = CHANGE.format(
    changes=f"""
        lapses_at = {NEW_END}, rule_version = %(version)s, term_from = CASE
            WHEN %(clock)s IN ('consent_given', 'asked') THEN processing.began_at
            WHEN %(clock)s = 'last_contact' THEN coalesce(processing.term_from, processing.began_at)
        END""",
    which=f"""processing.rule_version < %(version)s
        AND (NOT %(is_consent)s OR ({NEW_END}) IS DISTINCT FROM processing.lapses_at)""",
    columns=HISTORY_COLUMNS,
    why="'rule'",
)
CLOSED = CHANGE.format(
    changes="""
        state = 'closed',
        term_from = CASE purpose.clock WHEN 'purpose_closed' THEN %(closes_at)s ELSE processing.term_from END,
        lapses_at = CASE purpose.clock WHEN 'purpose_closed'
            THEN greatest(processing.began_at,
                registry_end_of_term(%(closes_at)s, purpose.term_value, purpose.term_unit))
            ELSE least(processing.lapses_at, greatest(processing.began_at, %(closes_at)s)) END""",
    which="true",
    columns=HISTORY_COLUMNS,
    why="'purpose closed'",
)


def set_rule(proposal: Proposal, *, now: datetime, report: Report = quiet) -> None:
    """Open processing of the purpose gets its end under the rule the purpose has now."""
    values = proposal.values() | {"version": proposal.purpose.rule_version, "now": now}
    _for_people_of(proposal.purpose, NEW_RULE, values, report)


def end_closed(now: datetime, report: Report = quiet) -> int:
    """Ends what is still open under purposes that are closed at `now`; returns how many people were looked at."""
    closed = ProcessingPurpose.objects.filter(closes_at__lte=now, processing__state=Processing.State.OPEN).distinct()
    return sum(
        _for_people_of(purpose, CLOSED, {"purpose": purpose.pk, "closes_at": purpose.closes_at, "now": now}, report)
        for purpose in closed
    )


def _for_people_of(purpose: ProcessingPurpose, statement: str, values: dict[str, Any], report: Report) -> int:
    """Runs `statement` for portions of the people this purpose concerns; returns how many people."""
    last, seen = 0, 0
    while subject_ids := _batch(purpose, statement, values, last):
        last, seen = subject_ids[-1], seen + len(subject_ids)
        report(seen)
    return seen


@transaction.atomic
def _batch(purpose: ProcessingPurpose, statement: str, values: dict[str, Any], last: int) -> list[int]:
    concerned = Processing.objects.filter(purpose=purpose, subject__gt=last).order_by("subject")
    subject_ids = list(concerned.values_list("subject", flat=True)[:BATCH])
    lock_subjects(subject_ids)
    with connection.cursor() as cursor:
        cursor.execute(statement, values | {"subjects": subject_ids})
    refresh_due(subject_ids)
    return subject_ids
