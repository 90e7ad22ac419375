from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from registry.admin.base import Audited, ConfigurationAdmin
from registry.models import Appointment, StaffMember


@admin.register(StaffMember)
class StaffMemberAdmin(Audited, UserAdmin):
    list_display = ["username", "first_name", "last_name", "is_active", "is_staff", "has_one_time_password"]
    fieldsets = [
        (None, {"fields": ["username", "password", "has_one_time_password"]}),
        (_("Person"), {"fields": ["first_name", "last_name", "email"]}),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    readonly_fields = ["has_one_time_password", "last_login", "date_joined"]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """A password set by somebody else opens one page: the one where its owner chooses another."""
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == 302:
            StaffMember.objects.filter(pk=id).update(has_one_time_password=True)
        return response


@admin.register(Appointment)
class AppointmentAdmin(ConfigurationAdmin):
    list_display = ["person", "order_number", "ordered_on", "scope", "valid_from", "valid_until", "revoked_on"]
    list_select_related = ["person"]
    autocomplete_fields = ["person"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["person", "order_number", "ordered_on", "valid_from"] if obj else []
