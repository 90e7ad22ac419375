"""Pages of the console about retention as a whole: findings, own traces, kept counts. No person is on them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from registry import counts, findings, traces
from registry.admin.base import ConfigurationAdmin, refuse_without
from registry.models import RetentionSettings, SelfRetentionRule

CHANNELS = {
    "page": gettext_lazy("page"),
    "link": gettext_lazy("link in a letter"),
    "one_click": gettext_lazy("one-click unsubscribing"),
    "code": gettext_lazy("code by message"),
    "paper": gettext_lazy("signed paper"),
    "telephone": gettext_lazy("telephone"),
    "desk": gettext_lazy("desk"),
    "job": gettext_lazy("scheduled job"),
}


class SelfRetentionRuleForm(forms.ModelForm):
    def clean_term_value(self) -> int | None:
        term: int | None = self.cleaned_data["term_value"]
        store = traces.stores.get(self.instance.code)
        if term is not None and store is not None and store.is_evidence:
            raise ValidationError(_("This is evidence: it is kept for ever. Leave the term empty."))
        return term


@admin.register(SelfRetentionRule)
class SelfRetentionRuleAdmin(ConfigurationAdmin):
    form = SelfRetentionRuleForm
    list_display = ["code", "trace", "term_value", "term_unit"]
    fields = ["code", "trace", "term_value", "term_unit"]
    readonly_fields = ["code", "trace"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a store is made by the program, and its rule with it

    @admin.display(description=gettext_lazy("trace"))
    def trace(self, rule: SelfRetentionRule) -> str:
        store = traces.stores.get(rule.code)
        return str(store.name) if store else "-"

    def get_urls(self) -> list[URLPattern]:
        pages = [("findings", self.findings_page), ("traces", self.traces_page), ("counts", self.counts_page)]
        return [
            *(path(f"{name}/", self.admin_site.admin_view(never_cache(view)), name=name) for name, view in pages),
            *super().get_urls(),
        ]

    def findings_page(self, request: HttpRequest) -> HttpResponse:
        refuse_without(request, "registry.view_processingpurpose")
        found = findings.find(timezone.now())
        rows = [{"finding": finding, "address": self._address(request, finding)} for finding in found]
        return self._page(request, "findings", _("Findings"), rows=rows)

    def _address(self, request: HttpRequest, finding: findings.Finding) -> str:
        """The list that shows more, if there is one and this member of the staff may see it."""
        model = finding.model
        if model is None or not self.admin_site.is_registered(model):
            return ""
        if not self.admin_site.get_model_admin(model).has_view_permission(request):
            return ""
        return _changelist(model) + finding.query

    def traces_page(self, request: HttpRequest) -> HttpResponse:
        refuse_without(request, "registry.view_selfretentionrule")
        may_change = self.has_change_permission(request)
        return self._page(request, "traces", _("Own traces"), ages=traces.ages(), may_change=may_change)

    def counts_page(self, request: HttpRequest) -> HttpResponse:
        refuse_without(request, "registry.view_keptcount")
        smallest = RetentionSettings.objects.get().smallest_cell
        groups = [
            (group, [(cell, CHANNELS.get(cell.channel, cell.channel)) for cell in group.cells])
            for group in counts.table(smallest)
        ]
        return self._page(request, "counts", _("Kept counts"), groups=groups, smallest=smallest)

    def _page(self, request: HttpRequest, name: str, title: str, **about: Any) -> HttpResponse:
        context = self.admin_site.each_context(request) | {"title": title, **about}
        return TemplateResponse(request, f"admin/registry/{name}.html", context)


def _changelist(model: type[models.Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
