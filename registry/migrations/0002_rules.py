"""What the database itself holds: the definition of "due", evidence that can't be changed, and the application's role."""

from django.db import migrations

# Until when each datum is kept. `until` is null where no end is known. A blocked person's data stay (Law 94-V art. 1:
# blocking suspends destruction), a hold postpones the end, the longest purpose wins, a superseded datum has its own end.
DATUM_TERM = """
CREATE VIEW registry_datumterm AS
SELECT datum.id AS datum_id, datum.subject_id, datum.category_id, keeper.purpose_id, keeper.rule_version,
    CASE
        WHEN datum.superseded_at IS NOT NULL THEN 'superseded'
        WHEN keeper.state IS NULL THEN 'no_purpose'
        WHEN keeper.state = 'withdrawn' THEN 'withdrawn'
        WHEN keeper.state = 'closed' THEN 'closed'
        WHEN datum.standing = 'claimed' THEN 'unconfirmed'
        ELSE 'term_over'
    END AS ground,
    hold.until AS held_until,
    nullif(
        greatest(
            least(coalesce(keeper.until, datum.recorded_at), datum.keep_until),
            hold.until,
            CASE WHEN subject.status = 'blocked' THEN 'infinity'::timestamptz END
        ),
        'infinity'
    ) AS until
FROM registry_personaldatum datum
JOIN registry_datasubject subject ON subject.id = datum.subject_id
LEFT JOIN LATERAL (
    SELECT processing.purpose_id, processing.rule_version, processing.state,
        least(coalesce(processing.lapses_at, 'infinity'), purpose.closes_at) AS until
    FROM registry_processing processing
    JOIN registry_processingpurpose purpose ON purpose.id = processing.purpose_id
    JOIN registry_processingpurpose_categories needs
        ON needs.processingpurpose_id = processing.purpose_id AND needs.datacategory_id = datum.category_id
    WHERE processing.subject_id = datum.subject_id
    ORDER BY least(coalesce(processing.lapses_at, 'infinity'), purpose.closes_at) DESC
    LIMIT 1
) keeper ON true
LEFT JOIN LATERAL (
    SELECT max(coalesce(legalhold.until, 'infinity')) AS until
    FROM registry_legalhold legalhold
    WHERE legalhold.subject_id = datum.subject_id AND legalhold.released_at IS NULL
        AND (legalhold.datum_id IS NULL OR legalhold.datum_id = datum.id)
) hold ON true
"""

EVIDENCE = """
CREATE FUNCTION registry_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is evidence: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE PROCEDURE registry_make_evidence(evidence regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER evidence_row BEFORE UPDATE OR DELETE ON %s
        FOR EACH ROW EXECUTE FUNCTION registry_refuse_change()', evidence);
    EXECUTE format('CREATE TRIGGER evidence_table BEFORE TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change()', evidence);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER evidence_row', evidence);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER evidence_table', evidence);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM registry_app', evidence);
END $$;

CALL registry_make_evidence('registry_auditentry');
CALL registry_make_evidence('registry_erasurerecord');
CALL registry_make_evidence('registry_historicaldatacategory');
CALL registry_make_evidence('registry_historicalappointment');
CALL registry_make_evidence('registry_historicaldeadline');
CALL registry_make_evidence('registry_historicallegalground');
CALL registry_make_evidence('registry_historicallegalhold');
CALL registry_make_evidence('registry_historicaloperator');
CALL registry_make_evidence('registry_historicalprocessing');
CALL registry_make_evidence('registry_historicalprocessingpurpose');
CALL registry_make_evidence('registry_historicalprocessingpurpose_categories');

-- A finished run is evidence too; a person and a staff member stay, because evidence refers to them.
CREATE TRIGGER evidence_row BEFORE UPDATE OR DELETE ON registry_purgerun
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON registry_datasubject
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON registry_staffmember
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER evidence_table BEFORE TRUNCATE ON registry_purgerun
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON registry_datasubject
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON registry_staffmember
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
REVOKE DELETE, TRUNCATE ON registry_purgerun, registry_datasubject, registry_staffmember FROM registry_app;

-- A datum is what it was when it was recorded; only its standing and its end may change.
CREATE TRIGGER immutable_value BEFORE UPDATE ON registry_personaldatum FOR EACH ROW
    WHEN ((OLD.id, OLD.subject_id, OLD.category_id, OLD.sealed, OLD.index, OLD.source, OLD.recorded_at, OLD.recorded_by_id)
        IS DISTINCT FROM
        (NEW.id, NEW.subject_id, NEW.category_id, NEW.sealed, NEW.index, NEW.source, NEW.recorded_at, NEW.recorded_by_id))
    EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_purgerun ENABLE ALWAYS TRIGGER evidence_row;
ALTER TABLE registry_datasubject ENABLE ALWAYS TRIGGER never_deleted;
ALTER TABLE registry_staffmember ENABLE ALWAYS TRIGGER never_deleted;
ALTER TABLE registry_purgerun ENABLE ALWAYS TRIGGER evidence_table;
ALTER TABLE registry_datasubject ENABLE ALWAYS TRIGGER never_emptied;
ALTER TABLE registry_staffmember ENABLE ALWAYS TRIGGER never_emptied;
ALTER TABLE registry_personaldatum ENABLE ALWAYS TRIGGER immutable_value;
"""

RULE_VERSION = """
CREATE FUNCTION registry_count_rule_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.rule_version := OLD.rule_version + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER count_rule_version BEFORE UPDATE ON registry_processingpurpose FOR EACH ROW
    WHEN ((OLD.clock, OLD.term_value, OLD.term_unit, OLD.outcome)
        IS DISTINCT FROM (NEW.clock, NEW.term_value, NEW.term_unit, NEW.outcome))
    EXECUTE FUNCTION registry_count_rule_version();
"""

# Signs in for the web, the workers and the commands. The owner is used for migrations only.
ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'registry_app') THEN
        CREATE ROLE registry_app NOLOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO registry_app', current_database());
    IF NOT pg_has_role(current_user, 'registry_app', 'MEMBER') THEN
        EXECUTE format('GRANT registry_app TO %I', current_user);
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO registry_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO registry_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO registry_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO registry_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO registry_app;
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM registry_app;
"""

FILLFACTOR = "ALTER TABLE registry_retentiondue SET (fillfactor = 70)"


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial"), ("contenttypes", "0002_remove_content_type_name")]

    operations = [
        migrations.RunSQL(ROLE),
        migrations.RunSQL(DATUM_TERM, "DROP VIEW registry_datumterm"),
        migrations.RunSQL("GRANT SELECT ON registry_datumterm TO registry_app", migrations.RunSQL.noop),
        migrations.RunSQL(EVIDENCE),
        migrations.RunSQL(RULE_VERSION),
        migrations.RunSQL(FILLFACTOR, migrations.RunSQL.noop),
    ]
