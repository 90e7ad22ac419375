"""The consent form: one field per approved category the purposes need, one unticked box per purpose."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from consent import decisions
from consent.models import Confirmation
from registry.models import DataCategory, ProcessingPurpose
from registry.registration import accept

INPUT = {
    DataCategory.Kind.EMAIL: {"type": "email", "autocomplete": "email", "inputmode": "email"},
    DataCategory.Kind.PHONE: {"type": "tel", "autocomplete": "tel", "inputmode": "tel"},
}
HINT = {
    DataCategory.Kind.EMAIL: _("We will send one message with a confirmation link."),
    DataCategory.Kind.PHONE: _("Any spelling will do. You need not give it."),
}


class ConsentForm(forms.Form):
    purposes = forms.ModelMultipleChoiceField(
        ProcessingPurpose.objects.none(),
        to_field_name="code",
        error_messages={
            "required": _("Tick at least one purpose"),
            "invalid_choice": _("This purpose is not offered"),
            "invalid_pk_value": _("This purpose is not offered"),
        },
    )

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        purposes = ProcessingPurpose.objects.asked_of_people(now)
        self.fields["purposes"].queryset = purposes  # type: ignore[attr-defined]
        asked = DataCategory.objects.filter(processingpurpose__in=purposes).distinct()
        for category in sorted(asked, key=lambda category: category.code != decisions.CLAIM):
            self.fields[category.code] = self._field(category)

    def _field(self, category: DataCategory) -> forms.CharField:
        field = forms.CharField(
            label=category.text("name").capitalize(),
            help_text=HINT[DataCategory.Kind(category.kind)],
            required=category.code == decisions.CLAIM,
            max_length=320,
            error_messages={
                "required": _("Enter an e-mail address, like name@example.kz"),
                "max_length": _("This is too long."),
            },
        )
        field.widget.attrs = INPUT[DataCategory.Kind(category.kind)] | {"maxlength": 320}
        return field

    def data_fields(self) -> Iterable[forms.BoundField]:
        return [self[name] for name in self.fields if name != "purposes"]

    def clean(self) -> dict[str, Any]:
        """Every wrong field at once, by the rule that registers them; with no box ticked, against all purposes."""
        chosen = self.cleaned_data.get("purposes") or self.fields["purposes"].queryset  # type: ignore[attr-defined]
        try:
            accept(self._entered(), chosen)
        except ValidationError as error:
            self._add_errors(error)
        return self.cleaned_data

    def ask(self, language: str) -> Confirmation | None:
        """Sends the question; None, with the errors on the form, if anything is refused."""
        if not self.is_valid():
            return None
        return decisions.ask(self._entered(), list(self.cleaned_data["purposes"]), language=language, now=self.now)

    def _entered(self) -> dict[str, str]:
        """All that was sent but the purposes: a field the form does not have is for the approved list to refuse."""
        names = [name for name in self.data if name != "purposes" and name not in self.errors]
        entered = {name: self.cleaned_data.get(name, self.data[name]) for name in names}
        return {name: value for name, value in entered.items() if value}

    def _add_errors(self, error: ValidationError) -> None:
        for name, errors in error.error_dict.items():
            self.add_error(name if name in self.fields else None, errors)
