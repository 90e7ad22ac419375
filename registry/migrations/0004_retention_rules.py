"""Terms with every clock, the definition of "due" with demanded erasures and closed purposes, and what the database
itself holds about previews, changes of rules and certificates."""

from django.db import migrations

# A term ends at 24:00 local time of its last day. registry.deadlines says the same of one date; a property test holds
# both together. The zone is that of settings.TIME_ZONE (a test says so).
TERMS = """
CREATE FUNCTION registry_end_of_day(day date) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (day + 1)::timestamp AT TIME ZONE 'Asia/Almaty'
$$;
CREATE FUNCTION registry_end_of_term(began timestamptz, term int, unit text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT registry_end_of_day(((began AT TIME ZONE 'Asia/Almaty')::date
        + CASE unit WHEN 'months' THEN make_interval(months => term) ELSE make_interval(days => term) END)::date)
$$;
CREATE FUNCTION registry_lapse(clock text, began timestamptz, term int, unit text, ends_on date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE clock WHEN 'fixed' THEN registry_end_of_day(ends_on) ELSE registry_end_of_term(began, term, unit) END
$$;
UPDATE registry_processing SET term_from = began_at FROM registry_processingpurpose purpose
    WHERE purpose.id = purpose_id AND purpose.clock IN ('consent_given', 'asked');
UPDATE registry_processing SET term_from = lapses_at FROM registry_processingpurpose purpose
    WHERE purpose.id = purpose_id AND purpose.clock = 'closed' AND state <> 'open';
"""

# Until when each datum is kept. `until` is null where no end is known. A blocked person's data stay (Law 94-V art. 1:
# blocking suspends destruction), a hold postpones the end, the longest purpose wins. `keep_until` is a datum's own end:
# of a superseded one, and of one whose erasure was demanded while a hold stood on it. A purpose that is closed ends its
# processing, with the term that closing starts where that is its clock. The status is asked for row by row: joined, the
# planner would read all people for every portion of a few thousand.
DATUM_TERM = """
DROP VIEW registry_datumterm;
CREATE VIEW registry_datumterm AS
SELECT datum.id AS datum_id, datum.subject_id, datum.category_id, keeper.purpose_id, keeper.rule_version,
    CASE
        WHEN datum.superseded_at IS NOT NULL THEN 'superseded'
        WHEN datum.keep_until IS NOT NULL THEN 'on_demand'
        WHEN keeper.state IS NULL THEN 'no_purpose'
        WHEN keeper.state = 'withdrawn' THEN 'withdrawn'
        WHEN keeper.state = 'closed' OR keeper.until >= keeper.closes_at THEN 'closed'
        WHEN datum.standing = 'claimed' THEN 'unconfirmed'
        ELSE 'term_over'
    END AS ground,
    hold.until AS held_until,
    nullif(
        greatest(
            least(coalesce(keeper.until, datum.recorded_at), datum.keep_until),
            hold.until,
            CASE
                WHEN (SELECT status FROM registry_datasubject subject WHERE subject.id = datum.subject_id) = 'blocked'
                THEN 'infinity'::timestamptz
            END
        ),
        'infinity'
    ) AS until
FROM registry_personaldatum datum
LEFT JOIN LATERAL (
    SELECT processing.purpose_id, processing.rule_version, processing.state, purpose.closes_at,
        least(coalesce(processing.lapses_at, 'infinity'), CASE
            WHEN purpose.clock = 'purpose_closed'
            THEN registry_end_of_term(purpose.closes_at, purpose.term_value, purpose.term_unit)
            WHEN processing.state = 'open' THEN purpose.closes_at
        END) AS until
    FROM registry_processing processing
    JOIN registry_processingpurpose purpose ON purpose.id = processing.purpose_id
    JOIN registry_processingpurpose_categories needs
        ON needs.processingpurpose_id = processing.purpose_id AND needs.datacategory_id = datum.category_id
    WHERE processing.subject_id = datum.subject_id
    ORDER BY 5 DESC, processing.state DESC, processing.purpose_id
    LIMIT 1
) keeper ON true
LEFT JOIN LATERAL (
    SELECT max(coalesce(legalhold.until, 'infinity')) AS until
    FROM registry_legalhold legalhold
    WHERE legalhold.subject_id = datum.subject_id AND legalhold.released_at IS NULL
        AND (legalhold.datum_id IS NULL OR legalhold.datum_id = datum.id)
) hold ON true;
GRANT SELECT ON registry_datumterm TO registry_app;
"""

