"""Working days of Kazakhstan: what is a day off and why, and when a term of working days ends. Pure dates, no ORM.

Counting begins the day after the event and ends at 24:00 of the last working day (Civil Code art. 173-175). Monday to
Friday are working days, except public holidays and the days off they are moved to (Law on holidays, Labour Code art.
84-85), as the `holidays` package knows them; what the operator states about a day wins over the package.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any

import holidays
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from registry.holiday_names import RUSSIAN

Pause = tuple[date, date]  # the dates on which a clock was stopped and went on
MOST = 366  # days in one term
SATURDAY = 5
PACKAGE_LANGUAGES = {"kk": "kk", "en": "en_US", "ru": "en_US"}


@dataclass(frozen=True)
class Stated:
    """What the operator says about one day: the Government moves days off by decree."""

    is_working: bool
    reason: str


@dataclass(frozen=True)
class Due:
    """When a term ends, and why. `naive`: the same counted Monday to Friday, as somebody without a calendar would."""

    day: date
    naive: date
    received: date
    first: date
    length: int
    days_off: list[tuple[date, str]] = field(default_factory=list)

    @property
    def alarm(self) -> date:
        """The earlier of both: whoever is warned then is never late."""
        return min(self.day, self.naive)


@dataclass(frozen=True)
class Calendar:
    """Working days. `stated` by day wins over the package."""

    stated: Mapping[date, Stated] = field(default_factory=dict)

    def is_working(self, day: date) -> bool:
        if day in self.stated:
            return self.stated[day].is_working
        return bool(_package("en_US").is_working_day(day))

    def name(self, day: date) -> str:
        """Why this is a day off, in the language of whoever reads; empty for a working day and a plain weekend."""
        if self.is_working(day):
            return ""
        if day in self.stated:
            return self.stated[day].reason
        return holiday_name(day)

    def due(self, received: date, length: int, paused: Collection[date] = frozenset()) -> Due:
        """The last of `length` working days after the local date `received`; `paused` days count for nobody.

        ValueError: not 1 to MOST.
        """
        if not 1 <= length <= MOST:
            raise ValueError(f"a term of working days has 1 to {MOST} of them")
        counted = list(_counted(received, length, lambda day: day not in paused and self.is_working(day)))
        *_rest, naive = _counted(received, length, lambda day: day not in paused and day.weekday() < SATURDAY)
        return Due(counted[-1], naive, received, counted[0], length, self._days_off(received, counted[-1]))

    def due_in_days(self, received: date, length: int, paused: Collection[date] = frozenset()) -> Due:
        """The same for calendar days; a last day that is a day off moves to the next working day (Civil Code art. 175).

        ValueError: not 1 to MOST.
        """
        if not 1 <= length <= MOST:
            raise ValueError(f"a term of days has 1 to {MOST} of them")
        counted = list(_counted(received, length, lambda day: day not in paused))
        (day,) = _counted(counted[-1] - timedelta(days=1), 1, lambda day: day not in paused and self.is_working(day))
        return Due(day, counted[-1], received, counted[0], length, self._days_off(received, day))

    def _days_off(self, received: date, last: date) -> list[tuple[date, str]]:
        """Named days off after `received`, up to and with `last`."""
        named = [(one, self.name(one)) for one in _days(received, last)]
        return [pair for pair in named if pair[1]]


def standing(pauses: Iterable[Pause]) -> set[date]:
    """The days that do not count: from that of the pause up to, and not with, the one on which the clock goes on."""
    return {began + timedelta(days=number) for began, ended in pauses for number in range((ended - began).days)}


def holiday_name(day: date) -> str:
    """The holiday's name in the active language, or empty."""
    language = get_language() or "kk"
    name = str(_package(PACKAGE_LANGUAGES.get(language, "en_US")).get(day) or "")
    return _in_russian(name) if language == "ru" else name


def _in_russian(name: str) -> str:
    """The package speaks no Russian. "(observed)" and "(estimated)" follow the name; a swapped day names the other."""
    plain, bracket, note = name.partition(" (")
    russian = RUSSIAN.get(plain, plain)
    return f"{russian} ({RUSSIAN.get(note.rstrip(')'), RUSSIAN['substituted'])})" if bracket else russian


def _days(received: date, last: date) -> Iterator[date]:
    return (received + timedelta(days=number) for number in range(1, (last - received).days + 1))


def _counted(received: date, length: int, is_working: Callable[[date], bool]) -> Iterator[date]:
    """The first `length` working days after `received`."""
    day = received
    for _number in range(length):
        day += timedelta(days=1)
        while not is_working(day):
            day += timedelta(days=1)
        yield day


@cache
def _package(language: str) -> Any:
    return holidays.country_holidays("KZ", language=language)


def explain(due: Due) -> str:
    """Received, the days off in between, the first and the last working day: in the active language."""
    parts = [_("received %(day)s") % {"day": _short(due.received)}]
    parts += [f"{_short(day)} {name}" for day, name in due.days_off]
    parts.append(_("working day 1: %(day)s") % {"day": _short(due.first)})
    if due.length > 1:
        parts.append(_("working day %(number)d: %(day)s") % {"number": due.length, "day": _short(due.day)})
    return "; ".join(parts)


def _short(day: date) -> str:
    return f"{day:%d.%m.%Y}"
