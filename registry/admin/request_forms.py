"""The forms of what staff do with a request. Each is made for one request and offers what is possible with that one."""

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext_lazy as _

from registry.admin.forms import ReasonForm
from registry.models import SubjectRequest
from registry.normalise import check_reason
from registry.requests.handling import MOST_EXTRA, may_answer
from registry.requests.verifying import CHECKS

Kind = SubjectRequest.Kind


class ActForm(forms.Form):
    """`row`: the request the act is about."""

    def __init__(self, *args: Any, row: SubjectRequest, **options: Any) -> None:
        super().__init__(*args, **options)
        self.row = row
        self.prepare()

    def prepare(self) -> None:
        """Offers what is possible with this request."""


class WithReason(ActForm, ReasonForm):
    pass


class KindForm(ActForm):
    kind = forms.ChoiceField(label=_("What is asked for"), choices=Kind.choices, widget=forms.RadioSelect)

    def prepare(self) -> None:
        others = [choice for choice in Kind.choices if choice[0] != self.row.kind]
        self.fields["kind"].choices = others  # type: ignore[attr-defined]


class ChecklistForm(forms.Form):
    checks = forms.MultipleChoiceField(
        label=_("What you have seen yourself"),
        choices=list(CHECKS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("Enough is the document, or the contact together with the authority of a representative."),
    )


class CheckForm(ActForm, ChecklistForm):
    reason = forms.CharField(
        label=_("In your own words"),
        required=False,
        max_length=200,  # beside the codes of the list it still fits into the step
        validators=[check_reason],
        help_text=_("It is kept for ever: no address, no number."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    field_order = ["checks", "reason"]


class ExtendForm(WithReason):
    days = forms.IntegerField(label=_("By how many days"), min_value=1)
    field_order = ["days", "reason"]

    def prepare(self) -> None:
        left = MOST_EXTRA - self.row.extra_days
        self.fields["days"].validators.append(MaxValueValidator(left))
        self.fields["days"].widget.attrs["max"] = left
        self.fields["days"].help_text = _("At most: %(left)d") % {"left": left}


class Other(forms.ModelChoiceField):
    """Another request of the same person."""

    def label_from_instance(self, row: Any) -> str:
        return f"{row.number}: {row.get_kind_display()}, {row.get_state_display()}"


class JoinForm(ActForm):
    other = Other(SubjectRequest.objects.none(), label=_("The request that answers this one"), empty_label=None)

    def prepare(self) -> None:
        self.fields["other"].queryset = may_answer(self.row)  # type: ignore[attr-defined]
