from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import ForeignKey
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from registry.admin.base import Audited, ConfigurationAdmin, staff_member
from registry.models import Appointment, StaffMember

RIGHTS = ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]


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

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Rights are given by a superuser, and by nobody to himself."""
        may_give = staff_member(request).is_superuser and (obj is None or obj.pk != request.user.pk)
        return [*self.readonly_fields, *([] if may_give else RIGHTS)]


admin.site.unregister(Group)


@admin.register(Group)
class AuditedGroupAdmin(Audited, GroupAdmin):
    pass


@admin.register(Appointment)
class AppointmentAdmin(ConfigurationAdmin):
    list_display = ["person", "order_number", "ordered_on", "scope", "valid_from", "valid_until", "revoked_on"]
    list_select_related = ["person"]
    autocomplete_fields = ["person"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["person", "order_number", "ordered_on", "valid_from"] if obj else []

    def formfield_for_foreignkey(self, db_field: ForeignKey, request: HttpRequest, **options: Any) -> Any:
        """Nobody appoints himself."""
        field = super().formfield_for_foreignkey(db_field, request, **options)
        if field and db_field.name == "person":
            field.queryset = StaffMember.objects.exclude(username=request.user.get_username())
        return field

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.person_id != request.user.pk)
