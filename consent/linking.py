"""The link to one's own consents, sent to whoever asks for it: only to the address itself, if we know it.

The page does one thing for known and unknown addresses alike: it writes a row. A worker looks later, so neither the
answer nor its time tells whether somebody is known.
"""

from datetime import datetime

from django.db import transaction

from consent.models import LinkRequest
from registry import mail
from registry.keyring import keyring
from registry.models import PersonalDatum, ProcessingPurpose

PURPOSE = "request-answer"
PORTION = 100


def ask_for_link(category: str, canonical: str, *, language: str, now: datetime) -> None:
    index = keyring().blind_index(category, canonical)
    LinkRequest.objects.create(index=index, language=language, asked_at=now)


def send_links(now: datetime) -> int:
    """Queues a letter for each request whose address somebody confirmed, and forgets all requests; how many letters."""
    queued = 0
    while (letters := _send_portion(now)) is not None:
        queued += letters
    return queued


@transaction.atomic
def _send_portion(now: datetime) -> int | None:
    waiting = LinkRequest.objects.select_for_update(skip_locked=True).order_by("pk")
    requests = list(waiting[:PORTION])
    if not requests:
        return None
    languages = {bytes(request.index): request.language for request in requests}
    confirmed = PersonalDatum.objects.live().filter(
        index__in=list(languages), standing=PersonalDatum.Standing.CONFIRMED
    )
    known = list(confirmed.select_related("subject"))
    letters = [mail.Queued(datum.subject, datum, languages[bytes(datum.index)]) for datum in known]
    mail.queue_all("link", letters, purpose=ProcessingPurpose.objects.get(code=PURPOSE), now=now)
    LinkRequest.objects.filter(pk__in=[request.pk for request in requests]).delete()
    return len(known)
