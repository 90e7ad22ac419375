"""The last day of a request's term, and why it is that one.

- Term and unit are those in force when the request was received; counting begins the day after, on local dates.
- While identity is in doubt the clock stands: the days after the day of the pause, up to the day it ends, do not count.
- The calendar changes: open requests are counted anew, and whoever looks sees that and why.
- Staff are reminded once, on the working day before the earlier of both days: that of the calendar and that of somebody
  who knows no holidays.

Called by: registry.requests, the console (a moved day), registry.tasks (every hour).
Sources: Law 94-V art. 8(7), 25(2)(8); Civil Code art. 173-175; Rules 395 p. 16.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from registry import calendar
from registry.models import Deadline, RequestStep, SubjectRequest
from registry.models.texts import LANGUAGES
from registry.requests.steps import Step, note
from registry.working_days import Calendar, Due, explain

Kind = SubjectRequest.Kind
DEADLINES = {
    Kind.ACCESS: "access_info",
    Kind.RECTIFICATION: "correction",
    Kind.BLOCKING: "block",
    Kind.UNBLOCKING: "unblock",
    Kind.ERASURE: "withdrawal",
    Kind.WITHDRAWAL: "withdrawal",
    Kind.OBJECTION: "automated_objection",
    Kind.OTHER: "access_info",  # the shortest a plain question may mean
}


def start(request: SubjectRequest) -> None:
    """Sets the term of this request's kind, as it is in force now. Not saved."""
    request.deadline = Deadline.objects.get(code=DEADLINES[Kind(request.kind)])
    request.length, request.unit = request.deadline.length, request.deadline.unit
    count(request, calendar.current())


def count(request: SubjectRequest, days: Calendar) -> None:
    """Sets the last day, the day to warn on and the explanation by language; none while the clock is paused.

    Of another last day staff are reminded anew. Not saved.
    """
    if request.state == SubjectRequest.State.PAUSED:
        request.due_on = request.alarm_on = None
        request.explanation = {language: _told_paused(language) for language in LANGUAGES}
        return
    pauses = list(_pauses(request))
    due = _due(request, days, pauses)
    if request.due_on != due.day:
        request.reminded_at = None
    request.due_on, request.alarm_on = due.day, due.alarm
    request.explanation = {language: _told(request, days, pauses, language) for language in LANGUAGES}


def _due(request: SubjectRequest, days: Calendar, pauses: Iterable[tuple[date, date]]) -> Due:
    paused = {start + timedelta(days=one) for start, end in pauses for one in range(1, (end - start).days + 1)}
    counted = days.due if request.unit == Deadline.Unit.WORKING_DAYS else days.due_in_days
    return counted(timezone.localdate(request.received_at), request.length + request.extra_days, paused)


def _pauses(request: SubjectRequest) -> Iterator[tuple[date, date]]:
    """The local dates on which the clock was stopped and went on."""
    if request.pk is None:
        return
    began: date | None = None
    turns = RequestStep.objects.filter(request=request, step__in=[Step.DOUBTED, Step.RESUMED]).order_by("pk")
    for turn in turns:
        day = timezone.localdate(turn.at)
        if turn.step == Step.DOUBTED:
            began = day
        elif began is not None:
            yield began, day
            began = None


def _told(request: SubjectRequest, days: Calendar, pauses: list[tuple[date, date]], language: str) -> str:
    with override(language):
        parts = [_counted(request, _due(request, days, pauses))]
        parts += [
            _("paused from %(first)s to %(last)s") % {"first": f"{first:%d.%m.%Y}", "last": f"{last:%d.%m.%Y}"}
            for first, last in pauses
        ]
        if request.extra_days:
            parts.append(_("extended by %(days)d days") % {"days": request.extra_days})
        return "; ".join(parts)


def _counted(request: SubjectRequest, due: Due) -> str:
    """In the words of the term's unit."""
    if request.unit == Deadline.Unit.WORKING_DAYS:
        return explain(due)
    parts = [
        _("received %(day)s") % {"day": f"{due.received:%d.%m.%Y}"},
        _("day %(number)d: %(day)s") % {"number": due.length, "day": f"{due.naive:%d.%m.%Y}"},
    ]
    if due.day != due.naive:
        parts += [f"{day:%d.%m.%Y} {name}" for day, name in due.days_off if day >= due.naive]
        parts.append(_("a day off moves to the next working day: %(day)s") % {"day": f"{due.day:%d.%m.%Y}"})
    return "; ".join(parts)


def _told_paused(language: str) -> str:
    with override(language):
        return _("The clock is paused until it is clear who asks.")


def recount(now: datetime) -> int:
    """After a change of the calendar: counts every request anew that is not finished; how many got another day."""
    numbers = SubjectRequest.objects.waiting().order_by("pk").values_list("pk", flat=True)
    days = calendar.current()
    return sum(_recount(pk, days, now) for pk in list(numbers))


@transaction.atomic
def _recount(pk: int, days: Calendar, now: datetime) -> bool:
    request = SubjectRequest.objects.taken(pk)
    if request.state not in SubjectRequest.WAITING:
        return False
    before = request.due_on, request.alarm_on, request.explanation
    count(request, days)
    if before == (request.due_on, request.alarm_on, request.explanation):
        return False
    request.save(update_fields=["due_on", "alarm_on", "explanation", "reminded_at"])
    if before[0] == request.due_on:
        return False
    note(request, Step.RECOUNTED, now=now)
    return True
