"""The last day of a request's term, and why it is that one.

Dangerous because whoever may move a last day may hide that it was missed. The rules:

- Term and unit are those in force when the request was received; counting begins the day after, on local dates.
- While identity is in doubt the clock stands: the days from that of the pause up to, and not with, the day it goes on
  do not count. A pause that ends on the day it began changes nothing.
- A term that was over before a pause stays over: the last day stays, while the clock is paused too.
- Answered while the clock is paused, a request is judged by the pause as it is that day (`settle`).
- The calendar changes: open requests are counted anew, and whoever looks sees that and why.
- Staff are reminded once, on the working day before the earlier of both days: that of the calendar and that of somebody
  who knows no holidays.

Called by: registry.requests, the console (a moved day), registry.tasks (every hour).
Sources: Law 94-V art. 8(7), 25(2)(8); Civil Code art. 173-175; Rules 395 p. 16.
"""

from collections.abc import Iterable
from datetime import date, datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from registry import calendar
from registry.models import Deadline, RequestStep, SubjectRequest
from registry.models.texts import LANGUAGES
from registry.requests.steps import Step, note
from registry.working_days import Calendar, Due, Pause, explain, standing

Kind = SubjectRequest.Kind
Span = tuple[date, date | None]
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


def start(request: SubjectRequest, now: datetime) -> None:
    """Sets the term of this request's kind, as it is in force now. Not saved."""
    request.deadline = Deadline.objects.get(code=DEADLINES[Kind(request.kind)])
    request.length, request.unit = request.deadline.length, request.deadline.unit
    count(request, calendar.current(), now)


def count(request: SubjectRequest, days: Calendar, now: datetime) -> None:
    """Sets the last day, the day to warn on and the explanation by language.

    While the clock is paused there is no day to warn on, and a last day only if it was over before the pause. `now`:
    the clock stops, or goes on, today if that is not noted yet. Of another last day staff are reminded anew. Not saved.
    """
    is_paused = request.state == SubjectRequest.State.PAUSED
    pauses, began = _pauses(request)
    today = timezone.localdate(now)
    if is_paused:
        began = began or today
    elif began is not None:
        pauses, began = [*pauses, (began, today)], None
    due = _due(request, days, pauses)
    if began is not None and due.day >= began:
        request.due_on = request.alarm_on = None
        request.explanation = {language: _told_paused(language) for language in LANGUAGES}
        return
    if request.due_on != due.day:
        request.reminded_at = None
    request.due_on, request.alarm_on = due.day, None if is_paused else due.alarm
    spans: list[Span] = [*pauses, *([(began, None)] if began else [])]
    request.explanation = {language: _told(request, days, pauses, spans, language) for language in LANGUAGES}


def settle(request: SubjectRequest, now: datetime) -> None:
    """Of one that is answered at `now`, its state set already: the day by which the answer is judged. Not saved."""
    if request.due_on is None:
        count(request, calendar.current(), now)


def _due(request: SubjectRequest, days: Calendar, pauses: Iterable[Pause]) -> Due:
    counted = days.due if request.unit == Deadline.Unit.WORKING_DAYS else days.due_in_days
    return counted(timezone.localdate(request.received_at), request.length + request.extra_days, standing(pauses))


def _pauses(request: SubjectRequest) -> tuple[list[Pause], date | None]:
    """The local dates on which the clock was stopped and went on; and that of a pause which has no end yet."""
    if request.pk is None:
        return [], None
    ended: list[Pause] = []
    began: date | None = None
    turns = RequestStep.objects.filter(request=request, step__in=[Step.DOUBTED, Step.RESUMED]).order_by("pk")
    for turn in turns:
        day = timezone.localdate(turn.at)
        if turn.step == Step.DOUBTED:
            began = day
        elif began is not None:
            ended.append((began, day))
            began = None
    return ended, began


def _told(request: SubjectRequest, days: Calendar, pauses: list[Pause], spans: list[Span], language: str) -> str:
    """`spans`: the pauses, and the one that has no end yet."""
    with override(language):
        due = _due(request, days, pauses)  # with the days off as this language names them
        parts = [_counted(request, due), *(told for span in spans if (told := _told_pause(*span, due.day)))]
        if request.extra_days:
            parts.append(_("extended by %(days)d days") % {"days": request.extra_days})
        return "; ".join(parts)


def _told_pause(began: date, ended: date | None, last_day: date) -> str:
    """Which days did not count; of a pause after the last day that it changes nothing; of one without a day nothing."""
    first = f"{began:%d.%m.%Y}"
    if ended is None or began > last_day:
        return _("paused on %(day)s, after the last day, which stays") % {"day": first}
    days = sorted(standing([(began, ended)]))
    if not days:
        return ""
    if len(days) == 1:
        return _("%(day)s does not count: the clock was paused") % {"day": first}
    spans = {"first": first, "last": f"{days[-1]:%d.%m.%Y}"}
    return _("%(first)s to %(last)s do not count: the clock was paused") % spans


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
    count(request, days, now)
    if before == (request.due_on, request.alarm_on, request.explanation):
        return False
    request.save(update_fields=["due_on", "alarm_on", "explanation", "reminded_at"])
    if before[0] == request.due_on:
        return False
    note(request, Step.RECOUNTED, now=now)
    return True
