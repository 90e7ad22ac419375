"""The operator's working calendar: the days of the country and what the operator stated about single days.

A term of the Law is a row of Deadline, so it is counted by the calendar and the length that are in force now. Whoever
asks about many rows asks the other way round: from which moment on is nothing late yet (`Term.late_before`).

Called by: registry.requests, registry.certifying, what the page Today shows.
Sources: Civil Code art. 173-175, Labour Code art. 84-85.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays
from django.conf import settings
from django.utils import timezone

from registry.deadlines import end_of_day
from registry.models import Deadline, WorkCalendarOverride
from registry.working_days import SATURDAY, Calendar, Due, Stated

NEXT_YEAR_FROM = timedelta(days=61)  # before the year begins: on 1 November
AROUND = timedelta(days=3)  # so far the first day of Kurban Ait may lie from where it is expected
AIT, ESTIMATED = "Eid al-Adha", "estimated"


def current() -> Calendar:
    """As it stands now. One query."""
    working = WorkCalendarOverride.Kind.WORKDAY
    return Calendar({one.day: Stated(one.kind == working, one.reason) for one in WorkCalendarOverride.objects.all()})


@dataclass(frozen=True)
class Term:
    """A term of the Law, with the calendar it is counted by. Everything is told from the moment it began."""

    length: int
    unit: str
    days: Calendar

    def due(self, began: date) -> Due:
        """Of a local date; the day after it is the first that counts."""
        is_working = self.unit == Deadline.Unit.WORKING_DAYS
        return (self.days.due if is_working else self.days.due_in_days)(began, self.length)

    def last_day(self, began_at: datetime) -> date:
        return self.due(timezone.localdate(began_at)).day

    def ends_at(self, began_at: datetime) -> datetime:
        """24:00 of the last day: the first moment that is late."""
        return end_of_day(self.last_day(began_at), ZoneInfo(settings.TIME_ZONE))

    def late_before(self, now: datetime) -> datetime:
        """What began before this moment is late at `now`, and nothing else: a later day never ends earlier."""
        today, back = timezone.localdate(now).toordinal(), self.length
        while self._ends_on(today - back) >= today:
            back *= 2
        first = today - back + bisect_left(range(today - back, today), today, key=self._ends_on)
        return datetime.combine(date.fromordinal(first), time(0), tzinfo=ZoneInfo(settings.TIME_ZONE))

    def _ends_on(self, began: int) -> int:
        return self.due(date.fromordinal(began)).day.toordinal()


def term(code: str) -> Term:
    """The deadline of this code as it is in force now. Two queries."""
    deadline = Deadline.objects.get(code=code)
    return Term(deadline.length, deadline.unit, current())


@dataclass(frozen=True)
class Doubts:
    """What is not known of a year: the first day of Kurban Ait, expected on `ait`, and whether days were moved.

    Nobody can see that no day was moved: a day the operator stated says that somebody has looked.
    """

    year: int
    ait: date | None
    is_ait_open: bool
    are_moves_open: bool


def doubts(year: int, days: Calendar) -> Doubts:
    """What neither the package of holidays nor the operator says for certain about this year."""
    known = _known(year)
    stated = sorted(day for day in days.stated if day.year == year)
    ait, is_estimated = _ait(known)
    is_said = ait is not None and any(abs(day - ait) <= AROUND for day in stated)
    has_moves = any(day.weekday() >= SATURDAY and known.is_working_day(day) for day in _days(year))
    return Doubts(year, ait, (ait is None or is_estimated) and not is_said, not has_moves and not stated)


def year_ahead(now: datetime) -> int | None:
    """The next year from 1 November on, when its calendar is decided; None before."""
    today = timezone.localdate(now)
    year = (today + NEXT_YEAR_FROM).year
    return year if year > today.year else None


def is_known(year: int) -> bool:
    """Whether the package of holidays covers this year: only then it has a Kurban Ait in it."""
    return _ait(_known(year))[0] is not None


@cache
def _known(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("KZ", years=year, expand=False, language="en_US")


def _ait(known: holidays.HolidayBase) -> tuple[date | None, bool]:
    """Its first day, and whether that is an estimate."""
    found = next(((day, name) for day, name in sorted(known.items()) if AIT in name), None)
    return (found[0], ESTIMATED in found[1]) if found else (None, False)


def _days(year: int) -> Iterator[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=number) for number in range((date(year + 1, 1, 1) - first).days))
