"""Answering a request: the outcome, what its kind needs, the letter as the person will read it. One operation does it.

- The letter is the operator's template in the person's language, looked over by whoever sends it.
- What is carried out is what was shown: a kind corrected meanwhile, in another window, shows the page anew. So does
  what was so already, or has become so: then nothing is done, and the letter says it.
- Destroying asks for a fresh second factor, and says before what goes and what stays.
- Who has no contact gets the letter on paper: it is shown to be printed at once, for an erasure takes the text with it.
"""

import re
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import certifying, tasks
from registry.admin import request_words
from registry.admin.base import staff_member, step_up
from registry.admin.forms import grounds_in_force
from registry.admin.request_forms import ActForm
from registry.admin.request_page import Kind, Outcome, State, contact_of, contacts, framed, handled, heading
from registry.admin.request_show import letter_page
from registry.admin.subject_acts import Value
from registry.disclosure import masked
from registry.models import CopyPackage, LegalGround, PersonalDatum, StaffMember, SubjectRequest
from registry.requests import already, anew, answering, letters
from registry.requests.answering import Details
from registry.requests.steps import HANDLE, check_may

LONGEST = 20_000  # characters of an answer
LEFT_OPEN = re.compile(r"\[[^\[\]]+\]")
RIGHTS = {  # what a kind needs beside the right to handle requests
    Kind.ERASURE: "registry.demand_erasure",
    Kind.RECTIFICATION: "registry.rectify_personaldatum",
    Kind.BLOCKING: "registry.block_datasubject",
    Kind.UNBLOCKING: "registry.block_datasubject",
}
DONE = (Outcome.GRANTED, Outcome.PARTLY)
FIELD_OF = {  # by the code of the operation's refusal
    "text": "text",
    "ground": "ground",
    "datum": "datum",
    "same": "value",
    "email": "value",
    "phone": "value",
    "too_long": "value",
    "invisible": "value",
}


class AnswerForm(ActForm):
    """The letter, and what this kind needs to be carried out or refused. `kind`: what the page was shown for."""

    kind = forms.CharField(widget=forms.HiddenInput)
    was_so = forms.CharField(widget=forms.HiddenInput, required=False)
    datum = Value(
        PersonalDatum.objects.none(),
        label=gettext_lazy("What is corrected"),
        empty_label=None,
        widget=forms.RadioSelect,
    )
    value = forms.CharField(
        label=gettext_lazy("The right value"),
        max_length=320,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off", "spellcheck": "false"}),
    )
    ground = forms.ModelChoiceField(LegalGround.objects.none(), label=gettext_lazy("Legal ground"))
    is_remembered = forms.BooleanField(
        label=gettext_lazy("Must not be contacted again"),
        required=False,
        help_text=gettext_lazy(
            "Remembers the addresses under a key of their own, so that nobody writes to them by mistake."
        ),
    )
    text = forms.CharField(
        label=gettext_lazy("The letter"),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"class": "vTextField", "rows": 14}),
        help_text=gettext_lazy("As the person will read it. Change what does not fit."),
    )

    def __init__(self, *args: Any, outcome: Outcome, now: datetime, is_so_already: str = "", **options: Any) -> None:
        self.outcome, self.now, self.is_so_already = outcome, now, is_so_already
        super().__init__(*args, **options)

    def prepare(self) -> None:
        needed = () if self.is_so_already else _needed(self.row.kind, self.outcome)
        wanted = {"kind", "was_so", "text", *needed}
        for name in self.fields.keys() - wanted:
            del self.fields[name]
        self.fields["kind"].initial, self.fields["was_so"].initial = self.row.kind, self.is_so_already
        self.fields["text"].initial = letters.draft(self.row, self.outcome)
        self.fields["text"].widget.attrs["lang"] = self.row.language
        if "datum" in wanted:
            correctable = contacts(self.row.subject).exclude(standing=PersonalDatum.Standing.CLAIMED)
            self.fields["datum"].queryset = correctable  # type: ignore[attr-defined]
        if "ground" in wanted:
            day = timezone.localdate(self.now)
            self.fields["ground"].queryset = grounds_in_force(day)  # type: ignore[attr-defined]

    def clean_kind(self) -> str:
        if self.cleaned_data["kind"] != self.row.kind:
            raise ValidationError(_("The kind of this request was corrected meanwhile: look at the page anew."))
        return self.row.kind

    def clean_was_so(self) -> str:
        if self.cleaned_data["was_so"] != self.is_so_already:
            raise ValidationError(_("The state of this person is another one meanwhile: look at the page anew."))
        return self.is_so_already

    def clean_text(self) -> str:
        """The templates leave what only a person knows in square brackets."""
        text: str = self.cleaned_data["text"]
        if LEFT_OPEN.search(text):
            raise ValidationError(_("Something in square brackets is not filled in yet."))
        return text

    def answer(self, by: StaffMember) -> bool:
        """False, with the errors on the form, if anything is refused; then nothing happened."""
        given = self.cleaned_data
        details = Details(
            ground=given.get("ground"),
            is_remembered=given.get("is_remembered", False),
            datum=given.get("datum"),
            value=given.get("value", ""),
            is_so_already=bool(self.is_so_already),
        )
        try:
            self.row = answering.answer(self.row, self.outcome, given["text"], by=by, now=self.now, details=details)
        except ValidationError as error:
            name = FIELD_OF.get(getattr(error, "code", None) or "")
            self.add_error(name if name in self.fields else None, error.messages)
            return False
        return True


