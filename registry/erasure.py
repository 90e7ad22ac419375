"""The only code that destroys personal values.

Dangerous because what is destroyed here cannot come back, and what is missed here stays for ever. The rules:

- Everything happens inside the caller's transaction, with the people locked by `lock_subjects` or by the purge's own
  locking statement: keys and rows go, an ErasureRecord per datum and an audit entry per person come, or nothing does.
- The decision is made here, in a statement after the lock was taken. A list made before is never trusted: a consent
  given meanwhile would be lost.
- Deleting the DatumKey destroys the value wherever its ciphertext went; the row goes as well.
- Values are deleted with SQL, not through the ORM: `delete()` under simple-history would write what it deletes.
- A datum under a legal hold is never destroyed; its DatumTerm says so, and a foreign key stands behind it.

Called by: registry.purging (what is due), and `erase` by the operations that act on a person's demand.
Sources: Law 94-V art. 18, policy clauses 9, 19, 25.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from registry.models import DatumTerm, DestructionGround, PurgeRun
from registry.processing import lock_subjects, refresh_due

DESTROY = """
    WITH doomed AS MATERIALIZED ({doomed}),
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
    )
    SELECT count(*) FROM doomed
"""
DUE = """
    SELECT datum_id, subject_id, category_id, purpose_id, rule_version, ground
    FROM registry_datumterm WHERE subject_id = ANY(%(subjects)s) AND until <= %(now)s
"""
DEMANDED = """
    SELECT term.datum_id, term.subject_id, term.category_id, term.purpose_id, term.rule_version, %(ground)s AS ground
    FROM registry_datumterm term WHERE term.datum_id = ANY(%(data)s) AND coalesce(term.held_until <= %(now)s, true)
"""
FINISH = """
    UPDATE registry_datasubject SET status = 'erased'
    WHERE id = ANY(%s) AND status <> 'erased'
      AND NOT EXISTS (SELECT FROM registry_personaldatum datum WHERE datum.subject_id = registry_datasubject.id)
"""


def erase_due(subject_ids: Sequence[int], *, now: datetime, run: PurgeRun) -> int:
    """Destroys what nothing keeps of these locked people at `now`; returns how many data went."""
    values = {"subjects": list(subject_ids), "now": now, "run": run.pk, "actor": None, "system": "purge"}
    return _destroy(DUE, values, subject_ids)


class StillDueError(Exception):
    """What was just destroyed is due again: the definition and the decision disagree, and the purge must not go on."""


@transaction.atomic
def erase(
    datum_ids: Collection[int], *, ground: DestructionGround, now: datetime, actor_id: int | None, system: str = ""
) -> int:
    """Destroys these data, due or not, unless a hold forbids it; returns how many went. None writes nothing."""
    subject_ids = list(DatumTerm.objects.filter(pk__in=datum_ids).values_list("subject_id", flat=True).distinct())
    lock_subjects(subject_ids)
    values = {"data": list(datum_ids), "ground": ground, "now": now, "run": None, "actor": actor_id, "system": system}
    return _destroy(DEMANDED, values, subject_ids)


def _destroy(doomed: str, values: dict[str, Any], subject_ids: Sequence[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(DESTROY.format(doomed=doomed), values)
        count = int(cursor.fetchone()[0])
        cursor.execute(FINISH, [list(subject_ids)])
    if any(due_at <= values["now"] for due_at in refresh_due(subject_ids)) and doomed is DUE:
        raise StillDueError
    return count
