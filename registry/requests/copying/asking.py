"""Asking for the copy: a member of the staff lets it be built."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from registry import auditing
from registry.models import AuditEntry, CopyPackage, DataSubject, StaffMember, SubjectRequest
from registry.requests.copying.rows import is_refused
from registry.requests.steps import State, check_may, locked

KINDS = (SubjectRequest.Kind.ACCESS, SubjectRequest.Kind.OTHER)


def ask(request: SubjectRequest, *, by: StaffMember, now: datetime) -> CopyPackage:
    """Opens the row; the next run builds. Whoever calls wakes it (`tasks.wake_copies`).

    PermissionDenied; ValidationError: another kind, not known who asks, refused, all erased, or one there already.
    """
    check_may(by, request, now=now)
    with transaction.atomic():
        row = locked(request, State.OPEN, State.ANSWERED)
        _check(row)
        package = _open(row, by, now)
        auditing.record(
            AuditEntry.Operation.APPROVE,
            now=now,
            actor=by,
            subject_id=row.subject_id,
            about=package,
            reason=row.number,
        )
    return package


def _check(request: SubjectRequest) -> None:
    if request.kind not in KINDS:
        raise ValidationError(_("A copy is built for a request for it, or for another question."), code="kind")
    if request.identity == SubjectRequest.Identity.NONE or is_refused(request):
        raise ValidationError(_("A copy is only built for a person who is known, and not after a refusal."), code="who")
    if request.subject.status == DataSubject.Status.ERASED:
        raise ValidationError(_("Everything about this person is destroyed: there is nothing to copy."), code="erased")


def _open(request: SubjectRequest, by: StaffMember, now: datetime) -> CopyPackage:
    try:
        with transaction.atomic():
            return CopyPackage.objects.create(
                request=request, state=CopyPackage.State.BUILDING, asked_at=now, asked_by=by
            )
    except IntegrityError:  # one_copy_at_a_time
        raise ValidationError(_("A copy is being built or waits to be fetched already."), code="live") from None
