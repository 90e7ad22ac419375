"""Letters for the notices that people made a condition (registry.transfers.telling): which can go, and that one went.

Every hour it is decided anew what no letter can tell: there is no confirmed e-mail, the person is blocked, or a letter
did not go. That is marked on the notice (`is_by_hand`), so that the page Today reads what staff must do by an index,
however many notices wait for their letter. Nothing is queued for whoever was erased.

Called by: registry.tasks (every hour); the outbox, when a letter went (`note_sent`). consent.telling writes the letter.
Sources: Law 94-V art. 19.
"""

from datetime import datetime
from itertools import groupby

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from registry import auditing, mail
from registry.models import AuditEntry, DataCategory, DataSubject, OutgoingMessage, PersonalDatum, PersonNotice

LETTER, SYSTEM = "transfer_told", "telling"
PORTION = 1000  # letters queued in one transaction
Mail, Status = OutgoingMessage.State, DataSubject.Status


def queue_due(now: datetime) -> int:
    """Marks what staff must tell, then queues a letter for each notice that has none yet; how many letters."""
    _mark()
    queued = 0
    while portion := _queue_portion(now):
        queued += portion
    return queued


@transaction.atomic
def _mark() -> None:
    untold = PersonNotice.objects.filter(told_at=None)
    untold.filter(_needs_staff(), is_by_hand=False).update(is_by_hand=True)
    untold.filter(~_needs_staff(), is_by_hand=True).update(is_by_hand=False)


def _needs_staff() -> Q:
    lost = _letters().filter(state__in=[Mail.CANCELLED, Mail.FAILED])
    is_reached = Q(subject__status=Status.ACTIVE) & Q(Exists(_emails())) & ~Q(Exists(lost))
    return ~Q(subject__status=Status.ERASED) & ~is_reached


def _letters() -> QuerySet[OutgoingMessage]:
    return OutgoingMessage.objects.filter(subject=OuterRef("subject"), letter=LETTER, about_id=OuterRef("pk"))


def _emails() -> QuerySet[PersonalDatum]:
    confirmed = PersonalDatum.objects.live().filter(standing=PersonalDatum.Standing.CONFIRMED)
    return confirmed.filter(subject=OuterRef("subject"), category__kind=DataCategory.Kind.EMAIL).order_by("pk")


@transaction.atomic
def _queue_portion(now: datetime) -> int:
    waiting = PersonNotice.objects.filter(~Exists(_letters()), told_at=None, is_by_hand=False)
    reached = waiting.filter(subject__status=Status.ACTIVE).annotate(email=Subquery(_emails().values("pk")[:1]))
    some = list(
        reached.filter(email__isnull=False)
        .select_related("subject", "transfer__purpose")
        .defer("transfer__wrapped")
        .order_by("transfer__purpose_id", "due_on", "pk")[:PORTION]
    )
    data = PersonalDatum.objects.only("subject_id").in_bulk([notice.email for notice in some])
    for purpose, notices in groupby(some, lambda notice: notice.transfer.purpose):
        letters = [mail.Queued(one, data[one.email], one.subject.language) for one in notices]
        mail.queue_all(LETTER, letters, purpose=purpose, now=now)
    return len(some)


def note_sent(message: OutgoingMessage, now: datetime) -> None:
    """The letter went: told. In the transaction that marks the letter; nothing if somebody told it meanwhile."""
    notice = PersonNotice.objects.filter(pk=message.about_id, told_at=None).first()
    if notice and PersonNotice.objects.filter(pk=notice.pk, told_at=None).update(told_at=now):
        operation, whose = AuditEntry.Operation.USE, notice.subject_id
        auditing.record(operation, now=now, system=SYSTEM, subject_id=whose, about=notice, reason="told_at")
