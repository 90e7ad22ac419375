"""What was given to whom, under whose consent, stays as it was."""

from django.db import migrations

RULES = """
CREATE TRIGGER what_was_asked BEFORE UPDATE ON registry_transfer FOR EACH ROW
    WHEN ((OLD.number, OLD.recipient_id, OLD.country, OLD.ground, OLD.purpose_id, OLD.categories, OLD.is_cross_border,
            OLD.request_number, OLD.requested_on, OLD.article, OLD.incident_id, OLD.reason, OLD.format,
            OLD.requested_by_id, OLD.requested_at)
        IS DISTINCT FROM
        (NEW.number, NEW.recipient_id, NEW.country, NEW.ground, NEW.purpose_id, NEW.categories, NEW.is_cross_border,
            NEW.request_number, NEW.requested_on, NEW.article, NEW.incident_id, NEW.reason, NEW.format,
            NEW.requested_by_id, NEW.requested_at)
        OR OLD.state IN ('refused', 'taken', 'destroyed', 'cancelled', 'failed'))
    EXECUTE FUNCTION registry_refuse_change();

-- A line is what allowed it. Only why somebody was not in the file after all is added, once, before the file goes.
CREATE FUNCTION registry_check_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.dropped = '' AND NEW.dropped <> ''
        AND (OLD.id, OLD.transfer_id, OLD.place, OLD.subject_id, OLD.processing_id, OLD.record_id, OLD.began_at,
            OLD.lapses_at, OLD.third_parties, OLD.cross_border)
        IS NOT DISTINCT FROM (NEW.id, NEW.transfer_id, NEW.place, NEW.subject_id, NEW.processing_id, NEW.record_id,
            NEW.began_at, NEW.lapses_at, NEW.third_parties, NEW.cross_border)
        AND EXISTS (SELECT FROM registry_transfer WHERE id = OLD.transfer_id AND state IN ('building', 'ready'))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a line of a transfer stays as it was' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER line_stays BEFORE UPDATE OR DELETE ON registry_transferline
    FOR EACH ROW EXECUTE FUNCTION registry_check_line();
CREATE TRIGGER line_stays_table BEFORE TRUNCATE ON registry_transferline
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_transferline ENABLE ALWAYS TRIGGER line_stays;
ALTER TABLE registry_transferline ENABLE ALWAYS TRIGGER line_stays_table;
REVOKE DELETE, TRUNCATE ON registry_transferline FROM registry_app;

CREATE TRIGGER what_was_told BEFORE UPDATE ON registry_recipientnotice FOR EACH ROW
    WHEN ((OLD.recipient_id, OLD.subject_id, OLD.purpose_id, OLD.event, OLD.opened_at)
        IS DISTINCT FROM (NEW.recipient_id, NEW.subject_id, NEW.purpose_id, NEW.event, NEW.opened_at)
        OR OLD.acknowledged_at IS NOT NULL)
    EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_recipientnotice ENABLE ALWAYS TRIGGER what_was_told;
ALTER TABLE registry_transfer ENABLE ALWAYS TRIGGER what_was_asked;

DO $$
DECLARE place text;
BEGIN
    FOREACH place IN ARRAY ARRAY['registry_transfer', 'registry_recipientnotice'] LOOP
        EXECUTE format('CREATE TRIGGER never_deleted BEFORE DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION registry_refuse_change()', place);
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change()', place);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER never_deleted', place);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER never_emptied', place);
        EXECUTE format('REVOKE DELETE, TRUNCATE ON %I FROM registry_app', place);
    END LOOP;
END $$;
CALL registry_make_evidence('registry_historicalrecipient_categories');
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0016_transfers")]

    operations = [migrations.RunSQL(RULES)]
