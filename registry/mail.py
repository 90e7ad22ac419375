"""The outbox. A row is the truth; the broker only wakes the worker, and a sweeper looks every minute.

A letter is queued in the transaction of the act it tells about. Once claimed, the gate is asked right before it goes:
processing that ended meanwhile cancels it. Address and text are put together when it is sent, so the
row holds ids only. Sent at least once: a crash between the mail server's yes and ours sends the same letter again.
Its datum says how it goes: to an address by e-mail, to a phone number as a message (registry.sms).
"""

import logging
import smtplib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from django.core.mail import EmailMessage
from django.db import connection, models, transaction
from django.utils import translation

from registry import auditing, sms, statements
from registry.disclosure import address_for
from registry.models import (
    AuditEntry,
    DataCategory,
    DataSubject,
    Operator,
    OutgoingMessage,
    PersonalDatum,
    ProcessingPurpose,
)
from registry.processing import may_process
from registry.sealing import SealError

logger = logging.getLogger(__name__)
LEASE = timedelta(minutes=5)
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480, 1440)]


@dataclass(frozen=True, repr=False)
class Letter:
    """Subject line, plain text and headers of one letter. Of a message to a phone only the text goes."""

    subject: str
    text: str
    headers: dict[str, str] = field(default_factory=dict)


Writer = Callable[[OutgoingMessage, str], Letter | None]
After = Callable[[OutgoingMessage, datetime], None]


class Writing(NamedTuple):
    """What `written_by` was told of the letters of one name."""

    write: Writer
    is_service: bool
    reaches_blocked: bool
    after: After | None


writers: dict[str, Writing] = {}


def written_by(
    name: str, *, is_service: bool = False, reaches_blocked: bool = False, after: After | None = None
) -> Callable[[Writer], Writer]:
    """Says who writes letters of this name: called with row and address, it may answer None (no longer true).

    `is_service`: the letter answers the person or is owed by law, so nothing need be processed for its purpose.
    `reaches_blocked`: it answers a request, and a blocked person may ask, too.
    `after`: called in the transaction that notes the letter as sent; if it fails, the letter goes once more.
    """

    def remember(writer: Writer) -> Writer:
        writers[name] = Writing(writer, is_service, reaches_blocked, after)
        return writer

    return remember


class Queued(NamedTuple):
    """One letter of many: what it is about, where it goes, in which language."""

    about: models.Model
    datum: PersonalDatum
    language: str


def queue(
    letter: str, *, about: models.Model, datum: PersonalDatum, purpose: ProcessingPurpose, language: str, now: datetime
) -> OutgoingMessage:
    row = _row(letter, Queued(about, datum, language), purpose, now)
    statements.insert(row)
    return row


def queue_all(
    letter: str, queued: Iterable[Queued], *, purpose: ProcessingPurpose, now: datetime
) -> list[OutgoingMessage]:
    """The letter of one name to many people, in one statement."""
    return OutgoingMessage.objects.bulk_create([_row(letter, one, purpose, now) for one in queued])


def _row(letter: str, one: Queued, purpose: ProcessingPurpose, now: datetime) -> OutgoingMessage:
    return OutgoingMessage(
        letter=letter,
        about_id=one.about.pk,
        subject_id=one.datum.subject_id,
        datum_id=one.datum.pk,
        purpose=purpose,
        language=one.language,
        queued_at=now,
        next_try_at=now,
    )


def send_due(now: datetime, *, clock: Callable[[], datetime], most: int = 200) -> int:
    """Sends what is queued, one letter after the other; returns how many went. `clock` tells when each one did."""
    sent = 0
    for _ in range(most):
        message = _claim(now)
        if message is None:
            break
        sent += _send(message, clock())
    return sent


def _claim(now: datetime) -> OutgoingMessage | None:
    """Takes the next letter for LEASE: a worker that dies with it leaves it to the sweeper."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE registry_outgoingmessage SET next_try_at = %s, attempts = attempts + 1
            WHERE id = (
                SELECT id FROM registry_outgoingmessage WHERE state = 'queued' AND next_try_at <= %s
                ORDER BY next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED
            )
            RETURNING id
            """,
            [now + LEASE, now],
        )
        row = cursor.fetchone()
    return OutgoingMessage.objects.select_related("subject", "purpose").get(pk=row[0]) if row else None


def _send(message: OutgoingMessage, now: datetime) -> bool:
    """Asks the gate, writes the letter, hands it over, marks it. Whatever fails, the letters after it go."""
    try:
        address, letter = _write(message, now)
        if letter is None:
            return _mark(message, OutgoingMessage.State.CANCELLED)
        carrier = _carrier(message)
        carrier.hand_over(letter, address, message)
        return _note_sent(message, carrier, now)
    except Exception as error:
        return _try_later(message, error, now)


