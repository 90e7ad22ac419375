"""A message in quarantine is settled: staff read it in the mailbox and did what was to be done."""

from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from consent.models import ReceivedMail
from registry import auditing
from registry.disclosure import may_see_people
from registry.models import AuditEntry, StaffMember

RESOLVE = "consent.resolve_receivedmail"


def resolve(mail: ReceivedMail, *, by: StaffMember, now: datetime) -> None:
    """From now on the mailbox need not keep it: the next run deletes it there. PermissionDenied, ValidationError."""
    _check_may(by, mail, now)
    with transaction.atomic():
        row = ReceivedMail.objects.to_look_at().select_for_update().filter(pk=mail.pk).first()
        if row is None:
            raise ValidationError(_("Somebody was faster: this message is settled."), code="state")
        row.resolved_at, row.resolved_by = now, by
        row.save(update_fields=["resolved_at", "resolved_by"])
        auditing.record(AuditEntry.Operation.CHANGE, now=now, actor=by, about=row, reason=f"resolved: {row.why}")


def _check_may(by: StaffMember, mail: ReceivedMail, now: datetime) -> None:
    if by.has_perm(RESOLVE) and may_see_people(by, now):
        return
    with transaction.atomic():
        auditing.record(AuditEntry.Operation.REFUSED, now=now, actor=by, about=mail, reason=RESOLVE)
    raise PermissionDenied
