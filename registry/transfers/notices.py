"""Telling recipients: whoever was given a person's data learns that the consent is withdrawn, or the data are
corrected, blocked or destroyed.

- A notice is opened in the transaction of the act itself, one a recipient, person and event, by one statement. Before
  it the transfers that still wait with this person are locked and the person is dropped from a file that is ready:
  fetched before, the recipient is told; fetched after, the person is not in it. What is corrected is built anew, so
  that no old value leaves.
- It names the person by reference and the transfers by number: a recipient finds them in the file it was given, and
  no value travels. State bodies are told, too; statistics name nobody, so there is nobody to tell about.
- One letter a recipient has all that is waiting for it. A recipient without an address is told on paper: staff note it.
- The due day is that of the Deadline `recipient_notice`, by the working calendar. Not acknowledged by REMIND_AFTER
  working days after it was sent, one reminder goes, and no second one.

Called by: consent.decisions (withdrawn), registry.requests.rectifying, registry.blocking, registry.demands;
registry.tasks (every hour); the console. Sources: policy clauses 12, 16, 19; Law 94-V art. 25(2)(8).
"""

import logging
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from itertools import groupby

from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import connection, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from registry import auditing, calendar, statements
from registry.models import AuditEntry, Deadline, Operator, Recipient, RecipientNotice, StaffMember, TransferLine
from registry.transfers.rows import check

logger = logging.getLogger(__name__)
Event = RecipientNotice.Event
HANDLE, DEADLINE = "registry.handle_recipientnotice", "recipient_notice"
LANGUAGES = ("kk", "ru", "en")
REMIND_AFTER = 5  # working days
SYSTEM = "notices"
OPEN = """
    INSERT INTO registry_recipientnotice (recipient_id, subject_id, purpose_id, event, opened_at, due_on)
    SELECT DISTINCT ON (transfer.recipient_id, line.subject_id) transfer.recipient_id, line.subject_id,
        transfer.purpose_id, %(event)s, %(now)s, %(due_on)s
    FROM registry_transferline line JOIN registry_transfer transfer ON transfer.id = line.transfer_id
    WHERE line.subject_id = ANY(%(subjects)s) AND line.dropped = '' AND transfer.state IN ('taken', 'sending')
        AND (%(purposes)s::bigint[] IS NULL OR transfer.purpose_id = ANY(%(purposes)s))
    ORDER BY transfer.recipient_id, line.subject_id, transfer.id DESC
    ON CONFLICT DO NOTHING
"""
GIVEN = "SELECT FROM registry_transferline WHERE subject_id = ANY(%s) LIMIT 1"
HOLD = """
    SELECT id FROM registry_transfer transfer WHERE state IN ('building', 'ready') AND EXISTS (
        SELECT FROM registry_transferline line
        WHERE line.transfer_id = transfer.id AND line.subject_id = ANY(%(subjects)s) AND line.dropped = ''
    ) ORDER BY id FOR UPDATE
"""
DROP = """
    UPDATE registry_transferline line SET dropped = %(reason)s FROM registry_transfer transfer
    WHERE transfer.id = line.transfer_id AND transfer.id = ANY(%(waiting)s) AND transfer.state = 'ready'
        AND line.subject_id = ANY(%(subjects)s) AND line.dropped = ''
        AND (%(purposes)s::bigint[] IS NULL OR transfer.purpose_id = ANY(%(purposes)s))
"""
LOST = {Event.WITHDRAWN: "ended", Event.ERASED: "ended", Event.BLOCKED: "blocked"}  # gate.REASONS
ANEW = "UPDATE registry_transfer SET state = 'building', wrapped = NULL WHERE id = ANY(%s)"


def open_for(
    subject_ids: Collection[int], event: Event, *, now: datetime, purposes: Collection[int] | None = None
) -> int:
    """Opens what is to be told about these people, of transfers for these purposes (None: all); how many notices.

    The people are locked by the caller. Where nothing was ever given this is one look at an index.
    """
    if not statements.run(GIVEN, [list(subject_ids)]).rowcount:
        return 0
    values = {
        "subjects": list(subject_ids),
        "purposes": None if purposes is None else list(purposes),
        "event": event,
        "now": now,
        "due_on": due_on(DEADLINE, timezone.localdate(now)),
    }
    with connection.cursor() as cursor:
        cursor.execute(HOLD, values)
        waiting = [pk for (pk,) in cursor.fetchall()]
        if waiting and event in LOST:
            cursor.execute(DROP, values | {"waiting": waiting, "reason": LOST[event]})
        elif waiting and event == Event.CORRECTED:
            cursor.execute(ANEW, [waiting])
        cursor.execute(OPEN, values)
        return cursor.rowcount


def due_on(deadline: str, day: date) -> date:
    """The last day of the term with this code that begins on `day`, by the working calendar of now."""
    term = Deadline.objects.get(code=deadline)
    counted = calendar.current()
    due = counted.due if term.unit == Deadline.Unit.WORKING_DAYS else counted.due_in_days
    return due(day, term.length).day


