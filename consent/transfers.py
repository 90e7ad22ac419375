"""What consent tells transfers: the consent in force that names a recipient and its country, and the ways out of a
mailing.

The last act of giving counts, with the wording agreed to then: a recipient added to the purpose later is in nobody's
consent until it is asked anew (policy clauses 16, 31). What is in no chain is older than any wording that names a
recipient.
"""

from consent import mailing_links
from registry.transfers import covered_by
from registry.transfers.mailing import links_by

links_by(mailing_links.links_for)

covered_by("""
    SELECT subject_id, record_id FROM (
        SELECT DISTINCT ON (record.subject_id) record.subject_id, record.id AS record_id, record.wording_id
        FROM consent_consentrecord record
        WHERE record.purpose_id = %(purpose)s AND record.act IN ('given', 'confirmed') AND record.place IS NOT NULL
            AND {consents}
        ORDER BY record.subject_id, record.place DESC
    ) latest
    WHERE wording_id = ANY(ARRAY(
        SELECT wording.id FROM consent_wording wording
        WHERE %(recipient)s = ANY(wording.recipients) AND (NOT %(abroad)s OR %(country)s = ANY(wording.countries))
    ))
""")
