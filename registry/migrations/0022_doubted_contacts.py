"""Contacts in doubt; a text of a request has a term of its own, which is no demand of the person."""

from django.db import migrations, models

# As in 0004, but for the ground of a datum with an end of its own. Of what people enter only a demand sets one. Texts,
# scans and e-mail have one by themselves (registry.requests.papers): of those the act says whether it was demanded.
TERM = """
CREATE OR REPLACE VIEW registry_datumterm AS
SELECT datum.id AS datum_id, datum.subject_id, datum.category_id, keeper.purpose_id, keeper.rule_version,
    CASE
        WHEN datum.superseded_at IS NOT NULL THEN 'superseded'
        WHEN datum.keep_until IS NOT NULL AND (
            (SELECT kind FROM registry_datacategory category WHERE category.id = datum.category_id)
                NOT IN ('text', 'scan', 'mail')
            OR EXISTS (
                SELECT FROM registry_erasurecertificate demand
                WHERE demand.subject_id = datum.subject_id AND demand.demanded_at = datum.keep_until
            )
        ) THEN 'on_demand'
        WHEN keeper.state IS NULL THEN 'no_purpose'
        WHEN keeper.state = 'withdrawn' THEN 'withdrawn'
        WHEN keeper.state = 'closed' OR keeper.until >= keeper.closes_at THEN 'closed'
        WHEN datum.standing = 'claimed' THEN 'unconfirmed'
        ELSE 'term_over'
    END AS ground,
    hold.until AS held_until,
    nullif(
        greatest(
            least(coalesce(keeper.until, datum.recorded_at), datum.keep_until),
            hold.until,
            CASE
                WHEN (SELECT status FROM registry_datasubject subject WHERE subject.id = datum.subject_id) = 'blocked'
                THEN 'infinity'::timestamptz
            END
        ),
        'infinity'
    ) AS until
FROM registry_personaldatum datum
LEFT JOIN LATERAL (
    SELECT processing.purpose_id, processing.rule_version, processing.state, purpose.closes_at,
        least(coalesce(processing.lapses_at, 'infinity'), CASE
            WHEN purpose.clock = 'purpose_closed'
            THEN registry_end_of_term(purpose.closes_at, purpose.term_value, purpose.term_unit)
            WHEN processing.state = 'open' THEN purpose.closes_at
        END) AS until
    FROM registry_processing processing
    JOIN registry_processingpurpose purpose ON purpose.id = processing.purpose_id
    JOIN registry_processingpurpose_categories needs
        ON needs.processingpurpose_id = processing.purpose_id AND needs.datacategory_id = datum.category_id
    WHERE processing.subject_id = datum.subject_id
    ORDER BY 5 DESC, processing.state DESC, processing.purpose_id
    LIMIT 1
) keeper ON true
LEFT JOIN LATERAL (
    SELECT max(coalesce(legalhold.until, 'infinity')) AS until
    FROM registry_legalhold legalhold
    WHERE legalhold.subject_id = datum.subject_id AND legalhold.released_at IS NULL
        AND (legalhold.datum_id IS NULL OR legalhold.datum_id = datum.id)
) hold ON true
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0021_request_terms")]

    operations = [
        migrations.AddField(
            model_name="subjectrequest",
            name="doubted",
            field=models.JSONField(default=list, verbose_name="contacts in doubt"),
        ),
        migrations.RunSQL(TERM, migrations.RunSQL.noop),
    ]
