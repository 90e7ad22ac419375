"""What an erasure certificate says: what went, what stays until when, what an erasure would do. Reads only.

Called by: registry.demands, the console.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from registry.models import (
    DataSubject,
    DestructionGround,
    ErasureCertificate,
    ErasureRecord,
    LegalHold,
    PersonalDatum,
    RetentionSettings,
)


@dataclass(frozen=True)
class Staying:
    """A datum that stays: under which holds (none: the person is blocked), and until when as far as known."""

    datum: PersonalDatum
    until: datetime | None
    holds: list[LegalHold]


@dataclass(frozen=True)
class Foresight:
    """What an erasure would do at once, and what it would leave for later."""

    goes: list[PersonalDatum]
    stays: list[Staying]


def demanded(certificate: ErasureCertificate) -> QuerySet[PersonalDatum]:
    """What this demand is about and is still there: not what came after it, nor what was consented to anew."""
    ended = PersonalDatum.objects.filter(keep_until__lte=certificate.demanded_at)
    return ended.filter(subject=certificate.subject_id, recorded_at__lte=certificate.demanded_at).order_by("pk")


def staying(certificate: ErasureCertificate, *, now: datetime) -> list[Staying]:
    """What was demanded and is still kept, with the holds in force at `now`."""
    data = demanded(certificate).select_related("category", "term")
    holds = _holds(certificate.subject, now)
    return [Staying(datum, datum.term.until, _on(datum, holds)) for datum in data]


def foresee(subject: DataSubject, *, now: datetime) -> Foresight:
    """What an erasure demanded at `now` would destroy and what it would have to leave."""
    data = list(subject.data.select_related("category", "key").order_by("pk"))
    holds = _holds(subject, now)
    if subject.status == DataSubject.Status.BLOCKED:
        return Foresight([], [Staying(datum, None, _on(datum, holds)) for datum in data])
    held = [Staying(datum, _end_of(_on(datum, holds)), _on(datum, holds)) for datum in data if _on(datum, holds)]
    return Foresight([datum for datum in data if not _on(datum, holds)], held)


def _holds(subject: DataSubject, now: datetime) -> list[LegalHold]:
    in_force = LegalHold.objects.filter(Q(until=None) | Q(until__gt=now), subject=subject, released_at=None)
    return list(in_force.select_related("ground").order_by("pk"))


def _on(datum: PersonalDatum, holds: Iterable[LegalHold]) -> list[LegalHold]:
    return [hold for hold in holds if hold.datum_id in (None, datum.pk)]


def _end_of(holds: list[LegalHold]) -> datetime | None:
    """The end of the last hold; None while one of them has no end."""
    ends = [hold.until for hold in holds if hold.until]
    return max(ends) if len(ends) == len(holds) else None


def renewed(certificate: ErasureCertificate) -> list[int]:
    """The categories of what stays because the person consented anew while a hold kept it."""
    kept = PersonalDatum.objects.live().filter(subject=certificate.subject_id, keep_until=None)
    return sorted(set(kept.filter(recorded_at__lte=certificate.demanded_at).values_list("category", flat=True)))


def backups_until(certificate: ErasureCertificate) -> str | None:
    """When the last backup that may hold something of this will be gone; None if nothing went."""
    last = records(certificate).order_by("-at").values_list("at", flat=True).first()
    days = RetentionSettings.objects.get().backup_days
    return (last + timedelta(days=days)).isoformat() if last else None


def records(certificate: ErasureCertificate) -> QuerySet[ErasureRecord]:
    """The proofs of what went: by this certificate, and by a purge that was faster."""
    purged = Q(certificate=None, ground=DestructionGround.ON_DEMAND, at__gte=certificate.demanded_at)
    if certificate.finished_at:
        purged &= Q(at__lte=certificate.finished_at)
    found = ErasureRecord.objects.filter(Q(certificate=certificate) | purged, subject=certificate.subject_id)
    return found.select_related("category", "purpose", "run").order_by("at", "pk")
