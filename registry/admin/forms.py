"""The small forms of acts that need a reason."""

from datetime import date

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from registry.models import DataCategory, LegalGround, ProcessingPurpose, RuleChange
from registry.normalise import check_reason


def grounds_in_force(day: date) -> QuerySet[LegalGround]:
    """The legal grounds an act of this day may rest on."""
    has_begun = Q(valid_from=None) | Q(valid_from__lte=day)
    return LegalGround.objects.filter(has_begun, Q(valid_until=None) | Q(valid_until__gte=day))


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        validators=[check_reason],
        help_text=_("It is kept for ever: no address, no number."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class RuleForm(forms.ModelForm):
    """The retention rule a purpose would get, and the data it would need."""

    categories = forms.ModelMultipleChoiceField(
        DataCategory.objects.all(), label=_("Data it needs"), widget=forms.CheckboxSelectMultiple, required=False
    )
    ends_on = forms.DateField(
        label=_("Fixed date"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The last day; only where the term is a fixed date."),
    )

    class Meta:
        model = RuleChange
        fields = ["clock", "term_value", "term_unit", "ends_on", "outcome", "categories"]

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or {}
        if cleaned.get("clock") == ProcessingPurpose.Clock.FIXED and not cleaned.get("ends_on"):
            raise ValidationError({"ends_on": _("A fixed term needs its date.")})
        return cleaned
