"""Messages stay in the mailbox for a while; those of a claimed request go over to whom it is from."""

from django.db import migrations, models
from django.db.models import Q

RULES = """
DROP TRIGGER what_became_of_it ON consent_receivedmail;
CREATE TRIGGER what_became_of_it BEFORE UPDATE ON consent_receivedmail FOR EACH ROW
    WHEN ((OLD.key, OLD.arrived_at, OLD.seen_at, OLD.size)
            IS DISTINCT FROM (NEW.key, NEW.arrived_at, NEW.seen_at, NEW.size)
        OR OLD.state <> 'tried' AND (OLD.state, OLD.why, OLD.attempts, OLD.request_id)
            IS DISTINCT FROM (NEW.state, NEW.why, NEW.attempts, NEW.request_id)
        OR OLD.state <> 'tried' AND OLD.datum_id IS NULL AND NEW.datum_id IS NOT NULL
        OR OLD.resolved_at IS NOT NULL AND (OLD.resolved_at, OLD.resolved_by_id)
            IS DISTINCT FROM (NEW.resolved_at, NEW.resolved_by_id))
    EXECUTE FUNCTION registry_refuse_change();
-- The message itself may be sealed anew, but only for the person whose request it belongs to.
CREATE FUNCTION consent_check_handed_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM registry_personaldatum datum
        JOIN registry_datacategory category ON category.id = datum.category_id AND category.kind = 'mail'
        JOIN registry_subjectrequest request ON request.subject_id = datum.subject_id
        WHERE datum.id = NEW.datum_id AND request.id = NEW.request_id
    ) THEN
        RAISE EXCEPTION 'message %: it belongs to another person', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER theirs_alone BEFORE UPDATE ON consent_receivedmail FOR EACH ROW
    WHEN (OLD.datum_id <> NEW.datum_id) EXECUTE FUNCTION consent_check_handed_over();
ALTER TABLE consent_receivedmail ENABLE ALWAYS TRIGGER what_became_of_it;
ALTER TABLE consent_receivedmail ENABLE ALWAYS TRIGGER theirs_alone;
"""


class Migration(migrations.Migration):
    dependencies = [("consent", "0007_mailbox_rules"), ("registry", "0022_doubted_contacts")]

    operations = [
        migrations.AddField(
            model_name="receivedmail",
            name="left_at",
            field=models.DateTimeField(null=True, verbose_name="left the mailbox at"),
        ),
        migrations.AddIndex(
            model_name="receivedmail",
            index=models.Index(condition=Q(left_at=None), fields=["uid_validity", "uid"], name="mail_still_there"),
        ),
        migrations.RunSQL(RULES),
    ]
