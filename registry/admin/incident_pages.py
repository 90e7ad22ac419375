"""What the pages of an incident show: its badge, its sources in words, whose data it concerns."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from registry.admin.subject_page import Badge
from registry.models import AuditEntry, Incident, IncidentNote, IncidentSource, ProcessingPurpose, StaffMember

Kind = IncidentSource.Kind
Names = dict[str, dict[Any, Any]]


@dataclass(frozen=True)
class Told:
    """One source with its question in words."""

    source: IncidentSource
    question: list[tuple[str, str]]


def badge(incident: Incident, today: date) -> Badge:
    """How it stands with the notice, and until when there is time."""
    if incident.notified_at:
        is_in_time = timezone.localdate(incident.notified_at) <= incident.due_on
        return ("ok", _("notice sent in time")) if is_in_time else ("bad", _("notice sent late"))
    if incident.state == Incident.State.CLOSED:
        return "", _("no notice was due")
    tone = "bad" if incident.is_overdue(today) else "soon"
    return tone, _("notice due: %(day)s") % {"day": date_format(incident.due_on, "SHORT_DATE_FORMAT")}


def sources(incident: Incident) -> list[Told]:
    """In the order they were added. Three queries, however many there are."""
    kept = list(incident.sources.select_related("added_by"))
    asked = [source.parameters for source in kept]
    names: Names = {
        "member": StaffMember.objects.in_bulk([one["member"] for one in asked if one.get("member")]),
        "purpose": ProcessingPurpose.objects.in_bulk([one["purpose"] for one in asked if "purpose" in one]),
    }
    return [Told(source, _in_words(source, names)) for source in kept]


def _in_words(source: IncidentSource, names: Names) -> list[tuple[str, str]]:
    asked = source.parameters
    match source.kind:
        case Kind.AUDIT:
            who = names["member"].get(asked["member"]) or _("anybody, jobs and pages too")
            operations = [str(AuditEntry.Operation(one).label) for one in asked["operations"]]
            return [
                (_("Staff member"), str(who)),
                (_("From"), _local(asked["since"])),
                (_("Until"), _local(asked["until"])),
                (_("What was done with the data"), ", ".join(operations)),
            ]
        case Kind.LIST:
            return [(_("Number of the list"), asked["list"])]
        case Kind.PURPOSE:
            purpose = names["purpose"].get(asked["purpose"], "—")
            return [(_("Processing purpose"), str(purpose)), (_("As it was at"), _local(asked["at"]))]
    return [(_("References"), ", ".join(asked["references"]))]


def _local(moment: str) -> str:
    return date_format(timezone.localtime(datetime.fromisoformat(moment)), "SHORT_DATETIME_FORMAT")


def secured_at(notes: Iterable[IncidentNote]) -> datetime | None:
    """When the last measure that secured people's data was taken."""
    return max((note.at for note in notes if note.secures), default=None)
