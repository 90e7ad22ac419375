from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.admin.base import ConfigurationAdmin
from registry.incidents import clock as incident_clock
from registry.models import WorkCalendarOverride
from registry.requests import clock


@admin.register(WorkCalendarOverride)
class WorkCalendarOverrideAdmin(ConfigurationAdmin):
    """A moved day moves the last days of the requests that are not answered, in the same transaction."""

    list_display = ["day", "kind", "reason"]
    list_filter = ["kind"]

    def save_model(self, request: HttpRequest, obj: WorkCalendarOverride, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        count = clock.recount(timezone.now())
        incident_clock.recount(timezone.now())
        messages.info(request, _("Requests that got another last day: %(count)d") % {"count": count})
