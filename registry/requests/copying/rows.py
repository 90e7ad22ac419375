"""The row of a copy and its file: its states, where the file lies, what opens it, whether it may still be given."""

import json
from collections.abc import Collection
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import auditing, handed_out, sealed_files
from registry.handed_out import Files
from registry.models import AuditEntry, CopyPackage, DataSubject, PersonalDatum, SubjectRequest
from registry.processing import lock_subjects

State = CopyPackage.State
Operation = AuditEntry.Operation
FILES = Files("copies", b"copy")
path_of, remove, key_of, turn = FILES.path_of, FILES.remove, FILES.key_of, handed_out.turn
ERASED = "data destroyed since"


def locked(package: CopyPackage, *states: State) -> CopyPackage:
    """The row, its person locked before it; ValidationError if it is in none of these states any more."""
    lock_subjects([package.request.subject_id])
    row = CopyPackage.objects.select_for_update(of=("self",)).select_related("request__subject").get(pk=package.pk)
    if row.state not in states:
        raise gone()
    return row


def gone() -> ValidationError:
    return ValidationError(_("This copy cannot be fetched any more. Ask for it anew."), code="gone")


def note(operation: Operation, row: CopyPackage, now: datetime, reason: str, system: str = FILES.name) -> None:
    subject_id = row.request.subject_id
    auditing.record(operation, now=now, system=system, subject_id=subject_id, about=row, reason=reason)


def destroy(row: CopyPackage, now: datetime, reason: str) -> None:
    """Ends a locked row; the file is taken away by the caller, after the commit."""
    turn(row, State.DESTROYED, destroyed_at=now)
    note(Operation.DESTROY, row, now, reason)


def give_up(package: CopyPackage, error: Exception, now: datetime) -> None:
    """Failed, if it was still being built or ready."""
    person = package.request.subject_id
    with transaction.atomic():
        lock_subjects([person])
        FILES.fail(CopyPackage.objects.select_for_update().get(pk=package.pk), error, now, person)
    remove(package)


def is_refused(request: SubjectRequest) -> bool:
    return request.outcome == SubjectRequest.Outcome.REFUSED


def lost(row: CopyPackage, numbers: Collection[int]) -> bool:
    """Whether some of the data in the copy are destroyed by now. The person is locked by the caller."""
    if row.request.subject.status == DataSubject.Status.ERASED:
        return True
    held = PersonalDatum.objects.filter(subject=row.request.subject_id, pk__in=numbers)
    return held.count() != len(numbers)


def numbers_in(row: CopyPackage) -> list[int]:
    """The numbers of the data in the file of a ready copy. OSError, SealError."""
    with path_of(row).open("rb") as file:
        return numbers_of(next(sealed_files.reading(file, key_of(row), row.pk)))


def numbers_of(first_part: bytes) -> list[int]:
    numbers: list[int] = json.loads(first_part)
    return numbers
