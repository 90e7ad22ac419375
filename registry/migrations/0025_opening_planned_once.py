"""Opening what is processed about a person: takes longer to plan than to do, so it is planned once for a session."""

from django.db import migrations

OPEN_PROCESSING = """
CREATE FUNCTION registry_open_processing(person bigint, moment timestamptz, through text, purposes bigint[],
    starts timestamptz[], ends timestamptz[], versions int[], third bool[], abroad bool[], published bool[])
RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    WITH opened AS (
        INSERT INTO registry_processing AS processing (subject_id, purpose_id, state, began_at, term_from, lapses_at,
            channel, counted_at, rule_version, third_parties, cross_border, public_sources, paused_at)
        SELECT person, line.purpose, 'open', moment, line.term_from, line.lapses_at, through, NULL, line.version,
            line.third, line.abroad, line.published, NULL
        FROM unnest(purposes, starts, ends, versions, third, abroad, published)
            AS line (purpose, term_from, lapses_at, version, third, abroad, published)
        ON CONFLICT (subject_id, purpose_id) DO UPDATE SET (state, began_at, term_from, lapses_at, channel, counted_at,
            rule_version, third_parties, cross_border, public_sources, paused_at) = (excluded.state, excluded.began_at,
            excluded.term_from, excluded.lapses_at, excluded.channel, NULL, excluded.rule_version,
            excluded.third_parties, excluded.cross_border, excluded.public_sources, NULL)
        RETURNING *, xmax = 0 AS is_new
    )
    INSERT INTO registry_historicalprocessing (id, state, began_at, lapses_at, term_from, rule_version, channel,
        paused_at, third_parties, cross_border, public_sources, subject_id, purpose_id, history_date, history_type)
    SELECT id, state, began_at, lapses_at, term_from, rule_version, channel, paused_at, third_parties, cross_border,
        public_sources, subject_id, purpose_id, moment, CASE WHEN is_new THEN '+' ELSE '~' END
    FROM opened;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0024_million_through_the_gate")]

    operations = [
        migrations.RunSQL(
            OPEN_PROCESSING,
            "DROP FUNCTION registry_open_processing"
            "(bigint, timestamptz, text, bigint[], timestamptz[], timestamptz[], int[], bool[], bool[], bool[])",
        )
    ]
