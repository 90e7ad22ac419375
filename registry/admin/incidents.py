"""The register of incidents: a list, a page, and a page for each act. The operations decide.

Seen by the responsible persons and the auditor; changed by who may handle incidents. Nobody's value stands on any of
these pages, and people are named by reference only.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from registry.admin import incident_forms, incident_pages
from registry.admin.base import PeopleAdmin, refuse_unappointed, refuse_without, staff_member
from registry.admin.forms import ReasonForm
from registry.admin.incident_acts import ACTS, Act, offered
from registry.admin.paging import BoundedPaginator
from registry.incidents import opening, sources
from registry.incidents.asked import Question
from registry.incidents.rows import HANDLE
from registry.models import Incident, IncidentPerson, Operator

PAGE = 100  # people on one page of the list
NOTICE_LANGUAGES = ("kk", "ru")  # the state language first (Law on languages)
QUESTIONS: Mapping[str, tuple[str | Promise, Any]] = {
    "audit": (gettext_lazy("The audit"), incident_forms.AuditForm),
    "list": (gettext_lazy("A list taken out"), incident_forms.ListForm),
    "purpose": (gettext_lazy("A purpose"), incident_forms.PurposeForm),
    "references": (gettext_lazy("References"), incident_forms.ReferencesForm),
}


@admin.register(Incident)
class IncidentAdmin(PeopleAdmin):
    list_display = ["number", "kind", "discovered_at", "notice", "people", "state", "entered_by"]
    list_filter = ["state", "kind"]
    list_select_related = ["entered_by"]
    change_list_template = "admin/registry/incidents.html"
    empty_text = gettext_lazy("Breaches of the security of personal data. Enter one as soon as it is discovered.")

    @admin.display(description=gettext_lazy("notice to the authorised body"))
    def notice(self, incident: Incident) -> str:
        tone, said = incident_pages.badge(incident, timezone.localdate())
        return format_html('<span class="badge {}">{}</span>', tone, said)

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("enter/", self.enter_view, "enter"),
            ("<int:incident_id>/people/", require_safe(self.people_view), "people"),
            ("<int:incident_id>/notice/", require_safe(self.notice_view), "notice"),
        ]
        own += [
            (f"<int:incident_id>/{name.replace('_', '-')}/", partial(self.act_view, act=act), name)
            for name, act in ACTS.items()
        ]
        own += [
            (f"<int:incident_id>/source/{name}/", partial(self.source_view, name=name), f"source_{name}")
            for name in QUESTIONS
        ]
        view = self.admin_site.admin_view
        pages = [path(route, view(never_cache(page)), name=f"incident_{name}") for route, page, name in own]
        return [*pages, *super().get_urls()]

    def enter_view(self, request: HttpRequest) -> HttpResponse:
        """GET shows the form, POST enters a breach and starts the clock of the notice."""
        _refuse(request, HANDLE)
        form = incident_forms.EnterForm(request.POST or None)
        if form.is_bound and form.is_valid():
            try:
                incident = opening.open_incident(**form.cleaned_data, **_who(request))
            except ValidationError as error:
                form.add_error(None, error)
            else:
                return _back(incident)
        return self._page(request, "incident_enter.html", {"title": _("Enter an incident"), "form": form})

    def act_view(self, request: HttpRequest, incident_id: int, act: Act) -> HttpResponse:
        """GET says what the act means, POST does it."""
        _refuse(request, HANDLE)
        incident = get_object_or_404(Incident, pk=incident_id)
        form = act.form(request.POST or None)
        if form.is_bound and form.is_valid():
            try:
                act.operation(incident, **form.cleaned_data, **_who(request))
            except ValidationError as error:
                form.add_error(None, error)
            else:
                messages.success(request, _("Done and recorded."))
                return _back(incident)
        context = {"title": act.title, "incident": incident, "act": act, "form": form}
        return self._page(request, "incident_act.html", context)

    def source_view(self, request: HttpRequest, incident_id: int, name: str) -> HttpResponse:
        """POST counts whom the question names; with a reason and the number that was shown it is kept."""
        _refuse(request, HANDLE)
        incident = get_object_or_404(Incident, pk=incident_id)
        form = QUESTIONS[name][1](request.POST or None)
        is_kept = request.POST.get("act") == "keep"
        reason = ReasonForm(request.POST if is_kept else None)
        context = {"title": _("Whose data"), "incident": incident, "name": name, "form": form, "reason_form": reason}
        if form.is_bound and form.is_valid():
            try:
                question = form.question(incident, timezone.now())
                if is_kept and reason.is_valid():
                    return self._keep(request, incident, question, reason.cleaned_data["reason"])
                context["preview"] = sources.preview_source(incident, question, **_who(request))
            except ValidationError as error:
                form.add_error(None, error)
        tabs = [(one, label) for one, (label, _form) in QUESTIONS.items()]
        return self._page(request, "incident_source.html", context | {"tabs": tabs})

    def _keep(self, request: HttpRequest, incident: Incident, question: Question, reason: str) -> HttpResponse:
        seen = request.POST.get("seen", "")
        if not seen.isdecimal():
            raise ValidationError(_("Look first how many people it names."), code="seen")
        source = sources.add_source(incident, question, seen=int(seen), reason=reason, **_who(request))
        messages.success(request, _("Kept. New people: %(people)d") % {"people": source.added})
        return _back(incident)

    def document(self, request: HttpRequest, row: Incident) -> HttpResponse:
        notes = list(row.notes.select_related("noted_by"))
        context = {
            "title": _("Incident %(number)s") % {"number": row.number},
            "incident": row,
            "badge": incident_pages.badge(row, timezone.localdate()),
            "explanation": row.explained(get_language() or "kk"),
            "categories": row.categories.all(),
            "notes": notes,
            "sources": incident_pages.sources(row),
            "acts": offered(row, staff_member(request)),
        }
        return self._page(request, "incident.html", context)

    def people_view(self, request: HttpRequest, incident_id: int) -> HttpResponse:
        """Whose data, by reference, a page at a time."""
        _refuse(request, "registry.view_incident")
        incident = get_object_or_404(Incident, pk=incident_id)
        people = IncidentPerson.objects.filter(incident=incident).select_related("subject").order_by("subject_id")
        paginator = BoundedPaginator(people, PAGE)
        context = {
            "title": _("People of %(number)s") % {"number": incident.number},
            "incident": incident,
            "page": paginator.get_page(request.GET.get("page")),
            "is_cut": paginator.is_cut,
        }
        return self._page(request, "incident_people.html", context)

    def notice_view(self, request: HttpRequest, incident_id: int) -> HttpResponse:
        """The notice to the authorised body, in Kazakh and Russian, whatever the reader's language is."""
        _refuse(request, "registry.view_incident")
        incident = get_object_or_404(Incident.objects.select_related("deadline__ground"), pk=incident_id)
        notes, ground = list(incident.notes.all()), incident.deadline.ground
        context = {
            "title": _("Notice of %(number)s") % {"number": incident.number},
            "incident": incident,
            "languages": [(code, ground.text("act", code)) for code in NOTICE_LANGUAGES],
            "operator": Operator.objects.get(),
            "categories": list(incident.categories.all()),
            "measures": [note for note in notes if note.kind == "measure"],
            "findings": [note for note in notes if note.kind == "finding"],
            "secured_at": incident_pages.secured_at(notes),
        }
        return self._page(request, "incident_notice.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        frame = self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, f"admin/registry/{template}", frame | context)


def _refuse(request: HttpRequest, permission: str) -> None:
    refuse_unappointed(request)
    refuse_without(request, permission)


def _who(request: HttpRequest) -> dict[str, Any]:
    return {"by": staff_member(request), "now": timezone.now()}


def _back(incident: Incident) -> HttpResponse:
    return redirect("admin:registry_incident_change", incident.pk)
