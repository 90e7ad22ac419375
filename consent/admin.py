from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consent.models import Confirmation, ConsentRecord, PolicyVersion, Wording
from consent.policy import publish
from registry.admin.base import ConfigurationAdmin, EvidenceAdmin, PeopleAdmin, staff_member


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ConfigurationAdmin):
    list_display = ["number", "state", "effective_at", "published_at", "published_by"]
    list_select_related = ["published_by"]
    readonly_fields = ["state", "digest_kk", "digest_ru", "digest_en", "published_at", "published_by"]
    actions = ["publish"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_frozen = obj is not None and obj.state == PolicyVersion.State.PUBLISHED
        return super().has_change_permission(request, obj) and not is_frozen

    @admin.action(description=gettext_lazy("Publish: the text can't be changed afterwards"), permissions=["publish"])
    def publish(self, request: HttpRequest, queryset: QuerySet[PolicyVersion]) -> None:
        for version in queryset:
            publish(version, by=staff_member(request), now=timezone.now())
        messages.success(request, _("Published."))

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("consent.publish_policyversion"))


@admin.register(ConsentRecord)
class ConsentRecordAdmin(PeopleAdmin):
    list_display = ["at", "subject", "purpose", "act", "channel", "language", "wording"]
    list_filter = ["act", "channel", "purpose"]
    list_select_related = ["subject", "purpose", "wording"]


@admin.register(Confirmation)
class ConfirmationAdmin(PeopleAdmin):
    list_display = ["__str__", "subject", "asked_at", "expires_at", "answer", "answered_at"]
    list_filter = ["answer"]
    list_select_related = ["subject"]


@admin.register(Wording)
class WordingAdmin(EvidenceAdmin):
    list_display = ["__str__", "purpose", "policy", "language"]
    list_filter = ["language", "purpose"]
    list_select_related = ["purpose", "policy"]
