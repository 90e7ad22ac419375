"""What consent tells transfers: the consent in force that names a recipient and its country, and the ways out of a
mailing.

The last act of giving counts, with the wording agreed to then: a recipient added to the purpose later is in nobody's
consent until it is asked anew (policy clauses 16, 31). It is looked for from the end of the person's chain (what is in
no chain is older than any wording that names a recipient), and which wordings will do is looked up once.
"""

from consent import mailing_links
from registry.transfers import covered_by
from registry.transfers.mailing import links_by

links_by(mailing_links.links_for)

covered_by("""
    SELECT latest.id AS record_id FROM (
        SELECT record.id, record.wording_id FROM consent_consentrecord record
        WHERE record.subject_id = processing.subject_id AND record.purpose_id = processing.purpose_id
            AND record.act IN ('given', 'confirmed') AND record.place IS NOT NULL
        ORDER BY record.place DESC LIMIT 1
    ) latest
    WHERE latest.wording_id = ANY(ARRAY(
        SELECT wording.id FROM consent_wording wording
        WHERE %(recipient)s = ANY(wording.recipients) AND (NOT %(abroad)s OR %(country)s = ANY(wording.countries))
    ))
""")
