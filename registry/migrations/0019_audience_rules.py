"""What was handed out by key, and what a mailing list was told, stays as it was."""

import django.db.models.deletion
from django.db import migrations, models

RULES = """
DROP TRIGGER what_was_asked ON registry_transfer;
CREATE TRIGGER what_was_asked BEFORE UPDATE ON registry_transfer FOR EACH ROW
    WHEN ((OLD.number, OLD.recipient_id, OLD.country, OLD.ground, OLD.purpose_id, OLD.categories, OLD.is_cross_border,
            OLD.request_number, OLD.requested_on, OLD.article, OLD.incident_id, OLD.reason, OLD.format, OLD.with_links,
            OLD.key_id, OLD.requested_by_id, OLD.requested_at)
        IS DISTINCT FROM
        (NEW.number, NEW.recipient_id, NEW.country, NEW.ground, NEW.purpose_id, NEW.categories, NEW.is_cross_border,
            NEW.request_number, NEW.requested_on, NEW.article, NEW.incident_id, NEW.reason, NEW.format, NEW.with_links,
            NEW.key_id, NEW.requested_by_id, NEW.requested_at)
        OR OLD.state IN ('refused', 'taken', 'destroyed', 'cancelled', 'failed'))
    EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_transfer ENABLE ALWAYS TRIGGER what_was_asked;

-- A key is what was said once, until a day. Only its use and its end are added; it is revoked once and for ever.
CREATE TRIGGER key_stays BEFORE UPDATE ON registry_recipientkey FOR EACH ROW
    WHEN ((OLD.id, OLD.recipient_id, OLD.prefix, OLD.digest, OLD.made_at, OLD.made_by_id, OLD.expires_at)
        IS DISTINCT FROM (NEW.id, NEW.recipient_id, NEW.prefix, NEW.digest, NEW.made_at, NEW.made_by_id, NEW.expires_at)
        OR OLD.revoked_at IS NOT NULL)
    EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON registry_recipientkey
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON registry_recipientkey
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_recipientkey ENABLE ALWAYS TRIGGER key_stays;
ALTER TABLE registry_recipientkey ENABLE ALWAYS TRIGGER never_deleted;
ALTER TABLE registry_recipientkey ENABLE ALWAYS TRIGGER never_emptied;
REVOKE DELETE, TRUNCATE ON registry_recipientkey FROM registry_app;

-- Whose place it is stays; cursors only grow. Whoever is in a list is not forgotten: only "out" goes after its term,
-- and leaves behind how far back the list is known.
CREATE FUNCTION registry_check_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT OLD.is_in THEN
        INSERT INTO registry_audiencehorizon AS horizon (recipient_id, purpose_id, sequence)
            VALUES (OLD.recipient_id, OLD.purpose_id, OLD.sequence)
            ON CONFLICT (recipient_id, purpose_id)
            DO UPDATE SET sequence = greatest(horizon.sequence, excluded.sequence);
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' AND (OLD.id, OLD.recipient_id, OLD.purpose_id, OLD.subject_id)
            IS NOT DISTINCT FROM (NEW.id, NEW.recipient_id, NEW.purpose_id, NEW.subject_id)
        AND NEW.sequence >= OLD.sequence AND (NEW.is_in = OLD.is_in OR NEW.sequence > OLD.sequence)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a place in a mailing list stays until it is out' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER place_stays BEFORE UPDATE OR DELETE ON registry_audienceentry
    FOR EACH ROW EXECUTE FUNCTION registry_check_place();
ALTER TABLE registry_audienceentry ENABLE ALWAYS TRIGGER place_stays;
CREATE TRIGGER place_stays_table BEFORE TRUNCATE ON registry_audienceentry
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
ALTER TABLE registry_audienceentry ENABLE ALWAYS TRIGGER place_stays_table;
REVOKE TRUNCATE ON registry_audienceentry FROM registry_app;
"""
STATES = [
    ("waiting", "waits for a second person"),
    ("refused", "refused"),
    ("building", "being built"),
    ("ready", "ready to be fetched"),
    ("sending", "being sent to a program"),
    ("taken", "fetched"),
    ("destroyed", "file destroyed"),
    ("cancelled", "cancelled"),
    ("failed", "failed"),
]


class Migration(migrations.Migration):
    dependencies = [("registry", "0018_audience")]

    operations = [
        migrations.AlterField("transfer", "state", models.CharField("state", max_length=10, choices=STATES)),
        migrations.AddField(
            "transfer",
            "key",
            models.ForeignKey(
                "registry.recipientkey",
                django.db.models.deletion.PROTECT,
                null=True,
                related_name="transfers",
                verbose_name="fetched with the key",
            ),
        ),
        migrations.AddField("audienceentry", "in_since", models.BigIntegerField("cursor of coming in", db_default=0)),
        migrations.CreateModel(
            "AudienceHorizon",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.BigIntegerField(verbose_name="cursor")),
                (
                    "recipient",
                    models.ForeignKey(
                        "registry.recipient",
                        django.db.models.deletion.PROTECT,
                        related_name="+",
                        verbose_name="recipient",
                    ),
                ),
                (
                    "purpose",
                    models.ForeignKey(
                        "registry.processingpurpose",
                        django.db.models.deletion.PROTECT,
                        related_name="+",
                        verbose_name="processing purpose",
                    ),
                ),
            ],
            options={"default_permissions": ()},
        ),
        migrations.AddConstraint(
            "audiencehorizon",
            models.UniqueConstraint(fields=("recipient", "purpose"), name="one_horizon_a_list"),
        ),
        migrations.AddConstraint(
            "audienceentry",
            models.CheckConstraint(
                condition=models.Q(is_in=True, datum_id__isnull=False) | models.Q(is_in=False, datum_id=None),
                name="who_is_out_has_no_contact",
            ),
        ),
        migrations.AddConstraint(
            "recipient",
            models.CheckConstraint(
                condition=~models.Q(kind="own") | models.Q(country="KZ"), name="own_system_is_at_home"
            ),
        ),
        migrations.AddConstraint(
            "transfer",
            models.CheckConstraint(
                condition=~models.Q(ground="o") | models.Q(country="KZ", is_cross_border=False),
                name="own_mailing_stays_at_home",
            ),
        ),
        migrations.AddConstraint(
            "transfer",
            models.CheckConstraint(
                condition=models.Q(with_links=False) | models.Q(ground__in=["a", "o"]),
                name="links_are_for_those_who_agreed",
            ),
        ),
        migrations.AddConstraint(
            "transfer",
            models.CheckConstraint(
                condition=~models.Q(state="sending") | models.Q(key__isnull=False, expires_at__isnull=False),
                name="programs_fetch_with_a_key",
            ),
        ),
        migrations.RunSQL(RULES, migrations.RunSQL.noop),
    ]
