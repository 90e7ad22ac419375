"""The outbox. A row is the truth; the broker only wakes the worker, and a sweeper looks every minute.

A letter is queued in the transaction of the act it tells about. Once claimed, the gate is asked right before it goes:
processing that ended meanwhile cancels it. Address and text are put together when it is sent, so the
row holds ids only. Sent at least once: a crash between the mail server's yes and ours sends the same letter again.
"""

import logging
import smtplib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.core.mail import EmailMessage
from django.db import connection, models, transaction
from django.utils import translation

from registry import auditing
from registry.disclosure import address_for
from registry.models import AuditEntry, DataSubject, Operator, OutgoingMessage, PersonalDatum, ProcessingPurpose
from registry.processing import may_process
from registry.sealing import SealError

logger = logging.getLogger(__name__)
LEASE = timedelta(minutes=5)
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480, 1440)]


@dataclass(frozen=True, repr=False)
class Letter:
    """Subject line, plain text and headers of one letter."""

    subject: str
    text: str
    headers: dict[str, str] = field(default_factory=dict)


Writer = Callable[[OutgoingMessage, str], Letter | None]
writers: dict[str, Writer] = {}


def written_by(name: str) -> Callable[[Writer], Writer]:
    """Says who writes letters of this name: called with row and address, it may answer None (no longer true)."""

    def remember(writer: Writer) -> Writer:
        writers[name] = writer
        return writer

    return remember


def queue(
    letter: str, *, about: models.Model, datum: PersonalDatum, purpose: ProcessingPurpose, language: str, now: datetime
) -> OutgoingMessage:
    return OutgoingMessage.objects.create(
        letter=letter,
        about_id=about.pk,
        subject_id=datum.subject_id,
        datum_id=datum.pk,
        purpose=purpose,
        language=language,
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
        if letter is not None:
            _hand_over(letter, address, message)
    except Exception as error:
        return _try_later(message, error, now)
    if letter is None:
        return _mark(message, OutgoingMessage.State.CANCELLED)
    return _note_sent(message, now)


def _write(message: OutgoingMessage, now: datetime) -> tuple[str, Letter | None]:
    """Address and letter; no letter where the gate, the address or the occasion is gone."""
    address = address_for(message.datum_id, message.subject_id) if _is_allowed(message, now) else None
    if address is None:
        return "", None
    with translation.override(message.language):
        return address, writers[message.letter](message, address)


@transaction.atomic
def _note_sent(message: OutgoingMessage, now: datetime) -> bool:
    auditing.record(AuditEntry.Operation.USE, now=now, system="mail", subject_id=message.subject_id, about=message)
    message.sent_at = now
    return _mark(message, OutgoingMessage.State.SENT)


def _is_allowed(message: OutgoingMessage, now: datetime) -> bool:
    return message.subject.status != DataSubject.Status.BLOCKED and may_process(message.subject, message.purpose, now)


class _Mail(EmailMessage):
    def message(self, **options: Any) -> Any:
        """Headers on one line each, as far as RFC 5322 lets them: a folded link is lost on some mail programs."""
        message = super().message(**options)
        message.policy = message.policy.clone(max_line_length=998)
        return message


def _hand_over(letter: Letter, address: str, message: OutgoingMessage) -> None:
    operator = Operator.objects.get()
    headers = {"Auto-Submitted": "auto-generated", "Message-ID": _message_id(message, operator), **letter.headers}
    _Mail(letter.subject, letter.text, operator.contact_email, [address], headers=headers).send()


def _message_id(message: OutgoingMessage, operator: Operator) -> str:
    """The same for every attempt, so that a letter sent twice is shown once."""
    return f"<{uuid5(NAMESPACE_URL, f'{operator.bin}/{message.pk}/{message.queued_at}')}@{operator.site}>"


def _try_later(message: OutgoingMessage, error: Exception, now: datetime) -> bool:
    """A refusal for good or the last attempt fails the letter; otherwise the pauses grow."""
    message.last_error = type(error).__name__
    is_final = message.attempts > len(PAUSES) or isinstance(error, SealError) or _is_refused_for_good(error)
    logger.warning("letter %s not sent: %s, attempt %s", message.pk, message.last_error, message.attempts)
    if is_final:
        return _mark(message, OutgoingMessage.State.FAILED)
    message.next_try_at = now + PAUSES[message.attempts - 1]
    message.save(update_fields=["next_try_at", "last_error"])
    return False


def _is_refused_for_good(error: Exception) -> bool:
    """A 4xx for the address (greylisting, a full mailbox) passes by; a 5xx does not."""
    return isinstance(error, smtplib.SMTPRecipientsRefused) and all(
        code >= 500 for code, _ in error.recipients.values()
    )


def _mark(message: OutgoingMessage, state: OutgoingMessage.State) -> bool:
    message.state = state
    message.save(update_fields=["state", "sent_at", "last_error"])
    return state == OutgoingMessage.State.SENT
