"""Requests of people: the list as a queue, and the page of each. The acts lie in request_*.py beside this."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from registry.admin import request_acts
from registry.admin.base import PeopleAdmin, staff_member
from registry.admin.by_person import ByPerson
from registry.admin.filters import DateRange
from registry.admin.request_acts import offered
from registry.admin.request_answer import answer_view, outcomes
from registry.admin.request_copy import hand_over_view
from registry.admin.request_desk import enter_for_view, enter_new_view, enter_view
from registry.admin.request_page import badge_of, due_of, page
from registry.admin.request_show import letter_view, scan_view, text_view
from registry.admin.subject_page import letter_names, system_names
from registry.models import SubjectRequest

State = SubjectRequest.State
VIEWS: dict[str, tuple[str, Callable[..., HttpResponseBase]]] = {
    "request_enter": ("enter/", enter_view),
    "request_enter_new": ("enter/new/", enter_new_view),
    "request_enter_for": ("enter/<int:subject_id>/", enter_for_view),
    "request_text": ("<int:request_id>/text/", text_view),
    "request_scan": ("<int:request_id>/scan/", scan_view),
    "request_letter": ("<int:request_id>/letter/", letter_view),
    "request_answer": ("<int:request_id>/answer/", answer_view),
    "request_hand_over": ("<int:request_id>/hand-over/", hand_over_view),
    **request_acts.VIEWS,
}
letter_names.update(
    {
        "request": _("question whether they asked"),
        "request_open": _("number and last day of a request"),
        "request_extended": _("another last day of a request"),
        "request_answer": _("answer to a request"),
        "new_address": _("question to a corrected address"),
    }
)
system_names["requests"] = _("requests")


class Queue(admin.SimpleListFilter):
    """The tabs above the list. By due day where that is what the tab is about."""

    title = _("queue")
    parameter_name = "show"
    template = "admin/registry/request_tabs.html"
    by_due = ("overdue", "today", "mine", "unassigned")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("overdue", _("Overdue")),
            ("today", _("Due today")),
            ("mine", _("Mine")),
            ("unassigned", _("Nobody's")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SubjectRequest]) -> QuerySet[SubjectRequest]:
        today = timezone.localdate()
        cuts: dict[str, dict[str, Any]] = {
            "overdue": {"state__in": SubjectRequest.WAITING, "due_on__lt": today},  # in the order of the index
            "today": {"state__in": SubjectRequest.WAITING, "due_on": today},
            "mine": {"state__in": SubjectRequest.WAITING, "assignee": staff_member(request)},
            "unassigned": {"state__in": SubjectRequest.WAITING, "assignee": None},
        }
        return queryset.filter(**cuts.get(self.value() or "", {}))


@admin.register(SubjectRequest)
class SubjectRequestAdmin(PeopleAdmin):
    list_display = ["number", "kind", "subject", "state_badge", "due", "assignee", "channel"]
    list_filter = [Queue, "state", "kind", "channel", ByPerson, ("received_at", DateRange)]
    list_select_related = ["subject", "assignee"]
    change_list_template = "admin/registry/requests.html"

    def get_ordering(self, request: HttpRequest) -> Any:
        """Both are the order of an index; a tab of what waits is short anyway."""
        return ["due_on", "pk"] if request.GET.get(Queue.parameter_name) in Queue.by_due else ["-pk"]

    @admin.display(description=_("state"))
    def state_badge(self, row: SubjectRequest) -> str:
        return format_html('<span class="badge {}">{}</span>', *badge_of(row))

    @admin.display(description=_("term"))
    def due(self, row: SubjectRequest) -> str:
        tone, words = due_of(row, timezone.now())
        return format_html('<span class="badge {}">{}</span>', tone, words) if words else ""

    def document(self, request: HttpRequest, row: SubjectRequest) -> HttpResponse:
        by = staff_member(request)
        acts = offered(row, by)
        return page(request, row, timezone.now(), acts, may_answer=bool(outcomes(row, by)))

    def get_urls(self) -> list[URLPattern]:
        only, guard = require_http_methods(["GET", "HEAD", "POST"]), self.admin_site.admin_view
        own = [path(route, guard(never_cache(only(view))), name=name) for name, (route, view) in VIEWS.items()]
        return [*own, *super().get_urls()]
