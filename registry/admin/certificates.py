"""Demanding the erasure of a person, and the certificate that proves it: one page to print, in Kazakh and Russian."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone, translation
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from registry import certifying, demands, scanning, spared, tasks
from registry.admin.base import PeopleAdmin, refuse_unappointed, staff_member
from registry.admin.forms import ReasonForm, grounds_in_force
from registry.admin.transfer_pages import after_erasure
from registry.disclosure import masked
from registry.models import DataCategory, DataSubject, ErasureCertificate, LegalGround, Operator, SubjectRequest

LANGUAGES = ("kk", "ru")  # the state language first (Law on languages)


class DemandForm(ReasonForm):
    ground = forms.ModelChoiceField(LegalGround.objects.none(), label=gettext_lazy("Legal ground"))
    is_remembered = forms.BooleanField(
        label=gettext_lazy("Must not be contacted again"),
        required=False,
        help_text=gettext_lazy(
            "Remembers the addresses under a key of their own, so that nobody writes to them by mistake."
        ),
    )
    field_order = ["ground", "reason", "is_remembered"]

    def __init__(self, *args: Any, day: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["ground"].queryset = grounds_in_force(day)  # type: ignore[attr-defined]


@admin.register(ErasureCertificate)
class ErasureCertificateAdmin(PeopleAdmin):
    list_display = ["__str__", "subject", "ground", "demanded_at", "demanded_by", "state"]
    list_filter = [("finished_at", admin.EmptyFieldListFilter)]
    list_select_related = ["subject", "ground", "demanded_by"]

    @admin.display(description=gettext_lazy("state"))
    def state(self, certificate: ErasureCertificate) -> str:
        texts = [_("done") if certificate.finished_at else _("waits")]
        if certificate.failure:
            texts.append(_("failed: %(name)s") % {"name": certificate.failure})
        if not certificate.remains:
            return ", ".join(texts)
        texts.append(_("something was found"))
        return format_html('<strong class="errornote">{}</strong>', ", ".join(texts))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(never_cache(self.demand_view))
        return [path("demand/<int:subject_id>/", view, name="demand_erasure"), *super().get_urls()]

    def demand_view(self, request: HttpRequest, subject_id: int) -> HttpResponse:
        """GET shows what would go and what would stay; POST demands it and shows the certificate."""
        refuse_unappointed(request)
        now, subject = timezone.now(), get_object_or_404(DataSubject, pk=subject_id)
        demands.check_may_demand(staff_member(request), subject, now=now)
        form = DemandForm(request.POST or None, day=timezone.localdate(now))
        if request.method == "POST" and form.is_valid():
            try:
                certificate = demands.demand(subject, by=staff_member(request), now=now, **form.cleaned_data)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                transaction.on_commit(tasks.wake_erasures)
                return redirect("admin:registry_erasurecertificate_change", certificate.pk)
        return self._demand_page(request, subject, form, now)

    def _demand_page(self, request: HttpRequest, subject: DataSubject, form: DemandForm, now: datetime) -> HttpResponse:
        foresight = certifying.foresee(subject, now=now)
        hints = masked([*foresight.goes, *(staying.datum for staying in foresight.stays)])
        needed = spared.needed_to_answer(subject, None)
        context = self.admin_site.each_context(request) | {
            "title": _("Erase on demand"),
            "opts": self.opts,
            "subject": subject,
            "form": form,
            "goes": [(datum, hints[datum.pk]) for datum in foresight.goes if datum.pk not in needed],
            "stays": [(staying, hints[staying.datum.pk]) for staying in foresight.stays],
            "open": ErasureCertificate.objects.open().filter(subject=subject).first(),
            "requests": SubjectRequest.objects.waiting().filter(subject=subject).order_by("pk"),
        }
        return TemplateResponse(request, "admin/registry/demand.html", context)

    def document(self, request: HttpRequest, row: ErasureCertificate) -> HttpResponse:
        """The act itself. Its two parts are in their own languages, whatever the reader's is."""
        context = self.admin_site.each_context(request) | {
            "title": _("Erasure certificate №%(number)s") % {"number": row.pk},
            "opts": self.opts,
            "certificate": row,
            "acts": [(language, act(row, language, timezone.now())) for language in LANGUAGES],
        }
        return TemplateResponse(request, "admin/registry/certificate.html", context)


def act(certificate: ErasureCertificate, language: str, now: datetime) -> str:
    """The certificate's text in one language; no value stands in it."""
    with translation.override(language), timezone.override(timezone.get_default_timezone()):
        operator = Operator.objects.get()
        context = {
            "certificate": certificate,
            "operator": operator,
            "operator_name": operator.text("legal_name"),
            "operator_address": operator.text("address"),
            "act": certificate.ground.text("act"),
            "reason": certifying.reason_of(certificate),
            "records": certifying.records(certificate),
            "staying": [] if certificate.finished_at else certifying.staying(certificate, now=now),
            "renewed": _renewed(certificate),
            "passes": [_told(one) for one in certificate.scan.get("passes", [])],
            "backups_until": _moment(certificate.scan.get("backups_until")),
            **after_erasure(certificate.subject),
        }
        return render_to_string("admin/registry/certificate_act.html", context)


def _renewed(certificate: ErasureCertificate) -> QuerySet[DataCategory]:
    return DataCategory.objects.filter(pk__in=certificate.scan.get("renewed", []))


def _told(one: dict[str, Any]) -> dict[str, Any]:
    """One pass as it is printed."""
    remains = sorted((scanning.name_of(place), count) for place, count in one["remains"].items())
    return one | {"at": _moment(one["at"]), "remains": remains, "unseen": [*map(scanning.name_of, one["unseen"])]}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
