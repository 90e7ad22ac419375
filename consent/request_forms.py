"""The public form of a request about one's own data. No kind is chosen beforehand, and no reason is asked for."""

from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from consent import asking_requests
from consent.forms import LONGEST, PublicForm
from registry import sms
from registry.models import DataCategory, Deadline, SubjectRequest
from registry.normalise import Normalised, normalise
from registry.requests.clock import DEADLINES

Kind = SubjectRequest.Kind
LONGEST_DETAILS = 2000  # characters
NEEDS_DETAILS = {
    Kind.RECTIFICATION: _("Write what is wrong and what is right"),
    Kind.OTHER: _("Write your question"),
}
SAID: dict[Kind, tuple[Promise, Promise]] = {
    Kind.ACCESS: (
        _("Get a copy"),
        _("We make a file with everything we hold about you, and send a link to fetch it."),
    ),
    Kind.RECTIFICATION: (_("Correct"), _("We correct what is wrong. A new address is confirmed by a letter to it.")),
    Kind.BLOCKING: (_("Block"), _("We keep your data but do not use it, and send nothing but answers.")),
    Kind.UNBLOCKING: (_("Unblock"), _("We use your data again as you agreed before.")),
    Kind.ERASURE: (_("Destroy"), _("We destroy what no law obliges us to keep. This cannot be undone.")),
    Kind.WITHDRAWAL: (_("Withdraw consent"), _("All your consents end at once when you confirm.")),
    Kind.OBJECTION: (
        _("Object to automated processing"),
        _("A person looks at what was decided about you without people, and answers."),
    ),
    Kind.OTHER: (_("Ask something else"), _("We answer your question about your data.")),
}


class Option(NamedTuple):
    """One kind on the page: what it is called, what happens, by when."""

    kind: Kind
    name: Promise
    about: Promise
    term: str


class RequestForm(PublicForm):
    """Kind, contact, details; `contact` becomes the code of its category and what it is kept as."""

    kind = forms.ChoiceField(
        choices=[(kind.value, kind.value) for kind in SAID],
        error_messages={"required": _("Choose what you ask for"), "invalid_choice": _("Choose what you ask for")},
    )
    contact = forms.CharField(
        max_length=LONGEST,
        error_messages={
            "required": _("Enter an e-mail address, like name@example.kz"),
            "max_length": _("This is too long."),
        },
    )
    details = forms.CharField(required=False)

    def options(self) -> list[Option]:
        rows = Deadline.objects.in_bulk(set(DEADLINES.values()), field_name="code")
        return [Option(kind, *said, term_of(kind, rows[DEADLINES[kind]])) for kind, said in SAID.items()]

    @property
    def may_give_number(self) -> bool:
        return sms.is_available()

    @property
    def longest_details(self) -> int:
        return LONGEST_DETAILS

    def clean_kind(self) -> Kind:
        return Kind(self.cleaned_data["kind"])

    def clean_contact(self) -> tuple[str, Normalised]:
        """The code of its category, and its forms. A number will do where messages can be sent."""
        typed = self.cleaned_data["contact"]
        is_number = "@" not in typed and any(char.isdigit() for char in typed) and sms.is_available()
        kind = DataCategory.Kind.PHONE if is_number else DataCategory.Kind.EMAIL
        return kind.value, normalise(kind, typed)

    def clean_details(self) -> str:
        """A browser counts a new line as one character and sends two."""
        text: str = self.cleaned_data["details"].replace("\r\n", "\n")
        if len(text) > LONGEST_DETAILS:
            raise ValidationError(_("This is too long."))
        return text

    def clean(self) -> dict[str, Any]:
        missing = NEEDS_DETAILS.get(self.cleaned_data.get("kind", ""))
        if missing and not self.cleaned_data.get("details") and not self.has_error("details"):
            self.add_error("details", missing)
        return self.cleaned_data

    @property
    def name(self) -> Promise:
        """What is asked for, of a form without errors."""
        return SAID[self.cleaned_data["kind"]][0]

    @property
    def is_withdrawal(self) -> bool:
        return bool(self.cleaned_data["kind"] == Kind.WITHDRAWAL)

    def ask(self, language: str) -> SubjectRequest:
        """Opens the request of a form without errors. opening.TooMany: nothing was written."""
        category, contact = self.cleaned_data["contact"]
        return asking_requests.ask(
            category,
            contact.kept,
            self.cleaned_data["kind"],
            channel=SubjectRequest.Channel.PAGE,
            language=language,
            now=self.now,
            text=self.cleaned_data["details"],
        )


def term_of(kind: Kind, deadline: Deadline) -> str:
    """By when, in the active language; nothing of what happens at once."""
    if kind == Kind.WITHDRAWAL:
        return ""
    days = deadline.length
    if deadline.unit == Deadline.Unit.WORKING_DAYS:
        return ngettext("Answer: within %(days)d working day.", "Answer: within %(days)d working days.", days) % {
            "days": days
        }
    return ngettext("Answer: within %(days)d day.", "Answer: within %(days)d days.", days) % {"days": days}
