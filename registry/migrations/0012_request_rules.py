"""Which step of a request may follow which; what was asked and what was done about it stays as it was."""

from django.db import migrations

STEPS = """
CREATE FUNCTION registry_check_request() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    waiting CONSTANT text[] := ARRAY['unverified', 'open', 'paused'];
    steps CONSTANT text[] := ARRAY[
        'unverified>open', 'unverified>paused', 'unverified>answered', 'unverified>joined', 'unverified>spam',
        'unverified>lapsed', 'unverified>disowned',
        'open>paused', 'open>answered', 'open>joined', 'open>spam',
        'paused>open', 'paused>answered', 'paused>joined', 'paused>spam', 'paused>lapsed', 'paused>disowned'
    ];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state IN ('unverified', 'open') THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'a request begins unverified or open, not %', NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NOT OLD.state = ANY (waiting) THEN
        RAISE EXCEPTION 'request % is finished', OLD.number USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT OLD.state || '>' || NEW.state = ANY (steps) THEN
        RAISE EXCEPTION 'request %: no step from % to %', OLD.number, OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (OLD.number, OLD.channel, OLD.received_at, OLD.language, OLD.entered_by_id)
        IS DISTINCT FROM (NEW.number, NEW.channel, NEW.received_at, NEW.language, NEW.entered_by_id)
        OR OLD.subject_id <> NEW.subject_id AND OLD.identity <> 'none' THEN
        RAISE EXCEPTION 'request %: what was received stays as it was', OLD.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER request_steps BEFORE INSERT OR UPDATE ON registry_subjectrequest
    FOR EACH ROW EXECUTE FUNCTION registry_check_request();
ALTER TABLE registry_subjectrequest ENABLE ALWAYS TRIGGER request_steps;
CALL registry_make_evidence('registry_requeststep');

CREATE TRIGGER what_was_asked BEFORE UPDATE ON registry_copypackage FOR EACH ROW
    WHEN ((OLD.request_id, OLD.asked_at, OLD.asked_by_id) IS DISTINCT FROM
        (NEW.request_id, NEW.asked_at, NEW.asked_by_id) OR OLD.state IN ('taken', 'destroyed', 'failed'))
    EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_copypackage ENABLE ALWAYS TRIGGER what_was_asked;

DO $$
DECLARE place text;
BEGIN
    FOREACH place IN ARRAY ARRAY['registry_subjectrequest', 'registry_copypackage'] LOOP
        EXECUTE format('CREATE TRIGGER never_deleted BEFORE DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION registry_refuse_change()', place);
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change()', place);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER never_deleted', place);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER never_emptied', place);
        EXECUTE format('REVOKE DELETE, TRUNCATE ON %I FROM registry_app', place);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0011_requests")]

    operations = [migrations.RunSQL(STEPS)]
