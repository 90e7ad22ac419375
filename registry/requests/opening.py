"""A request comes in: by page, by e-mail, at the desk. It opens a row and nothing else; nobody is believed yet.

- The same person asking the same again while that waits for confirmation gets no second row.
- So many a day and no more: above it nothing is written.
- The text is sealed; the row has numbers only. The clock starts with the receipt, whoever asked (Law 94-V art. 24).

Called by: consent.views (page), consent.mailbox (e-mail), the console (desk).
"""

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import scans
from registry.models import DataSubject, PersonalDatum, StaffMember, SubjectRequest
from registry.processing import lock_subjects
from registry.requests import clock, letters, papers
from registry.requests.steps import State, Step, note

PER_DAY = 5  # requests of one person
CONFIRM, OPENED = "request", "request_open"  # letters: the question, and number and day
Kind = SubjectRequest.Kind
Channel = SubjectRequest.Channel


class TooMany(ValidationError):
    """This person has asked as often today as one person may."""


@transaction.atomic
def receive(
    person: DataSubject,
    kind: Kind,
    *,
    channel: Channel,
    language: str,
    now: datetime,
    received_at: datetime | None = None,
    contact_id: int | None = None,
    text: str = "",
    scan: bytes | None = None,
    by: StaffMember | None = None,
) -> SubjectRequest:
    """Opens an unverified request of this person, or finds the one that waits already.

    Another text is another request: nobody but the staff may change what somebody else is about to confirm.

    `contact_id`: the datum letters go to. `received_at`: when it came, if not now. TooMany, ValidationError (the scan);
    then nothing is written.
    """
    lock_subjects([person.pk])
    mine = SubjectRequest.objects.filter(subject=person)
    waiting = mine.filter(kind=kind, channel=channel, state=State.UNVERIFIED).order_by("pk").first()
    if waiting is not None and (by or not text or text == papers.read(waiting.text_id)):
        if by:
            waiting.contact_id = contact_id
        _written_again(waiting, text, scan, now=now, by=by)
        return waiting
    if mine.filter(received_at__gt=now - timedelta(days=1)).count() >= PER_DAY:
        raise TooMany(_("You have sent several requests today already. Wait for the answer, or write again tomorrow."))
    papers.hold_open(person, now=now)
    request = SubjectRequest(
        subject=person,
        kind=kind,
        channel=channel,
        language=language,
        state=State.UNVERIFIED,
        received_at=received_at or now,
        contact_id=contact_id,
        text_id=papers.keep(person, papers.TEXT, text, now=now, by=by, source=_source(by)) if text else None,
        scan_id=_keep_scan(person, scan, now, by) if scan else None,
        entered_by=by,
    )
    clock.start(request, now)
    request.save(force_insert=True)
    note(request, Step.RECEIVED, now=now, by=by)
    return request


def _source(by: StaffMember | None) -> PersonalDatum.Source:
    return PersonalDatum.Source.OPERATOR if by else PersonalDatum.Source.SUBJECT


def _keep_scan(person: DataSubject, scan: bytes, now: datetime, by: StaffMember | None) -> int:
    scans.check(scan)
    return papers.keep(person, papers.SCAN, scans.to_text(scan), now=now, by=by, source=_source(by))


def _written_again(
    request: SubjectRequest, text: str, scan: bytes | None, *, now: datetime, by: StaffMember | None
) -> None:
    """The later text, the later scan and what the desk says about the contact count; the earlier ones go."""
    person = request.subject
    if scan:
        earlier, request.scan_id = request.scan_id, _keep_scan(person, scan, now, by)
        papers.drop(person, [earlier], now=now)
    if text:
        papers.drop(person, [request.text_id], now=now)
        request.text_id = papers.keep(person, papers.TEXT, text, now=now, by=by, source=_source(by))
    request.save(update_fields=["contact_id", "text_id", "scan_id"])
    note(request, Step.WRITTEN, now=now, by=by)


def ask_to_confirm(request: SubjectRequest, *, now: datetime) -> bool:
    """Queues the question "did you ask this?" to the contact of the request; False where it has none any more, or only
    one nobody has confirmed beside a confirmed one: whoever reads it there need not be the person."""
    contact = papers.contact_of(request)
    is_theirs = contact is not None and contact.standing != PersonalDatum.Standing.STATED
    return is_theirs and letters.queue(CONFIRM, request, now)


def tell_opened(request: SubjectRequest, *, now: datetime) -> bool:
    """Queues the letter with number, last day and the link to the state; False where there is no contact."""
    return letters.queue(OPENED, request, now)
