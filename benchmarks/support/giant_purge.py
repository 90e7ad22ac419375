"""The limit: the work of registry.purging.purge as one hand-written statement, without the view and without batches.

It leaves exactly the same rows. What it gives up: everybody is locked until it ends, a consent given meanwhile is
lost, and killed half way it begins again.
"""

import psycopg

SETTINGS = ("work_mem = '512MB'", "jit = off")
STATEMENT = """
WITH moment AS (SELECT now AS at FROM bench.moment),
person AS MATERIALIZED (
    SELECT due.subject_id, subject.status = 'blocked' AS is_blocked
    FROM registry_retentiondue due JOIN registry_datasubject subject ON subject.id = due.subject_id
    WHERE due.due_at <= (SELECT at FROM moment)
),
keeper AS MATERIALIZED (
    SELECT DISTINCT ON (processing.subject_id, needs.datacategory_id)
        processing.subject_id, needs.datacategory_id AS category_id, processing.purpose_id, processing.rule_version,
        processing.state, coalesce(processing.lapses_at, 'infinity') AS until
    FROM person
    JOIN registry_processing processing ON processing.subject_id = person.subject_id
    JOIN registry_processingpurpose_categories needs ON needs.processingpurpose_id = processing.purpose_id
    ORDER BY processing.subject_id, needs.datacategory_id, coalesce(processing.lapses_at, 'infinity') DESC,
        processing.state DESC, processing.purpose_id
),
hold AS MATERIALIZED (
    SELECT subject_id, datum_id, max(coalesce(until, 'infinity')) AS until
    FROM registry_legalhold WHERE released_at IS NULL GROUP BY subject_id, datum_id
),
term AS MATERIALIZED (
    SELECT datum.id AS datum_id, person.subject_id, datum.category_id, keeper.purpose_id, keeper.rule_version,
        CASE
            WHEN datum.superseded_at IS NOT NULL THEN 'superseded'
            WHEN keeper.state IS NULL THEN 'no_purpose'
            WHEN keeper.state IN ('withdrawn', 'closed') THEN keeper.state
            WHEN datum.standing = 'claimed' THEN 'unconfirmed'
            ELSE 'term_over'
        END AS ground,
        nullif(greatest(least(coalesce(keeper.until, datum.recorded_at), datum.keep_until), on_person.until,
            on_datum.until, CASE WHEN person.is_blocked THEN 'infinity'::timestamptz END), 'infinity') AS until
    FROM person
    JOIN registry_personaldatum datum ON datum.subject_id = person.subject_id
    LEFT JOIN keeper ON keeper.subject_id = person.subject_id AND keeper.category_id = datum.category_id
    LEFT JOIN hold on_person ON on_person.subject_id = person.subject_id AND on_person.datum_id IS NULL
    LEFT JOIN hold on_datum ON on_datum.datum_id = datum.id
),
doomed AS MATERIALIZED (SELECT term.* FROM term, moment WHERE until <= at ORDER BY datum_id),
remaining AS MATERIALIZED (
    SELECT person.subject_id, min(until) FILTER (WHERE until > at) AS due_at,
        bool_and(coalesce(until <= at, term.datum_id IS NULL)) AS is_erased
    FROM moment, person LEFT JOIN term ON term.subject_id = person.subject_id GROUP BY person.subject_id
),
run AS (
    INSERT INTO registry_purgerun (started_at, as_of, finished_at, subjects, data)
    SELECT now(), at, now(), (SELECT count(*) FROM person), (SELECT count(*) FROM doomed) FROM moment RETURNING id
),
keys AS (DELETE FROM registry_datumkey USING doomed WHERE registry_datumkey.datum_id = doomed.datum_id),
rows AS (DELETE FROM registry_personaldatum USING doomed WHERE registry_personaldatum.id = doomed.datum_id),
proof AS (
    INSERT INTO registry_erasurerecord
        (datum_id, subject_id, category_id, purpose_id, rule_version, ground, run_id, at)
    SELECT datum_id, subject_id, category_id, purpose_id, rule_version, ground, run.id, at FROM doomed, run, moment
),
audit AS (
    INSERT INTO registry_auditentry
        (at, system, operation, subject_id, object_type, object_id, reason)
    SELECT at, 'purge', 'destroy', subject_id, 'registry.purgerun', run.id, ''
    FROM (SELECT DISTINCT subject_id FROM doomed ORDER BY subject_id) person, run, moment
),
ledger AS (
    INSERT INTO registry_ledgerqueue (kind, numbers, at)
    SELECT 'erased', array_agg(datum_id ORDER BY datum_id), at FROM doomed, moment GROUP BY at
),
ended AS MATERIALIZED (
    SELECT processing.id, processing.purpose_id, processing.channel, subject.language,
        date_trunc('month', processing.began_at AT TIME ZONE 'Asia/Almaty')::date AS month
    FROM registry_processingpurpose purpose
    JOIN registry_processingpurpose_categories needs ON needs.processingpurpose_id = purpose.id
    JOIN doomed ON doomed.category_id = needs.datacategory_id
    JOIN registry_processing processing
        ON processing.subject_id = doomed.subject_id AND processing.purpose_id = purpose.id
    JOIN registry_datasubject subject ON subject.id = processing.subject_id, moment
    WHERE purpose.outcome = 'depersonalise' AND processing.counted_at IS NULL
        AND (processing.state <> 'open' OR processing.lapses_at <= moment.at)
    GROUP BY processing.id, subject.language
),
counted AS (
    INSERT INTO registry_keptcount (purpose_id, month, language, channel, slot, people)
    SELECT purpose_id, month, language, channel, 0, count(*) FROM ended GROUP BY 1, 2, 3, 4
),
marked AS (
    UPDATE registry_processing SET counted_at = at FROM ended, moment WHERE registry_processing.id = ended.id
),
status AS (
    UPDATE registry_datasubject SET status = 'erased' FROM remaining
    WHERE registry_datasubject.id = remaining.subject_id AND is_erased AND status <> 'erased'
),
due AS (
    UPDATE registry_retentiondue SET due_at = remaining.due_at FROM remaining
    WHERE registry_retentiondue.subject_id = remaining.subject_id
)
SELECT count(DISTINCT subject_id) FROM doomed
"""


def purge_at_once(connection: psycopg.Connection) -> int:
    """Returns how many people were touched."""
    for setting in SETTINGS:
        connection.execute(f"SET {setting}")
    row = connection.execute(STATEMENT).fetchone()
    return int(row[0]) if row else 0
