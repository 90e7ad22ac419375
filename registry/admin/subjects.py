from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from registry.admin.base import PeopleAdmin
from registry.admin.finding import find_view, with_contacts
from registry.admin.reveal import reveal_view
from registry.admin.subject_acts import block_view, hold_view, release_view, unblock_view
from registry.admin.subject_page import badge_of, parts, subject_page, system_names
from registry.admin.subject_parts import OWN
from registry.disclosure import masked
from registry.models import DataSubject, Processing

parts.extend(OWN)
VIEWS: dict[str, tuple[str, Callable[..., HttpResponse]]] = {
    "find": ("find/", find_view),
    "reveal": ("datum/<int:datum_id>/reveal/", reveal_view),
    "block_subject": ("<int:subject_id>/block/", block_view),
    "unblock_subject": ("<int:subject_id>/unblock/", unblock_view),
    "place_hold": ("<int:subject_id>/hold/", hold_view),
    "release_hold": ("hold/<int:hold_id>/release/", release_view),
}


@admin.register(DataSubject)
class DataSubjectAdmin(PeopleAdmin):
    """No search by address line: what is typed there lies in histories and logs. The page "find" takes it by POST."""

    list_display = ["reference", "contacts", "state", "language", "created_at"]
    list_filter = ["status"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DataSubject]:
        return with_contacts(super().get_queryset(request))

    @admin.display(description=gettext_lazy("data"))
    def contacts(self, subject: DataSubject) -> str:
        hints = masked(subject.live_data)  # type: ignore[attr-defined]
        return format_html_join(", ", "{}", ((hint,) for hint in hints.values()))

    @admin.display(description=gettext_lazy("status"))
    def state(self, subject: DataSubject) -> str:
        return format_html('<span class="badge {}">{}</span>', *badge_of(subject))

    def document(self, request: HttpRequest, row: DataSubject) -> HttpResponse:
        return subject_page(request, row, timezone.now())

    def get_urls(self) -> list[URLPattern]:
        only = require_http_methods(["GET", "HEAD", "POST"])
        guard = self.admin_site.admin_view
        own = [path(route, guard(never_cache(only(view))), name=name) for name, (route, view) in VIEWS.items()]
        return [*own, *super().get_urls()]


class WithoutAnEnd(admin.SimpleListFilter):
    title = gettext_lazy("end date")
    parameter_name = "end"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("unknown", _("without an end date"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Processing]) -> QuerySet[Processing]:
        if self.value() != "unknown":
            return queryset
        return queryset & Processing.objects.without_an_end()


@admin.register(Processing)
class ProcessingAdmin(PeopleAdmin):
    list_display = ["subject", "purpose", "state", "began_at", "lapses_at"]
    list_filter = ["state", WithoutAnEnd, "purpose"]
    list_select_related = ["subject", "purpose"]
    fields = [
        "subject", "purpose", "state", "began_at", "term_from", "lapses_at", "rule_version", "came_by", "paused_at",
        "third_parties", "cross_border", "public_sources",
    ]  # fmt: skip
    readonly_fields = ["came_by"]

    @admin.display(description=gettext_lazy("channel"))
    def came_by(self, processing: Processing) -> str:
        return str(system_names.get(processing.channel, processing.channel))
