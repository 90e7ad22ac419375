"""The public forms. Nothing is ticked beforehand; a field the form does not have is for the approved list to refuse."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from consent import decisions, links, wording
from consent.evidence import Circumstances
from consent.models import Confirmation, Wording
from registry import sms
from registry.models import DataCategory, ProcessingPurpose
from registry.normalise import Normalised, normalise
from registry.processing import Scope
from registry.registration import accept

Kind = DataCategory.Kind
INPUT = {
    Kind.EMAIL: {"type": "email", "autocomplete": "email", "inputmode": "email"},
    Kind.PHONE: {"type": "tel", "autocomplete": "tel", "inputmode": "tel"},
}
HINT = {
    Kind.EMAIL: _("We will send one message with a confirmation link."),
    Kind.PHONE: _("Any spelling will do. You need not give it."),
}
NUMBER_IS_ENOUGH = _("Any spelling will do. Without an e-mail address we send the confirmation code here.")
LONGEST = 320
TOO_FAST, TOO_LONG_AGO = timedelta(seconds=1), timedelta(hours=24)
ADULT = 18  # years (Civil Code of Kazakhstan, article 17)


class PublicForm(forms.Form):
    """A form of a page anybody can open: a field people do not see, and the signed moment it was shown.

    `is_trap_sprung`: a program filled in what nobody sees; it gets the same answer as everybody, and nothing happens.
    """

    shown = forms.CharField(required=False, max_length=100)
    website = forms.CharField(required=False, max_length=LONGEST)

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now

    @property
    def is_trap_sprung(self) -> bool:
        return bool(self.data.get("website"))

    @property
    def shown_now(self) -> str:
        return links.form_token(self.now)

    def clean_shown(self) -> None:
        """Nothing that was typed is lost: the form comes back and waits for another press."""
        try:
            age = self.now - links.form_shown_at(self.cleaned_data["shown"])
        except links.InvalidLink:
            age = TOO_LONG_AGO
        if not TOO_FAST <= age < TOO_LONG_AGO:
            raise ValidationError(_("The form was open for too long or sent too fast. Look it over and send it again."))

    def problems(self) -> list[tuple[str, str]]:
        """Every error with the id of the field it belongs to ("" where there is none), in the order of the page."""
        fields = [(self[name].id_for_label, self[name].errors) for name in self.fields if name != "shown"]
        general = [*self.non_field_errors(), *self["shown"].errors]
        return [("", text) for text in general] + [(anchor, text) for anchor, errors in fields for text in errors]


class ConsentForm(PublicForm):
    """One field per approved contact the purposes need, one box per purpose, one per tick of its own."""

    purposes = forms.MultipleChoiceField(
        error_messages={
            "required": _("Tick at least one purpose"),
            "invalid_choice": _("This purpose is not offered"),
        },
    )
    adult_on = forms.DateField(
        required=False, error_messages={"invalid": _("Enter the day as in the calendar, like 31.12.2030")}
    )
    representative = forms.CharField(
        required=False, max_length=LONGEST, error_messages={"max_length": _("This is too long.")}
    )

    def __init__(self, *args: Any, language: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.language = language
        self.offer = wording.offer(self.now, language)
        self.fields["purposes"].choices = [(code, code) for code in self.offer.texts]  # type: ignore[attr-defined]
        contacts = self.offer.contacts
        by_number = sms.is_available() and decisions.NUMBER in {category.code for category in contacts}
        in_order = sorted(contacts, key=lambda category: category.code != decisions.CLAIM)
        fields = {category.code: self._field(category, by_number=by_number) for category in in_order}
        self.fields = fields | self.fields
        self.contacts = list(fields)

    def _field(self, category: DataCategory, *, by_number: bool) -> forms.CharField:
        kind = Kind(category.kind)
        field = forms.CharField(
            label=category.text("name").capitalize(),
            help_text=NUMBER_IS_ENOUGH if by_number and kind == Kind.PHONE else HINT[kind],
            required=category.code == decisions.CLAIM and not by_number,
            max_length=LONGEST,
            error_messages={
                "required": _("Enter an e-mail address, like name@example.kz"),
                "max_length": _("This is too long."),
            },
        )
        field.widget.attrs = INPUT[kind] | {"maxlength": LONGEST}
        return field

    def data_fields(self) -> Iterable[forms.BoundField]:
        return [self[name] for name in self.contacts]

    def options(self) -> list[dict[str, Any]]:
        """What the page shows for each purpose: its text, its ticks, and what was ticked already."""
        return [
            {
                "purpose": text.purpose,
                "description": text.purpose.text("description"),
                "text": text.text,
                "is_ticked": code in self._ticked("purposes"),
                "ticks": [(name, tick, code in self._ticked(name)) for name, tick in text.ticks.items()],
            }
            for code, text in self.offer.texts.items()
        ]

    def _ticked(self, name: str) -> list[str]:
        return self.data.getlist(name) if self.is_bound else []  # type: ignore[attr-defined]

    def clean_purposes(self) -> list[ProcessingPurpose]:
        """As they were offered, with their categories."""
        chosen = self.cleaned_data["purposes"]
        return [text.purpose for code, text in self.offer.texts.items() if code in chosen]

    def clean(self) -> dict[str, Any]:
        """Every wrong field at once, by the rule that registers them; with no box ticked, against all purposes."""
        chosen = self.cleaned_data.get("purposes") or [text.purpose for text in self.offer.texts.values()]
        try:
            self._accepted = {one.code: value for one, value in accept(self._entered, chosen).items()}
        except ValidationError as error:
            self._add_errors(error)
        self._check_minor()
        return self.cleaned_data

    def _check_minor(self) -> None:
        """Both answers or none; the day must lie ahead, and not further than a newborn's."""
        adult_on, representative = self.cleaned_data.get("adult_on"), self.cleaned_data.get("representative")
        today = timezone.localdate(self.now)
        if adult_on and not today < adult_on <= today.replace(year=today.year + ADULT, day=min(today.day, 28)):
            self.add_error("adult_on", _("This day must lie ahead, at most 18 years. Of age? Leave it empty."))
        if representative and not adult_on and not self.has_error("adult_on"):
            self.add_error("adult_on", _("Enter the day you turn 18"))
        if self.contacts and not any(self.cleaned_data.get(code) or self.has_error(code) for code in self.contacts):
            self.add_error(self.contacts[0], _("Enter an e-mail address or a phone number"))
        if adult_on and not representative:
            self.add_error("representative", _("Enter the e-mail address or phone number of a parent or guardian"))

    @property
    def claimed(self) -> Normalised:
        """The contact that is asked, of a form without errors."""
        return self._accepted.get(decisions.CLAIM) or self._accepted[decisions.NUMBER]

    def ask(self, circumstances: Circumstances) -> Confirmation | None:
        """Sends the question; None, with the errors on the form, if anything is refused."""
        if not self.is_valid():
            return None
        adult_on = self.cleaned_data["adult_on"]
        try:
            return decisions.ask(
                self._entered,
                self.cleaned_data["purposes"],
                language=self.language,
                now=self.now,
                ticks=self._scopes(),
                circumstances=circumstances,
                representative=self._representative() if adult_on else None,
                offer=self.offer,
                adult_at=timezone.make_aware(datetime.combine(adult_on, datetime.min.time())) if adult_on else None,
            )
        except ValidationError as error:
            self._add_errors(error)
        return None

    def _scopes(self) -> dict[str, Scope]:
        return {
            code: Scope(**{name: code in self._ticked(name) for name in Wording.TICKS}) for code in self.offer.texts
        }

    def _representative(self) -> dict[str, str]:
        typed = self.cleaned_data["representative"]
        return {decisions.CLAIM if "@" in typed else decisions.NUMBER: typed}

    @cached_property
    def _entered(self) -> Mapping[str, str]:
        """What was entered about the person, known to the form or not."""
        ours = {*self.base_fields, *Wording.TICKS}
        names = [name for name in self.data if name not in ours and name not in self.errors]
        entered = {name: self.cleaned_data.get(name, self.data[name]) for name in names}
        return {name: value for name, value in entered.items() if value}

    def _add_errors(self, error: ValidationError) -> None:
        for name, errors in error.error_dict.items():
            self.add_error(name if name in self.fields else None, errors)


class LinkForm(PublicForm):
    """Where to send the link to one's own consents."""

    contact = forms.CharField(
        max_length=LONGEST,
        error_messages={
            "required": _("Enter an e-mail address, like name@example.kz"),
            "max_length": _("This is too long."),
        },
    )

    def clean_contact(self) -> tuple[str, str]:
        """The code of its category and its canonical form."""
        typed = self.cleaned_data["contact"]
        kind = Kind.EMAIL if "@" in typed or not any(char.isdigit() for char in typed) else Kind.PHONE
        return kind.value, normalise(kind, typed).canonical
