"""Asking about one's own data, by whoever says an address is theirs: page, e-mail, a site.

Nobody is believed and nobody is looked up: the claimant's request waits until whoever reads the letter confirms it. So
the work is the same for known and unknown addresses. One transaction: all of it is there, with its letter, or nothing.

Called by: consent.views.
"""

from datetime import datetime, timedelta

from django.db import transaction

from registry.models import OutgoingMessage, PersonalDatum, SubjectRequest
from registry.registration import accept, register
from registry.requests import opening, papers

AGAIN_AFTER = timedelta(minutes=1)
MOST_LETTERS, MOST_IN_ALL = 3, 8  # a day, about one request and to one claimant: no mailbox is filled through our form


@transaction.atomic
def ask(
    category: str,
    contact: str,
    kind: SubjectRequest.Kind,
    *,
    channel: SubjectRequest.Channel,
    language: str,
    now: datetime,
    text: str = "",
    received_at: datetime | None = None,
) -> SubjectRequest:
    """Opens a request for the contact of this category (its code), in any spelling, and queues the question to it.

    ValidationError (no contact, or none of the approved list), opening.TooMany; then nothing is written.
    """
    claimant = register(accept({category: contact}, [papers.purpose()]), claim=category, language=language, now=now)
    claim = claimant.data.live().get(standing=PersonalDatum.Standing.CLAIMED)
    request = opening.receive(
        claimant,
        kind,
        channel=channel,
        language=language,
        now=now,
        received_at=received_at,
        contact_id=claim.pk,
        text=text,
    )
    _send_question(request, now)
    return request


@transaction.atomic
def ask_again(request_id: int, *, now: datetime) -> None:
    """The question once more, if it waits for its answer and not too many went."""
    request = SubjectRequest.objects.taken(request_id)
    if request.state == SubjectRequest.State.UNVERIFIED:
        _send_question(request, now)


def _send_question(request: SubjectRequest, now: datetime) -> None:
    letters = OutgoingMessage.objects.filter(letter=opening.CONFIRM, subject=request.subject_id)
    sent = list(letters.filter(queued_at__gt=now - timedelta(days=1)).values_list("about_id", "queued_at"))
    of_this = [at for about, at in sent if about == request.pk]
    is_too_soon = any(at > now - AGAIN_AFTER for at in of_this)
    if not (is_too_soon or len(of_this) >= MOST_LETTERS or len(sent) >= MOST_IN_ALL):
        opening.ask_to_confirm(request, now=now)
