"""Staff and appointments: who may manage whom, in which role, under which order (policy clauses 28-29).

Changing anything here wants a second factor shown minutes ago. Passwords and second factors are not set here: whoever
needs new ones is let in anew (`admin:sign_in_reset`).
"""

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import Group
from django.db.models import ManyToManyField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import roles
from registry.admin.base import Audited, staff_member, step_up
from registry.admin.roles import RolesField
from registry.models import Appointment, StaffMember

FLAGS = ("active", "staff", "superuser")
IDENTITY = ["username", "first_name", "last_name", "email"]
BY_SUPERUSER: list[Any] = ["is_staff", "is_superuser", "user_permissions"]
RIGHTS = ["is_active", "groups", *BY_SUPERUSER]
State = Appointment.State
BADGES = {State.CURRENT: "ok", State.ENDING: "soon", State.ENDED: "bad", State.REVOKED: "bad"}


class Guarded(admin.ModelAdmin):
    """Looking is free; the form with which something can be changed wants a fresh second factor."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id)) if object_id else None
        may_change = self.has_change_permission(request, row) if object_id else self.has_add_permission(request)
        page = step_up(request) if may_change else None
        return page or super().changeform_view(request, object_id, form_url, extra_context)


class StaffMemberForm(forms.ModelForm):
    """Rights are compared before and after; the last who can manage accounts stays."""

    rights_before: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            self.rights_before = roles.rights_of(self.instance)
            if groups := self.fields.get("groups"):  # what somebody else gave is shown, and may be taken
                groups.queryset = (groups.queryset | self.instance.groups.all()).distinct()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.instance.pk:
            roles.check_somebody_stays(self.instance, keeps=self._kept(cleaned))
        return cleaned

    def _kept(self, cleaned: dict[str, Any]) -> frozenset[str]:
        flags = {flag for flag in FLAGS if cleaned.get(f"is_{flag}", getattr(self.instance, f"is_{flag}"))}
        groups = cleaned["groups"] if "groups" in cleaned else self.instance.groups.all()
        return frozenset(flags | {group.name for group in groups})


@admin.register(StaffMember)
class StaffMemberAdmin(Guarded, Audited):
    list_display = ["username", "full_name", "role_names", "appointment", "is_active", "has_one_time_password"]
    list_filter = ["is_active", "groups"]
    search_fields = ["username", "first_name", "last_name"]
    ordering = ["username"]
    form = StaffMemberForm
    add_fieldsets = [
        (None, {"fields": IDENTITY}),
        (gettext_lazy("Rights"), {"fields": ["groups"]}),
    ]
    fieldsets = [
        (None, {"fields": [*IDENTITY, "sign_in"]}),
        (gettext_lazy("Rights"), {"fields": ["appointment", "is_active", "groups"]}),
        (gettext_lazy("For a superuser only"), {"fields": BY_SUPERUSER, "classes": ["collapse"]}),
        (gettext_lazy("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    readonly_fields = ["sign_in", "appointment", "last_login", "date_joined"]
    filter_horizontal = ["user_permissions"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffMember]:
        return super().get_queryset(request).prefetch_related("groups", "appointments")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        identity, *others = super().get_fieldsets(request, obj)
        may_manage = roles.may_manage(staff_member(request), obj)
        return [identity if may_manage else (None, {"fields": IDENTITY}), *others]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Nobody changes his own rights; flags and single permissions are a superuser's affair."""
        actor = staff_member(request)
        closed = ["username", *RIGHTS] if obj and obj.pk == actor.pk else [] if actor.is_superuser else BY_SUPERUSER
        return [*self.readonly_fields, *closed]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """One's own name and address; of others what `may_manage` allows."""
        may = super().has_change_permission(request, obj)
        return may and (obj is None or obj.pk == request.user.pk or roles.may_manage(staff_member(request), obj))

    def formfield_for_manytomany(self, db_field: ManyToManyField, request: HttpRequest, **options: Any) -> Any:
        """Whoever manages accounts gives the roles of the matrix; a superuser any group."""
        if db_field.name != "groups":
            return super().formfield_for_manytomany(db_field, request, **options)
        groups = Group.objects.order_by("pk")
        return RolesField(groups if staff_member(request).is_superuser else groups.filter(name__in=roles.MATRIX))

    def save_model(self, request: HttpRequest, obj: StaffMember, form: forms.ModelForm, change: bool) -> None:
        if not change:
            obj.is_staff = True
            obj.set_unusable_password()  # the first one is made when the person is let in
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: StaffMemberForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        by, now = staff_member(request), timezone.now()
        roles.record_change(form.instance, form.rights_before, by=by, now=now)

    def response_add(
        self, request: HttpRequest, obj: StaffMember, post_url_continue: str | None = None
    ) -> HttpResponse:
        """To the page that makes the first password."""
        if "_popup" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        return redirect("admin:sign_in_reset", obj.pk)

    @admin.display(description=gettext_lazy("name"), ordering="last_name")
    def full_name(self, person: StaffMember) -> str:
        return person.get_full_name()

    @admin.display(description=gettext_lazy("roles"))
    def role_names(self, person: StaffMember) -> str:
        names = [roles.name_of(group) for group in person.groups.all()]
        return ", ".join([_("superuser"), *names] if person.is_superuser else names)

    @admin.display(description=gettext_lazy("appointment"))
    def appointment(self, person: StaffMember) -> str:
        """The best one: in force, else the latest."""
        day = timezone.localdate()
        found = sorted(person.appointments.all(), key=lambda one: list(State).index(one.state(day)))
        if not found:
            return format_html('<span class="badge bad">{}</span>', _("no appointment: sees no people"))
        return badge(found[0], day)

    @admin.display(description=gettext_lazy("sign-in"))
    def sign_in(self, person: StaffMember) -> str:
        """Shown to whoever manages this account."""
        address = reverse("admin:sign_in_reset", args=[person.pk])
        return format_html('<a href="{}">{}</a>', address, _("Let this person sign in anew"))


def badge(appointment: Appointment, day: date) -> str:
    """The state of an appointment; where it ends soon, when."""
    state = appointment.state(day)
    text = str(state.label)
    if state == State.ENDING and appointment.valid_until:
        text = _("ends on: %(day)s") % {"day": date_format(appointment.valid_until, "SHORT_DATE_FORMAT")}
    return format_html('<span class="badge {}">{}</span>', BADGES.get(state, ""), text)