def _write(message: OutgoingMessage, now: datetime) -> tuple[str, Letter | None]:
    """Address and letter; no letter where the gate, the address or the occasion is gone."""
    address = address_for(message.datum_id, message.subject_id) if _is_allowed(message, now) else None
    if address is None:
        return "", None
    with translation.override(message.language):
        return address, writers[message.letter].write(message, address)


def _is_allowed(message: OutgoingMessage, now: datetime) -> bool:
    """The gate. A service letter needs no processing, only an open purpose; a blocked person gets answers only."""
    writing = writers[message.letter]
    if message.subject.status == DataSubject.Status.BLOCKED and not writing.reaches_blocked:
        return False
    if writing.is_service:
        return ProcessingPurpose.objects.open(now).filter(pk=message.purpose_id).exists()
    return may_process(message.subject, message.purpose, now)


class Carrier(NamedTuple):
    """`name` stands in the audit."""

    name: str
    hand_over: Callable[[Letter, str, OutgoingMessage], None]


def _carrier(message: OutgoingMessage) -> Carrier:
    return CARRIERS[PersonalDatum.objects.values_list("category__kind", flat=True).get(pk=message.datum_id)]


@transaction.atomic
def _note_sent(message: OutgoingMessage, carrier: Carrier, now: datetime) -> bool:
    operation, subject_id = AuditEntry.Operation.USE, message.subject_id
    auditing.record(operation, now=now, system=carrier.name, subject_id=subject_id, about=message)
    after = writers[message.letter].after
    if after is not None:
        after(message, now)
    return _mark(message, OutgoingMessage.State.SENT, sent_at=now)


class _Mail(EmailMessage):
    def message(self, **options: Any) -> Any:
        """Headers on one line each, as far as RFC 5322 lets them: a folded link is lost on some mail programs."""
        message = super().message(**options)
        message.policy = message.policy.clone(max_line_length=998)
        return message


def _by_mail(letter: Letter, address: str, message: OutgoingMessage) -> None:
    operator = Operator.objects.get()
    headers = {"Auto-Submitted": "auto-generated", "Message-ID": f"<{message_id(message)}>", **letter.headers}
    _Mail(letter.subject, letter.text, operator.contact_email, [address], headers=headers).send()


def _by_sms(letter: Letter, number: str, message: OutgoingMessage) -> None:
    sms.send(number, letter.text, key=str(_key(message, Operator.objects.get())))


def message_id(message: OutgoingMessage) -> str:
    """What stands under Message-ID, without brackets: answers refer to it."""
    operator = Operator.objects.get()
    return f"{_key(message, operator)}@{operator.site}"


def _key(message: OutgoingMessage, operator: Operator) -> UUID:
    """The same for every attempt, so that a letter sent twice is shown once."""
    return uuid5(NAMESPACE_URL, f"{operator.bin}/{message.pk}/{message.queued_at}")


CARRIERS: dict[str, Carrier] = {
    DataCategory.Kind.EMAIL: Carrier("mail", _by_mail),
    DataCategory.Kind.PHONE: Carrier("sms", _by_sms),
}


def _try_later(message: OutgoingMessage, error: Exception, now: datetime) -> bool:
    """A refusal for good or the last attempt fails the letter; otherwise the pauses grow."""
    message.last_error = str(error) if isinstance(error, sms.NotSent) else type(error).__name__
    is_final = message.attempts > len(PAUSES) or isinstance(error, SealError) or _is_refused_for_good(error)
    logger.warning("letter %s not sent: %s, attempt %s", message.pk, message.last_error, message.attempts)
    if is_final:
        return _mark(message, OutgoingMessage.State.FAILED)
    message.next_try_at = now + PAUSES[message.attempts - 1]
    message.save(update_fields=["next_try_at", "last_error"])
    return False


def _is_refused_for_good(error: Exception) -> bool:
    """A 4xx for the address (greylisting, a full mailbox) passes by; a 5xx does not, nor what a gateway refuses."""
    if isinstance(error, sms.Refused):
        return True
    return isinstance(error, smtplib.SMTPRecipientsRefused) and all(
        code >= 500 for code, _ in error.recipients.values()
    )


def _mark(message: OutgoingMessage, state: OutgoingMessage.State, sent_at: datetime | None = None) -> bool:
    message.state, message.sent_at = state, sent_at
    message.save(update_fields=["state", "sent_at", "last_error"])
    return state == OutgoingMessage.State.SENT
