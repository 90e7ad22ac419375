"""The operator's working calendar: the days of the country and what the operator stated about single days."""

from registry.models import WorkCalendarOverride
from registry.working_days import Calendar, Stated


def current() -> Calendar:
    """As it stands now. One query."""
    working = WorkCalendarOverride.Kind.WORKDAY
    return Calendar({one.day: Stated(one.kind == working, one.reason) for one in WorkCalendarOverride.objects.all()})
