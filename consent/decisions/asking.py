"""Asking: what a person entered is kept as a claim, and the address, or the number, is asked whether it is theirs."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from consent import evidence, wording
from consent.decisions.acts import Act, Channel, Line, Past, Ticks, append, scope_of
from consent.evidence import Circumstances
from consent.models import Confirmation, Wording
from consent.wording import CONFIRMATION
from registry import mail, sms, statements
from registry.models import DataSubject, OutgoingMessage, PersonalDatum, ProcessingPurpose
from registry.processing import OWN_USE, Opening, Scope, open_all, open_processing, refresh_due
from registry.registration import Accepted, accept, lock_claims, register

CLAIM, NUMBER = "email", "phone"  # the categories a question can go to, the better one first
SEND_AGAIN_AFTER = timedelta(seconds=60)
GOOD_FOR = timedelta(days=1)  # a link in a letter sent again works at least that long
MOST_LETTERS = 4  # to one unconfirmed address while its questions wait: one, and three times again
MOST_TRIES = 5  # wrong codes; a million codes stand behind one question
LETTERS = {Confirmation.Way.LINK: "confirm", Confirmation.Way.CODE: "code"}


@transaction.atomic
def ask(
    values: Mapping[str, str],
    purposes: Sequence[ProcessingPurpose],
    *,
    language: str,
    now: datetime,
    ticks: Ticks | None = None,
    circumstances: Circumstances | None = None,
    representative: Mapping[str, str] | None = None,
    adult_at: datetime | None = None,
    offer: wording.Offer | None = None,
) -> Confirmation:
    """Keeps what a person entered as a claim and asks the address. Opens nothing but the confirmation.

    `values` by category code, as typed; `ticks` by code of the purpose; `offer`: at `now`, if the caller has it. For a
    minor: the contact of the legal `representative`, and when the minor comes of age. ValidationError names what is
    refused; then nothing is written.
    """
    if not purposes:
        raise ValidationError({"purposes": _("Tick at least one purpose")})
    accepted = accept(values, purposes)
    claim = _claim(accepted)
    own = (accepted, claim)
    theirs = _representative(representative, purposes, own) if representative else None
    subject, guardian = _registered(own, theirs, language, now)
    offered = offer or wording.offer(now, language)
    if guardian:
        open_processing(guardian, offered.waiting, now=now)
        refresh_due([guardian.pk])
    confirmation = Confirmation(
        subject=subject,
        way=Confirmation.Way.LINK if claim == CLAIM else Confirmation.Way.CODE,
        language=language,
        representative=guardian,
        adult_at=adult_at if guardian else None,
        asked_at=now,
    )
    lines = lines_of_offer(purposes, offered, ticks or {})
    same = None if subject.is_new else same_question(confirmation, lines)
    openings = [Opening(offered.waiting)]
    confirmation.expires_at = openings[0].lapses_at(now) or now
    if circumstances and offered.evidence and not same:
        openings.append(Opening(offered.evidence.purpose))
    if not same:
        statements.insert(confirmation)
    asked = same or confirmation
    may_send = subject.is_new or _may_send(asked, now)
    with statements.at_once():
        open_all(subject, openings, now=now)
        if not same:
            _keep_question(asked, lines, circumstances, offered)
        if may_send:
            _send(asked, offered.waiting, now)
    refresh_due([subject.pk])
    return asked


def _claim(accepted: Accepted) -> str:
    """Which of the entered contacts is asked. A number only where messages can be sent to it."""
    entered = {category.code for category in accepted}
    if CLAIM in entered:
        return CLAIM
    if NUMBER in entered and sms.is_available():
        return NUMBER
    raise ValidationError({CLAIM: _("Enter an e-mail address, like name@example.kz")})


Contact = tuple[Accepted, str]


def _representative(values: Mapping[str, str], purposes: Sequence[ProcessingPurpose], own: Contact) -> Contact:
    """The representative's own contact. One that is the child's too could not tell who answers."""
    try:
        accepted = accept(values, purposes)
        claim = _claim(accepted)
    except ValidationError as error:
        raise ValidationError({"representative": error.messages}) from None
    if {value.canonical for value in accepted.values()} & {value.canonical for value in own[0].values()}:
        raise ValidationError({"representative": _("Give the parent's own address, not the child's.")})
    return accepted, claim


def _registered(
    own: Contact, theirs: Contact | None, language: str, now: datetime
) -> tuple[DataSubject, DataSubject | None]:
    """Both people. Two who name each other must not wait for each other."""
    contacts = [own] if theirs is None else [own, theirs]
    if theirs:
        lock_claims(map(_spelling, contacts))
    person, *guardian = [register(accepted, claim=claim, language=language, now=now) for accepted, claim in contacts]
    return person, guardian[0] if guardian else None


def _spelling(contact: Contact) -> tuple[str, str]:
    accepted, claim = contact
    return claim, next(value.canonical for category, value in accepted.items() if category.code == claim)


def shown(purposes: Sequence[ProcessingPurpose], language: str, now: datetime, ticks: Ticks) -> list[Line]:
    """What is offered for these purposes at `now`, its wordings stored, with the ticks that were asked.

    ValidationError if one of them is not offered.
    """
    return lines_of_offer(purposes, wording.offer(now, language), ticks)


def lines_of_offer(purposes: Sequence[ProcessingPurpose], offer: wording.Offer, ticks: Ticks) -> list[Line]:
    """The same of an offer that the caller has."""
    if not all(purpose.code in offer.texts for purpose in purposes):
        raise ValidationError({"purposes": _("This purpose is not offered")})
    texts = [offer.texts[purpose.code] for purpose in purposes]
    wordings = wording.frozen(texts, offer.wordings)
    return [Line(text.purpose, wordings[text.purpose.code], _ticked(text, ticks)) for text in texts]


def _ticked(text: wording.Text, ticks: Ticks) -> Scope:
    """Only what is asked can be agreed to."""
    wanted = ticks.get(text.purpose.code, OWN_USE)
    return Scope(**{name: getattr(wanted, name) and name in text.ticks for name in Wording.TICKS})


def same_question(wanted: Confirmation, lines: list[Line]) -> Confirmation | None:
    """The waiting question with the same wordings and ticks, if this person was asked it already."""
    asked = {(line.wording.pk, line.scope) for line in lines if line.wording}
    good_for_long = Confirmation.objects.waiting(wanted.asked_at + GOOD_FOR).filter(
        subject=wanted.subject,
        way=wanted.way,
        attempts__lt=MOST_TRIES,
        representative=wanted.representative,
        adult_at=wanted.adult_at,
        document_digest=wanted.document_digest,
    )
    for confirmation in good_for_long.prefetch_related("records"):
        same = {(record.wording_id, scope_of(record)) for record in confirmation.records.all()} == asked
        if same and not has_other_data(confirmation):
            return confirmation
    return None


def has_other_data(confirmation: Confirmation) -> bool:
    """Whether something else was entered beside the address since: a letter can't confirm what it did not show."""
    stated = confirmation.subject.data.live().contacts().filter(standing=PersonalDatum.Standing.STATED)
    return stated.filter(recorded_at__gt=confirmation.asked_at).exists()


