"""What becomes of one message: it opens a request, belongs to one, unsubscribes, or is put aside.

Dangerous because anybody may write anything in anybody's name, and because a message that is lost is a request that is
lost. The rules:

- Who writes is the address under From, and only that. It is believed in nothing: the question "did you ask this?" goes
  to the same address as it is on record. Reply-To is not read.
- An address nobody has confirmed opens a request too, and gets nothing: neither a forger nor a neighbour learns whether
  somebody is known here. Staff see it and decide.
- What nobody wrote (automatic replies, reports, lists, our own letters) is ignored and never answered.
- Whoever writes more than one person may write in a day is not ignored: staff look at it.
- One transaction for each message: decided and written, or tried again. The mailbox is marked after the commit.
- The message lies here under seal, each for a term of its own; the row of it has numbers only.

Called by: consent.mailbox.reading. Sources: Law 94-V art. 24; policy clause 19; RFC 3834, RFC 6068.
"""

import re
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from consent import decisions, links
from consent.mailbox import guessing, originals, parsing
from consent.mailbox.connecting import LARGEST, Found
from consent.mailbox.parsing import Head, Letter
from consent.mailbox.threads import find_thread
from consent.models import ConsentRecord, ReceivedMail
from registry.keyring import keyring
from registry.models import DataCategory, DataSubject, Operator, PersonalDatum, ProcessingPurpose, SubjectRequest
from registry.normalise import normalise
from registry.processing import lock_subjects, open_processing, refresh_due
from registry.registration import accept, index_of, lock_identifier, register
from registry.requests import handling, opening, papers

CLAIM = decisions.CLAIM
OURS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}@(.+)")  # as registry.mail names its letters
Kind, Channel = SubjectRequest.Kind, SubjectRequest.Channel
State, Why = ReceivedMail.State, ReceivedMail.Why


def key_of(raw: bytes, size: int) -> bytes:
    """By which a message is known again; without our key it tells nothing."""
    return keyring().blind_index("received-mail", parsing.fingerprint(raw, size))


@transaction.atomic
def take(key: bytes, raw: bytes, found: Found, *, uid_validity: int, now: datetime) -> ReceivedMail:
    """Decides about one message and writes what follows; one seen before stays as it is.

    `raw` is the whole message, or its head where it is larger than LARGEST. Raises whatever the message provokes; then
    nothing is written.
    """
    row = row_of(key, found, uid_validity=uid_validity, now=now)
    if row.state != State.TRIED:
        return row
    if found.size > LARGEST or len(raw) > LARGEST:
        _put_aside(row, State.QUARANTINED, Why.TOO_LARGE)
    else:
        _decide(row, parsing.head(raw), raw, now)
    row.save()
    return row


def row_of(key: bytes, found: Found, *, uid_validity: int, now: datetime) -> ReceivedMail:
    """The row of this message, locked; a new one waits to be decided."""
    new = {
        "uid": found.uid,
        "uid_validity": uid_validity,
        "arrived_at": min(found.arrived_at, now),
        "seen_at": now,
        "size": found.size,
        "state": State.TRIED,
    }
    row, _is_new = ReceivedMail.objects.get_or_create(key=key, defaults=new)
    return ReceivedMail.objects.select_for_update().get(pk=row.pk)


def _decide(row: ReceivedMail, head: Head, raw: bytes, now: datetime) -> None:
    if _unsubscribe(head.subject, now):
        row.state = State.UNSUBSCRIBED
        return
    operator = Operator.objects.get()
    if why := head.automatic or _is_ours(head, operator):
        _put_aside(row, State.IGNORED, Why(why))
        return
    letter = parsing.read(raw)
    category = DataCategory.objects.get(code=CLAIM)
    sender = normalise(category.kind, letter.sender)
    if sender.canonical == operator.contact_email.lower():
        _put_aside(row, State.IGNORED, Why.OWN)
        return
    _file(row, letter, raw, _sender(letter, index_of(category, sender), now), now)


def _put_aside(row: ReceivedMail, state: ReceivedMail.State, why: ReceivedMail.Why) -> None:
    row.state, row.why = state, why


def _is_ours(head: Head, operator: Operator) -> str:
    named = OURS.fullmatch(head.message_id)
    return Why.OWN if named and named[2].lower() == operator.site.lower() else ""


def _unsubscribe(subject: str, now: datetime) -> bool:
    """A letter of a mail program, with our token: it does what the button on the page does, whoever sends it."""
    try:
        subject_id, purpose_id = links.subscription_of(guessing.unsubscription(subject))
        person = DataSubject.objects.get(pk=subject_id)
    except (links.InvalidLink, DataSubject.DoesNotExist):
        return False
    purpose = ProcessingPurpose.objects.filter(pk=purpose_id).first()
    decisions.withdraw(person, purpose, now=now, channel=ConsentRecord.Channel.ONE_CLICK)
    return True


