"""Terms of requests: an answered one has its last day, a paused one may be late. Copies handed over at the desk."""

from django.db import migrations, models

SETTLED = """
-- In time or late is told by the last day: one whose clock was paused gets it with its answer.
CREATE TRIGGER request_settled BEFORE UPDATE ON registry_subjectrequest
    FOR EACH ROW WHEN (NEW.state = 'answered' AND NEW.due_on IS NULL) EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_subjectrequest ENABLE ALWAYS TRIGGER request_settled;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0020_condition_rules")]

    operations = [
        migrations.RemoveIndex(model_name="subjectrequest", name="request_queue"),
        migrations.AddIndex(
            model_name="subjectrequest",
            index=models.Index(
                fields=["due_on", "id"],
                condition=models.Q(state__in=["unverified", "open", "paused"]),
                name="request_queue",
            ),
        ),
        migrations.AlterModelOptions(
            name="copypackage",
            options={
                "default_permissions": ("view",),
                "ordering": ["-pk"],
                "permissions": [("hand_over_copypackage", "May hand over copies of people's data at the desk")],
                "verbose_name": "copy of a person's data",
                "verbose_name_plural": "copies of people's data",
            },
        ),
        migrations.RunSQL(SETTLED),
    ]
