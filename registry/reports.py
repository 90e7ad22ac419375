"""The report of internal control (policy clause 28): who was authorised, what they did, what was destroyed.

Read only, from evidence. Numbers of things and names of staff; no value, and no person but by the number of an act. A
constant number of queries; what grows with the registry is counted by the database, through an index of the period.

What is late is told by the calendar and the terms of today, a request by the last day it was promised.

Called by: the console's page.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from registry import certifying
from registry.models import (
    Appointment,
    AuditEntry,
    AuditVerification,
    DataExport,
    ErasureCertificate,
    Incident,
    LegalHold,
    PurgePreview,
    PurgeRun,
    RuleChange,
    StaffMember,
    SubjectRequest,
)
from registry.requests import counting
from registry.requests.counting import Counts

LONGEST = timedelta(days=366)
LATE_SHOWN = 50
SIGN_IN, SEARCH, REVEAL, REFUSED = (AuditEntry.Operation(name) for name in ("sign_in", "search", "reveal", "refused"))


@dataclass(frozen=True)
class Period:
    """Local days, both of them in it."""

    first: date
    last: date

    @property
    def begins_at(self) -> datetime:
        return datetime.combine(self.first, time(0), tzinfo=ZoneInfo(settings.TIME_ZONE))

    @property
    def ends_at(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), time(0), tzinfo=ZoneInfo(settings.TIME_ZONE))

    def holding(self, field: str) -> Q:
        return Q(**{f"{field}__gte": self.begins_at, f"{field}__lt": self.ends_at})


def last_month(day: date) -> Period:
    """The whole calendar month before the one of that day."""
    last = day.replace(day=1) - timedelta(days=1)
    return Period(last.replace(day=1), last)


@dataclass(frozen=True)
class Acts:
    """What one member of the staff did; `person` None: nobody knows who it was, a wrong name at the sign-in."""

    person: StaffMember | None
    sign_ins: int
    searches: int
    opened: int
    people: int
    refused: int


@dataclass(frozen=True)
class Erasures:
    """Demanded erasures. `late`: the first of those that took, or by the end of the period had taken, too long."""

    demanded: int
    finished: int
    open: int
    late_count: int
    late: list[ErasureCertificate]


@dataclass(frozen=True)
class Report:
    """Everything on the page; lists of rows where a page can hold them, counts elsewhere."""

    period: Period
    made_at: datetime
    appointments: list[Appointment]
    staff: list[StaffMember]
    acts: list[Acts]
    opened_by_day: list[tuple[date, int]]
    refusals: list[tuple[str, int]]
    exports: list[DataExport]
    purges: Mapping[str, int]
    purge_decisions: list[PurgePreview]
    rule_decisions: list[RuleChange]
    holds: Mapping[str, int]
    requests: list[tuple[str, Counts]]
    late_requests: list[SubjectRequest]
    erasures: Erasures
    incidents: list[Incident]
    verifications: list[AuditVerification]

    @property
    def is_open(self) -> bool:
        return self.made_at < self.period.ends_at

    @property
    def wrong(self) -> list[AuditVerification]:
        """Verifications that found something."""
        return [one for one in self.verifications if one.outcome != AuditVerification.Outcome.INTACT]


def make(period: Period, now: datetime) -> Report:
    """What is known now of the period; of one that is not over, up to now."""
    acts = _counted_acts(period)
    days: Counter[date] = Counter()
    refusals: Counter[str] = Counter()
    for (_person, operation, system, day), number in acts.items():
        if operation == REVEAL:
            days[day] += number
        elif operation == REFUSED:
            refusals[system] += number
    return Report(
        period=period,
        made_at=now,
        appointments=_appointments(period),
        staff=list(StaffMember.objects.filter(is_active=True).order_by("username").prefetch_related("groups")),
        acts=list(_by_person(acts, _people_seen(period))),
        opened_by_day=sorted(days.items()),
        refusals=refusals.most_common(),
        exports=_asked(DataExport.objects.select_related("purpose"), period),
        purges=_purges(period),
        purge_decisions=_decided(PurgePreview.objects.all(), period),
        rule_decisions=_decided(RuleChange.objects.select_related("purpose"), period),
        holds=_holds(period),
        requests=counting.by_kind(period.begins_at, min(period.ends_at, now)),
        late_requests=list(counting.late(period.begins_at, min(period.ends_at, now))[:LATE_SHOWN]),
        erasures=_erasures(period, now),
        incidents=list(Incident.objects.filter(period.holding("discovered_at")).order_by("pk")),
        verifications=list(AuditVerification.objects.filter(period.holding("finished_at")).order_by("pk")),
    )


Act = tuple[int | None, str, str, date]


def _counted_acts(period: Period) -> Counter[Act]:
    """How often: by person, operation, page and local day."""
    done = AuditEntry.objects.filter(period.holding("at"), operation__in=[SIGN_IN, SEARCH, REVEAL, REFUSED])
    grouped = done.order_by().values_list("actor", "operation", "system", TruncDate("at")).annotate(Count("pk"))
    return Counter({(person, *act): number for person, *act, number in grouped})


def _people_seen(period: Period) -> dict[int | None, int]:
    """How many people each member of the staff opened values of."""
    opened = AuditEntry.objects.filter(period.holding("at"), operation=REVEAL).order_by()
    return dict(opened.values("actor").annotate(people=Count("subject", distinct=True)).values_list("actor", "people"))


def _by_person(acts: Counter[Act], people: Mapping[int | None, int]) -> Iterator[Acts]:
    totals: Counter[tuple[int | None, str]] = Counter()
    for (person, operation, _system, _day), number in acts.items():
        totals[person, operation] += number
    known = StaffMember.objects.order_by("username").in_bulk({person for person, _ in totals if person is not None})
    for person in [*known, None]:
        signed_in, searched, opened, refused = (totals[person, act] for act in (SIGN_IN, SEARCH, REVEAL, REFUSED))
        if signed_in or searched or opened or refused:
            member = known[person] if person is not None else None
            yield Acts(member, signed_in, searched, opened, people.get(person, 0), refused)


def _appointments(period: Period) -> list[Appointment]:
    """Those that were in force on at least one day of the period."""
    not_over = Q(valid_until=None) | Q(valid_until__gte=period.first)
    not_revoked = Q(revoked_on=None) | Q(revoked_on__gt=period.first)
    known = Appointment.objects.filter(not_over, not_revoked, valid_from__lte=period.last)
    return list(known.select_related("person").order_by("person__username", "valid_from"))


def _asked(rows: QuerySet[Any], period: Period) -> list[Any]:
    return list(_with_both(rows.filter(period.holding("requested_at"))))


def _decided(rows: QuerySet[Any], period: Period) -> list[Any]:
    return list(_with_both(rows.filter(period.holding("approved_at"))))


def _with_both(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Who asked and who decided."""
    return rows.select_related("requested_by", "approved_by").order_by("pk")


