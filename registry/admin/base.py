"""What every page of the console shares."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin

from registry import auditing
from registry.disclosure import may_see_people
from registry.models import AuditEntry, StaffMember


class Audited(admin.ModelAdmin):
    """Changes go into the audit instead of Django's own log, which keeps `str(obj)` for ever. Nothing is deleted."""

    show_full_result_count = False
    list_per_page = 50

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        self._record(request, obj)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        self._record(request, obj)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self._record(request, obj)

    def _record(self, request: HttpRequest, obj: models.Model) -> None:
        auditing.record(AuditEntry.Operation.CONFIGURE, now=timezone.now(), actor=staff_member(request), about=obj)


class ConfigurationAdmin(Audited, SimpleHistoryAdmin):
    """Settings and decisions: editable, with history."""


class EvidenceAdmin(Audited):
    """Written by operations only; here it is read."""

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class AppointedOnly:
    """Mixed into a page about people: without an appointment in force it does not exist (policy clause 29)."""

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        allowed: bool = super().has_view_permission(request, obj)  # type: ignore[misc]
        return allowed and sees_people(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


class PeopleAdmin(AppointedOnly, EvidenceAdmin):
    """Rows about people, read-only."""


def sees_people(request: HttpRequest) -> bool:
    """Whether an appointment lets this request see people: asked once, the menu alone would ask ten times."""
    if not hasattr(request, "sees_people"):
        request.sees_people = may_see_people(staff_member(request), timezone.now())  # type: ignore[attr-defined]
    return bool(request.sees_people)  # type: ignore[attr-defined]


def staff_member(request: HttpRequest) -> StaffMember:
    if not isinstance(request.user, StaffMember):
        raise TypeError("the console is open to staff only")
    return request.user


def all_fields(model: type[models.Model], but: Iterable[str] = ()) -> list[str]:
    """The names of a model's own columns, for a page that shows a row as it is."""
    return [field.name for field in model._meta.fields if field.name not in set(but)]
