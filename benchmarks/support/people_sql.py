"""The statements behind benchmarks.support.people, each for the people from %(first)s to %(last)s."""

# bench.person.kind says what about a person is due at bench.moment; every table that follows is made from it.
SECONDARY_INDEXES = """
SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid::regclass::text IN ('registry_personaldatum', 'registry_processing', 'registry_historicalprocessing',
        'registry_auditentry', 'registry_erasurerecord', 'registry_retentiondue', 'registry_datasubject')
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    AND pg_get_indexdef(indexrelid) NOT LIKE '%registry_personaldatum%(subject_id)'
"""
SCRATCH = """
CREATE SCHEMA bench;
CREATE TABLE bench.moment AS SELECT date_trunc('second', clock_timestamp()) AS now;
CREATE FUNCTION bench.noise(seed bigint, salt int, size int) RETURNS bytea LANGUAGE sql IMMUTABLE
    RETURN substr(sha512(int8send(seed) || int4send(salt)) || sha512(int4send(salt) || int8send(seed)), 1, size);
CREATE TABLE bench.person (
    id bigint PRIMARY KEY, kind text NOT NULL, began timestamptz NOT NULL, is_held boolean, is_blocked boolean
);
GRANT USAGE ON SCHEMA bench TO registry_app;
GRANT SELECT ON ALL TABLES IN SCHEMA bench TO registry_app;
"""
CATALOGUE = """
INSERT INTO registry_datacategory (id, code, kind, name_kk, name_ru, name_en, order_number)
VALUES (901, 'bench-email', 'email', '-', '-', '-', ''), (902, 'bench-phone', 'phone', '-', '-', '-', '');
INSERT INTO registry_processingpurpose (id, code, clause, position, name_kk, name_ru, name_en, description_kk,
    description_ru, description_en, is_public, third_parties, cross_border, public_sources, clock, term_value, term_unit,
    outcome, rule_version)
SELECT id, 'bench-' || code, '', 0, '-', '-', '-', '', '', '', true, 'no', 'no', 'no', 'consent_given', months, 'months',
    outcome, 1
FROM (VALUES (901, 'news', 24, 'destroy'), (902, 'messages', 12, 'destroy'), (903, 'quality', 6, 'depersonalise'),
    (904, 'confirmation', 1, 'destroy')) purpose (id, code, months, outcome);
INSERT INTO registry_retentionsettings (id, brake_people, brake_share, brake_share_from, brake_gap_hours,
    approval_hours, quarantine_days, smallest_cell, suppression_months, backup_days, superseded_days)
VALUES (1, 2000000000, 100, 20, 72, 24, 7, 5, 36, 30, 30);
INSERT INTO registry_processingpurpose_categories (processingpurpose_id, datacategory_id)
VALUES (901, 901), (902, 902), (903, 901), (904, 901);
INSERT INTO registry_legalground (id, code, act_kk, act_ru, act_en, article, title_kk, title_ru, title_en, note,
    is_reviewed)
VALUES (901, 'bench-hold', '-', '-', '-', '', '-', '-', '-', '', false);
"""
PERSON = """
INSERT INTO bench.person
SELECT id,
    CASE
        WHEN id BETWEEN %(people)s / 4 AND %(people)s / 4 + %(lapsed)s::bigint * 42 / 80 AND mod(id, 5) <> 0 THEN 'over'
        WHEN id > %(people)s - %(lapsed)s / 10 THEN 'unconfirmed'
        WHEN mod(id, %(people)s::bigint * 100 / (%(lapsed)s::bigint * 33)) = 0 THEN 'withdrawn'
        WHEN mod(id, %(people)s::bigint * 100 / (%(lapsed)s::bigint * 15)) = 1 THEN 'superseded'
        ELSE 'kept'
    END,
    now - interval '700 days' * (1 - id::float8 / %(people)s) - interval '5 days',
    mod(id, 200) = 7, mod(id, 500) = 3
FROM generate_series(%(first)s::bigint, %(last)s::bigint) id, bench.moment
"""
SUBJECT = """
INSERT INTO registry_datasubject (id, reference, language, status, created_at)
SELECT id, 'DS-' || substr(code, 1, 4) || '-' || substr(code, 5), CASE mod(id, 4) WHEN 0 THEN 'ru' ELSE 'kk' END,
    CASE WHEN is_blocked THEN 'blocked' WHEN kind = 'unconfirmed' THEN 'pending' ELSE 'active' END, began
FROM bench.person, LATERAL (SELECT upper(lpad(to_hex(mod(id * 2654435761, 4294967296)), 8, '0')) AS code)
WHERE id BETWEEN %(first)s AND %(last)s ORDER BY id
"""
# Slots: 0 the e-mail address, 1 a phone for four of five, 2 a replaced value for two of five.
DATUM = """
INSERT INTO registry_personaldatum (id, sealed, index, source, standing, recorded_at, confirmed_at, superseded_at,
    keep_until, category_id, subject_id)
SELECT person.id * 4 + slot, bench.noise(person.id, slot, %(sealed)s), bench.noise(person.id, slot + 4, 32), 'subject',
    CASE WHEN slot > 0 THEN 'stated' WHEN kind = 'unconfirmed' THEN 'claimed' ELSE 'confirmed' END, began,
    CASE WHEN slot = 0 AND kind <> 'unconfirmed' THEN began END, CASE WHEN slot = 2 THEN began END,
    CASE WHEN slot = 2
        THEN now + interval '1 minute' * CASE kind WHEN 'superseded' THEN -mod(person.id * 7919, 1440) ELSE 300000 END
    END,
    CASE WHEN slot = 1 THEN 902 ELSE 901 END, person.id
FROM bench.person, bench.moment, generate_series(0, 2) slot
WHERE person.id BETWEEN %(first)s AND %(last)s
    AND CASE slot
        WHEN 0 THEN true
        WHEN 1 THEN kind = 'withdrawn' OR kind <> 'unconfirmed' AND mod(person.id, 5) <> 4
        ELSE kind = 'superseded' OR kind <> 'unconfirmed' AND mod(person.id, 5) IN (1, 2)
    END
ORDER BY person.id, slot
"""
KEY = """
INSERT INTO registry_datumkey (datum_id, wrapped)
SELECT id, bench.noise(id, 9, %(wrapped)s) FROM registry_personaldatum
WHERE subject_id BETWEEN %(first)s AND %(last)s ORDER BY id
"""
# Slots: 0 news (e-mail), 1 messages (phone), 2 quality (e-mail), over long ago, for half of the people.
PROCESSING = """
INSERT INTO registry_processing (id, state, began_at, term_from, lapses_at, rule_version, channel, third_parties,
    cross_border, public_sources, subject_id, purpose_id)
SELECT person.id * 4 + slot, CASE WHEN kind = 'withdrawn' AND slot = 1 THEN 'withdrawn' ELSE 'open' END, began, began,
    CASE
        WHEN kind IN ('over', 'unconfirmed') THEN date_trunc('day', now) - interval '1 second' * slot
        WHEN kind = 'withdrawn' AND slot = 1 THEN now - interval '1 minute' * mod(person.id * 7919, 1440)
        WHEN slot = 2 THEN began + interval '3 days'
        ELSE greatest(began, now) + interval '1 day' * (1 + mod(person.id, 300))
    END, 1, CASE mod(person.id, 3) WHEN 0 THEN 'link' ELSE 'page' END, false, false, false, person.id,
    CASE WHEN kind = 'unconfirmed' THEN 904 ELSE 901 + slot END
FROM bench.person, bench.moment, generate_series(0, 2) slot
WHERE person.id BETWEEN %(first)s AND %(last)s
    AND (slot = 0 OR kind <> 'unconfirmed' AND (slot = 1 OR mod(person.id, 2) = 0))
ORDER BY person.id, slot
"""
HISTORY = """
INSERT INTO registry_historicalprocessing (id, state, began_at, lapses_at, rule_version, third_parties, cross_border,
    public_sources, history_date, history_type, subject_id, purpose_id)
SELECT id, state, began_at, lapses_at, rule_version, third_parties, cross_border, public_sources,
    began_at + interval '1 day' * step, CASE step WHEN 0 THEN '+' ELSE '~' END, subject_id, purpose_id
FROM registry_processing, generate_series(0, 1) step
WHERE subject_id BETWEEN %(first)s AND %(last)s ORDER BY step, id
"""
AUDIT = """
INSERT INTO registry_auditentry (at, system, operation, subject_id, object_type, object_id, reason)
SELECT began, 'page', operation, id, 'registry.datasubject', id, ''
FROM bench.person, (VALUES ('collect'), ('consent')) act (operation)
WHERE id BETWEEN %(first)s AND %(last)s ORDER BY id
"""
ERASED_BEFORE = """
INSERT INTO registry_erasurerecord (datum_id, subject_id, category_id, ground, at)
SELECT id * 4 + 3, id, 902, 'superseded', began FROM bench.person
WHERE id BETWEEN %(first)s AND %(last)s AND mod(id, 10) = 5 ORDER BY id
"""
HOLD = """
INSERT INTO registry_legalhold (reason, placed_at, until, ground_id, subject_id)
SELECT 'claim in court', began, CASE WHEN mod(id, 400) = 7 THEN now + interval '90 days' END, 901, id
FROM bench.person, bench.moment WHERE is_held AND id BETWEEN %(first)s AND %(last)s
"""
RETENTION_DUE = """
INSERT INTO registry_retentiondue (subject_id, due_at)
SELECT person.id, (SELECT min(until) FROM registry_datumterm term WHERE term.subject_id = person.id)
FROM bench.person WHERE id BETWEEN %(first)s AND %(last)s ORDER BY id
"""
SEQUENCES = """
SELECT setval(pg_get_serial_sequence(name, 'id'), (SELECT max(id) * 4 + 4 FROM registry_datasubject))
FROM (VALUES ('registry_datasubject'), ('registry_personaldatum'), ('registry_processing'), ('registry_datacategory'),
    ('registry_processingpurpose'), ('registry_legalground')) made (name)
"""
# What a right purge destroys, written down before anything is measured.
EXPECTED = """
CREATE TABLE bench.expected AS
SELECT datum_id, subject_id, category_id, purpose_id, rule_version, ground
FROM registry_datumterm, bench.moment WHERE until <= now;
CREATE TABLE bench.count AS
SELECT count(DISTINCT subject_id) AS subjects, count(*) AS data,
    (SELECT count(*) FROM registry_personaldatum) AS all_data,
    (SELECT max(id) FROM registry_erasurerecord) AS last_record,
    (SELECT max(id) FROM registry_auditentry) AS last_entry
FROM bench.expected;
GRANT SELECT ON ALL TABLES IN SCHEMA bench TO registry_app;
"""
