"""Retention settings, and changes of retention rules: proposed, simulated, decided by a second person."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from registry import rules, tasks
from registry.admin.base import ConfigurationAdmin, EvidenceAdmin, refuse_without, staff_member
from registry.admin.forms import ReasonForm, RuleForm
from registry.models import Processing, ProcessingPurpose, RetentionSettings, RuleChange
from registry.simulating import RULE, Proposal, concerned, simulate


@admin.register(RetentionSettings)
class RetentionSettingsAdmin(ConfigurationAdmin):
    list_display = ["__str__", "brake_people", "brake_share", "brake_gap_hours", "approval_hours", "quarantine_days"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(RuleChange)
class RuleChangeAdmin(EvidenceAdmin):
    list_display = ["__str__", "purpose", "state", "requested_by", "requested_at", "approved_by", "effective_at"]
    list_filter = ["state"]
    list_select_related = ["purpose", "requested_by", "approved_by"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("propose/<int:purpose_id>/", view(self.propose_view), name="rule_propose"),
            path("close/<int:purpose_id>/", view(self.close_view), name="purpose_close"),
            path("<int:change_id>/decide/", view(require_POST(self.decide_view)), name="rule_decide"),
            *super().get_urls(),
        ]

    def propose_view(self, request: HttpRequest, purpose_id: int) -> HttpResponse:
        """The rule as it would be: "simulate" shows what it would do, "ask" asks a second person."""
        refuse_without(request, "registry.propose_rulechange")
        purpose = get_object_or_404(ProcessingPurpose, pk=purpose_id)
        present = {field: getattr(purpose, field) for field in RULE} | {"categories": purpose.categories.all()}
        form = RuleForm(request.POST or None, initial=present)
        reason = ReasonForm(request.POST if request.POST.get("act") == "ask" else None)
        context: dict[str, Any] = {"title": _("Propose a retention rule"), "form": form, "reason_form": reason}
        if form.is_bound and form.is_valid():
            proposal = proposal_of(purpose, form)
            if reason.is_valid() and (change := self._propose(request, proposal, reason)):
                return redirect("admin:registry_rulechange_change", change.pk)
            context |= looked_at(proposal)
        return self._page(request, "rule_propose.html", context | {"purpose": purpose})

    def _propose(self, request: HttpRequest, proposal: Proposal, reason: ReasonForm) -> RuleChange | None:
        by, now = staff_member(request), timezone.now()
        try:
            change = rules.propose(proposal, by=by, reason=reason.cleaned_data["reason"], now=now)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return None
        tasks.wake_rules()
        return change

    def document(self, request: HttpRequest, row: RuleChange) -> HttpResponse:
        context = simulated(row.simulation) | {
            "title": _("Change of a retention rule №%(number)s") % {"number": row.pk},
            "change": row,
            "purpose": row.purpose,
            "acts": self._acts(request, row),
            "form": ReasonForm(),
            "settings": RetentionSettings.objects.get(),
        }
        return self._page(request, "rule_change.html", context)

    def decide_view(self, request: HttpRequest, change_id: int) -> HttpResponse:
        change = get_object_or_404(RuleChange, pk=change_id)
        acts = {"approve": rules.approve, "refuse": rules.refuse, "take_back": rules.take_back}
        act = acts.get(request.POST.get("act", ""))
        if act is None:
            raise BadRequest("no such act")
        try:
            act(change, by=staff_member(request), reason=request.POST.get("reason", ""), now=timezone.now())
            messages.success(request, _("Done and recorded."))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        return redirect("admin:registry_rulechange_change", change_id)

    def close_view(self, request: HttpRequest, purpose_id: int) -> HttpResponse:
        """The purpose is achieved: how many people that concerns, and the reason. POST closes it."""
        refuse_without(request, "registry.change_processingpurpose")
        purpose = get_object_or_404(ProcessingPurpose, pk=purpose_id)
        form = ReasonForm(request.POST or None)
        if form.is_bound and form.is_valid():
            try:
                rules.close_purpose(
                    purpose, by=staff_member(request), reason=form.cleaned_data["reason"], now=timezone.now()
                )
            except ValidationError as error:
                messages.error(request, " ".join(error.messages))
            else:
                tasks.wake_rules()
                messages.success(request, _("Closed. Nothing is processed for this purpose any more."))
            return redirect("admin:registry_processingpurpose_change", purpose_id)
        people = Processing.objects.filter(purpose=purpose, state=Processing.State.OPEN).count()
        context = {"title": _("Close a purpose"), "purpose": purpose, "people": people, "form": form}
        return self._page(request, "purpose_close.html", context)

    def _acts(self, request: HttpRequest, change: RuleChange) -> set[str]:
        """Which buttons are worth showing; the operations decide anew."""
        me = staff_member(request)
        is_second = me.has_perm("registry.approve_rulechange") and change.requested_by_id != me.pk
        acts = {"approve", "refuse"} if change.state == "proposed" and is_second else set()
        is_pending = change.state in {"proposed", "approved"}
        return acts | ({"take_back"} if is_pending and me.has_perm("registry.propose_rulechange") else set())

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        frame = self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, f"admin/registry/{template}", frame | context)


def proposal_of(purpose: ProcessingPurpose, form: RuleForm) -> Proposal:
    chosen = form.cleaned_data
    categories = tuple(category.pk for category in chosen["categories"])
    return Proposal(purpose, categories=categories, **{field: chosen[field] for field in RULE})


def looked_at(proposal: Proposal) -> dict[str, Any]:
    """The simulation, or how many people it concerns if that takes longer than a page may."""
    at = rules.effect(timezone.now())
    people = concerned(proposal, at)
    if people > rules.SIMULATED_AT_ONCE:
        return {"concerned": people}
    return simulated(simulate(proposal, at).as_json())


def simulated(simulation: dict[str, Any]) -> dict[str, Any]:
    """A stored simulation for a page: names instead of codes."""
    if not simulation:
        return {}
    names = {purpose.code: purpose.text("name") for purpose in ProcessingPurpose.objects.all()}
    figures = {
        key: [(names.get(code, code), count) for code, count in simulation[key].items()]
        for key in ("newly_due", "newly_kept")
    }
    return {"simulation": simulation | figures, "simulated_for": parse_datetime(simulation["at"])}