def _keep_question(
    confirmation: Confirmation, lines: list[Line], circumstances: Circumstances | None, offer: wording.Offer
) -> None:
    person, now = confirmation.subject, confirmation.asked_at
    evidence_id = None
    if circumstances:
        evidence_id = evidence.keep(person, circumstances, offer.evidence, now=now, is_open=True)
    past = Past(offer.operator.site) if person.is_new else None
    also: dict[str, Any] = {"confirmation": confirmation, "evidence_id": evidence_id}
    append(Act.ASKED, person, lines, Channel.PAGE, now=now, past=past, **also)


def send_question(confirmation: Confirmation, purpose: ProcessingPurpose, now: datetime) -> None:
    """One letter a minute and MOST_LETTERS while questions wait: nobody's mailbox is filled through our form."""
    if _may_send(confirmation, now):
        _send(confirmation, purpose, now)


def _may_send(confirmation: Confirmation, now: datetime) -> bool:
    letters = OutgoingMessage.objects.filter(letter__in=LETTERS.values(), subject=confirmation.subject)
    of_today = letters.filter(queued_at__gt=now - timedelta(days=1)).values_list("about_id", "queued_at")
    sent = list(of_today[:MOST_LETTERS])
    is_too_soon = any(about == confirmation.pk and at > now - SEND_AGAIN_AFTER for about, at in sent)
    return not is_too_soon and len(sent) < MOST_LETTERS


def _send(confirmation: Confirmation, purpose: ProcessingPurpose, now: datetime) -> None:
    person = confirmation.subject
    claim = person.claim or person.data.live().filter(standing=PersonalDatum.Standing.CLAIMED).first()
    if claim:
        letter = LETTERS[Confirmation.Way(confirmation.way)]
        mail.queue(letter, about=confirmation, datum=claim, purpose=purpose, language=confirmation.language, now=now)


@transaction.atomic
def send_again(confirmation_id: int, *, now: datetime) -> None:
    """The same letter once more, if it waits for its answer and not too many went."""
    confirmation = Confirmation.objects.taken(confirmation_id)
    if confirmation.answer == Confirmation.Answer.WAITING and confirmation.expires_at > now:
        send_question(confirmation, ProcessingPurpose.objects.get(code=CONFIRMATION), now)
