"""The only code that destroys personal values.

Dangerous because what is destroyed here cannot come back, and what is missed here stays for ever. The rules:

- Everything happens inside the caller's transaction, with the people locked by `lock_subjects` or by the purge's own
  locking statement: keys and rows go, an ErasureRecord per datum, an audit entry per person and a note for the ledger
  come, or nothing does.
- The decision is made here, in a statement after the lock was taken. A list made before is never trusted: a consent
  given meanwhile would be lost. An approved list only narrows what is due now.
- Deleting the DatumKey destroys the value wherever its ciphertext went; the row goes as well.
- Values are deleted with SQL, not through the ORM: `delete()` under simple-history would write what it deletes.
- A datum under a legal hold is never destroyed; its DatumTerm says so. A hold that is over lets go of its datum. One
  exception: what the ledger proves destroyed is destroyed again in a restored database, which may know only holds
  released since. A hold on that very datum ends with it; a hold on the person stays for the rest.
- A list of people that waits to be fetched (registry.exporting) holds copies: the key of every list whose purpose
  concerns one of these people goes in the same statement.
- A transfer that waits to be fetched (registry.transfers) loses its key too, and is built anew without them.
- Where the purpose's outcome is to depersonalise, the person is counted once (KeptCount) before the data go.

Called by: registry.purging (what is due, or due and approved), and `erase` by the operations that act on a person's
demand (registry.demands), `erase_again` by the replay of the ledger after a restore (consent.recovery).
Sources: Law 94-V art. 18, policy clauses 9, 19, 25.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from registry.models import DatumTerm, DestructionGround, ErasureCertificate, PurgePreview, PurgeRun
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
        UPDATE registry_legalhold SET {release} FROM doomed WHERE registry_legalhold.datum_id = doomed.datum_id
    ),
    keys AS (DELETE FROM registry_datumkey USING doomed WHERE registry_datumkey.datum_id = doomed.datum_id),
    rows AS (DELETE FROM registry_personaldatum USING doomed WHERE registry_personaldatum.id = doomed.datum_id),
    proof AS (
        INSERT INTO registry_erasurerecord
            (datum_id, subject_id, category_id, purpose_id, rule_version, ground, run_id, certificate_id, at)
        SELECT datum_id, subject_id, category_id, purpose_id, rule_version, ground, %(run)s, %(certificate)s, %(now)s
        FROM doomed
    ),
    audit AS (
        INSERT INTO registry_auditentry
            (at, actor_id, system, operation, subject_id, object_type, object_id, reason, request_id)
        SELECT %(now)s, %(actor)s, %(system)s, 'destroy', subject_id, 'registry.purgerun', %(run)s, '', NULL
        FROM doomed GROUP BY subject_id
    ),
    ledger AS (
        INSERT INTO registry_ledgerqueue (kind, numbers, at)
        SELECT 'erased', array_agg(datum_id ORDER BY datum_id), %(now)s FROM doomed HAVING count(*) > 0
    ),
    lists AS (
        UPDATE registry_dataexport SET state = 'destroyed', wrapped = NULL, destroyed_at = %(now)s WHERE id IN (
            SELECT id FROM registry_dataexport export WHERE wrapped IS NOT NULL AND EXISTS (
                SELECT FROM doomed JOIN registry_datacategory category ON category.id = doomed.category_id
                JOIN registry_processing processing ON processing.subject_id = doomed.subject_id
                WHERE processing.purpose_id = export.purpose_id AND category.kind IN ('email', 'phone')
            ) ORDER BY id FOR UPDATE
        ) RETURNING id
    ),
    audit_of_lists AS (
        INSERT INTO registry_auditentry
            (at, actor_id, system, operation, subject_id, object_type, object_id, reason, request_id)
        SELECT %(now)s, %(actor)s, %(system)s, 'destroy', NULL, 'registry.dataexport', id, 'somebody erased', NULL
        FROM lists
    ),
    transfers AS (
        UPDATE registry_transfer SET state = 'building', wrapped = NULL WHERE id IN (
            SELECT id FROM registry_transfer transfer WHERE state IN ('building', 'ready') AND EXISTS (
                SELECT FROM doomed JOIN registry_transferline line ON line.subject_id = doomed.subject_id
                WHERE line.transfer_id = transfer.id
            ) ORDER BY id FOR UPDATE
        )
    ),
    ended AS MATERIALIZED (
        SELECT processing.id, processing.purpose_id, processing.channel, subject.language,
            date_trunc('month', processing.began_at AT TIME ZONE %(zone)s)::date AS month
        FROM registry_processingpurpose purpose
        JOIN registry_processing processing ON processing.purpose_id = purpose.id
        JOIN registry_datasubject subject ON subject.id = processing.subject_id
        WHERE purpose.outcome = 'depersonalise' AND processing.subject_id = ANY(%(subjects)s)
            AND processing.counted_at IS NULL
            AND (processing.state <> 'open' OR least(processing.lapses_at, purpose.closes_at) <= %(now)s)
            AND EXISTS (
                SELECT FROM doomed JOIN registry_processingpurpose_categories needs
                    ON needs.datacategory_id = doomed.category_id
                WHERE doomed.subject_id = processing.subject_id AND needs.processingpurpose_id = purpose.id
            )
    ),
    counted AS (
        INSERT INTO registry_keptcount AS kept (purpose_id, month, language, channel, slot, people)
        SELECT purpose_id, month, language, channel, pg_backend_pid() %% 16, count(*)
        FROM ended GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (purpose_id, month, language, channel, slot) DO UPDATE SET people = kept.people + excluded.people
    ),
    marked AS (UPDATE registry_processing SET counted_at = %(now)s FROM ended WHERE registry_processing.id = ended.id),
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
LET_GO = "datum_id = NULL"
DUE = DESTROY.format(is_doomed="until <= %(now)s", ground="ground", release=LET_GO)
APPROVED = DESTROY.format(
    is_doomed="""until <= %(now)s AND EXISTS (
        SELECT FROM registry_previewline line
        WHERE line.preview_id = %(preview)s AND line.subject_id = registry_datumterm.subject_id
            AND line.datum_id = registry_datumterm.datum_id AND line.ground = registry_datumterm.ground
            AND line.purpose_id IS NOT DISTINCT FROM registry_datumterm.purpose_id
            AND line.rule_version IS NOT DISTINCT FROM registry_datumterm.rule_version
    )""",
    ground="ground",
    release=LET_GO,
)
DEMANDED = DESTROY.format(
    is_doomed="datum_id = ANY(%(data)s) AND coalesce(held_until <= %(now)s, true)", ground="%(ground)s", release=LET_GO
)
# Without its datum a hold is one on the whole person, so it must not stand any longer.
REPLAYED = DESTROY.format(
    is_doomed="datum_id = ANY(%(data)s)",
    ground="%(ground)s",
    release="datum_id = NULL, released_at = coalesce(released_at, %(now)s)",
)


class StillDueError(Exception):
    """What was just looked at is due again: decision and definition disagree, and the purge must not go round."""


def erase_due(subject_ids: Sequence[int], *, now: datetime, run: PurgeRun) -> int:
    """Destroys what nothing keeps of these locked people at `now`; returns how many data went."""
    count, next_due_at = _destroy(DUE, subject_ids, now, run=run.pk, system="purge")
    if next_due_at is not None and next_due_at <= now:
        raise StillDueError
    return count


def erase_approved(subject_ids: Sequence[int], *, now: datetime, run: PurgeRun, preview: PurgePreview) -> int:
    """Destroys what is due and stands unchanged in the approved preview; returns how many data went."""
    return _destroy(APPROVED, subject_ids, now, run=run.pk, system="purge", preview=preview.pk)[0]


@transaction.atomic
def erase(
    datum_ids: Collection[int],
    *,
    ground: DestructionGround,
    now: datetime,
    actor_id: int | None,
    system: str = "",
    certificate: ErasureCertificate | None = None,
    run: PurgeRun | None = None,
) -> int:
    """Destroys these data, due or not, unless a hold forbids it; returns how many went. None writes nothing."""
    values = {"actor": actor_id, "system": system, "ground": ground}
    proof = {"certificate": certificate and certificate.pk, "run": run and run.pk}
    return _erase(DEMANDED, datum_ids, now, **values, **proof)


@transaction.atomic
def erase_again(datum_ids: Collection[int], *, ground: DestructionGround, now: datetime) -> int:
    """Destroys what the ledger says was destroyed, in a database restored from before; returns how many went."""
    return _erase(REPLAYED, datum_ids, now, ground=ground, system="replay")


def _erase(statement: str, datum_ids: Collection[int], now: datetime, **values: Any) -> int:
    subject_ids = list(DatumTerm.objects.filter(pk__in=datum_ids).values_list("subject_id", flat=True).distinct())
    lock_subjects(subject_ids)
    return _destroy(statement, subject_ids, now, data=list(datum_ids), **values)[0]


def _destroy(statement: str, subject_ids: Sequence[int], now: datetime, **values: Any) -> tuple[int, datetime | None]:
    """How many data went, and when the purge must look next at the first of these people."""
    given = {"actor": None, "run": None, "certificate": None, "zone": settings.TIME_ZONE}
    with connection.cursor() as cursor:
        cursor.execute(statement, given | values | {"subjects": list(subject_ids), "now": now})
        count, next_due_at = cursor.fetchone()
    return count, next_due_at
