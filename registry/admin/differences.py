"""What changed between two versions of a setting, as a person reads it: names for codes, yes and no, local days."""

from typing import Any

from django.contrib.admin.utils import display_for_field
from django.db.models import BooleanField, ManyToManyField, Model
from django.utils.translation import gettext as _
from simple_history.models import DeletedObject
from simple_history.template_utils import HistoricalRecordContextHelper, ObjDiffDisplay

NOTHING = "—"
LONGEST = 160  # characters of a text, around what changed in it


class Shortened(ObjDiffDisplay):
    def shortened_str(self, prefix: str, num_skipped_chars: int, suffix: str) -> str:
        return f"{prefix}…{suffix}"


class ReadableDifferences(HistoricalRecordContextHelper):
    def prepare_delta_change_value(self, change: Any, value: Any) -> str:
        field = self.model._meta.get_field(change.field)
        if isinstance(field, ManyToManyField):
            return ", ".join(str(one) for one in super().prepare_delta_change_value(change, value)) or NOTHING
        if isinstance(field, BooleanField) and value is not None:
            return _("Yes") if value else _("No")
        if isinstance(value, Model | DeletedObject):
            return str(value)
        return str(display_for_field(value, field, NOTHING)) or NOTHING

    def get_obj_diff_display(self) -> Shortened:
        return Shortened(max_length=LONGEST)
