"""Appointments: an order gives one, another order gives the next. What an order said is not rewritten."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry.admin.base import ConfigurationAdmin, staff_member
from registry.admin.personnel import Guarded, badge
from registry.models import Appointment, StaffMember

ORDER: list[Any] = ["person", "order_number", "ordered_on", "scope", "valid_from", "valid_until", "revoked_on"]


class AppointmentForm(forms.ModelForm):
    def clean_revoked_on(self) -> Any:
        """Whoever is revoked sees nobody from that moment, so a day to come would be a lie."""
        day = self.cleaned_data["revoked_on"]
        if day and day > timezone.localdate():
            raise ValidationError(_("Revoking works at once: give today or an earlier day."))
        return day


class EndsSoon(admin.SimpleListFilter):
    title = gettext_lazy("end date")
    parameter_name = "end"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("soon", _("ends within 14 days")), ("open", _("in force"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Appointment]) -> QuerySet[Appointment]:
        day = timezone.localdate()
        if self.value() == "soon":
            return queryset & Appointment.objects.ending(day)
        return queryset & Appointment.objects.current(day) if self.value() == "open" else queryset


@admin.register(Appointment)
class AppointmentAdmin(Guarded, ConfigurationAdmin):
    list_display = ["person", "order_number", "ordered_on", "scope", "valid_from", "valid_until", "state"]
    list_filter = [EndsSoon]
    list_select_related = ["person"]
    fields = ORDER
    form = AppointmentForm
    autocomplete_fields = ["person"]

    @admin.display(description=gettext_lazy("state"))
    def state(self, appointment: Appointment) -> str:
        return badge(appointment, timezone.localdate())

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """An order that was entered can only be revoked, once; another term is another order."""
        if obj is None:
            return ["revoked_on"]
        return ORDER if obj.revoked_on else ORDER[:-1]

    def formfield_for_foreignkey(self, db_field: ForeignKey, request: HttpRequest, **options: Any) -> Any:
        """Nobody appoints himself."""
        if db_field.name == "person":
            options["queryset"] = StaffMember.objects.filter(is_active=True).exclude(pk=staff_member(request).pk)
        return super().formfield_for_foreignkey(db_field, request, **options)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.person_id != request.user.pk)
