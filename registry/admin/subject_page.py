"""A person on one screen: the parts of the page, in a fixed order, each under its own permission.

A part reads a bounded number of rows in a constant number of queries: whoever has ten thousand entries has the same
page as everybody else, and a link to the list. Other apps append theirs (consent.admin_subject).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from registry.admin.base import staff_member
from registry.models import DataSubject, StaffMember

Shown = dict[str, Any]

Badge = tuple[str, object]  # tone (one of the theme's: "ok", "soon", "bad" or none) and the word of a state
TONES = {DataSubject.Status.PENDING: "soon", DataSubject.Status.ACTIVE: "ok", DataSubject.Status.BLOCKED: "bad"}


@dataclass(frozen=True)
class Part:
    """One part of the page.

    `place` orders the parts; those that are not `is_beside` take the wide column. `template` gets what `read` returns
    for this person at this moment, under the name `shown`.
    """

    place: int
    title: str | Promise
    permission: str
    template: str
    read: Callable[[DataSubject, datetime], Shown]
    is_beside: bool = False


parts: list[Part] = []
letter_names: dict[str, str | Promise] = {}  # by the outbox's name of the letter; who writes a letter names it here
system_names = {  # by the audit's name of a job or page
    "purge": _("the daily purge"),
    "finish_erasures": _("erasure on demand"),
    "replay": _("repeated after a restore"),
    "mail": _("sending of letters"),
    "sms": _("sending to phones"),
    "prepare": _("setting up"),
    "sign-in": _("sign-in"),
    "step-up": _("second step, once more"),
    "rules": _("changes of rules"),
    "exports": _("lists taken out"),
    "copies": _("building of copies"),
    "transfers": _("transfers"),
    "notices": _("notices to recipients"),
    "requests": _("handling of requests"),
    "page": _("page"),
    "alarm": _("alarm"),
    "console: no appointment": _("no appointment"),
    "console: search": _("search"),
}


def badge_of(subject: DataSubject) -> Badge:
    return TONES.get(DataSubject.Status(subject.status), ""), subject.get_status_display()


def shown(subject: DataSubject, by: StaffMember, now: datetime, *, is_beside: bool) -> list[tuple[Part, Shown]]:
    """The parts of one column that this member of the staff may see, with what they say."""
    allowed = [part for part in parts if part.is_beside == is_beside and by.has_perm(part.permission)]
    return [(part, part.read(subject, now)) for part in sorted(allowed, key=lambda part: part.place)]


def acts(subject: DataSubject, by: StaffMember) -> list[tuple[str, str | Promise]]:
    """Name of the address and of the button of each act that is worth offering; the acts decide anew."""
    is_blocked = subject.status == DataSubject.Status.BLOCKED
    is_active = subject.status == DataSubject.Status.ACTIVE
    has_data = subject.status != DataSubject.Status.ERASED
    may_block = by.has_perm("registry.block_datasubject")
    offered = [
        ("request_enter_for", _("Enter a request"), has_data and by.has_perm("registry.handle_subjectrequest")),
        ("place_hold", _("Place a hold"), has_data and by.has_perm("registry.place_legalhold")),
        ("block_subject", _("Block"), is_active and may_block),
        ("unblock_subject", _("Unblock"), is_blocked and may_block),
        ("demand_erasure", _("Erase on demand"), by.has_perm("registry.demand_erasure")),
    ]
    return [(name, label) for name, label, is_offered in offered if is_offered]


def subject_page(request: HttpRequest, subject: DataSubject, now: datetime) -> TemplateResponse:
    """Masked values only: opening the page opens nothing, so it is not recorded."""
    by = staff_member(request)
    context = {
        "title": subject.reference,
        "subject": subject,
        "status": badge_of(subject),
        "acts": acts(subject, by),
        "wide": shown(subject, by, now, is_beside=False),
        "beside": shown(subject, by, now, is_beside=True),
    }
    return framed(request, "subject.html", context)


def framed(request: HttpRequest, template: str, context: Shown, status: int = 200) -> TemplateResponse:
    """A page about people, in the console's frame."""
    frame = admin.site.each_context(request) | {"opts": DataSubject._meta}
    return TemplateResponse(request, f"admin/registry/{template}", frame | context, status=status)
