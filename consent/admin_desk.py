"""Questions and their answers; consents given on paper or by telephone: entered here, checked by a second person."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from consent.decisions import Outcome, desk, state_of
from consent.forms import LONGEST, ConsentForm
from consent.models import Confirmation, Wording
from registry.admin.base import PeopleAdmin, refuse_unappointed, staff_member
from registry.admin.by_person import ByPerson
from registry.admin.forms import ReasonForm
from registry.disclosure import masked
from registry.models import DataCategory, PersonalDatum, StaffMember


class DeskForm(ConsentForm):
    """The same offer as on the public page. There is no trap here, and nobody consents for a minor."""

    shown = website = adult_on = representative = None  # type: ignore[assignment]
    way = forms.ChoiceField(
        label=gettext_lazy("How it was given"),
        choices=[(way.value, way.label) for way in Confirmation.BY_STAFF],
        widget=forms.RadioSelect,
    )
    scan = forms.FileField(
        label=gettext_lazy("Scan of the signed paper"),
        required=False,
        help_text=gettext_lazy("PDF, PNG or JPEG, at most 2 MB. The name of the file is not kept."),
        widget=forms.FileInput(attrs={"accept": ".pdf,.png,.jpg,.jpeg"}),
    )

    def _field(self, category: DataCategory, *, by_number: bool) -> forms.CharField:
        """One of the contacts is enough: nothing is sent to it."""
        widget = forms.TextInput(attrs={"autocomplete": "off", "class": "vTextField"})
        label = category.text("name").capitalize()
        return forms.CharField(label=label, required=False, max_length=LONGEST, widget=widget)

    @cached_property
    def _entered(self) -> Mapping[str, str]:
        return {code: self.cleaned_data[code] for code in self.contacts if self.cleaned_data.get(code)}

    def enter(self, by: StaffMember) -> Confirmation | None:
        """Keeps it for the second person; None, with the errors on the form, if anything is refused."""
        if not self.is_valid():
            return None
        scan = self.cleaned_data["scan"]
        try:
            return desk.enter(
                self._entered,
                list(self.cleaned_data["purposes"]),
                way=self.cleaned_data["way"],
                language=self.language,
                by=by,
                now=self.now,
                ticks=self._scopes(),
                scan=scan.read() if scan else None,
            )
        except ValidationError as error:
            self._add_errors(error)
        return None


class WaitsForCheck(admin.SimpleListFilter):
    title = gettext_lazy("second person")
    parameter_name = "check"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", _("waits for the second person"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Confirmation]) -> QuerySet[Confirmation]:
        if self.value() != "waiting":
            return queryset
        return queryset & Confirmation.objects.entered().waiting(timezone.now())


class ConfirmationAdmin(PeopleAdmin):
    list_display = [
        "__str__", "subject", "way", "asked_at", "expires_at", "answer", "answered_at", "entered_by", "checked_by",
    ]  # fmt: skip
    list_filter = [WaitsForCheck, ByPerson]
    list_select_related = ["subject", "entered_by", "checked_by"]
    change_list_template = "admin/consent/confirmations.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("enter/", view(self.enter_view), name="desk_enter"),
            path("<int:confirmation_id>/decide/", view(require_POST(self.decide_view)), name="desk_decide"),
            *super().get_urls(),
        ]

    def enter_view(self, request: HttpRequest) -> HttpResponse:
        """GET shows what is offered, in the language of the paper or the call; POST enters it."""
        refuse_unappointed(request)
        by, now = staff_member(request), timezone.now()
        desk.check_may(by, desk.ENTER, now=now)
        language = language_of(request)
        form = DeskForm(request.POST or None, request.FILES or None, language=language, now=now)
        if request.method == "POST" and (entry := form.enter(by)):
            messages.success(request, _("Entered. It counts when a second person has checked it."))
            return redirect("admin:consent_confirmation_change", entry.pk)
        context = {"title": _("Enter a consent"), "form": form, "languages": settings.LANGUAGES, "language": language}
        return self._page(request, "desk_enter.html", context)

    def document(self, request: HttpRequest, row: Confirmation) -> HttpResponse | None:
        """What the second person compares and decides about."""
        if row.way not in Confirmation.BY_STAFF:
            return None
        now, by = timezone.now(), staff_member(request)
        contacts = list(row.subject.data.live().contacts().select_related("category", "key").order_by("pk"))
        hints = masked(contacts)
        context = {
            "title": _("Consent №%(number)s entered by staff") % {"number": row.pk},
            "entry": row,
            "state": state_of(row, now).label,
            "contacts": [(datum, hints[datum.pk]) for datum in contacts],
            "has_scan": bool(row.document_id and PersonalDatum.objects.filter(pk=row.document_id).exists()),
            "lines": [(record, ticked(record)) for record in row.records.asked()],
            "unopened": desk.unopened(row, by),
            "acts": acts(row, by, now),
            "form": ReasonForm(),
        }
        return self._page(request, "desk_entry.html", context)

    def decide_view(self, request: HttpRequest, confirmation_id: int) -> HttpResponse:
        """The second person's yes or no; the operation decides whether this one may."""
        refuse_unappointed(request)
        get_object_or_404(Confirmation.objects.entered(), pk=confirmation_id)
        by, now, act = staff_member(request), timezone.now(), request.POST.get("act", "")
        if act not in {"check", "refuse"}:
            raise BadRequest("no such act")
        try:
            if act == "check":
                outcome = desk.check(confirmation_id, by=by, now=now)
            else:
                outcome = desk.refuse(confirmation_id, by=by, reason=request.POST.get("reason", ""), now=now)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            is_done = outcome == (Outcome.DONE if act == "check" else Outcome.REFUSED)
            level = messages.SUCCESS if is_done else messages.WARNING
            messages.add_message(request, level, _("Done and recorded.") if is_done else refusal(outcome))
        return redirect("admin:consent_confirmation_change", confirmation_id)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        frame = self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, f"admin/consent/{template}", frame | context)


def language_of(request: HttpRequest) -> str:
    """The language asked for in the address, else the reader's."""
    wanted = request.GET.get("language", "")
    return wanted if wanted in dict(settings.LANGUAGES) else get_language() or settings.LANGUAGE_CODE


def ticked(record: Any) -> list[str]:
    """The texts of the ticks that were made."""
    return [record.wording.tick_text(name) for name in Wording.TICKS if getattr(record, name)]


def acts(entry: Confirmation, by: StaffMember, now: datetime) -> set[str]:
    """Which buttons are worth showing; the operations decide anew."""
    is_own = entry.entered_by_id == by.pk
    may = by.has_perm(desk.ENTER if is_own else desk.CHECK)
    is_waiting = entry.answer == Confirmation.Answer.WAITING
    offered = {"check": may and not is_own and state_of(entry, now) == Outcome.OPEN, "refuse": may and is_waiting}
    return {act for act, is_offered in offered.items() if is_offered}


def refusal(outcome: Outcome) -> str:
    return _("Nothing was changed: %(state)s") % {"state": outcome.label}
