from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import holds, tasks
from registry.admin.base import PeopleAdmin, staff_member
from registry.admin.forms import ReasonForm
from registry.models import LegalHold


@admin.register(LegalHold)
class LegalHoldAdmin(PeopleAdmin):
    list_display = ["__str__", "subject", "datum", "ground", "placed_at", "until", "released_at"]
    list_select_related = ["subject", "datum", "ground"]
    fields = ["subject", "datum", "ground", "reason", "until"]
    raw_id_fields = ["subject", "datum"]
    actions = ["release"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_place(request)

    def may_place(self, request: HttpRequest) -> bool:
        allowed = request.user.has_perm("registry.place_legalhold")
        return allowed and self.has_view_permission(request)

    def save_model(self, request: HttpRequest, obj: LegalHold, form: forms.ModelForm, change: bool) -> None:
        holds.place(obj, by=staff_member(request), now=timezone.now())

    @admin.action(description=gettext_lazy("Release the chosen holds"), permissions=["release"])
    def release(self, request: HttpRequest, queryset: QuerySet[LegalHold]) -> HttpResponse | None:
        """Asks for the reason first."""
        chosen = list(queryset.select_related("subject", "ground"))
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            context = self.admin_site.each_context(request) | {"title": _("Release holds"), "holds": chosen}
            page = context | {"form": form, "opts": self.opts}
            return TemplateResponse(request, "admin/registry/hold_release.html", page)
        by, reason = staff_member(request), form.cleaned_data["reason"]
        released = [holds.release(hold, by=by, reason=reason, now=timezone.now()) for hold in chosen]
        tasks.wake_erasures()  # a demanded erasure may have waited for this
        messages.success(request, _("Holds released: %(n)d") % {"n": sum(released)})
        return None

    def has_release_permission(self, request: HttpRequest) -> bool:
        return self.may_place(request)
