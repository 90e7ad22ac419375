"""The forms of what staff do with a request. Each is made for one request and offers what is possible with that one."""

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator, MaxValueValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.admin.forms import ReasonForm, grounds_in_force
from registry.admin.subject_acts import Value
from registry.models import LegalGround, PersonalDatum, SubjectRequest
from registry.normalise import check_reason
from registry.requests import contacts
from registry.requests.handling import MOST_EXTRA, may_answer
from registry.requests.verifying import CHECKS

Kind = SubjectRequest.Kind
SHORTER = 240  # characters of a reason that stands beside the code of its ground


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
    ground = forms.ModelChoiceField(LegalGround.objects.none(), label=_("Legal ground"), empty_label=None)
    field_order = ["days", "ground", "reason"]

    def prepare(self) -> None:
        self.fields["ground"].queryset = grounds_in_force(timezone.localdate())  # type: ignore[attr-defined]
        self.fields["ground"].initial = self.row.deadline.ground_id
        self.fields["reason"].validators.append(MaxLengthValidator(SHORTER))
        self.fields["reason"].widget.attrs["maxlength"] = SHORTER
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


class ContactForm(ActForm):
    contact = Value(
        PersonalDatum.objects.none(),
        label=_("Where letters about it go"),
        empty_label=None,
        widget=forms.RadioSelect,
        help_text=_("Contacts this person has confirmed, but for those that were in doubt."),
    )

    def prepare(self) -> None:
        offered = contacts.choices(self.row).select_related("category", "key")
        self.fields["contact"].queryset = offered  # type: ignore[attr-defined]
