"""An incident ends only when the authorised body was told, or two people say that it need not be; then it is frozen."""

from django.db import migrations

STEPS = """
CREATE FUNCTION registry_check_incident() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state = 'open' AND NEW.people = 0 AND NEW.notified_at IS NULL AND NEW.no_notice_at IS NULL THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'an incident begins open, with nobody and nothing told yet'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.state = 'closed' THEN
        RAISE EXCEPTION 'incident % is closed', OLD.number USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (OLD.number, OLD.kind, OLD.discovered_at, OLD.entered_at, OLD.entered_by_id, OLD.happened, OLD.deadline_id,
            OLD.length, OLD.unit)
        IS DISTINCT FROM (NEW.number, NEW.kind, NEW.discovered_at, NEW.entered_at, NEW.entered_by_id, NEW.happened,
            NEW.deadline_id, NEW.length, NEW.unit)
        OR NEW.people < OLD.people THEN
        RAISE EXCEPTION 'incident %: what was entered stays as it was', OLD.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.notified_at IS NOT NULL
        AND (OLD.notified_at, OLD.notified_how, OLD.notified_reference, OLD.notified_by_id)
        IS DISTINCT FROM (NEW.notified_at, NEW.notified_how, NEW.notified_reference, NEW.notified_by_id)
        OR OLD.no_notice_at IS NOT NULL AND (OLD.no_notice_at, OLD.no_notice_reason, OLD.no_notice_by_id)
        IS DISTINCT FROM (NEW.no_notice_at, NEW.no_notice_reason, NEW.no_notice_by_id) THEN
        RAISE EXCEPTION 'incident %: what was told and stated stays as it was', OLD.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state = 'closed' AND NEW.notified_at IS NULL
        AND (OLD.no_notice_by_id IS NULL OR OLD.no_notice_by_id IS NOT DISTINCT FROM NEW.closed_by_id) THEN
        RAISE EXCEPTION 'incident %: no notice was sent, and no two people have said that none was due', OLD.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER incident_steps BEFORE INSERT OR UPDATE ON registry_incident
    FOR EACH ROW EXECUTE FUNCTION registry_check_incident();
CREATE TRIGGER never_deleted BEFORE DELETE ON registry_incident
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON registry_incident
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_incident ENABLE ALWAYS TRIGGER incident_steps;
ALTER TABLE registry_incident ENABLE ALWAYS TRIGGER never_deleted;
ALTER TABLE registry_incident ENABLE ALWAYS TRIGGER never_emptied;
REVOKE DELETE, TRUNCATE ON registry_incident FROM registry_app;
"""

# What hangs on an incident comes while it is open. Whoever closes it meanwhile is waited for.
PARTS = """
CREATE FUNCTION registry_incident_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM registry_incident WHERE id = NEW.incident_id AND state = 'open' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incident % is closed', NEW.incident_id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['registry_incidentnote', 'registry_incidentsource', 'registry_incident_categories'] LOOP
        EXECUTE format('CREATE TRIGGER of_an_open_incident BEFORE INSERT ON %I
            FOR EACH ROW EXECUTE FUNCTION registry_incident_is_open()', part);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER of_an_open_incident', part);
        EXECUTE format('CALL registry_make_evidence(%L)', part);
    END LOOP;
END $$;
CALL registry_make_evidence('registry_incidentperson');
"""

# A million rows at once: each row's references are looked up for all of them together, after the statement.
PEOPLE = """
CREATE FUNCTION registry_check_incident_people() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM registry_incident WHERE id IN (SELECT incident_id FROM added) FOR SHARE;
    IF EXISTS (
        SELECT FROM added
        LEFT JOIN registry_incident incident ON incident.id = added.incident_id AND incident.state = 'open'
        LEFT JOIN registry_incidentsource source
            ON source.id = added.source_id AND source.incident_id = added.incident_id
        LEFT JOIN registry_datasubject subject ON subject.id = added.subject_id
        WHERE incident.id IS NULL OR source.id IS NULL OR subject.id IS NULL
    ) THEN
        RAISE EXCEPTION 'people come from a source of an open incident' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER people_of_an_open_incident AFTER INSERT ON registry_incidentperson REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION registry_check_incident_people();
ALTER TABLE registry_incidentperson ENABLE ALWAYS TRIGGER people_of_an_open_incident;
"""

# What was processed for a purpose at a moment: the last row of each person's history up to it. Who was on a list: the
# gate as it stood then, but for blocking, which leaves no history; nobody who still waits for confirmation was on one.
AS_IT_WAS = """
CREATE FUNCTION registry_processing_as_of(purpose bigint, moment timestamptz)
RETURNS TABLE (subject_id bigint, state text, began_at timestamptz, lapses_at timestamptz, paused_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT DISTINCT ON (past.subject_id)
        past.subject_id, past.state::text, past.began_at, past.lapses_at, past.paused_at
    FROM registry_historicalprocessing past
    WHERE past.purpose_id = $1 AND past.history_date <= $2
    ORDER BY past.subject_id, past.history_date DESC, past.history_id DESC
$$;
CREATE FUNCTION registry_people_on_list(purpose bigint, written_at timestamptz) RETURNS TABLE (subject_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT was.subject_id FROM registry_processing_as_of($1, $2) was
    JOIN registry_datasubject subject ON subject.id = was.subject_id
    WHERE subject.status <> 'pending' AND was.state = 'open' AND was.began_at <= $2 AND was.paused_at IS NULL
        AND (was.lapses_at IS NULL OR was.lapses_at > $2)
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0013_incidents")]

    operations = [migrations.RunSQL(statement) for statement in (STEPS, PARTS, PEOPLE, AS_IT_WAS)]
