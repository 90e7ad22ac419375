"""What consent tells the gate of transfers: the consent in force that names a recipient and its country.

The last act of giving counts, with the wording agreed to then: a recipient added to the purpose later is in nobody's
consent until it is asked anew (policy clauses 16, 31).
"""

from registry.transfers import covered_by

covered_by("""
    SELECT latest.id AS record_id FROM (
        SELECT record.id, record.wording_id FROM consent_consentrecord record
        WHERE record.subject_id = processing.subject_id AND record.purpose_id = processing.purpose_id
            AND record.act IN ('given', 'confirmed')
        ORDER BY record.id DESC LIMIT 1
    ) latest
    JOIN consent_wording wording ON wording.id = latest.wording_id
    WHERE %(recipient)s = ANY(wording.recipients) AND (NOT %(abroad)s OR %(country)s = ANY(wording.countries))
""")
