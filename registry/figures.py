"""The numbers of the page Today, counted by a job: with millions of people the page itself counts nothing.

Each figure is one set-based statement, whose answer is kept in groups (a month, a number of days, a state). All are
replaced together, so that what stands side by side was counted in one go, and the page says when.

Called by: registry.tasks (every ten minutes), `prepare`; the console reads. Other packages add theirs with `add`.
Sources: Law 94-V art. 17 and policy clause 13c: whoever may not see people sees no small group of them either.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone
from django.utils.formats import number_format

from registry import certifying, counts
from registry.deadlines import add_months
from registry.models import (
    DataSubject,
    DatumTerm,
    ErasureCertificate,
    Figure,
    OutgoingMessage,
    Processing,
    RetentionDue,
    SubjectRequest,
    Transfer,
)
from registry.requests.counting import ANSWERED_IN_TIME, ANSWERED_LATE, CLOCK_STANDS, HAS_A_TERM

Counting = Callable[[datetime], Iterable[tuple[str, int]]]
DUE_IN = (30, 60, 90)  # days
SOON = timedelta(hours=24)
MONTHS = 12

countings: dict[str, Counting] = {}


def add(name: str) -> Callable[[Counting], Counting]:
    """Says how the figure of this name is counted: called with the moment, it answers groups and their numbers."""

    def remember(counting: Counting) -> Counting:
        countings[name] = counting
        return counting

    return remember


def count(now: datetime) -> int:
    """Counts everything and replaces what was counted before; returns how many numbers."""
    rows = [
        Figure(name=name, group=group, value=value, counted_at=now)
        for name, counting in countings.items()
        for group, value in counting(now)
    ]
    with transaction.atomic():
        Figure.objects.all().delete()
        Figure.objects.bulk_create(rows)
    return len(rows)


def count_first(now: datetime) -> int:
    """Counts once, where nothing was ever counted: the first page after installing shows zeros, not a gap."""
    return 0 if Figure.objects.exists() else count(now)


@dataclass(frozen=True)
class Board:
    """All figures: numbers by name and group. `counted_at` None: not counted yet."""

    counted_at: datetime | None = None
    groups: dict[str, dict[str, int]] = field(default_factory=dict)

    def of(self, name: str) -> dict[str, int]:
        return self.groups.get(name, {})

    def one(self, name: str, group: str = "") -> int:
        """Zero where nothing was counted: ask `counted_at` first."""
        return self.of(name).get(group, 0)


def read() -> Board:
    """What was counted last. One query."""
    rows = list(Figure.objects.order_by("name", "group"))
    groups: dict[str, dict[str, int]] = {}
    for row in rows:
        groups.setdefault(row.name, {})[row.group] = row.value
    return Board(min((row.counted_at for row in rows), default=None), groups)


def shown(values: Mapping[str, int], smallest: int | None) -> tuple[dict[str, int | None], int | None]:
    """These numbers as a reader may see them, and their total; None where hidden, because fewer people than `smallest`
    could be found in it. `smallest` None: the reader may see people, nothing is hidden. A zero hides nobody."""
    if smallest is None:
        return dict(values), sum(values.values())
    some = {group: value for group, value in values.items() if value}
    cells, total = counts.suppress(list(some.values()), smallest)
    visible: dict[str, int | None] = dict.fromkeys(values, 0)
    return visible | dict(zip(some, cells, strict=True)), total


def told(value: int | None, smallest: int | None = None) -> str:
    """A number as it is written in the active language; what must not be seen as "< 5"."""
    if value is None or (smallest is not None and 0 < value < smallest):
        return f"< {smallest}"
    return number_format(value, force_grouping=True)


@add("live")
def _live_consents(now: datetime) -> Iterable[tuple[str, int]]:
    """Processing that rests on consent and is allowed now: the gate itself."""
    yield "", Processing.objects.live(now).filter(purpose__ground=None).count()


@add("people")
def _people(now: datetime) -> Iterable[tuple[str, int]]:
    yield "", DataSubject.objects.exclude(status=DataSubject.Status.ERASED).count()


@add("due")
def _data_due(now: datetime) -> Iterable[tuple[str, int]]:
    """Data whose term is over, or ends within 30, 31-60 and 61-90 days, by the one definition of "due".

    The view is asked about people only whom the purge must look at within that time; nobody else's data can be due.
    """
    ends = [now, *(now + timedelta(days=days) for days in DUE_IN)]
    groups = dict(zip(("overdue", *map(str, DUE_IN)), zip([None, *ends], ends, strict=False), strict=True))
    asked = {f"due_{group}": Count("pk", filter=_between(*moments)) for group, moments in groups.items()}
    found = _due_by(ends[-1]).aggregate(**asked)
    return ((name.removeprefix("due_"), value) for name, value in found.items())


def _between(after: datetime | None, until: datetime) -> Q:
    return Q(until__lte=until) & (Q(until__gt=after) if after else Q())


def _due_by(moment: datetime) -> QuerySet[DatumTerm]:
    looked_at = RetentionDue.objects.due(moment).order_by().values("subject")
    return DatumTerm.objects.filter(subject_id__in=looked_at, until__lte=moment)


@add("erasures")
def _demanded_erasures(now: datetime) -> Iterable[tuple[str, int]]:
    """Demanded erasures that are not done, by what is left of their term."""
    term, waiting = certifying.own_term(), certifying.promised(ErasureCertificate.objects.open())
    return _by_what_is_left(waiting, certifying.is_over(term, now), certifying.is_over(term, now + SOON))


def _by_what_is_left(rows: QuerySet[Any], is_over: Q, is_over_soon: Q) -> Iterable[tuple[str, int]]:
    """By differences: where a day is missing, the negation of a question is no answer."""
    found: dict[str, int] = rows.aggregate(
        over=Count("pk", filter=is_over), soon=Count("pk", filter=is_over_soon), all=Count("pk")
    )
    left = {"overdue": found["over"], "soon": found["soon"] - found["over"], "later": found["all"] - found["soon"]}
    return left.items()


@add("requests")
def _requests(now: datetime) -> Iterable[tuple[str, int]]:
    """Requests that wait for the staff, by what is left of their term; and those whose clock is paused. What was late
    before its pause is late."""
    waiting = SubjectRequest.objects.filter(HAS_A_TERM)
    over, soon = (Q(due_on__lt=timezone.localdate(moment)) for moment in (now, now + SOON))
    yield from _by_what_is_left(waiting, over, soon)
    yield "paused", SubjectRequest.objects.filter(CLOCK_STANDS).count()


@add("in_time")
def _answered_in_time(now: datetime) -> Iterable[tuple[str, int]]:
    """Answers and refusals by month of the local calendar, given by the last day of their term."""
    return _answered(ANSWERED_IN_TIME, now)


@add("not_in_time")
def _answered_late(now: datetime) -> Iterable[tuple[str, int]]:
    return _answered(ANSWERED_LATE, now)


def _answered(which: Q, now: datetime) -> Iterable[tuple[str, int]]:
    zone, this = ZoneInfo(settings.TIME_ZONE), timezone.localdate(now).replace(day=1)
    months = [add_months(this, -back) for back in reversed(range(MONTHS))]
    since = datetime(months[0].year, months[0].month, 1, tzinfo=zone)
    answered = SubjectRequest.objects.filter(state=SubjectRequest.State.ANSWERED).order_by()
    recent = answered.filter(which, answered_at__gte=since, answered_at__lte=now)
    counted = dict(recent.values_list(TruncMonth("answered_at", tzinfo=zone)).annotate(Count("pk")))
    found = {f"{month:%Y-%m}": count for month, count in counted.items()}
    return [(f"{month:%Y-%m}", found.get(f"{month:%Y-%m}", 0)) for month in months]


@add("countries")
def _handed_over(now: datetime) -> Iterable[tuple[str, int]]:
    """People given to others in the last twelve months, by country. Whoever was in two files counts twice."""
    since = now - timedelta(days=365)
    taken = Transfer.objects.filter(state=Transfer.State.TAKEN, taken_at__gt=since, taken_at__lte=now, written__gt=0)
    to_others = taken.exclude(ground=Transfer.Ground.OWN)
    return to_others.order_by().values_list("country").annotate(Sum("written"))


@add("remains")
def _remains(now: datetime) -> Iterable[tuple[str, int]]:
    """Erasures after which something was found."""
    yield "", ErasureCertificate.objects.filter(remains__gt=0).count()


@add("letters")
def _letters(now: datetime) -> Iterable[tuple[str, int]]:
    counted = dict(OutgoingMessage.objects.order_by().values_list("state").annotate(Count("pk")))
    return [(state.value, counted.get(state.value, 0)) for state in OutgoingMessage.State]
