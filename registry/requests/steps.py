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
    row = with_person(request.pk)
    if row.state not in (states or SubjectRequest.WAITING):
        raise ValidationError(_("Somebody was faster: this request is in another state now."), code="state")
    return row


def with_person(request_id: int) -> SubjectRequest:
    """The row, its person locked first. Handed over while we waited: the other is let go, whose it is now is locked."""
    while True:
        subject_id = SubjectRequest.objects.values_list("subject_id", flat=True).get(pk=request_id)
        with transaction.atomic():
            lock_subjects([subject_id])
            row = SubjectRequest.objects.taken(request_id)
            if row.subject_id == subject_id:
                return row
            transaction.set_rollback(True)


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
