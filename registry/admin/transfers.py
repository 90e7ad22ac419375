from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils import timezone

from registry import auditing
from registry.admin.base import ConfigurationAdmin, staff_member
from registry.models import AuditEntry, Country, Recipient


@admin.register(Country)
class CountryAdmin(ConfigurationAdmin):
    list_display = ["code", "name_kk", "name_ru", "is_protecting"]
    list_filter = ["is_protecting"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code"] if obj else []  # consents name it

    def _record(self, request: HttpRequest, obj: models.Model) -> None:
        by, now = staff_member(request), timezone.now()
        auditing.record(AuditEntry.Operation.CONFIGURE, now=now, actor=by, about=obj, reason=str(obj.pk))


@admin.register(Recipient)
class RecipientAdmin(ConfigurationAdmin):
    list_display = ["code", "kind", "name_kk", "name_ru", "bin", "country"]
    list_filter = ["kind"]
    list_select_related = ["country"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code"] if obj else []  # consents name it
