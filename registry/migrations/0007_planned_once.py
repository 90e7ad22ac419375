"""The next moment of a purge: asked after every act, so planned once for each session and not every time."""

from django.db import migrations

# Planning the view takes longer than asking it of one person.
REFRESH_DUE = """
CREATE FUNCTION registry_refresh_due(people bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE registry_retentiondue AS due SET due_at = term.due_at
    FROM (
        SELECT id, (SELECT min(until) FROM registry_datumterm WHERE subject_id = id) AS due_at
        FROM unnest(people) AS id
    ) AS term
    WHERE due.subject_id = term.id AND due.due_at IS DISTINCT FROM term.due_at;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0006_public_face_rules")]

    operations = [migrations.RunSQL(REFRESH_DUE, "DROP FUNCTION registry_refresh_due(bigint[])")]
