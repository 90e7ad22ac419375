"""What every page of the console shares."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin

from registry import auditing
from registry.admin import lookups
from registry.admin.differences import ReadableDifferences
from registry.admin.paging import BoundedPaginator, InOneOrder
from registry.disclosure import may_see_people
from registry.models import AuditEntry, StaffMember
from registry.sign_in import sessions


class Audited(admin.ModelAdmin):
    """Changes go into the audit instead of Django's own log, which keeps `str(obj)` for ever. Nothing is deleted."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each is a count over the whole table
    paginator = BoundedPaginator
    list_per_page = list_max_show_all = 50

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only what the list's own filters ask."""
        filters = self.list_filter if request is None else self.get_list_filter(request)
        return lookup in lookups.parameters(filters, self.model)

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

    def get_historical_record_context_helper(self, request: HttpRequest, historical_record: Any) -> ReadableDifferences:
        return ReadableDifferences(self.model, historical_record)


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
        is_read = object_id is not None and request.method in {"GET", "HEAD"}
        row = self.get_object(request, unquote(object_id or "")) if is_read else None
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
    """Rows about people, read-only. There may be millions: a list comes in the order of an index, and in no other."""

    sortable_by = ()

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[InOneOrder]:
        return InOneOrder

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

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        refuse_unappointed(request)
        return super().history_view(request, object_id, extra_context)


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


def is_fresh(request: HttpRequest) -> bool:
    """Whether the second factor was shown in the last minutes (sessions.FRESH), not only at the sign-in."""
    return sessions.is_fresh(getattr(request, "staff_session", None), timezone.now())


def step_up(request: HttpRequest, back: str = "") -> HttpResponse | None:
    """Before a dangerous act, on its page and again when it is sent: the way to showing the second factor; None: go on.

    `if page := step_up(request): return page`. What was typed is lost: ask when the page is opened. `back`: where to
    go on if this address answers no GET.
    """
    if is_fresh(request):
        return None
    return redirect(f"{reverse('admin:step_up')}?{urlencode({'next': back or request.get_full_path()})}")


def staff_member(request: HttpRequest) -> StaffMember:
    if not isinstance(request.user, StaffMember):
        raise TypeError("the console is open to staff only")
    return request.user
