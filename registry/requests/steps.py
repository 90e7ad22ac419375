"""One step of a request: the row of its life, and the audit entry of who did it."""

from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import auditing
from registry.disclosure import may_see_people
from registry.models import AuditEntry, RequestStep, StaffMember, SubjectRequest
from registry.processing import lock_subjects

Step = RequestStep.Step
State = SubjectRequest.State
HANDLE = "registry.handle_subjectrequest"
OPERATIONS = {
    Step.RECEIVED: AuditEntry.Operation.COLLECT,
    Step.ANSWERED: AuditEntry.Operation.APPROVE,
    Step.DONE: AuditEntry.Operation.CHANGE,
}


def note(
    request: SubjectRequest, step: Step, *, now: datetime, by: StaffMember | None = None, reason: str = ""
) -> RequestStep:
    """Appends the step and its audit entry, in the transaction of the act. Whoever is not on the staff is the page."""
    auditing.record(
        OPERATIONS.get(step, AuditEntry.Operation.CHANGE),
        now=now,
        actor=by,
        system="" if by else "requests",
        subject_id=request.subject_id,
        about=request,
        reason=f"{step}: {reason}"[:300] if reason else str(step),
    )
    return RequestStep.objects.create(request=request, step=step, at=now, by=by, reason=reason, due_on=request.due_on)


def locked(request: SubjectRequest, *states: State) -> SubjectRequest:
    """The row, not finished (or in one of `states`), its person locked first. ValidationError: somebody was faster."""
    lock_subjects([request.subject_id])
    row = SubjectRequest.objects.taken(request.pk)
    if row.state not in (states or SubjectRequest.WAITING):
        raise ValidationError(_("Somebody was faster: this request is in another state now."), code="state")
    return row


def check_may(
    by: StaffMember, request: SubjectRequest | None, *, now: datetime, permission: str = HANDLE
) -> None:
    """PermissionDenied, and the attempt recorded, without the permission or an appointment in force (clause 29)."""
    if by.has_perm(permission) and may_see_people(by, now):
        return
    with transaction.atomic():
        auditing.record(
            AuditEntry.Operation.REFUSED,
            now=now,
            actor=by,
            subject_id=request.subject_id if request else None,
            about=request,
            reason=permission,
        )
    raise PermissionDenied
