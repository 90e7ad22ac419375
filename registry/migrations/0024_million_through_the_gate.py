"""A million people through the gate.

A line of a transfer is known by its transfer and place: a number of its own was a third of writing it. Which data a
person has stands in one index, which is read in the order of people.

The next moment of a purge: the view was asked twice for each person, and in a small registry the planner read everybody.
"""

from django.db import migrations, models

CHECK_LINE = """
CREATE OR REPLACE FUNCTION registry_check_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.dropped = '' AND NEW.dropped <> ''
        AND (OLD.transfer_id, OLD.place, OLD.subject_id, OLD.processing_id, OLD.record_id, OLD.began_at,
            OLD.lapses_at, OLD.third_parties, OLD.cross_border)
        IS NOT DISTINCT FROM (NEW.transfer_id, NEW.place, NEW.subject_id, NEW.processing_id, NEW.record_id,
            NEW.began_at, NEW.lapses_at, NEW.third_parties, NEW.cross_border)
        AND EXISTS (SELECT FROM registry_transfer WHERE id = OLD.transfer_id AND state IN ('building', 'ready'))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a line of a transfer stays as it was' USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""
WITHOUT_NUMBERS = """
ALTER TABLE registry_transferline DROP CONSTRAINT registry_transferline_pkey, DROP COLUMN id,
    DROP CONSTRAINT one_line_a_place, ADD PRIMARY KEY (transfer_id, place);
"""
# As in 0007, but asked once: behind OFFSET the planner neither repeats the question nor joins before it is answered.
REFRESH_DUE = """
CREATE OR REPLACE FUNCTION registry_refresh_due(people bigint[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    UPDATE registry_retentiondue AS due SET due_at = term.due_at
    FROM (
        SELECT id, (SELECT min(until) FROM registry_datumterm WHERE subject_id = id) AS due_at
        FROM unnest(people) AS id OFFSET 0
    ) AS term
    WHERE due.subject_id = term.id AND due.due_at IS DISTINCT FROM term.due_at;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0023_ending_planned_once")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CHECK_LINE + WITHOUT_NUMBERS)],
            state_operations=[
                migrations.RemoveConstraint("transferline", "one_line_a_place"),
                migrations.RemoveField("transferline", "id"),
                migrations.AddField(
                    "transferline",
                    "pk",
                    models.CompositePrimaryKey(
                        "transfer_id", "place", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            "transferline",
            models.Index(fields=["transfer", "place"], condition=~models.Q(dropped=""), name="line_dropped"),
        ),
        migrations.AddIndex(
            "personaldatum",
            models.Index(fields=["subject", "category"], include=["standing", "superseded_at"], name="data_of_subject"),
        ),
        migrations.AlterField(
            "personaldatum",
            "subject",
            models.ForeignKey(
                db_index=False,
                on_delete=models.deletion.PROTECT,
                related_name="data",
                to="registry.datasubject",
                verbose_name="data subject",
            ),
        ),
        migrations.RunSQL(REFRESH_DUE),
    ]
