"""Receipts and answers stay what they are; counting attempts costs no disk."""

from django.db import migrations

RULES = """
CALL registry_make_evidence('consent_receipt');

-- What was answered, and who entered a paper consent, is not rewritten.
CREATE TRIGGER frozen_answer BEFORE UPDATE ON consent_confirmation FOR EACH ROW
    WHEN (OLD.answer <> 'waiting' OR (OLD.subject_id, OLD.way, OLD.asked_at, OLD.document_digest)
            IS DISTINCT FROM (NEW.subject_id, NEW.way, NEW.asked_at, NEW.document_digest)
        OR OLD.entered_by_id IS DISTINCT FROM NEW.entered_by_id
        OR OLD.representative_id IS NOT NULL AND OLD.representative_id IS DISTINCT FROM NEW.representative_id)
    EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON consent_confirmation
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON consent_confirmation
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();

CREATE TRIGGER frozen_campaign BEFORE UPDATE ON consent_campaign FOR EACH ROW
    WHEN (OLD.state <> 'running' OR (OLD.policy_id, OLD.mode, OLD.wider, OLD.started_at, OLD.started_by_id)
        IS DISTINCT FROM (NEW.policy_id, NEW.mode, NEW.wider, NEW.started_at, NEW.started_by_id))
    EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON consent_campaign
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON consent_campaignmember
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON consent_campaign
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON consent_campaignmember
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
REVOKE DELETE, TRUNCATE ON consent_confirmation, consent_campaign, consent_campaignmember FROM registry_app;

DO $$
DECLARE guard record;
BEGIN
    FOR guard IN SELECT tgrelid::regclass AS place, tgname FROM pg_trigger WHERE NOT tgisinternal
        AND tgname IN ('frozen_answer', 'frozen_campaign', 'never_deleted', 'never_emptied')
        AND tgrelid::regclass::text LIKE 'consent_%'
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', guard.place, guard.tgname);
    END LOOP;
END $$;

ALTER TABLE consent_attempt SET UNLOGGED;
"""


# The texts stored so far name their data; their codes stand beside them from now on. Nothing that was shown changes.
NAMED = """
ALTER TABLE consent_wording DISABLE TRIGGER evidence_row;
UPDATE consent_wording wording SET categories = named.codes
FROM (
    SELECT wording.id, array_agg(category.code ORDER BY category.code) AS codes
    FROM consent_wording wording
    JOIN registry_datacategory category ON position(
        CASE wording.language WHEN 'ru' THEN category.name_ru WHEN 'en' THEN category.name_en ELSE category.name_kk END
        IN wording.text
    ) > 0
    GROUP BY wording.id
) named
WHERE named.id = wording.id AND wording.categories = '{}';
ALTER TABLE consent_wording ENABLE ALWAYS TRIGGER evidence_row;
"""


class Migration(migrations.Migration):
    dependencies = [("consent", "0003_public_face"), ("registry", "0006_public_face_rules")]

    operations = [migrations.RunSQL(NAMED, migrations.RunSQL.noop), migrations.RunSQL(RULES)]
