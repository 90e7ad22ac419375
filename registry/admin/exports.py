"""Lists of people that are taken out: asked for, approved by a second person, fetched once. The operations decide."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from registry import exporting, tasks
from registry.admin import handing_out
from registry.admin.base import PeopleAdmin, refuse_unappointed, refuse_without, step_up
from registry.admin.forms import ReasonForm
from registry.admin.handing_out import Acts, who
from registry.models import AccessSettings, DataCategory, DataExport, ProcessingPurpose

Kind = DataExport.Kind


class AskForm(ReasonForm):
    purpose = forms.ModelChoiceField(
        ProcessingPurpose.objects.none(),
        label=gettext_lazy("Processing purpose"),
        empty_label=None,
        widget=forms.RadioSelect,
        help_text=gettext_lazy("The list holds everybody whose data may be used for this purpose now."),
    )
    field_order = ["purpose", "reason"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reason"].label = _("What it is for")
        of_people = ProcessingPurpose.objects.open(timezone.now()).filter(categories__kind__in=DataCategory.CONTACTS)
        self.fields["purpose"].queryset = of_people.distinct()  # type: ignore[attr-defined]


@admin.register(DataExport)
class DataExportAdmin(PeopleAdmin):
    list_display = ["number", "kind", "purpose", "state", "people", "requested_by", "requested_at", "approved_by"]
    list_filter = ["state", "kind"]
    list_select_related = ["purpose", "requested_by", "approved_by"]
    change_list_template = "admin/registry/exports.html"

    def get_urls(self) -> list[URLPattern]:
        pages: list[tuple[str, Callable[..., HttpResponseBase], str]] = [
            ("ask/", partial(self.ask_view, kind=Kind.MASKED), "export_ask"),
            ("ask/readable/", partial(self.ask_view, kind=Kind.PLAIN), "export_ask_plain"),
            ("<int:export_id>/decide/", self.decide_view, "export_decide"),
            ("<int:export_id>/take/", self.take_view, "export_take"),
        ]
        view = self.admin_site.admin_view
        return [*(path(route, view(never_cache(page)), name=name) for route, page, name in pages), *super().get_urls()]

    def ask_view(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        """GET shows the form, POST asks. A readable list wants the second factor before the form is filled in."""
        refuse_unappointed(request)
        refuse_without(request, exporting.PERMISSIONS[kind])
        if kind == Kind.PLAIN and (way := step_up(request)):
            return way
        form = AskForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return self._ask_page(request, form, kind)
        given = form.cleaned_data
        try:
            export = exporting.ask(given["purpose"], kind=kind, reason=given["reason"], **who(request))
        except ValidationError as error:
            form.add_error(None, error)
            return self._ask_page(request, form, kind)
        tasks.wake_exports()
        return redirect("admin:registry_dataexport_change", export.pk)

    def decide_view(self, request: HttpRequest, export_id: int) -> HttpResponse:
        """POST approves, refuses or cancels."""
        refuse_unappointed(request)
        export = get_object_or_404(DataExport, pk=export_id)
        page = redirect("admin:registry_dataexport_change", export.pk)
        return handing_out.decided(request, page, _acts(export, request), tasks.wake_exports)

    def take_view(self, request: HttpRequest, export_id: int) -> HttpResponseBase:
        """POST gives the file, once."""
        refuse_unappointed(request)
        export = get_object_or_404(DataExport, pk=export_id)
        page = redirect("admin:registry_dataexport_change", export.pk)
        take = partial(exporting.take, export, **who(request))
        return handing_out.given(request, page, take, lambda _name: "text/csv; charset=utf-8")

    def document(self, request: HttpRequest, row: DataExport) -> HttpResponse:
        may = exporting.PERMISSIONS[Kind(row.kind)]
        context = {
            "title": _("List %(number)s") % {"number": row.number},
            "export": row,
            "acts": handing_out.offered(row, request, approve=exporting.APPROVER, take=may),
            "is_theirs": row.requested_by_id == request.user.pk,
            "is_erased": row.expires_at is None or bool(row.destroyed_at and row.destroyed_at < row.expires_at),
            "decision": handing_out.decision(row),
            "form": ReasonForm(),
        }
        return self._page(request, "export.html", context)

    def _ask_page(self, request: HttpRequest, form: AskForm, kind: Kind) -> HttpResponse:
        context = {
            "title": _("Take out a list"),
            "form": form,
            "kind": kind,
            "limit": AccessSettings.objects.get().plain_export_people,
            "hours": AccessSettings.objects.get().export_hours,
        }
        return self._page(request, "export_ask.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        frame = self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, f"admin/registry/{template}", frame | context)


def _acts(export: DataExport, request: HttpRequest) -> Acts:
    return {
        "approve": lambda: exporting.approve(export, **who(request)),
        "refuse": lambda: exporting.refuse(export, reason=request.POST.get("reason", ""), **who(request)),
        "cancel": lambda: exporting.cancel(export, **who(request)),
    }
