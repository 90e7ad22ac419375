"""The last day for the notice to the authorised body, and why it is that one.

Term and unit are those in force when the incident was entered; counting begins the day after the local date of the
discovery. The calendar changes: open incidents are counted anew.

Called by: registry.incidents; whoever recounts the terms of requests (the console, registry.tasks).
Sources: Law 94-V art. 25(2)(8); Rules 481/НҚ p. 4; Civil Code art. 173-175.
"""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from registry import auditing, calendar
from registry.models import AuditEntry, Deadline, Incident
from registry.models.texts import LANGUAGES
from registry.working_days import Calendar, Due, explain

DEADLINE = "breach_notice"


def start(incident: Incident) -> None:
    """Sets the term of the notice as it is in force now. Not saved."""
    incident.deadline = Deadline.objects.get(code=DEADLINE)
    incident.length, incident.unit = incident.deadline.length, incident.deadline.unit
    count(incident, calendar.current())


def count(incident: Incident, days: Calendar) -> None:
    """Sets the last day, the day to warn on and the explanation by language. Not saved."""
    due = _due(incident, days)
    incident.due_on, incident.alarm_on = due.day, due.alarm
    incident.explanation = {language: _told(incident, days, language) for language in LANGUAGES}


def _due(incident: Incident, days: Calendar) -> Due:
    counted = days.due if incident.unit == Deadline.Unit.WORKING_DAYS else days.due_in_days
    return counted(timezone.localdate(incident.discovered_at), incident.length)


def _told(incident: Incident, days: Calendar, language: str) -> str:
    """A breach is discovered where a request is received; the rest of the explanation is the same."""
    with override(language):
        due = _due(incident, days)
        _received, separator, counted = explain(due).partition("; ")
        return _("discovered %(day)s") % {"day": f"{due.received:%d.%m.%Y}"} + separator + counted


def recount(now: datetime) -> int:
    """After a change of the calendar: counts every open incident anew; how many got another last day."""
    numbers = Incident.objects.open().order_by("pk").values_list("pk", flat=True)
    days = calendar.current()
    return sum(_recount(pk, days, now) for pk in list(numbers))


@transaction.atomic
def _recount(pk: int, days: Calendar, now: datetime) -> bool:
    incident = Incident.objects.taken(pk)
    before = incident.due_on, incident.alarm_on, incident.explanation
    count(incident, days)
    if incident.state != Incident.State.OPEN or before == (incident.due_on, incident.alarm_on, incident.explanation):
        return False
    incident.save(update_fields=["due_on", "alarm_on", "explanation"])
    if before[0] == incident.due_on:
        return False
    told = f"recounted: {before[0]} > {incident.due_on}"
    auditing.record(AuditEntry.Operation.CHANGE, now=now, system="incidents", about=incident, reason=told)
    return True
