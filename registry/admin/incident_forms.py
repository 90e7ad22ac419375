"""The forms of the register of incidents: entering one, its acts, the questions that find whose data it concerns."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry.incidents import asked
from registry.incidents.texts import LONGEST, check_text
from registry.models import AuditEntry, DataCategory, DataExport, Incident, ProcessingPurpose, StaffMember

SANE = [MinValueValidator(datetime(2000, 1, 1, tzinfo=UTC))]
NOBODY = gettext_lazy("Name nobody: no name, no address, no number. Whose data it was is said by the sources.")
OFFERED = (  # operations of the audit that touch single people
    AuditEntry.Operation.REVEAL,
    AuditEntry.Operation.SEARCH,
    AuditEntry.Operation.EXPORT,
    AuditEntry.Operation.CHANGE,
    AuditEntry.Operation.DESTROY,
    AuditEntry.Operation.USE,
)


def moment(label: Any, help_text: Any = "") -> forms.DateTimeField:
    """A local day and time of day."""
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, validators=SANE, widget=widget, help_text=help_text)


def text(label: Any, help_text: Any = NOBODY) -> forms.CharField:
    widget = forms.Textarea(attrs={"class": "vTextField", "rows": 6})
    return forms.CharField(label=label, max_length=LONGEST, validators=[check_text], widget=widget, help_text=help_text)


def categories(label: Any, *, is_required: bool) -> forms.ModelMultipleChoiceField:
    return forms.ModelMultipleChoiceField(
        DataCategory.objects.all(), label=label, required=is_required, widget=forms.CheckboxSelectMultiple
    )


class EnterForm(forms.Form):
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=Incident.Kind.choices, widget=forms.RadioSelect)
    discovered_at = moment(
        gettext_lazy("Discovered at"),
        gettext_lazy("The term of the notice counts from here. It can't be changed afterwards."),
    )
    happened = text(gettext_lazy("What happened"))
    categories = categories(gettext_lazy("Data concerned"), is_required=True)


class MeasureForm(forms.Form):
    text = text(gettext_lazy("What was done"))
    at = moment(gettext_lazy("When it was done"))
    secures = forms.BooleanField(label=gettext_lazy("With this, people's data were out of danger"), required=False)


class FindingForm(forms.Form):
    text = text(gettext_lazy("What was learnt"))
    at = moment(gettext_lazy("When it was learnt"))
    categories = categories(gettext_lazy("These data are concerned, too"), is_required=False)


class SentForm(forms.Form):
    sent_at = moment(gettext_lazy("Sent at"))
    how = forms.ChoiceField(label=gettext_lazy("How"), choices=Incident.Way.choices, widget=forms.RadioSelect)
    reference = forms.CharField(
        label=gettext_lazy("Number of the notice"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("Under which it was registered; of a letter, the number of the receipt."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class AuditForm(forms.Form):
    """Whose data somebody touched in a time that is over."""

    member = forms.ModelChoiceField(
        StaffMember.objects.order_by("username"),
        label=gettext_lazy("Staff member"),
        required=False,
        empty_label=gettext_lazy("anybody, jobs and pages too"),
    )
    since = moment(gettext_lazy("From"))
    until = moment(gettext_lazy("Until"))
    operations = forms.MultipleChoiceField(
        label=gettext_lazy("What was done with the data"),
        choices=[(one.value, one.label) for one in OFFERED],
        initial=list(asked.SEEN),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("With “list taken out”: everybody on the lists fetched in that time."),
    )

    def question(self, incident: Incident, now: datetime) -> asked.Question:
        given = self.cleaned_data
        return asked.of_audit(given["since"], given["until"], given["operations"], now=now, member=given["member"])


class ListForm(forms.Form):
    """Everybody on one list that was taken out."""

    number = forms.CharField(
        label=gettext_lazy("Number of the list"),
        max_length=20,
        help_text=gettext_lazy("Such as EX-7K3F-9Q2M: it stands in the file and among the lists taken out."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def question(self, incident: Incident, now: datetime) -> asked.Question:
        export = DataExport.objects.filter(number=self.cleaned_data["number"].strip().upper()).first()
        if export is None:
            raise ValidationError(_("There is no list with this number."), code="list")
        return asked.of_list(export)


class PurposeForm(forms.Form):
    """Everybody held for one purpose when the incident was discovered."""

    purpose = forms.ModelChoiceField(
        ProcessingPurpose.objects.all(),
        label=gettext_lazy("Processing purpose"),
        empty_label=None,
        widget=forms.RadioSelect,
        help_text=gettext_lazy("Everybody whose data were kept for it when the incident was discovered."),
    )

    def question(self, incident: Incident, now: datetime) -> asked.Question:
        return asked.of_purpose(self.cleaned_data["purpose"], incident)


class ReferencesForm(forms.Form):
    """People named by their references."""

    references = forms.CharField(
        label=gettext_lazy("References"),
        max_length=asked.MOST_REFERENCES * 20,
        help_text=gettext_lazy("Such as DS-7K3F-9Q2M, separated by spaces, commas or new lines."),
        widget=forms.Textarea(attrs={"class": "vTextField", "rows": 6}),
    )

    def question(self, incident: Incident, now: datetime) -> asked.Question:
        return asked.of_references(self.cleaned_data["references"])
