"""What recipients must be told: a list by what waits, and a page with what was given. The operations decide."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from registry.admin import transfer_pages
from registry.admin.base import PeopleAdmin, refuse_unappointed, staff_member
from registry.admin.by_person import ByPerson
from registry.admin.handing_out import who
from registry.admin.transfer_asking import page
from registry.models import RecipientNotice
from registry.transfers import notices

ACTS: dict[str, Callable[..., None]] = {"told": notices.note_told, "confirmed": notices.acknowledge}


class Queue(admin.SimpleListFilter):
    """The tabs above the list; what waits comes by due day. Each is read by an index but for what most rows are."""

    title = gettext_lazy("queue")
    parameter_name = "show"
    template = "admin/registry/transfer_tabs.html"
    by_due = ("untold", "told", "late")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("untold", _("To be told")),
            ("told", _("Told, not confirmed")),
            ("late", _("Late")),
            ("confirmed", _("Confirmed")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RecipientNotice]) -> QuerySet[RecipientNotice]:
        cuts: dict[str, dict[str, Any]] = {
            "untold": {"sent_at": None},
            "told": {"sent_at__isnull": False, "acknowledged_at": None},
            "late": {"acknowledged_at": None, "due_on__lt": timezone.localdate()},
            "confirmed": {"acknowledged_at__isnull": False},
        }
        return queryset.filter(**cuts.get(self.value() or "", {}))


@admin.register(RecipientNotice)
class RecipientNoticeAdmin(PeopleAdmin):
    list_display = ["__str__", "recipient", "subject", "event", "progress", "sent_at", "acknowledged_at"]
    list_filter = [Queue, "recipient", ByPerson]
    list_select_related = ["recipient", "subject"]
    change_list_template = "admin/registry/transfer_notices.html"

    def get_ordering(self, request: HttpRequest) -> Any:
        return ["due_on", "pk"] if request.GET.get(Queue.parameter_name) in Queue.by_due else ["-pk"]

    @admin.display(description=gettext_lazy("state"))
    def progress(self, notice: RecipientNotice) -> str:
        badge = transfer_pages.notice_badge(notice, timezone.localdate())
        return format_html('<span class="badge {}">{}</span>', *badge)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(never_cache(note_view))
        return [path("<int:notice_id>/note/", view, name="notice_note"), *super().get_urls()]

    def document(self, request: HttpRequest, row: RecipientNotice) -> HttpResponse:
        context = {
            "opts": self.opts,
            "title": _("Notice %(number)s") % {"number": row},
            "notice": row,
            "badge": transfer_pages.notice_badge(row, timezone.localdate()),
            "given": transfer_pages.given_to(row),
            "may_note": staff_member(request).has_perm(notices.HANDLE),
        }
        return page(request, "transfer_notice.html", context)


def note_view(request: HttpRequest, notice_id: int) -> HttpResponse:
    """POST notes that the recipient was told on paper, or has confirmed; GET goes to the notice's page."""
    refuse_unappointed(request)
    notice = get_object_or_404(RecipientNotice, pk=notice_id)
    if request.method == "POST":
        act = ACTS.get(request.POST.get("act", ""))
        if act is None:
            raise BadRequest("no such act")
        try:
            act(notice, **who(request))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("Done and recorded."))
    return redirect("admin:registry_recipientnotice_change", notice.pk)
