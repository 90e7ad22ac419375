from copy import copy
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext as _

from registry import tasks
from registry.admin.base import ConfigurationAdmin
from registry.models import DataCategory, ProcessingPurpose, Recipient, RuleChange


@admin.register(DataCategory)
class DataCategoryAdmin(ConfigurationAdmin):
    list_display = ["code", "kind", "name_kk", "name_ru", "approved_on", "order_number"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code", "kind"] if obj else []  # values are found and read by them


class PurposeForm(ModelForm):
    """What people are asked must say everything (Law 94-V art. 8(4)); the missing items are named."""

    LISTS = ("categories", "recipients")
    DISCLOSURES = ("third_parties", "cross_border", "public_sources")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not cleaned.get("is_public"):
            return cleaned
        purpose = copy(self.instance)
        for name in cleaned.keys() - set(self.LISTS):
            setattr(purpose, name, cleaned[name])
        if items := purpose.left_open(*(self._chosen(name, cleaned) for name in self.LISTS)):
            for name in self.DISCLOSURES:
                if name in cleaned and not cleaned[name]:
                    self.add_error(name, self.fields[name].error_messages["required"])
            told = _("People are asked about this purpose. Left open: %(items)s.") % {"items": ", ".join(items)}
            raise ValidationError(told)
        return cleaned

    def _chosen(self, name: str, cleaned: dict[str, Any]) -> list[Any]:
        """What was chosen; what the purpose has where that is read only."""
        return list(cleaned[name] if name in cleaned else getattr(self.instance, name).all())


@admin.register(ProcessingPurpose)
class ProcessingPurposeAdmin(ConfigurationAdmin):
    list_display = ["code", "name_kk", "name_ru", "clause", "is_public", "clock", "term_value", "term_unit", "outcome"]
    list_filter = ["is_public", "outcome"]
    filter_horizontal = ["categories", "recipients"]
    form = PurposeForm
    change_form_template = "admin/registry/purpose.html"

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """One's own system is no third party: no consent names it."""
        if db_field.name == "recipients":
            options["queryset"] = Recipient.objects.exclude(kind=Recipient.Kind.OWN)
        return super().formfield_for_manytomany(db_field, request, **options)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What people's data hang on is changed by two people (RuleChange), and closed by an act with a reason."""
        in_use = ["code", "ground", "categories", *RuleChange.RULE] if obj and obj.processing_set.exists() else []
        return ["rule_version", "closes_at", *in_use]

    def save_model(self, request: HttpRequest, obj: ProcessingPurpose, form: ModelForm, change: bool) -> None:
        if change and set(RuleChange.RULE) & set(form.changed_data):
            obj.rule_version += 1  # as the trigger does; history must note the same number
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        transaction.on_commit(lambda: tasks.wake_recount(form.instance.pk))
