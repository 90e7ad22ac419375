"""Terms in days and calendar months, on the local calendar. Pure dates, no ORM.

A term ends at 24:00 local time of its last day (Civil Code art. 173-175), so the moment returned is the first one
at which it is over.
"""

from calendar import monthrange
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def add_months(day: date, months: int) -> date:
    """The same day `months` later; where there is no such day, the month's last (31 January + 1: 28 February)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def end_of_term(start: datetime, length: int, unit: str, zone: ZoneInfo) -> datetime:
    """The moment a term of `length` days or months (`unit`) that began at `start` is over."""
    first = start.astimezone(zone).date()
    return end_of_day(first + timedelta(days=length) if unit == "days" else add_months(first, length), zone)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """24:00 local time: the first moment at which the day is over."""
    return datetime.combine(day + timedelta(days=1), time(0), tzinfo=zone)
