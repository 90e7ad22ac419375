from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from registry.admin.base import ConfigurationAdmin
from registry.models import Deadline, LegalGround, Operator, SizeClass


@admin.register(Operator)
class OperatorAdmin(ConfigurationAdmin):
    list_display = ["__str__", "bin", "site", "contact_email", "responsible_person"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Operator.objects.exists()


@admin.register(SizeClass)
class SizeClassAdmin(ConfigurationAdmin):
    list_display = ["code", "title_kk", "title_ru", "starts_at", "is_reviewed"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code"] if obj else []


@admin.register(LegalGround)
class LegalGroundAdmin(ConfigurationAdmin):
    list_display = ["code", "article", "title_kk", "title_ru", "is_reviewed"]
    list_filter = ["is_reviewed"]
    search_fields = ["code", "article", "title_kk", "title_ru", "title_en"]


@admin.register(Deadline)
class DeadlineAdmin(ConfigurationAdmin):
    list_display = ["code", "title_kk", "title_ru", "length", "unit", "ground", "is_reviewed"]
    list_filter = ["is_reviewed", "unit"]
    list_select_related = ["ground"]
