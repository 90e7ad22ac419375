"""Countries, recipients, and the journal of what was given to them. The operations decide (registry.transfers)."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from registry import auditing, tasks, transfers
from registry.admin import transfer_pages
from registry.admin.base import ConfigurationAdmin, PeopleAdmin, refuse_unappointed, staff_member, step_up
from registry.admin.filters import DateRange
from registry.admin.forms import ReasonForm
from registry.admin.transfer_asking import TYPES, ask_view, page, statistics_view, who
from registry.admin.transfer_forms import RecipientForm
from registry.models import AuditEntry, Country, Recipient, Transfer
from registry.transfers.rows import APPROVE, ASK

State = Transfer.State


@admin.register(Country)
class CountryAdmin(ConfigurationAdmin):
    list_display = ["code", "name_kk", "name_ru", "is_protecting"]
    list_filter = ["is_protecting"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code"] if obj else []  # consents name it

    def _record(self, request: HttpRequest, obj: models.Model) -> None:
        by, now = staff_member(request), timezone.now()
        auditing.record(AuditEntry.Operation.CONFIGURE, now=now, actor=by, about=obj, reason=str(obj.pk))


@admin.register(Recipient)
class RecipientAdmin(ConfigurationAdmin):
    list_display = ["code", "kind", "name_kk", "name_ru", "country", "contract", "bin"]
    list_filter = ["kind"]
    list_select_related = ["country"]
    filter_horizontal = ["categories"]
    form = RecipientForm

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code"] if obj else []  # consents name it

    @admin.display(description=gettext_lazy("contract"))
    def contract(self, recipient: Recipient) -> str:
        badge = transfer_pages.contract_badge(recipient, timezone.localdate())
        return format_html('<span class="badge {}">{}</span>', *badge)


class ByCountry(admin.SimpleListFilter):
    """Where it went: a code in the journal, a name here."""

    title = gettext_lazy("country")
    parameter_name = "country"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        codes = Transfer.objects.order_by().values_list("country", flat=True).distinct()
        names = Country.objects.in_bulk(codes)
        return [(code, names.get(code, code)) for code in sorted(codes)]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Transfer]) -> models.QuerySet[Transfer]:
        return queryset.filter(country=self.value()) if self.value() else queryset


@admin.register(Transfer)
class TransferAdmin(PeopleAdmin):
    list_display = [
        "number", "recipient", "where", "ground", "purpose", "people", "state_badge", "requested_by", "taken_at",
    ]  # fmt: skip
    list_filter = ["recipient", ByCountry, "ground", "purpose", "state", ("requested_at", DateRange)]
    list_select_related = ["recipient__country", "purpose", "requested_by"]
    change_list_template = "admin/registry/transfers.html"

    @admin.display(description=gettext_lazy("country"))
    def where(self, row: Transfer) -> Any:
        return transfer_pages.country_of(row)

    @admin.display(description=gettext_lazy("state"))
    def state_badge(self, row: Transfer) -> str:
        return format_html('<span class="badge {}">{}</span>', *transfer_pages.badge_of(row))

    def get_urls(self) -> list[URLPattern]:
        pages: list[tuple[str, Callable[..., HttpResponseBase], str]] = [
            ("ask/", ask_view, "transfer_ask"),
            ("statistics/", statistics_view, "transfer_statistics"),
            ("<int:transfer_id>/decide/", decide_view, "transfer_decide"),
            ("<int:transfer_id>/take/", take_view, "transfer_take"),
        ]
        view = self.admin_site.admin_view
        return [*(path(route, view(never_cache(one)), name=name) for route, one, name in pages), *super().get_urls()]

    def document(self, request: HttpRequest, row: Transfer) -> HttpResponse:
        may_see_lines = staff_member(request).has_perm("registry.view_transferline")
        context = {
            "title": _("Transfer %(number)s") % {"number": row.number},
            "transfer": row,
            "badge": transfer_pages.badge_of(row),
            "country": transfer_pages.country_of(row),
            "categories": transfer_pages.categories(row),
            "left_out": transfer_pages.reasons(row.left_out),
            "dropped": transfer_pages.dropped(row),
            "lines": transfer_pages.lines(row, request.GET.get("p")) if may_see_lines and row.people else None,
            "decision": transfer_pages.decision(row),
            "is_theirs": row.requested_by_id == request.user.pk,
            "acts": _offered(row, request),
            "form": ReasonForm(),
        }
        return page(request, "transfer.html", context)


def _offered(row: Transfer, request: HttpRequest) -> set[str]:
    """Which buttons are worth showing; the operations decide anew."""
    me = staff_member(request)
    is_theirs = row.requested_by_id == me.pk
    offered = {
        "decide": row.state == State.WAITING and not is_theirs and me.has_perm(APPROVE),
        "cancel": is_theirs and row.state in {State.WAITING, State.BUILDING, State.READY},
        "take": is_theirs and row.state == State.READY and me.has_perm(ASK),
    }
    return {act for act, is_offered in offered.items() if is_offered}


def decide_view(request: HttpRequest, transfer_id: int) -> HttpResponse:
    """POST approves, refuses or cancels; GET, as after showing the second factor, goes to the transfer's page."""
    refuse_unappointed(request)
    row = get_object_or_404(Transfer, pk=transfer_id)
    back = redirect("admin:registry_transfer_change", row.pk)
    if request.method != "POST":
        return back
    act = _acts(row, request).get(request.POST.get("act", ""))
    if act is None:
        raise BadRequest("no such act")
    if request.POST["act"] == "approve" and (way := step_up(request)):
        return way
    try:
        act()
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("Done and recorded."))
        transaction.on_commit(tasks.wake_transfers)
    return back


def _acts(row: Transfer, request: HttpRequest) -> dict[str, Callable[[], None]]:
    return {
        "approve": lambda: transfers.approve(row, **who(request)),
        "refuse": lambda: transfers.refuse(row, reason=request.POST.get("reason", ""), **who(request)),
        "cancel": lambda: transfers.cancel(row, **who(request)),
    }


def take_view(request: HttpRequest, transfer_id: int) -> HttpResponseBase:
    """POST gives the file, once, as it is read; GET goes to the transfer's page."""
    refuse_unappointed(request)
    row = get_object_or_404(Transfer, pk=transfer_id)
    back = redirect("admin:registry_transfer_change", row.pk)
    if request.method != "POST":
        return back
    if way := step_up(request):
        return way
    try:
        taken = transfers.take(row, **who(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return back
    is_encrypted = taken.name.endswith(".age")
    content_type = "application/octet-stream" if is_encrypted else TYPES[Transfer.Format(row.format)]
    headers = {"Content-Disposition": f'attachment; filename="{taken.name}"'}
    return StreamingHttpResponse(taken, content_type=content_type, headers=headers)  # closes it, too
