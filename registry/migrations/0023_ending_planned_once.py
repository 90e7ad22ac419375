"""Ending what is processed about a person: takes longer to plan than to do, so it is planned once for a session."""

from django.db import migrations

# "Consent withdrawn" and "request closed" are clocks too: then this very event starts the term. What is withdrawn waits
# for the ledger, at a moment when all of it had begun: what begins later is another consent, and a replay leaves it.
END_PROCESSING = """
CREATE FUNCTION registry_end_processing(person bigint, purposes bigint[], ending text, is_at_once boolean, moment timestamptz)
RETURNS SETOF registry_processingpurpose LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    WITH line AS (
        SELECT processing.id, greatest(moment, processing.began_at) AS at, purpose.position,
            purpose.clock = ending AND NOT is_at_once AS starts_term, purpose.term_value, purpose.term_unit
        FROM registry_processing processing JOIN registry_processingpurpose purpose ON purpose.id = processing.purpose_id
        WHERE processing.subject_id = person AND processing.purpose_id = ANY(purposes) AND processing.state = 'open'
            AND (processing.lapses_at IS NULL OR processing.lapses_at > moment)
    ), ended AS (
        UPDATE registry_processing AS processing SET state = ending,
            term_from = CASE WHEN starts_term THEN line.at ELSE processing.term_from END,
            lapses_at = CASE WHEN starts_term THEN registry_end_of_term(line.at, term_value, term_unit) ELSE line.at END
        FROM line WHERE processing.id = line.id RETURNING processing.*, line.at, line.position
    ), history AS (
        INSERT INTO registry_historicalprocessing (id, state, began_at, lapses_at, term_from, rule_version, channel,
            paused_at, third_parties, cross_border, public_sources, subject_id, purpose_id, history_date, history_type)
        SELECT id, state, began_at, lapses_at, term_from, rule_version, channel, paused_at, third_parties, cross_border,
            public_sources, subject_id, purpose_id, moment, '~'
        FROM ended
    ), queued AS (
        INSERT INTO registry_ledgerqueue (kind, numbers, at)
        SELECT state, array_agg(id ORDER BY position, id), max(at) FROM ended WHERE state = 'withdrawn' GROUP BY state
    )
    SELECT purpose.* FROM ended JOIN registry_processingpurpose purpose ON purpose.id = ended.purpose_id
    ORDER BY purpose.position, ended.id;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0022_doubted_contacts")]

    operations = [
        migrations.RunSQL(
            END_PROCESSING,
            "DROP FUNCTION registry_end_processing(bigint, bigint[], text, boolean, timestamptz)",
        )
    ]
