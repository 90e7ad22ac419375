"""The seals over the audit, their verification, and the report of internal control. Staff is named, no person is."""

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from registry import reports, roles, seals, tasks
from registry.admin.base import EvidenceAdmin, refuse_unappointed, refuse_without, staff_member
from registry.admin.filters import ISO, SANE, DaysForm
from registry.models import AuditEntry, AuditSeal, AuditVerification, JobRun, Operator

SHOWN = 10
PLACES = {
    "sign-in": gettext_lazy("sign-in"),
    "console: no appointment": gettext_lazy("pages about people, without an appointment"),
    "console: search": gettext_lazy("search"),
}


def _day(label: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, input_formats=ISO, validators=SANE, widget=widget)


class PeriodForm(DaysForm):
    first, last = _day(gettext_lazy("First day")), _day(gettext_lazy("Last day"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last - first > reports.LONGEST:
            raise ValidationError(_("A report covers a year at most."))
        return cleaned


@admin.register(AuditSeal)
class AuditSealAdmin(EvidenceAdmin):
    list_display = ["__str__", "sealed_at", "first_entry", "last_entry", "count", "digest"]
    fields = ["sealed_at", "first_entry", "last_entry", "count", "digest"]
    readonly_fields = ["digest"]
    sortable_by = ()
    change_list_template = "admin/registry/verification_links.html"

    @admin.display(description=gettext_lazy("digest"))
    def digest(self, seal: AuditSeal) -> str:
        return bytes(seal.head).hex()

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("lines")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("verification/", view(never_cache(self.verification_page)), name="audit_verification"),
            path("report/", view(never_cache(require_safe(self.report_page))), name="control_report"),
            *super().get_urls(),
        ]

    def verification_page(self, request: HttpRequest) -> HttpResponse:
        """GET shows what was sealed and verified; POST asks for a verification and wakes a worker."""
        refuse_without(request, "registry.view_auditseal")
        if request.method == "POST":
            refuse_without(request, "registry.verify_audit")
            seals.request(staff_member(request), timezone.now())
            transaction.on_commit(tasks.wake_verification)
            messages.success(request, _("The verification was asked for. Load this page again in a minute."))
            return redirect("admin:audit_verification")
        return self._page(request, "verification.html", _("Verification of the audit"), **_standing())

    def report_page(self, request: HttpRequest) -> HttpResponse:
        """The report of internal control over the chosen days, by default last month. Reads only."""
        refuse_without(request, "registry.view_auditentry")
        refuse_unappointed(request)
        now = timezone.now()
        form = PeriodForm(request.GET if {"first", "last"} & set(request.GET) else _initial(timezone.localdate(now)))
        report = reports.make(reports.Period(**form.cleaned_data), now) if form.is_valid() else None
        about = _in_words(report) if report else {}
        title = _("Report of internal control")
        return self._page(request, "report.html", title, form=form, operator=Operator.objects.get(), **about)

    def _page(self, request: HttpRequest, name: str, title: str, **about: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **about}
        return TemplateResponse(request, f"admin/registry/{name}", context)


def _initial(day: date) -> dict[str, date]:
    period = reports.last_month(day)
    return {"first": period.first, "last": period.last}


def _in_words(report: reports.Report) -> dict[str, Any]:
    return {
        "report": report,
        "staff": [(member, [roles.name_of(group) for group in member.groups.all()]) for member in report.staff],
        "refusals": [(PLACES.get(place, place or _("console")), number) for place, number in report.refusals],
    }


def _standing() -> dict[str, Any]:
    """What the page of the verification shows. Nothing is counted: the audit may be long."""
    runs = JobRun.objects.in_bulk(["seal_audit", "mail_checkpoint", "verify_audit"])
    return {
        "broken": seals.broken(),
        "seals": AuditSeal.objects.defer("lines")[:SHOWN],
        "newest": AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first(),
        "verifications": AuditVerification.objects.select_related("by")[:SHOWN],
        "runs": runs,
        "file": settings.CHECKPOINTS_FILE,
        "public_key": seals.public_pem(),
    }


@admin.register(AuditVerification)
class AuditVerificationAdmin(EvidenceAdmin):
    list_display = ["__str__", "by", "started_at", "finished_at", "entries", "outcome", "first_bad"]
    list_filter = ["outcome"]
    list_select_related = ["by"]
    change_list_template = "admin/registry/verification_links.html"
