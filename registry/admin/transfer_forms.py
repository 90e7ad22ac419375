"""The forms of transfers: a recipient, what is asked for and for whom, and the counts that name nobody."""

import hashlib
import json
from typing import Any

import pyrage
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry.admin.filters import ISO, SANE
from registry.admin.forms import ReasonForm
from registry.incidents.asked import MOST_REFERENCES, of_references
from registry.models import DataCategory, Incident, ProcessingPurpose, Recipient, Transfer
from registry.normalise import check_reason
from registry.transfers import Asked

Ground, Format = Transfer.Ground, Transfer.Format
WIDE = {"class": "vTextField"}


class RecipientForm(forms.ModelForm):
    """A key that is mistyped would be found out only when the first file is to leave."""

    def clean_public_key(self) -> str:
        key: str = self.cleaned_data["public_key"]
        if key:
            try:
                pyrage.x25519.Recipient.from_str(key)
            except pyrage.RecipientError:
                told = _("This is no public key of age: some of its letters are wrong.")
                raise ValidationError(told, code="public_key") from None
        return key


def recipients() -> QuerySet[Recipient]:
    return Recipient.objects.select_related("country").order_by("code")


def _optional(label: Any, help_text: Any, most: int, **also: Any) -> forms.CharField:
    widget = forms.TextInput(attrs=WIDE)
    return forms.CharField(label=label, help_text=help_text, max_length=most, required=False, widget=widget, **also)


class AskForm(forms.Form):
    """Who is given what, on which ground. Fields of another ground are passed over."""

    recipient = forms.ModelChoiceField(Recipient.objects.none(), label=gettext_lazy("Recipient"))
    ground = forms.ChoiceField(
        label=gettext_lazy("Ground"),
        choices=Ground.choices,
        widget=forms.RadioSelect,
        help_text=gettext_lazy("Anonymous statistics have a page of their own: nobody's data can be chosen there."),
    )
    purpose = forms.ModelChoiceField(
        ProcessingPurpose.objects.none(),
        label=gettext_lazy("Processing purpose"),
        empty_label=None,
        widget=forms.RadioSelect,
    )
    categories = forms.ModelMultipleChoiceField(
        DataCategory.objects.filter(kind__in=DataCategory.CONTACTS),
        label=gettext_lazy("Data"),
        widget=forms.CheckboxSelectMultiple,
    )
    with_links = forms.BooleanField(
        label=gettext_lazy("With links to unsubscribe"),
        required=False,
        help_text=gettext_lazy("For a mailing: three more columns, for this person and this purpose. Grounds a and o."),
    )
    references = forms.CharField(
        label=gettext_lazy("Only these people"),
        max_length=MOST_REFERENCES * 20,
        required=False,
        help_text=gettext_lazy("References such as DS-7K3F-9Q2M, one a line. Empty: everybody of the purpose."),
        widget=forms.Textarea(attrs=WIDE | {"rows": 4}),
    )
    request_number = _optional(gettext_lazy("Number of the state body's request"), gettext_lazy("Ground b only."), 50)
    requested_on = forms.DateField(
        label=gettext_lazy("Date of the state body's request"),
        required=False,
        input_formats=ISO,
        validators=SANE,
        help_text=gettext_lazy("Ground b only."),
        widget=forms.DateInput(attrs={"type": "date"}, format=ISO[0]),
    )
    article = _optional(
        gettext_lazy("Article it rests on"), gettext_lazy("Ground b only."), 200, validators=[check_reason]
    )
    incident = _optional(
        gettext_lazy("Number of the incident"),
        gettext_lazy("Ground c only. It stands on the page of the incident."),
        20,
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        of_people = ProcessingPurpose.objects.open(timezone.now()).filter(categories__kind__in=DataCategory.CONTACTS)
        self.fields["recipient"].queryset = recipients()  # type: ignore[attr-defined]
        self.fields["purpose"].queryset = of_people.distinct()  # type: ignore[attr-defined]

    def clean_references(self) -> tuple[str, ...] | None:
        """What was typed is not repeated in an error: it may be a value."""
        given: str = self.cleaned_data["references"]
        return tuple(of_references(given).parameters["references"]) if given else None

    def clean_incident(self) -> Incident | None:
        number = self.cleaned_data["incident"].upper()
        incident = Incident.objects.filter(number=number).first() if number else None
        if number and incident is None:
            raise ValidationError(_("There is no incident with this number."), code="incident")
        return incident

    def asked(self) -> Asked:
        given, ground = self.cleaned_data, Ground(self.cleaned_data["ground"])
        by_law = {name: given[name] for name in ("request_number", "requested_on", "article")}
        return Asked(
            given["recipient"],
            ground,
            given["purpose"],
            tuple(given["categories"]),
            given["references"],
            incident=given["incident"] if ground == Ground.PROTECTION else None,
            with_links=given["with_links"],
            **(by_law if ground == Ground.STATE_BODY else {}),
        )

    def mark(self) -> str:
        """Tells what was looked at from what is asked for afterwards."""
        given = [(name, sorted(self.data.getlist(name))) for name in self.fields]  # type: ignore[attr-defined]
        return hashlib.sha256(json.dumps(given).encode()).hexdigest()


class SendForm(ReasonForm):
    """The rest, once it was seen who goes."""

    file_format = forms.ChoiceField(
        label=gettext_lazy("Format"), choices=Format.choices, initial=Format.CSV, widget=forms.RadioSelect
    )
    field_order = ["file_format", "reason"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reason"].label = _("What it is for")


class StatisticsForm(SendForm):
    recipient = forms.ModelChoiceField(Recipient.objects.none(), label=gettext_lazy("Recipient"))
    field_order = ["recipient", "file_format", "reason"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["recipient"].queryset = recipients()  # type: ignore[attr-defined]
        formats = [(one.value, one.label) for one in (Format.CSV, Format.JSON)]
        self.fields["file_format"].choices = formats  # type: ignore[attr-defined]
