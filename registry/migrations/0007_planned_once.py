"""The next moment of a purge: asked in every act about a person, so planned once for a session and not every time."""

from django.db import migrations

# Without the setting the planner would look at how many people it is each time; planning takes longer than the work.
REFRESH_DUE = """
CREATE FUNCTION registry_refresh_due(people bigint[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    UPDATE registry_retentiondue AS due SET due_at = term.due_at
    FROM (
        SELECT id, (SELECT min(until) FROM registry_datumterm WHERE subject_id = id) AS due_at FROM unnest(people) AS id
    ) AS term
    WHERE due.subject_id = term.id AND due.due_at IS DISTINCT FROM term.due_at;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0006_public_face_rules")]

    operations = [migrations.RunSQL(REFRESH_DUE, "DROP FUNCTION registry_refresh_due(bigint[])")]
