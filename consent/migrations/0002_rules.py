"""What was asked, answered and published can't be changed afterwards, whoever asks the database to."""

from django.db import migrations

EVIDENCE = """
CALL registry_make_evidence('consent_consentrecord');
CALL registry_make_evidence('consent_wording');
CALL registry_make_evidence('consent_historicalpolicyversion');

CREATE TRIGGER published_policy BEFORE UPDATE OR DELETE ON consent_policyversion
    FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER published_policies BEFORE TRUNCATE ON consent_policyversion
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE consent_policyversion ENABLE ALWAYS TRIGGER published_policy;
ALTER TABLE consent_policyversion ENABLE ALWAYS TRIGGER published_policies;
"""


class Migration(migrations.Migration):
    dependencies = [("consent", "0001_initial"), ("registry", "0002_rules")]

    operations = [migrations.RunSQL(EVIDENCE)]
