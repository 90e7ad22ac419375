"""Whom a transfer must be told to, and that it was, stays as it was."""

from django.db import migrations, models

RULES = """
CREATE TRIGGER whose_condition BEFORE UPDATE ON registry_transfercondition FOR EACH ROW
    WHEN ((OLD.id, OLD.subject_id) IS DISTINCT FROM (NEW.id, NEW.subject_id))
    EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_transfercondition ENABLE ALWAYS TRIGGER whose_condition;

-- Told once, by a letter or by somebody; then it is frozen.
CREATE TRIGGER told_once BEFORE UPDATE ON registry_personnotice FOR EACH ROW
    WHEN ((OLD.id, OLD.transfer_id, OLD.subject_id, OLD.opened_at, OLD.due_on)
        IS DISTINCT FROM (NEW.id, NEW.transfer_id, NEW.subject_id, NEW.opened_at, NEW.due_on)
        OR OLD.told_at IS NOT NULL)
    EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_personnotice ENABLE ALWAYS TRIGGER told_once;
ALTER TABLE registry_personnotice ADD CONSTRAINT told_by_somebody_at_some_time
    CHECK (told_by_id IS NULL OR told_at IS NOT NULL);

DO $$
DECLARE place text;
BEGIN
    FOREACH place IN ARRAY ARRAY['registry_transfercondition', 'registry_personnotice'] LOOP
        EXECUTE format('CREATE TRIGGER never_deleted BEFORE DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION registry_refuse_change()', place);
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change()', place);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER never_deleted', place);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER never_emptied', place);
        EXECUTE format('REVOKE DELETE, TRUNCATE ON %I FROM registry_app', place);
    END LOOP;
END $$;
CALL registry_make_evidence('registry_historicaltransfercondition');
CALL registry_make_evidence('registry_historicalsizeclass');
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0019_audience_rules")]

    operations = [
        migrations.AddField(
            model_name="personnotice",
            name="is_by_hand",
            field=models.BooleanField(default=False, verbose_name="to be told by staff"),
        ),
        migrations.AddIndex(
            model_name="personnotice",
            index=models.Index(
                condition=models.Q(("is_by_hand", True), ("told_at", None)),
                fields=["due_on", "id"],
                name="told_by_hand",
            ),
        ),
        migrations.RunSQL(RULES),
    ]
