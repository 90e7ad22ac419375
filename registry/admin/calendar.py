from django.contrib import admin

from registry.admin.base import ConfigurationAdmin
from registry.models import WorkCalendarOverride


@admin.register(WorkCalendarOverride)
class WorkCalendarOverrideAdmin(ConfigurationAdmin):
    list_display = ["day", "kind", "reason"]
    list_filter = ["kind"]

