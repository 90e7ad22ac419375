from django.contrib import admin

from registry.admin.base import ConfigurationAdmin
from registry.models import DataCategory, ProcessingPurpose


@admin.register(DataCategory)
class DataCategoryAdmin(ConfigurationAdmin):
    list_display = ["code", "kind", "name_kk", "name_ru", "approved_on", "order_number"]


@admin.register(ProcessingPurpose)
class ProcessingPurposeAdmin(ConfigurationAdmin):
    list_display = ["code", "name_kk", "name_ru", "clause", "is_public", "clock", "term_value", "term_unit", "outcome"]
    list_filter = ["is_public", "outcome"]
    readonly_fields = ["rule_version"]
    filter_horizontal = ["categories"]
