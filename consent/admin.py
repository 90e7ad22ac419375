from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from consent import admin_subject, campaigns
from consent.admin_desk import ConfirmationAdmin
from consent.admin_mail import ReceivedMailAdmin
from consent.models import Campaign, Confirmation, ConsentRecord, PolicyVersion, ReceivedMail, Wording
from consent.policy import publish
from consent.tasks import wake_campaigns
from registry.admin.base import ConfigurationAdmin, EvidenceAdmin, PeopleAdmin, refuse_without, staff_member
from registry.admin.by_person import ByPerson
from registry.models import ProcessingPurpose


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ConfigurationAdmin):
    list_display = ["number", "state", "effective_at", "published_at", "published_by"]
    list_select_related = ["published_by"]
    readonly_fields = ["state", "digest_kk", "digest_ru", "digest_en", "published_at", "published_by"]
    actions = ["publish"]
    change_form_template = "admin/consent/policyversion.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_frozen = obj is not None and obj.state == PolicyVersion.State.PUBLISHED
        return super().has_change_permission(request, obj) and not is_frozen

    @admin.action(description=gettext_lazy("Publish: the text can't be changed afterwards"), permissions=["publish"])
    def publish(self, request: HttpRequest, queryset: QuerySet[PolicyVersion]) -> None:
        """All that were chosen, in the order they come into force, or none."""
        by, now = staff_member(request), timezone.now()
        try:
            with transaction.atomic():
                for version in queryset.order_by("effective_at", "number"):
                    publish(version, by=by, now=now)
        except ValidationError as error:
            for problem in error.messages:
                messages.error(request, problem)
        else:
            messages.success(request, _("Published."))

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("consent.publish_policyversion"))


class CampaignForm(forms.Form):
    mode = forms.ChoiceField(
        label=gettext_lazy("What happens meanwhile"), choices=Campaign.Mode.choices, widget=forms.RadioSelect
    )


@admin.register(Campaign)
class CampaignAdmin(EvidenceAdmin):
    list_display = ["__str__", "policy", "mode", "state", "started_by", "started_at", "finished_at"]
    list_filter = ["state"]
    list_select_related = ["policy", "started_by"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("start/<int:policy_id>/", view(self.start_view), name="campaign_start"),
            path("<int:campaign_id>/stop/", view(require_POST(self.stop_view)), name="campaign_stop"),
            *super().get_urls(),
        ]

    def start_view(self, request: HttpRequest, policy_id: int) -> HttpResponse:
        """What became wider, why, and how many people that concerns. POST begins to ask them."""
        refuse_without(request, "consent.start_campaign")
        policy = get_object_or_404(PolicyVersion.objects.published(), pk=policy_id)
        form = CampaignForm(request.POST or None)
        if form.is_bound and form.is_valid() and (campaign := self._start(request, policy, form)):
            return redirect("admin:consent_campaign_change", campaign.pk)
        now = timezone.now()
        found = campaigns.wider(now)
        context = {
            "title": _("Ask people anew"),
            "policy": policy,
            "form": form,
            "wider": named(found),
            "people": campaigns.people(found, now),
            "added": campaigns.added(policy, now),
        }
        return self._page(request, "campaign_start.html", context)

    def _start(self, request: HttpRequest, policy: PolicyVersion, form: CampaignForm) -> Campaign | None:
        try:
            campaign = campaigns.start(policy, form.cleaned_data["mode"], by=staff_member(request), now=timezone.now())
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return None
        wake_campaigns()
        return campaign

    def document(self, request: HttpRequest, row: Campaign) -> HttpResponse:
        context = {
            "title": _("Asking anew №%(number)s") % {"number": row.pk},
            "campaign": row,
            "wider": named(row.wider),
            "figures": row.members.aggregate(asked=Count("pk"), answered=Count("answered_at")),
            "not_reached": campaigns.not_reached(row, timezone.now()),
            "may_stop": row.state == Campaign.State.RUNNING and request.user.has_perm("consent.start_campaign"),
        }
        return self._page(request, "campaign.html", context)

    def stop_view(self, request: HttpRequest, campaign_id: int) -> HttpResponse:
        refuse_without(request, "consent.start_campaign")
        campaign = get_object_or_404(Campaign, pk=campaign_id)
        try:
            campaigns.stop(campaign, by=staff_member(request), now=timezone.now())
            messages.success(request, _("Stopped. Nobody else is asked."))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        return redirect("admin:consent_campaign_change", campaign_id)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        frame = self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, f"admin/consent/{template}", frame | context)


def named(wider: Mapping[str, Any]) -> list[tuple[ProcessingPurpose, list[str], int]]:
    """For a page: purpose, what became wider, how many people, in order."""
    purposes = ProcessingPurpose.objects.filter(code__in=wider)
    return [(one, campaigns.told(wider[one.code]), wider[one.code]["people"]) for one in purposes]


class OnPaper(admin.SimpleListFilter):
    """The channels that few acts come through; the others would be read through."""

    title = gettext_lazy("entered by staff")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(one.value, one.label) for one in (ConsentRecord.Channel.PAPER, ConsentRecord.Channel.TELEPHONE)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ConsentRecord]) -> QuerySet[ConsentRecord]:
        return queryset.filter(channel=self.value()) if self.value() else queryset


@admin.register(ConsentRecord)
class ConsentRecordAdmin(PeopleAdmin):
    list_display = ["at", "subject", "purpose", "act", "channel", "language", "wording"]
    list_filter = ["act", OnPaper, "purpose", ByPerson]
    list_select_related = ["subject", "purpose", "wording"]


admin.site.register(Confirmation, ConfirmationAdmin)
admin.site.register(ReceivedMail, ReceivedMailAdmin)
admin_subject.add()


@admin.register(Wording)
class WordingAdmin(EvidenceAdmin):
    list_display = ["__str__", "purpose", "policy", "language"]
    list_filter = ["language", "purpose"]
    list_select_related = ["purpose", "policy"]
