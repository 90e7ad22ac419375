"""What must be true after a purge, whichever way it was done; each statement counts what is wrong."""

import psycopg

CHECKS = {
    "destroyed data without the expected record, or the other way round": """
        SELECT count(*) FROM bench.expected FULL JOIN (
            SELECT * FROM registry_erasurerecord WHERE id > (SELECT last_record FROM bench.count)
        ) record USING (datum_id, subject_id, category_id, rule_version, ground)
        WHERE expected.purpose_id IS DISTINCT FROM record.purpose_id OR record.run_id IS NULL""",
    "values that are still there": """
        SELECT count(*) FROM bench.expected
        WHERE EXISTS (SELECT FROM registry_personaldatum WHERE id = datum_id)
            OR EXISTS (SELECT FROM registry_datumkey key WHERE key.datum_id = expected.datum_id)""",
    "values or keys of others that have gone": """
        SELECT abs(all_data - data - (SELECT count(*) FROM registry_personaldatum))
            + abs(all_data - data - (SELECT count(*) FROM registry_datumkey)) FROM bench.count""",
    "people without exactly one audit entry": """
        SELECT count(*) FROM (SELECT DISTINCT subject_id FROM bench.expected) person FULL JOIN (
            SELECT * FROM registry_auditentry
            WHERE id > (SELECT last_entry FROM bench.count) AND subject_id IS NOT NULL
        ) entry USING (subject_id)
        WHERE entry.operation IS DISTINCT FROM 'destroy' OR person.subject_id IS NULL""",
    "people whose status is wrong": """
        SELECT count(*) FROM registry_datasubject subject WHERE id IN (SELECT subject_id FROM bench.expected)
            AND (status = 'erased') = EXISTS (SELECT FROM registry_personaldatum WHERE subject_id = subject.id)""",
    "people with a wrong next moment": """
        SELECT count(*) FROM registry_retentiondue due WHERE subject_id IN (SELECT subject_id FROM bench.expected)
            AND due_at IS DISTINCT FROM
                (SELECT min(until) FROM registry_datumterm term WHERE term.subject_id = due.subject_id)""",
    "people who are still due": """
        SELECT count(*) FROM registry_retentiondue, bench.moment WHERE due_at <= now""",
    "people counted without their name, or not, the wrong number of times": """
        SELECT abs((SELECT coalesce(sum(people), 0) FROM registry_keptcount)
            - (SELECT count(*) FROM registry_processing WHERE counted_at IS NOT NULL))
            + abs((SELECT count(*) FROM registry_processing WHERE counted_at IS NOT NULL) - (
                SELECT count(DISTINCT processing.id) FROM bench.expected, bench.moment, registry_processing processing
                WHERE processing.subject_id = expected.subject_id AND processing.purpose_id = 903
                    AND expected.category_id = 901 AND processing.lapses_at <= now))""",
    "data that are not queued for the ledger, or twice": """
        SELECT count(*) FROM bench.expected FULL JOIN (
            SELECT unnest(numbers) AS datum_id FROM registry_ledgerqueue WHERE kind = 'erased'
        ) queued USING (datum_id) WHERE expected.subject_id IS NULL OR queued.datum_id IS NULL""",
    "runs that are not finished or count wrong": """
        SELECT count(*) FILTER (WHERE finished_at IS NULL) + abs(sum(run.data) - min(expected.data))
            + abs(sum(run.subjects) - min(expected.subjects))
        FROM registry_purgerun run, bench.count expected""",
}


def check(connection: psycopg.Connection) -> None:
    """Raises when a purge did anything but what bench.expected says."""
    for wrong, statement in CHECKS.items():
        (count,) = connection.execute(statement).fetchone() or (None,)
        if count != 0:
            raise AssertionError(f"{wrong}: {count}")
