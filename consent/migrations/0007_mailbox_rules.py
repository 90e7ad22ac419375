"""What became of a message stays as it was; nothing is forgotten that nobody has looked at."""

from django.db import migrations

RULES = """
-- Where a message lies may change, and what was sealed of it may go. What was decided about it is not rewritten.
CREATE TRIGGER what_became_of_it BEFORE UPDATE ON consent_receivedmail FOR EACH ROW
    WHEN ((OLD.key, OLD.arrived_at, OLD.seen_at, OLD.size)
            IS DISTINCT FROM (NEW.key, NEW.arrived_at, NEW.seen_at, NEW.size)
        OR OLD.state <> 'tried' AND (OLD.state, OLD.why, OLD.attempts, OLD.request_id)
            IS DISTINCT FROM (NEW.state, NEW.why, NEW.attempts, NEW.request_id)
        OR OLD.state <> 'tried' AND NEW.datum_id IS NOT NULL AND OLD.datum_id IS DISTINCT FROM NEW.datum_id
        OR OLD.resolved_at IS NOT NULL AND (OLD.resolved_at, OLD.resolved_by_id)
            IS DISTINCT FROM (NEW.resolved_at, NEW.resolved_by_id))
    EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER not_before_its_end BEFORE DELETE ON consent_receivedmail FOR EACH ROW
    WHEN (OLD.state = 'tried' OR OLD.state = 'quarantined' AND OLD.resolved_at IS NULL)
    EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON consent_receivedmail
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE consent_receivedmail ENABLE ALWAYS TRIGGER what_became_of_it;
ALTER TABLE consent_receivedmail ENABLE ALWAYS TRIGGER not_before_its_end;
ALTER TABLE consent_receivedmail ENABLE ALWAYS TRIGGER never_emptied;
REVOKE TRUNCATE ON consent_receivedmail FROM registry_app;
REVOKE DELETE, TRUNCATE ON consent_mailboxstate FROM registry_app;
"""


class Migration(migrations.Migration):
    dependencies = [("consent", "0006_mailbox"), ("registry", "0012_request_rules")]

    operations = [migrations.RunSQL(RULES)]
