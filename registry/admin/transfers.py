"""Countries, recipients, and the journal of what was given to them. The operations decide (registry.transfers)."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from registry import auditing, tasks, transfers
from registry.admin import handing_out, recipient_keys, transfer_pages
from registry.admin.base import ConfigurationAdmin, PeopleAdmin, refuse_unappointed, staff_member
from registry.admin.filters import DateRange
from registry.admin.forms import ReasonForm
from registry.admin.handing_out import Acts, who
from registry.admin.transfer_asking import TYPES, ask_view, page, statistics_view
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
    formfield_overrides: ClassVar = {models.ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}
    form = RecipientForm
    change_form_template = "admin/registry/recipient.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        make, revoke = (view(never_cache(one)) for one in (recipient_keys.make_view, recipient_keys.revoke_view))
        return [
            path("<int:recipient_id>/keys/make/", make, name="recipient_key_make"),
            path("<int:recipient_id>/keys/<int:key_id>/revoke/", revoke, name="recipient_key_revoke"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        recipient = self.get_object(request, unquote(object_id))
        also = recipient_keys.shown(request, recipient) if recipient else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | also)

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
        return format_html('<span class="badge {}">{}</span>', *transfer_pages.progress_of(row))

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
            "stayed": transfer_pages.stayed(row),
            "numbers": transfer_pages.numbers(row),
            "lines": transfer_pages.lines(row, request.GET.get("p")) if may_see_lines and row.people else None,
            "decision": handing_out.decision(row),
            "is_theirs": row.requested_by_id == request.user.pk,
            "what_for": transfer_pages.what_for(row),
            "acts": handing_out.offered(row, request, approve=APPROVE, take=ASK),
            "form": ReasonForm(),
        }
        return page(request, "transfer.html", context)


def decide_view(request: HttpRequest, transfer_id: int) -> HttpResponse:
    """POST approves, refuses or cancels."""
    refuse_unappointed(request)
    row = get_object_or_404(Transfer, pk=transfer_id)
    back = redirect("admin:registry_transfer_change", row.pk)
    return handing_out.decided(request, back, _acts(row, request), lambda: transaction.on_commit(tasks.wake_transfers))


def _acts(row: Transfer, request: HttpRequest) -> Acts:
    return {
        "approve": lambda: transfers.approve(row, **who(request)),
        "refuse": lambda: transfers.refuse(row, reason=request.POST.get("reason", ""), **who(request)),
        "cancel": lambda: transfers.cancel(row, **who(request)),
    }


def take_view(request: HttpRequest, transfer_id: int) -> HttpResponseBase:
    """POST gives the file, once."""
    refuse_unappointed(request)
    row = get_object_or_404(Transfer, pk=transfer_id)
    back = redirect("admin:registry_transfer_change", row.pk)
    of_this = TYPES[Transfer.Format(row.format)]
    take = partial(transfers.take, row, **who(request))
    return handing_out.given(
        request, back, take, lambda name: "application/octet-stream" if name.endswith(".age") else of_this
    )
