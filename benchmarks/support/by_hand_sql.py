"""The statements behind benchmarks.support.by_hand, one for each table that is written."""

COUNT_ATTEMPT = """
INSERT INTO consent_attempt AS attempt (key, count, expires_at) VALUES (%(key)s, 1, %(now)s + %(window)s)
ON CONFLICT (key) DO UPDATE SET (count, expires_at) = (
    SELECT CASE WHEN is_open THEN attempt.count + 1 ELSE 1 END,
        CASE WHEN is_open THEN attempt.expires_at ELSE excluded.expires_at END
    FROM (SELECT attempt.expires_at > %(now)s AND attempt.expires_at <= %(now)s + 2 * %(window)s AS is_open) standing
)
RETURNING count
"""
# --- unsubscribing ------------------------------------------------------------------------------------------------
TAKE_PERSON = """
SELECT person.reference, person.language, operator.site
FROM registry_retentiondue due JOIN registry_datasubject person ON person.id = due.subject_id, registry_operator operator
WHERE due.subject_id = %(person)s FOR UPDATE OF due
"""
AGREED = """
SELECT processing.id AS processing, purpose.code, purpose.name_kk, head.place, head.digest,
    CASE WHEN purpose.clock = 'withdrawn' THEN greatest(%(now)s, processing.began_at) ELSE processing.term_from END
        AS term_from,
    CASE WHEN purpose.clock = 'withdrawn'
        THEN registry_end_of_term(greatest(%(now)s, processing.began_at), purpose.term_value, purpose.term_unit)
        ELSE greatest(%(now)s, processing.began_at)
    END AS lapses_at
FROM registry_processing processing JOIN registry_processingpurpose purpose ON purpose.id = processing.purpose_id,
    LATERAL (
        SELECT place, digest FROM consent_consentrecord WHERE subject_id = processing.subject_id AND place IS NOT NULL
        ORDER BY place DESC LIMIT 1
    ) head
WHERE processing.subject_id = %(person)s AND processing.purpose_id = %(purpose)s AND processing.state = 'open'
    AND (processing.lapses_at IS NULL OR processing.lapses_at > %(now)s)
    AND EXISTS (
        SELECT FROM consent_consentrecord record WHERE record.subject_id = processing.subject_id
            AND record.purpose_id = processing.purpose_id AND record.act IN ('given', 'confirmed')
    )
"""
HISTORY = "id, state, began_at, lapses_at, term_from, rule_version, channel, paused_at, third_parties, cross_border, \
public_sources, subject_id, purpose_id"
END = f"""
WITH ended AS (
    UPDATE registry_processing SET state = 'withdrawn', term_from = %(term_from)s, lapses_at = %(lapses_at)s
    WHERE id = %(processing)s RETURNING *
)
INSERT INTO registry_historicalprocessing ({HISTORY}, history_date, history_type) SELECT {HISTORY}, %(now)s, '~' FROM ended
"""
FOR_THE_LEDGER = """
INSERT INTO registry_ledgerqueue (kind, numbers, at) VALUES ('withdrawn', ARRAY[%(processing)s::bigint], %(now)s)
"""
WITHDRAWN = """
INSERT INTO consent_consentrecord (subject_id, purpose_id, act, at, language, channel, site, third_parties, cross_border,
    public_sources, place, digest)
VALUES (%(person)s, %(purpose)s, 'withdrawn', %(now)s, %(language)s, 'one_click', %(site)s, false, false, false, %(place)s,
    %(digest)s)
"""
ANSWERED = "UPDATE consent_campaignmember SET answered_at = %(now)s WHERE subject_id = %(person)s AND answered_at IS NULL"
AUDIT = """
INSERT INTO registry_auditentry (at, system, operation, subject_id, object_type, object_id, reason)
VALUES (%(now)s, %(system)s, %(operation)s, %(person)s, 'registry.datasubject', %(person)s, '')
"""
REFRESH_DUE = """
UPDATE registry_retentiondue SET due_at = (SELECT min(until) FROM registry_datumterm WHERE subject_id = %(person)s)
WHERE subject_id = %(person)s
"""
# --- consent ------------------------------------------------------------------------------------------------------
WAIT_FOR_EQUALS = "SELECT pg_advisory_xact_lock(%(lock)s)"
CLAIMED = """
SELECT subject_id FROM registry_personaldatum WHERE index = %(index)s AND standing = 'claimed' AND superseded_at IS NULL
"""
OFFER = """
SELECT purpose.id AS purpose, wording.id AS wording, wording.digest AS shown, operator.site, email.id AS email,
    technical.id AS technical, waiting.id AS waiting, waiting.rule_version AS waiting_rule, proof.id AS proof,
    proof.rule_version AS proof_rule,
    registry_end_of_term(%(now)s, waiting.term_value, waiting.term_unit) AS waiting_end,
    registry_end_of_term(%(now)s, proof.term_value, proof.term_unit) AS proof_end,
    nextval('registry_personaldatum_id_seq') AS claim, nextval('registry_personaldatum_id_seq') AS evidence
FROM registry_processingpurpose purpose
JOIN registry_processingpurpose_categories needs ON needs.processingpurpose_id = purpose.id
JOIN registry_datacategory email ON email.id = needs.datacategory_id AND email.code = 'email'
JOIN registry_datacategory technical ON technical.code = 'technical'
JOIN registry_processingpurpose waiting ON waiting.code = 'confirmation'
JOIN registry_processingpurpose proof ON proof.code = 'consent-evidence'
    AND (proof.closes_at IS NULL OR proof.closes_at > %(now)s),
    registry_operator operator,
    LATERAL (
        SELECT id FROM consent_policyversion WHERE state = 'published' AND effective_at <= %(now)s
        ORDER BY effective_at DESC, number DESC LIMIT 1
    ) policy,
    LATERAL (
        SELECT id, digest FROM consent_wording
        WHERE purpose_id = purpose.id AND policy_id = policy.id AND language = %(language)s ORDER BY version DESC LIMIT 1
    ) wording
WHERE purpose.code = %(code)s AND purpose.is_public AND purpose.ground_id IS NULL
    AND (purpose.opens_at IS NULL OR purpose.opens_at <= %(now)s)
    AND (purpose.closes_at IS NULL OR purpose.closes_at > %(now)s)
"""
NEW_PERSON = """
INSERT INTO registry_datasubject (reference, language, status, created_at)
VALUES (%(reference)s, %(language)s, 'pending', %(now)s) RETURNING id
"""
NEW_DUE = "INSERT INTO registry_retentiondue (subject_id) VALUES (%(person)s)"
NEW_DATA = """
INSERT INTO registry_personaldatum (id, subject_id, category_id, sealed, index, source, standing, recorded_at)
VALUES (%(claim)s, %(person)s, %(email)s, %(sealed_claim)s, %(index)s, 'subject', 'claimed', %(now)s),
    (%(evidence)s, %(person)s, %(technical)s, %(sealed_evidence)s, %(evidence_index)s, 'subject', 'stated', %(now)s)
"""
NEW_KEYS = """
INSERT INTO registry_datumkey (datum_id, wrapped)
VALUES (%(claim)s, %(wrapped_claim)s), (%(evidence)s, %(wrapped_evidence)s)
"""
OPEN = f"""
WITH opened AS (
    INSERT INTO registry_processing (subject_id, purpose_id, state, began_at, term_from, lapses_at, channel, rule_version,
        third_parties, cross_border, public_sources)
    VALUES (%(person)s, %(waiting)s, 'open', %(now)s, %(now)s, %(waiting_end)s, '', %(waiting_rule)s, false, false, false),
        (%(person)s, %(proof)s, 'open', %(now)s, %(now)s, %(proof_end)s, '', %(proof_rule)s, false, false, false)
    RETURNING *
)
INSERT INTO registry_historicalprocessing ({HISTORY}, history_date, history_type) SELECT {HISTORY}, %(now)s, '+' FROM opened
"""
NEW_QUESTION = """
INSERT INTO consent_confirmation (subject_id, way, language, asked_at, expires_at, answer)
VALUES (%(person)s, 'link', %(language)s, %(now)s, %(waiting_end)s, 'waiting') RETURNING id
"""
ASKED = """
INSERT INTO consent_consentrecord (subject_id, purpose_id, act, at, language, channel, site, wording_id, confirmation_id,
    third_parties, cross_border, public_sources, evidence_id, place, digest)
VALUES (%(person)s, %(purpose)s, 'asked', %(now)s, %(language)s, 'page', %(site)s, %(wording)s, %(question)s,
    false, false, false, %(evidence)s, %(place)s, %(digest)s)
"""
LETTER = """
INSERT INTO registry_outgoingmessage (letter, about_id, subject_id, datum_id, purpose_id, language, state, attempts,
    queued_at, next_try_at, last_error)
VALUES ('confirm', %(question)s, %(person)s, %(claim)s, %(waiting)s, %(language)s, 'queued', 0, %(now)s, %(now)s, '')
"""
# --- policy -------------------------------------------------------------------------------------------------------
POLICY = """
SELECT policy.number, policy.text_kk, policy.digest_kk, operator.legal_name_kk, operator.bin, operator.contact_email
FROM consent_policyversion policy, registry_operator operator
WHERE policy.state = 'published' AND policy.effective_at <= %(now)s
ORDER BY policy.effective_at DESC, policy.number DESC LIMIT 1
"""
HELD_FOR = """
SELECT purpose.name_kk, purpose.description_kk, ground.act_kk, ground.article, purpose.term_value, purpose.term_unit,
    (SELECT string_agg(category.name_kk, ', ' ORDER BY category.id) FROM registry_processingpurpose_categories needs
        JOIN registry_datacategory category ON category.id = needs.datacategory_id
        WHERE needs.processingpurpose_id = purpose.id)
FROM registry_processingpurpose purpose LEFT JOIN registry_legalground ground ON ground.id = purpose.ground_id
WHERE (purpose.opens_at IS NULL OR purpose.opens_at <= %(now)s) AND (purpose.closes_at IS NULL OR purpose.closes_at > %(now)s)
ORDER BY purpose.position, purpose.id
"""