def _purges(period: Period) -> Mapping[str, int]:
    runs = PurgeRun.objects.filter(period.holding("started_at"))
    return runs.aggregate(runs=Count("pk"), people=Coalesce(Sum("subjects"), 0), data=Coalesce(Sum("data"), 0))


def _holds(period: Period) -> Mapping[str, int]:
    """`standing`: at the end of the period, neither released nor over."""
    not_released = Q(released_at=None) | Q(released_at__gte=period.ends_at)
    not_over = Q(until=None) | Q(until__gte=period.ends_at)
    return LegalHold.objects.aggregate(
        placed=Count("pk", filter=period.holding("placed_at")),
        released=Count("pk", filter=period.holding("released_at")),
        standing=Count("pk", filter=Q(placed_at__lt=period.ends_at) & not_released & not_over),
    )


def _erasures(period: Period, now: datetime) -> Erasures:
    until = min(period.ends_at, now)
    open_then = Q(finished_at=None) | Q(finished_at__gte=until)
    at_work = ErasureCertificate.objects.filter(Q(finished_at=None) | Q(finished_at__gte=period.begins_at))
    counted = at_work.filter(demanded_at__lt=until).aggregate(
        demanded=Count("pk", filter=period.holding("demanded_at")),
        finished=Count("pk", filter=period.holding("finished_at")),
        open=Count("pk", filter=open_then),
    )
    late = certifying.late(at_work.filter(demanded_at__lt=until), until)
    return Erasures(**counted, late_count=len(late), late=late[:LATE_SHOWN])
