"""Reveal: the one door through which a person on the staff sees a value.

Dangerous because everything else in this product exists to keep values shut. The rules:

- `reveal` wants the permission, an appointment in force today (policy clause 29) and a reason. The audit entry is
  written and committed before the value is opened: what cannot be recorded is not shown.
- A refused attempt is recorded too.
- The value is returned to the caller for one answer. It never goes into a URL, a message, a log, a task or a cache.
- `masked` opens values only to hide all but a hint; `address_for` opens one for a letter that the gate has let through.

Called by: the console (reveal, masked), registry.mail (address_for).
Sources: policy clauses 14, 28, 29; Law 94-V art. 22.
"""

from collections.abc import Iterable
from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from registry import auditing
from registry.keyring import keyring
from registry.models import AuditEntry, DataCategory, PersonalDatum, StaffMember
from registry.normalise import check_given, normalise
from registry.sealing import SealError


def may_see_people(person: StaffMember, now: datetime) -> bool:
    """Whether an appointment in force lets this staff member see anything personal, masked or not."""
    return person.is_appointed(timezone.localdate(now))


def reveal(datum: PersonalDatum, *, by: StaffMember, reason: str, now: datetime) -> str:
    """The value, after the audit entry. PermissionDenied, ValidationError (no reason), SealError (damaged)."""
    if not (by.has_perm("registry.reveal_personaldatum") and may_see_people(by, now)):
        _record(AuditEntry.Operation.REFUSED, datum, by, reason, now)
        raise PermissionDenied
    check_given(reason)
    _record(AuditEntry.Operation.REVEAL, datum, by, reason.strip(), now)
    return datum.unseal(keyring().masters)


def _record(operation: AuditEntry.Operation, datum: PersonalDatum, by: StaffMember, reason: str, now: datetime) -> None:
    with transaction.atomic():
        auditing.record(operation, now=now, actor=by, subject_id=datum.subject_id, about=datum, reason=reason)


def masked(data: Iterable[PersonalDatum]) -> dict[int, str]:
    """A hint of each value by datum id: `a•••@example.kz`, ••• of evidence, or ⚠ where it does not open.

    Select `category` and `key`.
    """
    return {datum.pk: _hint(datum) for datum in data}


def _hint(datum: PersonalDatum) -> str:
    if datum.category.kind not in DataCategory.CONTACTS:
        return "•••"
    try:
        return normalise(datum.category.kind, datum.unseal(keyring().masters)).masked
    except (SealError, ValidationError):
        return "⚠"


def address_for(datum_id: int, subject_id: int) -> str | None:
    """Where a letter goes; None if the datum is gone or superseded. The gate was asked by the caller."""
    datum = PersonalDatum.objects.live().filter(pk=datum_id, subject=subject_id).select_related("key").first()
    return datum.unseal(keyring().masters) if datum else None
