"""Reveal: the one door through which a person on the staff sees a value.

Dangerous because everything else in this product exists to keep values shut. The rules:

- `reveal` wants the permission, an appointment in force today (policy clause 29), a reason and something left of this
  person's quota of the day. The audit entry is written and committed before the value is opened: what cannot be
  recorded is not shown.
- The entries are the count: they are counted and the next one is written under a lock on the person's own row, so two
  windows cannot both take the last one.
- A refused attempt is recorded too.
- The value is returned to the caller for one answer. It never goes into a URL, a message, a log, a task or a cache.
- `masked` opens values only to hide all but a hint; `address_for` opens one for a letter that the gate has let through;
  `readable` opens those of a list whose taking out registry.exporting has allowed.

Called by: the console (reveal, masked, left_today, alarms), registry.mail (address_for), registry.lists (masked,
readable), registry.alarming (alarms).
Sources: policy clauses 14, 28, 29; Law 94-V art. 22.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from registry import auditing
from registry.keyring import keyring
from registry.models import AccessSettings, AuditEntry, DataCategory, PersonalDatum, StaffMember
from registry.normalise import check_given, normalise
from registry.sealing import SealError

USUAL_DAYS = 30  # how far back one looks to know what is usual for somebody
UNUSUAL_TIMES, UNUSUAL_FROM = 3, 10  # more than three times the usual, and at least ten
DAY = timedelta(days=1)


class QuotaUsedUp(ValidationError):
    """This person has opened as many values today as one person may."""


@dataclass(frozen=True)
class Alarm:
    """Somebody opens unusually many values: how many today, and how many on a usual day of the last 30."""

    person: StaffMember
    today: int
    usual: float


def may_see_people(person: StaffMember, now: datetime) -> bool:
    """Whether an appointment in force lets this staff member see anything personal, masked or not."""
    return person.is_appointed(timezone.localdate(now))


def reveal(datum: PersonalDatum, *, by: StaffMember, reason: str, now: datetime) -> str:
    """The value, after the audit entry. The same value opened twice counts twice.

    PermissionDenied, ValidationError (no reason; QuotaUsedUp), SealError (damaged).
    """
    if not (by.has_perm("registry.reveal_personaldatum") and may_see_people(by, now)):
        _record(AuditEntry.Operation.REFUSED, datum, by, reason, now)
        raise PermissionDenied
    check_given(reason)
    if not _count_one(datum, by, reason.strip(), now):
        raise QuotaUsedUp(_("You have opened as many values today as one person may. Ask the responsible person."))
    return datum.unseal(keyring().masters)


@transaction.atomic
def _count_one(datum: PersonalDatum, by: StaffMember, reason: str, now: datetime) -> bool:
    """Whether the quota has one left; the entry, of an opening or of a refusal, is written in the same transaction."""
    StaffMember.objects.select_for_update(no_key=True).get(pk=by.pk)
    is_left = left_today(by, now) > 0
    operation = AuditEntry.Operation.REVEAL if is_left else AuditEntry.Operation.REFUSED
    _record(operation, datum, by, reason, now)
    return is_left


def left_today(person: StaffMember, now: datetime) -> int:
    """How many values this person may still open on the local day of `now`."""
    opened = _opened(_midnight(now), now).filter(actor=person).count()
    return max(0, AccessSettings.objects.get().reveals_per_day - opened)


def alarms(now: datetime) -> list[Alarm]:
    """Who opens unusually many values on the local day of `now`; most first.

    From the setting's number on, or more than three times the person's own daily average of the 30 days before and at
    least ten.
    """
    midnight = _midnight(now)
    per_person = _opened(midnight - USUAL_DAYS * DAY, now).values("actor").order_by()
    counted = per_person.annotate(
        today=Count("pk", filter=Q(at__gte=midnight)), before=Count("pk", filter=Q(at__lt=midnight))
    )
    is_many = Q(today__gte=AccessSettings.objects.get().alarm_reveals)
    is_unusual = Q(today__gte=UNUSUAL_FROM, today__gt=F("before") * UNUSUAL_TIMES / float(USUAL_DAYS))
    found = list(counted.filter(is_many | is_unusual).order_by("-today", "actor"))
    people = StaffMember.objects.in_bulk([row["actor"] for row in found])
    return [Alarm(people[row["actor"]], row["today"], row["before"] / USUAL_DAYS) for row in found]


def _opened(since: datetime, now: datetime) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(operation=AuditEntry.Operation.REVEAL, at__gte=since, at__lt=_midnight(now) + DAY)


def _midnight(now: datetime) -> datetime:
    return timezone.make_aware(datetime.combine(timezone.localdate(now), time(0)))


def _record(operation: AuditEntry.Operation, datum: PersonalDatum, by: StaffMember, reason: str, now: datetime) -> None:
    with transaction.atomic():
        auditing.record(operation, now=now, actor=by, subject_id=datum.subject_id, about=datum, reason=reason)


def masked(data: Iterable[PersonalDatum]) -> dict[int, str]:
    """A hint of each value by datum id: `a•••@example.kz`, ••• of evidence, or ⚠ where it does not open.

    Select `category` and `key`.
    """
    return {datum.pk: _hint(datum) for datum in data}


def readable(data: Iterable[PersonalDatum]) -> dict[int, str]:
    """The values by datum id, ⚠ where one does not open. Who may have them was asked and recorded by the caller."""
    return {datum.pk: _whole(datum) for datum in data}


def _whole(datum: PersonalDatum) -> str:
    try:
        return datum.unseal(keyring().masters)
    except SealError:
        return "⚠"


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