def send_due(now: datetime) -> int:
    """One letter for each recipient with something to be told or to be reminded of; how many letters went."""
    return _send(_unsent(), "sent_at", now) + _send(_unanswered(now), "reminded_at", now)


def _unsent() -> Iterable[RecipientNotice]:
    waiting = RecipientNotice.objects.filter(sent_at=None).exclude(recipient__contact_email="")
    return waiting.select_related("recipient", "subject").order_by("recipient", "pk")


def _unanswered(now: datetime) -> Iterable[RecipientNotice]:
    since = timezone.localdate(now)
    days = calendar.current()
    for _number in range(REMIND_AFTER):
        since -= timedelta(days=1)
        while not days.is_working(since):
            since -= timedelta(days=1)
    waiting = RecipientNotice.objects.filter(acknowledged_at=None, reminded_at=None, sent_at__date__lt=since)
    waiting = waiting.exclude(recipient__contact_email="")
    return waiting.select_related("recipient", "subject").order_by("recipient", "pk")


def _send(notices: Iterable[RecipientNotice], field: str, now: datetime) -> int:
    by_recipient = groupby(list(notices), lambda notice: notice.recipient)
    return sum(_tell(recipient, list(some), field, now) for recipient, some in by_recipient)


def _tell(recipient: Recipient, notices: list[RecipientNotice], field: str, now: datetime) -> bool:
    """False if the letter did not leave; the next run tries again."""
    numbers, is_reminder = _numbers(recipient, notices), field == "reminded_at"
    texts = [_in(language, notices, numbers, is_reminder=is_reminder) for language in LANGUAGES]
    subject, text = " · ".join(one for one, _text in texts), "\n\n".join(text for _one, text in texts)
    try:
        send_mail(subject, text, Operator.objects.get().contact_email, [recipient.contact_email])
    except OSError as error:  # what smtplib raises is one too
        logger.warning("notice to recipient %s not mailed: %s", recipient.code, type(error).__name__)
        return False
    _note(notices, field, now)
    return True


@transaction.atomic
def _note(notices: list[RecipientNotice], field: str, now: datetime) -> None:
    numbers = [notice.pk for notice in notices]
    RecipientNotice.objects.filter(pk__in=numbers, **{field: None}).update(**{field: now})
    for notice in notices:
        auditing.record(
            AuditEntry.Operation.USE, now=now, system=SYSTEM, subject_id=notice.subject_id, about=notice, reason=field
        )


def _in(
    language: str, notices: list[RecipientNotice], numbers: dict[int, list[str]], *, is_reminder: bool
) -> tuple[str, str]:
    with translation.override(language):
        told = ((one.subject, one.get_event_display()) for one in notices)
        lines = [f"{subject.reference}: {event} ({', '.join(numbers[subject.pk])})" for subject, event in told]
        asked = _("Stop using what you were given about these people, or mend it, and confirm it to us:")
        if is_reminder:
            asked = _("You have not confirmed this yet:")
        return _("Notice about personal data you were given"), "\n".join([asked, *lines])


def _numbers(recipient: Recipient, notices: list[RecipientNotice]) -> dict[int, list[str]]:
    """By person, the transfers this recipient was given them in. One query."""
    people = [notice.subject_id for notice in notices]
    given = TransferLine.objects.filter(subject__in=people, dropped="", transfer__state__in=["taken", "sending"])
    given = given.filter(transfer__recipient=recipient).order_by("transfer")
    found: dict[int, list[str]] = {person: [] for person in people}
    for person, number in given.values_list("subject", "transfer__number"):
        found[person].append(number)
    return found


def note_told(notice: RecipientNotice, *, by: StaffMember, now: datetime) -> None:
    """Told on paper or by telephone. PermissionDenied, ValidationError (told already)."""
    _set(notice, "sent_at", by, now, {"sent_at": now})


def acknowledge(notice: RecipientNotice, *, by: StaffMember, now: datetime) -> None:
    """The recipient has confirmed. PermissionDenied, ValidationError (not told yet, or confirmed already)."""
    _set(notice, "acknowledged_at", by, now, {"acknowledged_at": now, "acknowledged_by": by})


def _set(notice: RecipientNotice, field: str, by: StaffMember, now: datetime, values: dict[str, object]) -> None:
    check(by.has_perm(HANDLE), by, notice, now)
    with transaction.atomic():
        row = RecipientNotice.objects.select_for_update().get(pk=notice.pk)
        is_early = field == "acknowledged_at" and row.sent_at is None
        if is_early or getattr(row, field) is not None:
            raise ValidationError(_("Somebody was faster, or the recipient was not told yet."))
        RecipientNotice.objects.filter(pk=row.pk).update(**values)
        auditing.record(AuditEntry.Operation.USE, now=now, actor=by, subject_id=row.subject_id, about=row, reason=field)
