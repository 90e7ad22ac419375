"""The access brake's settings: one row."""

from django.contrib import admin
from django.http import HttpRequest

from registry.admin.base import ConfigurationAdmin
from registry.models import AccessSettings


@admin.register(AccessSettings)
class AccessSettingsAdmin(ConfigurationAdmin):
    list_display = ["__str__", "reveals_per_day", "alarm_reveals", "plain_export_people", "export_hours"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
