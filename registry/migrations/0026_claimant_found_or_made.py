"""Whoever claims an address is found or made by one function: locking, looking and writing were three questions.

Its statements look one after the other, each at what is committed by then: whoever waited for the lock finds whom the
other made.
"""

from django.db import migrations

# A new person comes with the numbers of their first data, because ciphertext is bound to them; a known one without.
CLAIMANT = """
CREATE FUNCTION registry_claimant(address bytea, address_lock bigint, called text, speaks text, moment timestamptz,
    OUT subject bigint, OUT numbers bigint[])
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(address_lock);
    SELECT datum.subject_id INTO subject FROM registry_personaldatum datum
    WHERE datum.index = address AND datum.standing = 'claimed' AND datum.superseded_at IS NULL;
    IF subject IS NULL THEN
        INSERT INTO registry_datasubject (reference, language, status, created_at)
        VALUES (called, speaks, 'pending', moment) RETURNING id INTO subject;
        INSERT INTO registry_retentiondue (subject_id) VALUES (subject);
        numbers := ARRAY[nextval('registry_personaldatum_id_seq'), nextval('registry_personaldatum_id_seq')];
    END IF;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0025_opening_planned_once")]

    operations = [
        migrations.RunSQL(CLAIMANT, "DROP FUNCTION registry_claimant(bytea, bigint, text, text, timestamptz)"),
    ]
