"""What consent adds to a person's page and to the search: the acts, receipts, askings anew, the names of letters."""

import re
from collections.abc import Iterable
from datetime import datetime

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from consent.campaigns import LETTER
from consent.models import ConsentRecord, Receipt
from registry import searching
from registry.admin.subject_page import Part, Shown, letter_names, parts, system_names
from registry.models import DataSubject

MOST = 50  # acts
MOST_RECEIPTS = MOST_ASKINGS = 10
NUMBER = re.compile(r"CR[- ]?([0-9A-HJKMNP-TV-Z]{4})[- ]?([0-9A-HJKMNP-TV-Z]{4})")
MISREAD = str.maketrans("OIL", "011")  # Crockford's base 32 has none of these
Act = ConsentRecord.Act
TONES = {Act.ASKED: "soon", Act.GIVEN: "ok", Act.CONFIRMED: "ok", Act.WITHDRAWN: "bad", Act.REFUSED: "bad"}


def consents(subject: DataSubject, now: datetime) -> Shown:
    """The acts, newest first; beside each, which policy the person was shown. Three queries."""
    rows = subject.consents.select_related("purpose", "represented_by", "entered_by", "checked_by")
    acts = list(rows.annotate(policy=F("wording__policy__number")).order_by("-pk")[: MOST + 1])
    asked = subject.asked_anew.select_related("campaign").annotate(policy=F("campaign__policy__number"))
    return {
        "acts": [(row, TONES.get(Act(row.act), "")) for row in acts[:MOST]],
        "has_more": len(acts) > MOST,
        "receipts": subject.receipts.only("number", "issued_at").order_by("-pk")[:MOST_RECEIPTS],
        "asked_anew": asked.order_by("-pk")[:MOST_ASKINGS],
    }


def _number(term: str) -> str | None:
    start, rest = term.strip().upper()[:2], term.strip().upper()[2:]
    return searching.numbered(NUMBER, "CR", start + rest.translate(MISREAD))


def _has_receipt(number: str) -> Iterable[int]:
    return Receipt.objects.filter(number=number).values_list("subject_id", flat=True)


LETTERS = {
    "confirm": _("question to confirm a consent"),
    "code": _("code to confirm a consent"),
    "represent": _("question to a legal representative"),
    "receipt": _("receipt of a consent"),
    "link": _("link to one's own consents"),
    LETTER: _("asking anew after a wider policy"),
}


def add() -> None:
    """Names all of it to the registry's console, once."""
    parts.append(Part(20, _("Consents"), "consent.view_consentrecord", "admin/consent/subject_consents.html", consents))
    searching.ways.append(searching.Way("receipt", _("number of a receipt"), _number, _has_receipt))
    letter_names.update(LETTERS)
    system_names.update(dict(ConsentRecord.Channel.choices))
