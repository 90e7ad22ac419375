"""What the registry itself shows of a person: data and why they are here, processing, holds, erasures, messages, audit.

Each part is served by an index that begins with the person.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry import certifying, reasons
from registry.admin.subject_page import Badge, Part, Shown, letter_names, system_names
from registry.admin.today import deadline_of
from registry.admin.transfer_pages import of_person
from registry.admin.transfer_telling import PART as TELLING
from registry.deadlines import end_of_day
from registry.disclosure import masked
from registry.models import (
    AuditEntry,
    DataSubject,
    ErasureCertificate,
    OutgoingMessage,
    PersonalDatum,
    Processing,
    SubjectRequest,
)
from registry.requests.telling import told_entry

MOST = 20  # rows of one part
State = SubjectRequest.State


@dataclass(frozen=True)
class Line:
    """One datum: its hint, its standing, and why it is here."""

    datum: PersonalDatum
    hint: str
    standing: Badge
    why: reasons.Why


STANDINGS = {PersonalDatum.Standing.CONFIRMED: "ok", PersonalDatum.Standing.CLAIMED: "soon"}
REQUESTS = {State.UNVERIFIED: "soon", State.OPEN: "soon", State.PAUSED: "soon", State.ANSWERED: "ok"}
DELIVERIES = {
    OutgoingMessage.State.SENT: "ok",
    OutgoingMessage.State.QUEUED: "soon",
    OutgoingMessage.State.FAILED: "bad",
}


def data(subject: DataSubject, now: datetime) -> Shown:
    """Live contacts; folded, what was replaced and what the registry keeps as evidence."""
    rows = subject.data.select_related("category", "key")
    contacts = list(rows.live().contacts().order_by("category__kind", "pk")[:MOST])
    others = list(rows.exclude(pk__in=[datum.pk for datum in contacts]).order_by("-pk")[: MOST + 1])
    numbers = [datum.pk for datum in (*contacts, *others[:MOST])]
    why = reasons.why(PersonalDatum.objects.filter(pk__in=numbers), now)
    return {"contacts": _lines(contacts, why), "others": _lines(others, why), "has_more": len(others) > MOST}


def _lines(data: Iterable[PersonalDatum], why: dict[int, reasons.Why]) -> list[Line]:
    """What a purge took meanwhile is left out."""
    known = [datum for datum in data if datum.pk in why]
    hints = masked(known)
    return [Line(datum, hints[datum.pk], _standing(datum), why[datum.pk]) for datum in known]


def _standing(datum: PersonalDatum) -> Badge:
    if datum.superseded_at:
        return "", _("replaced by a newer value")
    return STANDINGS.get(PersonalDatum.Standing(datum.standing), ""), datum.get_standing_display()


def requests(subject: DataSubject, now: datetime) -> Shown:
    """What this person asked for, the newest first, with how far it is and by when it is due. One query."""
    rows = subject.requests.select_related("assignee").defer("explanation").order_by("-pk")[: MOST + 1]
    shown = [(row, (REQUESTS.get(State(row.state), ""), row.get_state_display()), _due(row, now)) for row in rows]
    return {"rows": shown[:MOST], "has_more": len(shown) > MOST}


def _due(row: SubjectRequest, now: datetime) -> Badge:
    """Of one that waits: the badge of its deadline; of an answered one whether it was in time."""
    if row.answered_at:
        is_in_time = row.was_in_time(timezone.localdate(row.answered_at))
        return ("", _("in time")) if is_in_time else ("bad", _("answered late"))
    if row.state not in SubjectRequest.WAITING or row.due_on is None:
        return "", ""
    return deadline_of(end_of_day(row.due_on, ZoneInfo(settings.TIME_ZONE)), now)


def processing(subject: DataSubject, now: datetime) -> Shown:
    """One row a purpose at most."""
    rows = subject.processing.select_related("purpose").order_by("purpose__position", "purpose")[:MOST]
    return {"rows": [(row, _use(row, now)) for row in rows]}


def _use(row: Processing, now: datetime) -> Badge:
    if row.state != Processing.State.OPEN:
        return "", row.get_state_display()
    if row.lapses_at and row.lapses_at <= now:
        return "", _("term is over")
    return ("soon", _("waits for a new consent")) if row.paused_at else ("ok", row.get_state_display())


def holds(subject: DataSubject, now: datetime) -> Shown:
    """Those in force first."""
    rows = subject.holds.select_related("ground", "datum__category", "placed_by")
    return {"rows": rows.order_by(F("released_at").asc(nulls_first=True), "-pk")[:MOST]}


def erasures(subject: DataSubject, now: datetime) -> Shown:
    """What was demanded, how far it is, and its last day (Law 94-V art. 8, 25)."""
    found = certifying.promised(subject.certificates.all()).select_related("ground").order_by("-pk")
    rows, term = list(found[:MOST]), certifying.own_term()
    return {"rows": [(row, *_progress(row, certifying.ends_at(row, term), now)) for row in rows]}


def _progress(row: ErasureCertificate, ends_at: datetime, now: datetime) -> tuple[Badge, date]:
    """Its state, and the last day of its term."""
    return _state(row, is_late=ends_at <= now), timezone.localdate(ends_at) - timedelta(days=1)


def _state(row: ErasureCertificate, *, is_late: bool) -> Badge:
    if row.remains:
        return "bad", _("something was found")
    if row.finished_at:
        return "ok", _("done")
    return ("bad", _("late")) if is_late else ("soon", _("waits"))


def incidents(subject: DataSubject, now: datetime) -> Shown:
    """Breaches that concern this person's data, the newest first."""
    rows = subject.incidents.select_related("incident").order_by("-pk")[:MOST]
    return {"rows": [row.incident for row in rows]}


def messages(subject: DataSubject, now: datetime) -> Shown:
    """Which letters went, and not where to."""
    return {"rows": [_letter(row) for row in subject.messages.order_by("-pk")[:MOST]]}


def _letter(row: OutgoingMessage) -> tuple[Any, ...]:
    tone = DELIVERIES.get(OutgoingMessage.State(row.state), "")
    return row, letter_names.get(row.letter, row.letter), (tone, row.get_state_display())


def audit(subject: DataSubject, now: datetime) -> Shown:
    rows = subject.audit.select_related("actor").order_by("-at", "-pk")[:MOST]
    return {"rows": [(row, _who(row), told_entry(row)) for row in rows]}


def _who(entry: AuditEntry) -> object:
    """The member of the staff, or the job or page."""
    return entry.actor.get_full_name() or entry.actor if entry.actor else system_names.get(entry.system, entry.system)


PAGE = "admin/registry/subject_{}.html"
OWN = [
    Part(10, _("Data held"), "registry.view_personaldatum", PAGE.format("data"), data),
    Part(25, _("Requests"), "registry.view_subjectrequest", PAGE.format("requests"), requests),
    Part(30, _("Processing"), "registry.view_processing", PAGE.format("processing"), processing),
    Part(35, _("Transfers"), "registry.view_transferline", "admin/registry/transfer_person.html", of_person),
    TELLING,
    Part(40, _("Holds"), "registry.view_legalhold", PAGE.format("holds"), holds, is_beside=True),
    Part(50, _("Demanded erasures"), "registry.view_erasurecertificate", PAGE.format("erasures"), erasures, True),
    Part(55, _("Incidents"), "registry.view_incident", "admin/registry/incident_person.html", incidents, True),
    Part(60, _("Messages"), "registry.view_outgoingmessage", PAGE.format("messages"), messages, True),
    Part(70, _("Who looked and who changed"), "registry.view_auditentry", PAGE.format("audit"), audit, True),
]