class Sender(NamedTuple):
    """Who writes, as far as their address tells; the address as it is on record."""

    person: DataSubject
    contact: PersonalDatum


def _sender(letter: Letter, index: bytes, now: datetime) -> Sender:
    """Whose address this is, or a claimant with it. The person is locked."""
    lock_identifier(index)
    confirmed = PersonalDatum.objects.identifying(index).select_related("subject")
    if (known := confirmed.first()) is not None:
        lock_subjects([known.subject_id])
        if (known := confirmed.first()) is not None:
            return Sender(known.subject, known)
    accepted = accept({CLAIM: letter.sender}, [papers.purpose()])
    language = guessing.language(f"{letter.subject} {letter.text}", "kk")
    claimant = register(accepted, claim=CLAIM, language=language, now=now)
    return Sender(claimant, claimant.data.live().get(index=index))


def _file(row: ReceivedMail, letter: Letter, raw: bytes, sender: Sender, now: datetime) -> None:
    kind = Kind(guessing.kind(letter.subject, letter.text))
    request = find_thread(sender.person, kind, letter)
    if request is not None:
        handling.written(request, now=now)
    else:
        request = _open(letter, kind, sender, received_at=row.arrived_at, now=now)
    if request is None:
        _put_aside(row, State.QUARANTINED, Why.TOO_MANY)  # it may be what the person really wants: staff look
        return
    row.state, row.request = State.FILED, request
    row.datum_id = _keep(sender.person, raw, letter, now)


def _open(
    letter: Letter, kind: SubjectRequest.Kind, sender: Sender, *, received_at: datetime, now: datetime
) -> SubjectRequest | None:
    """A new request, and the question to an address that is confirmed. Above so many a day the letter goes to the last
    that waits; None if none does."""
    person, contact = sender
    language = guessing.language(f"{letter.subject} {guessing.own_words(letter.text)}", person.language)
    try:
        request = opening.receive(
            person,
            kind,
            channel=Channel.MAIL,
            language=language,
            now=now,
            received_at=received_at,
            contact_id=contact.pk,
            text=_told(letter, language),
        )
    except opening.TooMany:
        last = SubjectRequest.objects.waiting().filter(subject=person).order_by("pk").last()
        if last is not None:
            handling.written(last, now=now)
        return last
    if contact.standing == PersonalDatum.Standing.CONFIRMED:
        opening.ask_to_confirm(request, now=now)
    return request


def _told(letter: Letter, language: str) -> str:
    """What staff read: subject, text, and what else was in the message."""
    with translation.override(language):
        files = _("Attachments: %(count)d, %(size)d KB") % {
            "count": letter.attachments,
            "size": -(-letter.attached // 1024),
        }
    return "\n\n".join(filter(None, [letter.subject, letter.text, files if letter.attachments else ""]))


def _keep(person: DataSubject, raw: bytes, letter: Letter, now: datetime) -> int:
    """The message under seal, for the term of its own purpose. The person is locked."""
    kept = originals.to_text(raw, _told(letter, person.language))
    until = open_processing(person, papers.purpose(papers.MAIL_PURPOSE), now=now)
    datum_id = papers.keep(person, papers.MAIL, kept, now=now, until=until)
    refresh_due([person.pk])
    return datum_id


@papers.also_hands_over
def hand_over(request: SubjectRequest, now: datetime) -> None:
    """The messages of a request that turned out to be somebody's are theirs, too. Everybody is locked."""
    mails = list(ReceivedMail.objects.filter(request=request, datum_id__isnull=False).order_by("pk"))
    if mails:
        open_processing(request.subject, papers.purpose(papers.MAIL_PURPOSE), now=now)
    for mail in mails:
        mail.datum_id = papers.hand_over(request.subject, mail.datum_id, now=now)
        mail.save(update_fields=["datum_id"])
    refresh_due([request.subject_id])


def forget_closed(now: datetime) -> int:
    """Messages of requests that came to nothing go with the next purge, as their texts do; how many."""
    nothing = [SubjectRequest.State.SPAM, SubjectRequest.State.LAPSED, SubjectRequest.State.DISOWNED]
    closed = ReceivedMail.objects.filter(request__state__in=nothing, datum_id__isnull=False)
    return sum(_forget(pk, now) for pk in list(closed.order_by("pk").values_list("pk", flat=True)))


@transaction.atomic
def _forget(pk: int, now: datetime) -> bool:
    mail = ReceivedMail.objects.get(pk=pk)
    kept = PersonalDatum.objects.filter(pk=mail.datum_id or 0)
    if (datum := kept.select_related("subject").first()) is not None:
        lock_subjects([datum.subject_id])
        papers.drop(datum.subject, [datum.pk], now=now)
        refresh_due([datum.subject_id])
    return ReceivedMail.objects.filter(pk=pk, datum_id__isnull=False).update(datum_id=None) > 0
