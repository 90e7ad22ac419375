"""What everybody concerned must read before anything else: lines across the top of the page Today.

Called by: the console's page Today. Sources: policy clauses 25, 28-29;
Law 94-V art. 10-1, 25-1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from registry import calendar, checklist, disclosure, jobs
from registry.figures import told
from registry.models import Appointment, PurgePreview, SizeClass, StaffMember, WorkCalendarOverride
from registry.sizes import Standing


@dataclass(frozen=True)
class Banner:
    """`level`: bad or soon. `row`: what it is about, if it has a page; `model`: the list where it is mended."""

    level: str
    text: str
    row: Any = None
    model: type[models.Model] | None = None


def find(reader: StaffMember, now: datetime, *, sees_people: bool, standing: Standing | None = None) -> list[Banner]:
    """The lines for this reader, the worst first. `standing`: of the operator. A constant number of queries."""
    parts = (
        _late_purge(now),
        _waiting_purges(reader, sees_people),
        _alarms(reader, now),
        _appointments(reader, now),
        _calendar(reader, now),
        _size(reader, sees_people, standing),
    )
    return sorted((line for part in parts for line in part), key=lambda line: line.level != "bad")


def _late_purge(now: datetime) -> Iterator[Banner]:
    if "purge" in jobs.late_jobs(now):
        yield Banner("bad", _("The daily purge did not run in time: data whose term is over are still here."))


def _waiting_purges(reader: StaffMember, sees_people: bool) -> Iterator[Banner]:
    """Nothing at all is purged while one waits. Whoever may decide has it in the queue too."""
    if not (sees_people and reader.has_perm("registry.view_purgepreview")):
        return
    for preview in PurgePreview.objects.filter(state=PurgePreview.State.WAITING).order_by("as_of")[:3]:
        told = {"data": preview.data, "people": preview.subjects}
        text = _("A purge waits for a second person (data: %(data)d, people: %(people)d).") % told
        yield Banner("soon", text, preview)


def _alarms(reader: StaffMember, now: datetime) -> Iterator[Banner]:
    if not reader.has_perm("registry.view_auditentry"):
        return
    for alarm in disclosure.alarms(now):
        told = {"who": alarm.person.get_username(), "count": alarm.today}
        yield Banner("bad", _("Unusually many values opened today: %(who)s, %(count)d.") % told)


def _appointments(reader: StaffMember, now: datetime) -> Iterator[Banner]:
    """One's own, and everybody's for whoever manages them."""
    manages = reader.has_perm("registry.change_appointment")
    concerned = Q() if manages else Q(person=reader)
    for appointment in _ending(now).filter(concerned).select_related("person")[:5]:
        yield Banner("soon", _told(appointment, reader), appointment if manages else None)


def _ending(now: datetime) -> Any:
    """Those for setting up from their first day: they are to be replaced, not renewed."""
    day = timezone.localdate(now)
    return (Appointment.objects.ending(day) | checklist.setting_up(now)).order_by("valid_until", "pk")


def _told(appointment: Appointment, reader: StaffMember) -> str:
    told = {"who": appointment.person.get_username(), "number": appointment.order_number}
    told["day"] = date_format(appointment.valid_until, "SHORT_DATE_FORMAT") if appointment.valid_until else "-"
    if appointment.order_number == checklist.SETTING_UP:
        return (
            _("Appointment for setting up (%(who)s), last day: %(day)s. Replace it by an order of the operator.") % told
        )
    if appointment.person == reader:
        return _("Your appointment № %(number)s ends. Last day: %(day)s. Then you will see no people.") % told
    return _("Appointment № %(number)s ends (%(who)s). Last day: %(day)s.") % told


def _calendar(reader: StaffMember, now: datetime) -> Iterator[Banner]:
    """Terms that end next year are counted by it already. For whoever keeps the calendar, until they have looked."""
    year = calendar.year_ahead(now)
    if year is None or not reader.has_perm("registry.add_workcalendaroverride"):
        return
    doubts = calendar.doubts(year, calendar.current())
    if doubts.is_ait_open or doubts.are_moves_open:
        yield Banner("soon", " ".join(_asked(doubts)), model=WorkCalendarOverride)


def _asked(doubts: calendar.Doubts) -> Iterator[str]:
    yield _("The calendar of next year (%(year)s) is not confirmed.") % {"year": doubts.year}
    if doubts.is_ait_open:
        day = date_format(doubts.ait, "SHORT_DATE_FORMAT") if doubts.ait else "-"
        yield _("The first day of Kurban Ait is an estimate (%(day)s): state it.") % {"day": day}
    if doubts.are_moves_open:
        yield _("State the days that the Government moved; if none, state 1 January as a day off.")


def _size(reader: StaffMember, sees_people: bool, standing: Standing | None) -> Iterator[Banner]:
    """Before the number of people makes the operator a larger one. Who may not see people sees no number of them."""
    if standing is None or standing.following is None or not standing.is_near:
        return
    if not reader.has_perm("registry.view_operator"):
        return
    text = _("The operator is near the next size: %(size)s. Look what follows from it.") % {"size": standing.following}
    if sees_people and standing.most is not None:
        counted = {"people": told(standing.people), "most": told(standing.most)}
        text = " ".join([text, _("People held: %(people)s of %(most)s.") % counted])
    yield Banner("soon", text, model=SizeClass)
