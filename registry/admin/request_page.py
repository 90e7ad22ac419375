"""One request on one page: what was asked, by when, what has happened, what may be done. Opening it opens no value.

What the acts share lies here too: the row for whoever may handle it, the console's frame, the badges.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from registry.admin.base import refuse_unappointed, staff_member
from registry.admin.subject_page import Badge
from registry.admin.today import deadline_of
from registry.deadlines import end_of_day
from registry.disclosure import masked
from registry.models import CopyPackage, DataSubject, PersonalDatum, RequestStep, StaffMember, SubjectRequest
from registry.requests import anew, copying
from registry.requests.steps import check_may
from registry.requests.telling import told

State = SubjectRequest.State
Kind = SubjectRequest.Kind
Outcome = SubjectRequest.Outcome
Step = RequestStep.Step
VIEW = "registry.view_subjectrequest"
TONES = {State.UNVERIFIED: "soon", State.PAUSED: "soon", State.ANSWERED: "ok"}
COPIES = {CopyPackage.State.BUILDING: "soon", CopyPackage.State.FAILED: "bad", CopyPackage.State.DESTROYED: ""}
MOST_STEPS = 100  # of the life of one request


@dataclass(frozen=True)
class Paper:
    """A text of the request that lies under seal. `page`: the address that shows it; `is_there`: not destroyed yet."""

    name: str | Promise
    page: str
    verb: str | Promise
    is_there: bool


PAPERS = {  # by the field that has its number
    "text_id": (gettext_lazy("Text of the request"), "request_text", gettext_lazy("Show the text")),
    "scan_id": (gettext_lazy("Scan"), "request_scan", gettext_lazy("Download")),
    "answer_id": (gettext_lazy("Our answer"), "request_letter", gettext_lazy("Show and print")),
}


def framed(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> TemplateResponse:
    """A page about a request, in the console's frame."""
    frame = admin.site.each_context(request) | {"opts": SubjectRequest._meta}
    return TemplateResponse(request, f"admin/registry/{template}", frame | context, status=status)


def handled(request: HttpRequest, request_id: int) -> SubjectRequest:
    """The request, for whoever may handle it. Everybody else is refused, and that is recorded."""
    refuse_unappointed(request)
    row = rows().filter(pk=request_id).first()
    check_may(staff_member(request), row, now=timezone.now())
    if row is None:
        raise Http404
    return row


def rows() -> QuerySet[SubjectRequest]:
    """With everything a page about one says."""
    beside = ("subject", "deadline", "ground", "certificate", "joined_to", "entered_by", "assignee", "answered_by")
    return SubjectRequest.objects.select_related(*beside)


def page(
    request: HttpRequest, row: SubjectRequest, now: datetime, acts: Iterable[Any], *, may_answer: bool
) -> TemplateResponse:
    context = heading(row, now) | {
        "title": _("Request %(number)s") % {"number": row.number},
        "acts": acts,
        "may_answer": may_answer,
        "papers": papers_of(row),
        "life": life(row),
        "copies": [(copy, badge_of_copy(copy)) for copy in row.packages.select_related("asked_by").defer("wrapped")],
        "may_hand_over": may_hand_over(row, staff_member(request), now),
        "duplicates": row.duplicates.order_by("pk"),
    }
    return framed(request, "request.html", context)


def heading(row: SubjectRequest, now: datetime) -> dict[str, Any]:
    """What stands above every page about this request."""
    return {
        "row": row,
        "state": badge_of(row),
        "due": due_of(row, now),
        "is_anew": anew.is_asked(row),
        "explanation": row.explained(get_language() or settings.LANGUAGE_CODE),
        "contact": contact_of(row),
    }


def badge_of(row: SubjectRequest) -> Badge:
    return TONES.get(State(row.state), ""), row.get_state_display()


def due_of(row: SubjectRequest, now: datetime) -> Badge:
    """Of one that waits: how long is left, as on Today. Of an answered one: whether it was in time."""
    if row.state in SubjectRequest.WAITING:
        paused = "soon", _("the clock is paused")
        return deadline_of(end_of_day(row.due_on, ZoneInfo(settings.TIME_ZONE)), now) if row.due_on else paused
    if row.answered_at is None:
        return "", ""
    in_time = row.was_in_time(timezone.localdate(row.answered_at))
    return ("ok", _("in time")) if in_time else ("bad", _("answered late"))


def may_hand_over(row: SubjectRequest, by: StaffMember, now: datetime) -> bool:
    """Whether a copy waits to be handed over at the desk, by whoever may."""
    return by.has_perm(copying.HAND_OVER) and copying.at_the_desk(row, now=now) is not None


def badge_of_copy(copy: CopyPackage) -> Badge:
    return COPIES.get(CopyPackage.State(copy.state), "ok"), copy.get_state_display()


def contact_of(row: SubjectRequest) -> str:
    """The hint of where the answer goes; empty where there is nothing to send to."""
    data = PersonalDatum.objects.live().filter(pk=row.contact_id or 0, subject=row.subject_id)
    return next(iter(masked(data.select_related("category", "key")).values()), "")


def contacts(subject: DataSubject) -> QuerySet[PersonalDatum]:
    """Where a person can be written to or called, in the order of a form."""
    data = subject.data.live().contacts().select_related("category", "key")
    return data.order_by("category__kind", "pk")


def papers_of(row: SubjectRequest) -> list[Paper]:
    numbers = {field: number for field in PAPERS if (number := getattr(row, field))}
    there = set(PersonalDatum.objects.filter(pk__in=numbers.values()).values_list("pk", flat=True))
    return [Paper(*PAPERS[field], is_there=number in there) for field, number in numbers.items()]


def life(row: SubjectRequest) -> list[tuple[RequestStep, str]]:
    """The steps, newest first, each with its reason in words."""
    steps = row.steps.select_related("by").order_by("-pk")[:MOST_STEPS]
    return [(step, told(step)) for step in steps]
