"""Telling people of transfers: whoever made it a condition learns to whom their data were given, and what for.

- The condition is one row a person: made and ended by the person on the page of their consents, or noted by staff. Its
  history says when it stood.
- A notice is opened in the transaction that hands the file over, by one statement: for whoever is in the file and whose
  condition stands at that moment. A condition that ends later ends no notice.
- Not where a state body acts by law (art. 19(2)(1)), nor for the operator's own mailing, which gives nobody anything;
  statistics are about nobody.
- It is told by a letter (registry.transfer_letters), or by staff where none can go (`is_by_hand`). Whoever was erased
  meanwhile is told nothing: the notice stays, untold, as evidence.
- A notice names recipient, purpose, kinds of data, ground and number; no value.

Called by: registry.transfers.taking, registry.audience, the page "my consents", the console. Sources: Law 94-V art. 19,
deadline `transfer_notice`.
"""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from registry import auditing
from registry.models import AuditEntry, DataSubject, PersonNotice, StaffMember, Transfer, TransferCondition
from registry.normalise import check_given
from registry.processing import lock_subjects
from registry.transfers.notices import due_on
from registry.transfers.rows import check

DEADLINE, PAGE = "transfer_notice", "page"
NOTE, HANDLE = "registry.handle_subjectrequest", "registry.handle_personnotice"
UNTOLD_GROUNDS = (Transfer.Ground.STATE_BODY, Transfer.Ground.OWN, Transfer.Ground.STATISTICS)
Status = DataSubject.Status
OPEN = """
    INSERT INTO registry_personnotice (transfer_id, subject_id, opened_at, due_on, is_by_hand)
    SELECT line.transfer_id, line.subject_id, %(now)s, %(due_on)s, false
    FROM registry_transfercondition condition
    JOIN registry_transferline line ON line.subject_id = condition.subject_id
    WHERE condition.ended_at IS NULL AND line.transfer_id = %(transfer)s AND line.dropped = ''
    ON CONFLICT DO NOTHING
"""


def stands(subject: DataSubject) -> bool:
    """Whether this person is to be told of each transfer."""
    return TransferCondition.objects.filter(subject=subject, ended_at=None).exists()


def ask_to_be_told(subject: DataSubject, *, by: StaffMember | None, now: datetime, reason: str = "") -> bool:
    """From now on each transfer is told. `by` None: the person, on the page; staff need a reason.

    False, and nothing written, if it stands already. PermissionDenied, ValidationError (no reason, nobody known),
    DataSubject.DoesNotExist.
    """
    return _turn(subject, True, by, reason, now)


def end_condition(subject: DataSubject, *, by: StaffMember | None, now: datetime, reason: str = "") -> bool:
    """No transfer from now on is told; those before are. The same arguments, answer and errors."""
    return _turn(subject, False, by, reason, now)


def _turn(subject: DataSubject, shall_stand: bool, by: StaffMember | None, reason: str, now: datetime) -> bool:
    if by is not None:
        check(by.has_perm(NOTE), by, subject, now)
        check_given(reason)
    with transaction.atomic():
        lock_subjects([subject.pk])
        if not DataSubject.objects.filter(pk=subject.pk, status__in=[Status.ACTIVE, Status.BLOCKED]).exists():
            raise ValidationError(_("There is nobody to tell: this person is not known, or was erased."))
        row = TransferCondition.objects.filter(subject=subject).first() or TransferCondition(subject=subject)
        if (row.pk is not None and row.ended_at is None) is shall_stand:
            return False
        _save(row, shall_stand, by, now)
        told = reason.strip() or ("condition_made" if shall_stand else "condition_ended")
        _record(AuditEntry.Operation.CHANGE, row, told, by=by, now=now)
    return True


def _record(
    operation: AuditEntry.Operation,
    row: TransferCondition | PersonNotice,
    reason: str,
    *,
    by: StaffMember | None,
    now: datetime,
) -> None:
    """By staff, or else by the page."""
    whose, system = row.subject_id, "" if by else PAGE
    auditing.record(operation, now=now, actor=by, system=system, subject_id=whose, about=row, reason=reason)


def _save(row: TransferCondition, shall_stand: bool, by: StaffMember | None, now: datetime) -> None:
    if shall_stand:
        row.asked_at, row.noted_by, row.ended_at = now, by, None
    else:
        row.ended_at = now
    row.save()


def open_notices(transfer: Transfer, now: datetime) -> int:
    """What is to be told of this transfer, in the transaction that hands it over; how many notices."""
    if transfer.ground in UNTOLD_GROUNDS:
        return 0
    values: dict[str, Any] = {"transfer": transfer.pk, "now": now, "due_on": due_on(DEADLINE, timezone.localdate(now))}
    with connection.cursor() as cursor:
        cursor.execute(OPEN, values)
        return cursor.rowcount


def note_told(notice: PersonNotice, *, by: StaffMember, now: datetime) -> None:
    """Told on paper or by telephone. PermissionDenied, ValidationError (told already, or nobody is left to tell)."""
    check(by.has_perm(HANDLE), by, notice, now)
    with transaction.atomic():
        lock_subjects([notice.subject_id])
        row = PersonNotice.objects.select_for_update(of=("self",)).select_related("subject").get(pk=notice.pk)
        if row.told_at is not None or row.subject.status == Status.ERASED:
            raise ValidationError(_("This was told already, or nobody is left to tell."))
        PersonNotice.objects.filter(pk=row.pk).update(told_at=now, told_by=by)
        _record(AuditEntry.Operation.USE, row, "told_at", by=by, now=now)


def by_hand() -> QuerySet[PersonNotice]:
    """What waits for staff, by due day: somebody erased since is left out."""
    waiting = PersonNotice.objects.filter(told_at=None, is_by_hand=True).exclude(subject__status=Status.ERASED)
    return waiting.select_related("subject", "transfer").defer("transfer__wrapped").order_by("due_on", "pk")
