"""The only code that destroys personal values.

Dangerous because what is destroyed here cannot come back, and what is missed here stays for ever. The rules:

- Everything happens inside the caller's transaction, with the people locked by `lock_subjects` or by the purge's own
  locking statement: keys and rows go, an ErasureRecord per datum and an audit entry per person come, or nothing does.
- The decision is made here, in a statement after the lock was taken. A list made before is never trusted: a consent
  given meanwhile would be lost.
- Deleting the DatumKey destroys the value wherever its ciphertext went; the row goes as well.
- Values are deleted with SQL, not through the ORM: `delete()` under simple-history would write what it deletes.
- A datum under a legal hold is never destroyed; its DatumTerm says so. A hold that is over lets go of its datum.

Called by: registry.purging (what is due), and `erase` by the operations that act on a person's demand.
Sources: Law 94-V art. 18, policy clauses 9, 19, 25.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from registry.models import DatumTerm, DestructionGround, PurgeRun
from registry.processing import lock_subjects

# One statement, so that the view is asked once: what goes and, from what stays, when the purge must look again.
DESTROY = """
    WITH term AS MATERIALIZED (
        SELECT datum_id, subject_id, category_id, purpose_id, rule_version, {ground} AS ground, until,
            coalesce({is_doomed}, false) AS is_doomed
        FROM registry_datumterm WHERE subject_id = ANY(%(subjects)s)
    ),
    doomed AS MATERIALIZED (SELECT * FROM term WHERE is_doomed ORDER BY datum_id),
    remaining AS MATERIALIZED (
        SELECT subject_id, min(until) FILTER (WHERE NOT is_doomed) AS due_at,
            coalesce(bool_and(is_doomed), true) AS is_erased
        FROM unnest(%(subjects)s::bigint[]) AS subject_id LEFT JOIN term USING (subject_id) GROUP BY subject_id
    ),
    released AS (
        UPDATE registry_legalhold SET datum_id = NULL FROM doomed WHERE registry_legalhold.datum_id = doomed.datum_id
    ),
    keys AS (DELETE FROM registry_datumkey USING doomed WHERE registry_datumkey.datum_id = doomed.datum_id),
    rows AS (DELETE FROM registry_personaldatum USING doomed WHERE registry_personaldatum.id = doomed.datum_id),
    proof AS (
        INSERT INTO registry_erasurerecord
            (datum_id, subject_id, category_id, purpose_id, rule_version, ground, run_id, at)
        SELECT datum_id, subject_id, category_id, purpose_id, rule_version, ground, %(run)s, %(now)s FROM doomed
    ),
    audit AS (
        INSERT INTO registry_auditentry
            (at, actor_id, system, operation, subject_id, object_type, object_id, reason, request_id)
        SELECT %(now)s, %(actor)s, %(system)s, 'destroy', subject_id, 'registry.purgerun', %(run)s, '', NULL
        FROM doomed GROUP BY subject_id
    ),
    finished AS (
        UPDATE registry_datasubject SET status = 'erased' FROM remaining
        WHERE registry_datasubject.id = remaining.subject_id AND is_erased AND status <> 'erased'
    ),
    due AS (
        UPDATE registry_retentiondue SET due_at = remaining.due_at FROM remaining
        WHERE registry_retentiondue.subject_id = remaining.subject_id
    )
    SELECT (SELECT count(*) FROM doomed), (SELECT min(due_at) FROM remaining)
"""
DUE = DESTROY.format(is_doomed="until <= %(now)s", ground="ground")
DEMANDED = DESTROY.format(
    is_doomed="datum_id = ANY(%(data)s) AND coalesce(held_until <= %(now)s, true)", ground="%(ground)s"
)


class StillDueError(Exception):
    """What was just looked at is due again: decision and definition disagree, and the purge must not go round."""


def erase_due(subject_ids: Sequence[int], *, now: datetime, run: PurgeRun) -> int:
    """Destroys what nothing keeps of these locked people at `now`; returns how many data went."""
    values = {"subjects": list(subject_ids), "now": now, "run": run.pk, "actor": None, "system": "purge"}
    count, next_due_at = _destroy(DUE, values)
    if next_due_at is not None and next_due_at <= now:
        raise StillDueError
    return count


@transaction.atomic
def erase(
    datum_ids: Collection[int], *, ground: DestructionGround, now: datetime, actor_id: int | None, system: str = ""
) -> int:
    """Destroys these data, due or not, unless a hold forbids it; returns how many went. None writes nothing."""
    subject_ids = list(DatumTerm.objects.filter(pk__in=datum_ids).values_list("subject_id", flat=True).distinct())
    lock_subjects(subject_ids)
    who = {"subjects": subject_ids, "actor": actor_id, "system": system}
    return _destroy(DEMANDED, who | {"data": list(datum_ids), "ground": ground, "now": now, "run": None})[0]


def _destroy(statement: str, values: dict[str, Any]) -> tuple[int, datetime | None]:
    """How many data went, and when the purge must look next at the first of these people."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        count, next_due_at = cursor.fetchone()
    return count, next_due_at
