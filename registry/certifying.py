"""What an erasure certificate says: what went, what stays until when, what an erasure would do, and when it is late.

A demand of its own has the term of a withdrawal (Law 94-V art. 8(7)), counted from the day it was demanded; one that
carries out a request has the last day promised in that request. Reads only.

Called by: registry.demands, the console, what counts lateness (findings, figures, work, reports).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext_lazy

from registry import calendar
from registry.calendar import Term
from registry.deadlines import end_of_day
from registry.models import (
    DataSubject,
    DestructionGround,
    ErasureCertificate,
    ErasureRecord,
    LegalHold,
    PersonalDatum,
    RetentionSettings,
    SubjectRequest,
)

DEADLINE = "withdrawal"
ASKED = "asked for by the person"  # the reason of a demand that carries out a request: a code, read in every language
REASONS = {ASKED: gettext_lazy("asked for by the person")}


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


def reason_of(certificate: ErasureCertificate) -> str:
    """Why it was demanded, in the active language where it is a code, else as it was written."""
    return str(REASONS.get(certificate.reason, certificate.reason))


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
    """The proofs of what went: by this certificate, with the claims that nothing keeps any more (registry.claims), and
    by a purge that was faster."""
    purged = Q(certificate=None, ground=DestructionGround.ON_DEMAND, at__gte=certificate.demanded_at)
    if certificate.finished_at:
        purged &= Q(at__lte=certificate.finished_at)
    found = ErasureRecord.objects.filter(Q(certificate=certificate) | purged & Q(subject=certificate.subject_id))
    return found.select_related("category", "purpose", "run").order_by("at", "pk")


def own_term() -> Term:
    """Of a demand of its own. Two queries."""
    return calendar.term(DEADLINE)


def promised(rows: QuerySet[ErasureCertificate]) -> QuerySet[ErasureCertificate]:
    """With `promised_on`: the last day of the request that this demand carries out; None for a demand of its own."""
    asked = SubjectRequest.objects.filter(certificate=OuterRef("pk")).order_by("due_on", "pk")
    return rows.annotate(promised_on=Subquery(asked.values("due_on")[:1]))


def is_over(term: Term, now: datetime) -> Q:
    """Of `promised` rows: those whose last day is over at `now`. Never negate it: where nothing was promised, it is
    neither true nor false to the database."""
    own = Q(promised_on=None, demanded_at__lt=term.late_before(now))
    return own | Q(promised_on__lt=timezone.localdate(now))


def late(rows: QuerySet[ErasureCertificate], until: datetime) -> list[ErasureCertificate]:
    """Of these those that were finished, or by `until` were not finished, after their last day. In order.

    Read are only those that took as many days as their term has at least; nearly all take minutes.
    """
    own, finished_on = own_term(), TruncDate("finished_at", tzinfo=ZoneInfo(settings.TIME_ZONE))
    took = F("demanded_at") + timedelta(days=own.length)
    slow = Q(finished_at=None) | Q(finished_at__gt=took) | Q(promised_on__lt=finished_on)
    found = promised(rows).defer("scan").order_by("pk").filter(slow)
    return [row for row in found if ends_at(row, own) <= min(row.finished_at or until, until)]


def ends_at(certificate: ErasureCertificate, term: Term) -> datetime:
    """The first moment at which this one of the `promised` rows is late."""
    day: date | None = certificate.promised_on  # type: ignore[attr-defined]
    return end_of_day(day or term.last_day(certificate.demanded_at), ZoneInfo(settings.TIME_ZONE))
