"""Who may act on an incident, its row held for one act, and the audit entry of it."""

from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import auditing
from registry.disclosure import may_see_people
from registry.models import AuditEntry, Incident, StaffMember

HANDLE = "registry.handle_incident"


def check_may(by: StaffMember, incident: Incident | None, *, now: datetime) -> None:
    """PermissionDenied, and the attempt recorded, without the permission or an appointment in force (clause 29)."""
    if by.has_perm(HANDLE) and may_see_people(by, now):
        return
    with transaction.atomic():
        auditing.record(AuditEntry.Operation.REFUSED, now=now, actor=by, about=incident, reason=HANDLE)
    raise PermissionDenied


def locked(incident: Incident) -> Incident:
    """The row, open, held until the transaction ends. ValidationError: somebody has closed it."""
    row = Incident.objects.taken(incident.pk)
    if row.state != Incident.State.OPEN:
        raise ValidationError(_("This incident is closed: nothing of it changes any more."), code="state")
    return row


def note(
    incident: Incident,
    told: str,
    *,
    by: StaffMember,
    now: datetime,
    operation: AuditEntry.Operation = AuditEntry.Operation.CHANGE,
) -> None:
    """The audit entry of one act, in its transaction."""
    auditing.record(operation, now=now, actor=by, about=incident, reason=told[:300])