def _needed(kind: str, outcome: Outcome) -> tuple[str, ...]:
    if outcome == Outcome.REFUSED:
        return ("ground",)
    return {Kind.ERASURE: ("ground", "is_remembered"), Kind.RECTIFICATION: ("datum", "value")}.get(Kind(kind), ())


def outcomes(row: SubjectRequest, by: StaffMember) -> list[Outcome]:
    """What this person may answer now: a refusal always, anything else to whoever is known to ask."""
    if row.state not in SubjectRequest.WAITING or not by.has_perm(HANDLE):
        return []
    may_do = row.state == State.OPEN and by.has_perm(RIGHTS.get(Kind(row.kind), HANDLE)) and not anew.is_asked(row)
    return [*(DONE if may_do else ()), Outcome.REFUSED]


def answer_view(request: HttpRequest, request_id: int) -> HttpResponse:
    """GET shows the draft for the outcome in the address (`?outcome=refused`); POST answers with that outcome."""
    row, by, now = handled(request, request_id), staff_member(request), timezone.now()
    outcome = _asked_for(request, row, by)
    was_so = already.why(row) if outcome == Outcome.GRANTED else ""
    if outcome in DONE:
        check_may(by, row, now=now, permission=RIGHTS.get(Kind(row.kind), HANDLE))
        if row.kind == Kind.ERASURE and not was_so and (way := step_up(request)):
            return way
    if outcome is None:
        messages.warning(request, _("This request is finished: it cannot be answered any more."))
        return redirect("admin:registry_subjectrequest_change", row.pk)
    given = request.POST if request.method == "POST" else None
    form = AnswerForm(given, row=row, outcome=outcome, now=now, is_so_already=was_so)
    has_contact = bool(contact_of(row))
    if request.method != "POST" or not form.is_valid() or not form.answer(by):
        return _page(request, row, form, outcome, now)
    return _answered(request, form.row, form, has_contact=has_contact)


def _asked_for(request: HttpRequest, row: SubjectRequest, by: StaffMember) -> Outcome | None:
    """The outcome in the address; of a finished request none; without one, the first that is possible."""
    possible = outcomes(row, by)
    asked = request.GET.get("outcome", "")
    if not possible:
        return None
    return Outcome(asked) if asked in Outcome.values else possible[0]


def _answered(request: HttpRequest, row: SubjectRequest, form: AnswerForm, *, has_contact: bool) -> HttpResponse:
    tasks.wake_mail()
    if row.kind == Kind.ERASURE:
        tasks.wake_erasures()
    if not has_contact:
        return letter_page(request, row, form.cleaned_data["text"], form.now)
    messages.success(request, _("Answered: the letter is on its way."))
    return redirect("admin:registry_subjectrequest_change", row.pk)


def _page(request: HttpRequest, row: SubjectRequest, form: AnswerForm, outcome: Outcome, now: datetime) -> HttpResponse:
    is_done, was_so = outcome in DONE, form.is_so_already
    context = heading(row, now) | {
        "title": _("Answer request %(number)s") % {"number": row.number},
        "form": form,
        "outcome": outcome,
        "outcomes": outcomes(row, staff_member(request)),
        "button": request_words.button(row, is_done=is_done, was_so=was_so),
        "is_bad": is_done and row.kind == Kind.ERASURE and not was_so,
        "told": request_words.told(row, is_done=is_done, was_so=was_so),
        "lacks_copy": is_done and row.kind == Kind.ACCESS and not was_so and not _has_copy(row),
        "lacks_right": row.state == State.OPEN and Outcome.GRANTED not in outcomes(row, staff_member(request)),
    }
    if is_done and row.kind == Kind.ERASURE and not was_so:
        context |= _foresight(row, now)
    return framed(request, "request_answer.html", context)


def _has_copy(row: SubjectRequest) -> bool:
    return row.packages.filter(state=CopyPackage.State.READY).exists()


def _foresight(row: SubjectRequest, now: datetime) -> dict[str, Any]:
    foresight = certifying.foresee(row.subject, now=now)
    hints = masked([*foresight.goes, *(staying.datum for staying in foresight.stays)])
    return {
        "goes": [(datum, hints[datum.pk]) for datum in foresight.goes],
        "stays": [(staying, hints[staying.datum.pk]) for staying in foresight.stays],
    }