EVIDENCE = """
CALL registry_make_evidence('registry_historicalretentionsettings');
CALL registry_make_evidence('registry_historicalselfretentionrule');

CREATE TRIGGER finished_certificate BEFORE UPDATE ON registry_erasurecertificate
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION registry_refuse_change();

-- What was previewed stays what it was: an approval is bound to it. Who asked, approved and carried out is not rewritten.
CREATE TRIGGER frozen_preview BEFORE UPDATE ON registry_purgepreview FOR EACH ROW
    WHEN (OLD.digest <> '' AND (OLD.taken_at, OLD.as_of, OLD.digest, OLD.subjects, OLD.data)
            IS DISTINCT FROM (NEW.taken_at, NEW.as_of, NEW.digest, NEW.subjects, NEW.data)
        OR OLD.requested_by_id IS NOT NULL AND OLD.requested_by_id IS DISTINCT FROM NEW.requested_by_id
        OR OLD.approved_by_id IS NOT NULL AND OLD.approved_by_id IS DISTINCT FROM NEW.approved_by_id
        OR OLD.executed_by_id IS NOT NULL AND OLD.executed_by_id IS DISTINCT FROM NEW.executed_by_id
        OR OLD.state IN ('refused', 'expired', 'done'))
    EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER frozen_line BEFORE UPDATE ON registry_previewline
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();

CREATE TRIGGER frozen_proposal BEFORE UPDATE ON registry_rulechange FOR EACH ROW
    WHEN ((OLD.purpose_id, OLD.clock, OLD.term_value, OLD.term_unit, OLD.ends_on, OLD.outcome, OLD.reason,
            OLD.requested_by_id, OLD.requested_at) IS DISTINCT FROM
            (NEW.purpose_id, NEW.clock, NEW.term_value, NEW.term_unit, NEW.ends_on, NEW.outcome, NEW.reason,
            NEW.requested_by_id, NEW.requested_at)
        OR OLD.state IN ('refused', 'taken_back', 'in_effect'))
    EXECUTE FUNCTION registry_refuse_change();

-- Decisions about destruction are kept; previews lose only their lines when they are old.
CREATE TRIGGER never_deleted BEFORE DELETE ON registry_erasurecertificate
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON registry_purgepreview
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON registry_rulechange
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON registry_erasurecertificate
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON registry_purgepreview
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON registry_rulechange
    FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change();
REVOKE DELETE, TRUNCATE ON registry_erasurecertificate, registry_purgepreview, registry_rulechange,
    registry_retentionsettings, registry_selfretentionrule, registry_keptcount FROM registry_app;
REVOKE INSERT ON registry_datumterm FROM registry_app;

-- A rule that somebody's data depend on changes only as two people decided.
CREATE FUNCTION registry_refuse_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM registry_processing WHERE purpose_id = OLD.id) AND NOT EXISTS (
        SELECT FROM registry_rulechange change
        WHERE change.purpose_id = OLD.id AND change.state = 'approved'
            AND (change.clock, change.term_value, change.term_unit, change.outcome)
                = (NEW.clock, NEW.term_value, NEW.term_unit, NEW.outcome)
            AND change.ends_on IS NOT DISTINCT FROM NEW.ends_on
    ) THEN
        RAISE EXCEPTION 'the retention rule of purpose % changes by an approved RuleChange only', OLD.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER rule_needs_approval BEFORE UPDATE ON registry_processingpurpose FOR EACH ROW
    WHEN ((OLD.clock, OLD.term_value, OLD.term_unit, OLD.outcome, OLD.ends_on)
        IS DISTINCT FROM (NEW.clock, NEW.term_value, NEW.term_unit, NEW.outcome, NEW.ends_on))
    EXECUTE FUNCTION registry_refuse_rule();

DROP TRIGGER count_rule_version ON registry_processingpurpose;
CREATE TRIGGER count_rule_version BEFORE UPDATE ON registry_processingpurpose FOR EACH ROW
    WHEN ((OLD.clock, OLD.term_value, OLD.term_unit, OLD.outcome, OLD.ends_on)
        IS DISTINCT FROM (NEW.clock, NEW.term_value, NEW.term_unit, NEW.outcome, NEW.ends_on))
    EXECUTE FUNCTION registry_count_rule_version();

DO $$
DECLARE guard record;
BEGIN
    FOR guard IN SELECT tgrelid::regclass AS place, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname IN
        ('finished_certificate', 'frozen_preview', 'frozen_line', 'frozen_proposal', 'never_deleted', 'never_emptied',
         'rule_needs_approval')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', guard.place, guard.tgname);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0003_retention")]

    operations = [migrations.RunSQL(TERMS), migrations.RunSQL(DATUM_TERM), migrations.RunSQL(EVIDENCE)]
