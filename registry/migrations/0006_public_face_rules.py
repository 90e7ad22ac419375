"""What is asked of people says everything; history of countries and recipients is evidence."""

from django.db import migrations, models

# So far every consent text said: not given to third parties, not sent abroad, not published.
STATED = """
UPDATE registry_processingpurpose SET third_parties = 'no', cross_border = 'no', public_sources = 'no'
WHERE third_parties = ''
"""
EVIDENCE = """
CALL registry_make_evidence('registry_historicalcountry');
CALL registry_make_evidence('registry_historicalrecipient');
CALL registry_make_evidence('registry_historicalprocessingpurpose_recipients');
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_public_face")]

    operations = [
        migrations.RunSQL(STATED, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="processingpurpose",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_public", False),
                    models.Q(
                        models.Q(("third_parties", ""), _negated=True),
                        models.Q(("cross_border", ""), _negated=True),
                        models.Q(("public_sources", ""), _negated=True),
                        models.Q(("name_ru", ""), _negated=True),
                        models.Q(("name_en", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="public_purpose_leaves_nothing_open",
            ),
        ),
        migrations.RunSQL(EVIDENCE),
    ]
