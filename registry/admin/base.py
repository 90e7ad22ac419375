"""What every page of the console shares."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
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

    def _record(self, request: HttpRequest, obj: models.Model) -> None:
        auditing.record(AuditEntry.Operation.CONFIGURE, now=timezone.now(), actor=staff_member(request), about=obj)


class ConfigurationAdmin(Audited, SimpleHistoryAdmin):
    """Settings and decisions: editable, with history."""

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An old version is looked at only: the setting that hides its buttons does not refuse the POST."""
        if request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        return super().history_form_view(request, object_id, version_id, extra_context)


class EvidenceAdmin(Audited):
    """Written by operations only; here it is read: in the form, or on a page of its own (`document`)."""

    def document(self, request: HttpRequest, row: Any) -> HttpResponse | None:
        return None

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id)) if object_id else None
        page = self.document(request, row) if row and self.has_view_permission(request, row) else None
        return page or super().changeform_view(request, object_id, form_url, extra_context)

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

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        refuse_unappointed(request)
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        refuse_unappointed(request)
        return super().changeform_view(request, object_id, form_url, extra_context)


def refuse_without(request: HttpRequest, permission: str) -> None:
    if not staff_member(request).has_perm(permission):
        raise PermissionDenied


def refuse_unappointed(request: HttpRequest) -> None:
    """Without an appointment nobody gets further, and the attempt is recorded (policy clause 29)."""
    if sees_people(request):
        return
    auditing.record(
        AuditEntry.Operation.REFUSED, now=timezone.now(), actor=staff_member(request), system="console: no appointment"
    )
    raise PermissionDenied


def sees_people(request: HttpRequest) -> bool:
    """Whether an appointment lets this request see people: asked once, the menu alone would ask ten times."""
    if not hasattr(request, "sees_people"):
        request.sees_people = may_see_people(staff_member(request), timezone.now())  # type: ignore[attr-defined]
    return bool(request.sees_people)  # type: ignore[attr-defined]


def staff_member(request: HttpRequest) -> StaffMember:
    if not isinstance(request.user, StaffMember):
        raise TypeError("the console is open to staff only")
    return request.user
