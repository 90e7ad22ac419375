"""Sessions end with the rights they began with; seals of the audit and histories are evidence; a fetched list stays."""

from django.db import migrations

# Rights and second factors are counted here, so that no way of changing them is forgotten.
SESSIONS = """
CREATE FUNCTION registry_count_rights() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN -- never less: a row read before a role was taken away may be saved after it
    NEW.rights_version := greatest(NEW.rights_version, OLD.rights_version)
        + ((OLD.is_superuser, OLD.is_staff, OLD.is_active)
            IS DISTINCT FROM (NEW.is_superuser, NEW.is_staff, NEW.is_active))::int;
    RETURN NEW;
END $$;
CREATE TRIGGER count_rights BEFORE UPDATE ON registry_staffmember
    FOR EACH ROW EXECUTE FUNCTION registry_count_rights();

CREATE FUNCTION registry_rights_of_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE registry_staffmember SET rights_version = rights_version + 1 WHERE id IN (
        SELECT staffmember_id FROM registry_staffmember_groups
        WHERE group_id IN (
            (to_jsonb(NEW) ->> 'group_id')::int, (to_jsonb(OLD) ->> 'group_id')::int
        )
    );
    RETURN NULL;
END $$;
CREATE TRIGGER count_rights AFTER INSERT OR UPDATE OR DELETE ON auth_group_permissions
    FOR EACH ROW EXECUTE FUNCTION registry_rights_of_group();

CREATE FUNCTION registry_rights_of_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE registry_staffmember SET rights_version = rights_version + 1 WHERE id IN (
        coalesce(to_jsonb(NEW) ->> 'staffmember_id', to_jsonb(NEW) ->> 'person_id')::bigint,
        coalesce(to_jsonb(OLD) ->> 'staffmember_id', to_jsonb(OLD) ->> 'person_id')::bigint
    );
    RETURN NULL;
END $$;
CREATE TRIGGER count_rights AFTER INSERT OR UPDATE OR DELETE ON registry_staffmember_groups
    FOR EACH ROW EXECUTE FUNCTION registry_rights_of_person();
CREATE TRIGGER count_rights AFTER INSERT OR UPDATE OR DELETE ON registry_staffmember_user_permissions
    FOR EACH ROW EXECUTE FUNCTION registry_rights_of_person();
CREATE TRIGGER count_rights AFTER INSERT OR DELETE ON registry_passkey
    FOR EACH ROW EXECUTE FUNCTION registry_rights_of_person();
CREATE TRIGGER count_rights AFTER INSERT OR DELETE ON registry_recoverycode
    FOR EACH ROW EXECUTE FUNCTION registry_rights_of_person();
CREATE TRIGGER count_rights_added AFTER UPDATE ON registry_authenticator
    FOR EACH ROW WHEN (OLD.confirmed_at IS DISTINCT FROM NEW.confirmed_at)
    EXECUTE FUNCTION registry_rights_of_person();
CREATE TRIGGER count_rights_removed AFTER DELETE ON registry_authenticator
    FOR EACH ROW WHEN (OLD.confirmed_at IS NOT NULL) EXECUTE FUNCTION registry_rights_of_person();
"""
EVIDENCE = """
CALL registry_make_evidence('registry_auditseal');
CALL registry_make_evidence('registry_historicalaccesssettings');
CALL registry_make_evidence('registry_historicalreplytemplate');

CREATE TRIGGER evidence_row BEFORE UPDATE OR DELETE ON registry_auditverification
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON registry_auditverification
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_auditverification ENABLE ALWAYS TRIGGER evidence_row;
ALTER TABLE registry_auditverification ENABLE ALWAYS TRIGGER never_emptied;
REVOKE DELETE, TRUNCATE ON registry_auditverification FROM registry_app;

-- Who took which list is evidence; only its way to the end moves on.
CREATE TRIGGER what_was_asked BEFORE UPDATE ON registry_dataexport FOR EACH ROW
    WHEN ((OLD.number, OLD.kind, OLD.purpose_id, OLD.reason, OLD.people, OLD.requested_by_id, OLD.requested_at)
        IS DISTINCT FROM
        (NEW.number, NEW.kind, NEW.purpose_id, NEW.reason, NEW.people, NEW.requested_by_id, NEW.requested_at))
    EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON registry_dataexport
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON registry_dataexport
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_dataexport ENABLE ALWAYS TRIGGER what_was_asked;
ALTER TABLE registry_dataexport ENABLE ALWAYS TRIGGER never_deleted;
ALTER TABLE registry_dataexport ENABLE ALWAYS TRIGGER never_emptied;
REVOKE DELETE, TRUNCATE ON registry_dataexport FROM registry_app;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0008_console"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [migrations.RunSQL(SESSIONS), migrations.RunSQL(EVIDENCE)]
