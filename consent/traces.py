"""What consent leaves behind, told to self-retention: proof is kept.

Counts of attempts go with their window, every hour (consent.limits).
"""

from django.utils.translation import gettext_lazy as _

from consent.models import Campaign, Confirmation, ConsentRecord, LinkRequest, Receipt, ReceivedMail
from registry.stores import evidence, rows
from registry.traces import add

add(evidence("proof-of-consent", _("proof of consent"), ConsentRecord, "at"))
add(evidence("questions", _("questions sent for confirmation, and their answers"), Confirmation, "asked_at"))
add(evidence("receipts", _("receipts of consents"), Receipt, "issued_at"))
add(evidence("askings-anew", _("people asked anew after a wider policy"), Campaign, "started_at"))
add(
    rows(
        "received-mail",
        _("what became of received e-mails"),
        _("read"),
        ReceivedMail.objects.finished,
        "seen_at",
    )
)
add(rows("link-requests", _("requests for a link, not looked at yet"), _("asked"), LinkRequest.objects.all, "asked_at"))
