"""The ways out of a mailing: the two headers a mail program reads, and the page a person opens (RFC 2369, RFC 8058).

The same for our own letters and for addresses that are given to a mailer: a token for this person and purpose, which
works at any age (consent.links). The way by mail is there where somebody reads that mailbox (consent.mailbox).

Called by: consent.letters, consent.transfers.
"""

from django.conf import settings
from django.urls import reverse

from consent import links
from registry.models import Operator
from registry.transfers.mailing import Links, LinksOf

POST = "List-Unsubscribe=One-Click"
PLACE = "TOKEN"


def links_for(purpose_id: int) -> LinksOf:
    """What makes the links for one purpose, of as many people as there are. One query."""
    mailbox = Operator.objects.get().contact_email if settings.MAILBOX_URL else ""
    page = settings.SITE_URL + reverse("unsubscribe", args=[PLACE])  # looked up once, not a million times
    ways = [page, *([f"mailto:{mailbox}?subject=unsubscribe%20{PLACE}"] if mailbox else [])]  # RFC 6068
    told = ", ".join(f"<{way}>" for way in ways)

    def links_of(subject_id: int) -> Links:
        token = links.token(links.UNSUBSCRIBE, subject_id, purpose_id)
        return Links(told.replace(PLACE, token), POST, page.replace(PLACE, token))

    return links_of
