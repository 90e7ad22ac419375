from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from registry import reasons, scans
from registry.admin.base import AppointedOnly, PeopleAdmin, refuse_unappointed, staff_member
from registry.admin.forms import ReasonForm
from registry.disclosure import masked, reveal
from registry.models import DataCategory, DataSubject, PersonalDatum, Processing
from registry.sealing import SealError


class ReadOnlyInline(AppointedOnly, admin.TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PersonalDatumInline(ReadOnlyInline):
    model = PersonalDatum
    fields = readonly_fields = (
        "category", "value", "standing", "source", "recorded_at", "kept_until", "superseded_at", "show",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[PersonalDatum]:
        return super().get_queryset(request).select_related("category", "key", "term").order_by("pk")

    @admin.display(description=gettext_lazy("value"))
    def value(self, datum: PersonalDatum) -> str:
        return masked([datum])[datum.pk]

    @admin.display(description=gettext_lazy("kept until"))
    def kept_until(self, datum: PersonalDatum) -> str:
        until = datum.term.until
        return localize(timezone.localtime(until)) if until else _("no end known")

    @admin.display(description=gettext_lazy("show"))
    def show(self, datum: PersonalDatum) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:reveal", args=[datum.pk]), _("Show"))


class ProcessingInline(ReadOnlyInline):
    model = Processing
    fields = readonly_fields = ("purpose", "state", "began_at", "lapses_at", "third_parties", "cross_border")


class RevealForm(ReasonForm):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reason"].help_text = _("It is written into the audit before the value is opened.")


@admin.register(DataSubject)
class DataSubjectAdmin(PeopleAdmin):
    list_display = ["reference", "values", "status", "language", "created_at"]
    list_filter = ["status", "language"]
    search_fields = ["=reference"]
    search_help_text = gettext_lazy("Reference, such as DS-7K3F-9Q2M")
    fieldsets = [
        (None, {"fields": ["reference", "status", "language", "created_at", "evidence"]}),
        (gettext_lazy("Why is this still here?"), {"fields": ["why"]}),
    ]
    inlines = [PersonalDatumInline, ProcessingInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DataSubject]:
        data = PersonalDatum.objects.live().contacts().select_related("category", "key").order_by("category")
        return super().get_queryset(request).prefetch_related(Prefetch("data", data, to_attr="live_data"))

    @admin.display(description=gettext_lazy("data"))
    def values(self, subject: DataSubject) -> str:
        hints = masked(subject.live_data)  # type: ignore[attr-defined]
        return format_html_join(", ", "{}", ((hint,) for hint in hints.values()))

    @admin.display(description=gettext_lazy("data"))
    def why(self, subject: DataSubject) -> str:
        data = PersonalDatum.objects.filter(subject=subject).select_related("category").order_by("pk")
        found = reasons.why(data, timezone.now())
        known = [(datum, found[datum.pk]) for datum in data if datum.pk in found]  # a purge may be faster
        return render_to_string("admin/registry/why.html", {"data": known})

    @admin.display(description=gettext_lazy("evidence"))
    def evidence(self, subject: DataSubject) -> str:
        links = [
            ("consent_consentrecord", _("Consent records")),
            ("registry_erasurerecord", _("Erasure records")),
            ("registry_erasurecertificate", _("Erasure certificates")),
            ("registry_auditentry", _("Who looked and who changed")),
        ]
        listed = ((reverse(f"admin:{name}_changelist"), subject.pk, label) for name, label in links)
        lists = format_html_join(" · ", '<a href="{}?subject__id__exact={}">{}</a>', listed)
        erasure = reverse("admin:demand_erasure", args=[subject.pk])
        return format_html('{} · <a href="{}">{}</a>', lists, erasure, _("Erase on demand"))

    def get_urls(self) -> list[URLPattern]:
        show = self.admin_site.admin_view(never_cache(self.reveal_view))
        return [path("datum/<int:datum_id>/reveal/", show, name="reveal"), *super().get_urls()]

    def reveal_view(self, request: HttpRequest, datum_id: int) -> HttpResponse:
        """GET asks for the reason; POST opens the value for this one page, a scan as a file."""
        refuse_unappointed(request)
        data = PersonalDatum.objects.select_related("category", "key", "subject")
        datum = get_object_or_404(data, pk=datum_id)
        form = RevealForm(request.POST or None)
        page = partial(self._reveal_page, request, datum, form)
        if request.method != "POST" or not form.is_valid():
            return page()
        try:
            value = reveal(datum, by=staff_member(request), reason=form.cleaned_data["reason"], now=timezone.now())
        except SealError:
            return page(problem=_("This value does not open: it was damaged or moved. Tell the administrator."))
        return as_file(datum, value) if datum.category.kind == DataCategory.Kind.SCAN else page(value=value)

    def _reveal_page(
        self, request: HttpRequest, datum: PersonalDatum, form: RevealForm, value: str = "", problem: str = ""
    ) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": _("Show a value"),
            "datum": datum,
            "form": form,
            "value": value,
            "problem": problem,
            "opts": self.opts,
        }
        status = 500 if problem else 200
        return TemplateResponse(request, "admin/registry/reveal.html", context, status=status)


def as_file(datum: PersonalDatum, text: str) -> HttpResponse:
    """A scan is taken away and never shown in the browser: it came from outside, and may be anything inside."""
    content = scans.from_text(text)
    name = f"scan-{datum.pk}.{scans.ending(content)}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type="application/octet-stream", headers=headers)


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
