"""The desk: a request that came on paper, by telephone or in person is entered here.

The person is found first, exactly and recorded (registry.searching), or is somebody the registry does not know yet:
then their contact is a claim until a letter or a code is answered. What was typed goes into no address and onto no
page.
"""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import searching, tasks
from registry.admin.base import refuse_unappointed, staff_member
from registry.admin.finding import lines_of
from registry.admin.request_forms import ChecklistForm
from registry.admin.request_page import Kind, contacts, framed
from registry.admin.subject_acts import Value
from registry.models import DataCategory, DataSubject, PersonalDatum, StaffMember, SubjectRequest
from registry.registration import accept, index_of, register
from registry.requests import opening, papers, verifying
from registry.requests.steps import check_may

LOCAL = "%Y-%m-%dT%H:%M"  # what `<input type="datetime-local">` shows and sends
OLDEST = timedelta(days=366)  # earlier is a slip of the pen
LONGEST = 5_000  # characters of a text


class RequestForm(ChecklistForm):
    """What was asked, when, in which language. `now` is the moment the page is looked at."""

    kind = forms.ChoiceField(label=gettext_lazy("What is asked for"), choices=Kind.choices, widget=forms.RadioSelect)
    received_at = forms.DateTimeField(
        label=gettext_lazy("Received at"),
        input_formats=[LOCAL, f"{LOCAL}:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "vTextField"}, format=LOCAL),
        help_text=gettext_lazy("The term is counted from the day after. Write when it first came to you."),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language of the answer"), choices=settings.LANGUAGES, widget=forms.RadioSelect
    )
    text = forms.CharField(
        label=gettext_lazy("What the person wrote or said"),
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"class": "vTextField", "rows": 6}),
        help_text=gettext_lazy("It is kept under seal, like every value."),
    )
    scan = forms.FileField(
        label=gettext_lazy("Scan of the paper"),
        required=False,
        help_text=gettext_lazy("PDF, PNG or JPEG, at most 2 MB. The name of the file is not kept."),
        widget=forms.FileInput(attrs={"accept": ".pdf,.png,.jpg,.jpeg"}),
    )

    def __init__(self, *args: Any, now: datetime, **options: Any) -> None:
        super().__init__(*args, **options)
        self.now = now
        minute = timezone.localtime(now).replace(second=0, microsecond=0)
        self.fields["received_at"].initial = minute
        self.fields["received_at"].widget.attrs["max"] = minute.strftime(LOCAL)
        self.fields["checks"].required = False

    def clean_received_at(self) -> datetime:
        at: datetime = self.cleaned_data["received_at"]
        if at > self.now:
            raise ValidationError(_("This moment is still to come."))
        if at < self.now - OLDEST:
            raise ValidationError(_("This is more than a year ago: look at the date again."))
        return at

    def enter(self, person: DataSubject, contact_id: int | None, by: StaffMember) -> SubjectRequest:
        """Opens the request; with the checklist ticked it is in work at once. ValidationError: nothing happened."""
        given = self.cleaned_data
        scan = given["scan"]
        row = opening.receive(
            person,
            Kind(given["kind"]),
            channel=SubjectRequest.Channel.DESK,
            language=given["language"],
            now=self.now,
            received_at=given["received_at"],
            contact_id=contact_id,
            text=given["text"].strip(),
            scan=scan.read() if scan else None,
            by=by,
        )
        if checks := given.get("checks"):
            verifying.check(row, checks, by=by, now=self.now)
        return row


class KnownForm(RequestForm):
    """For a person the registry has: where the answer goes is one of their contacts, or paper."""

    contact = Value(
        PersonalDatum.objects.none(),
        label=gettext_lazy("Where the answer goes"),
        required=False,
        empty_label=gettext_lazy("nowhere: the letter is printed"),
    )
    field_order = ["kind", "received_at", "language", "contact", "text", "scan", "checks"]

    def __init__(self, *args: Any, person: DataSubject, **options: Any) -> None:
        super().__init__(*args, **options)
        self.person = person
        reachable = contacts(person)
        self.fields["contact"].queryset = reachable  # type: ignore[attr-defined]
        self.fields["contact"].initial = reachable.first()
        self.fields["language"].initial = person.language
        if person.status == DataSubject.Status.PENDING:
            del self.fields["checks"]  # nothing is confirmed that they could be compared with

    def save(self, by: StaffMember) -> SubjectRequest:
        contact = self.cleaned_data["contact"]
        with transaction.atomic():
            return self.enter(self.person, contact.pk if contact else None, by)


class NewForm(RequestForm):
    """For somebody the registry does not know: the contact they name, which nobody has confirmed."""

    contact = forms.CharField(
        label=gettext_lazy("E-mail address or phone number"),
        max_length=320,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("As the person named it. Nothing is done before it is confirmed."),
    )
    field_order = ["contact", "kind", "received_at", "language", "text", "scan"]

    def __init__(self, *args: Any, language: str, **options: Any) -> None:
        super().__init__(*args, **options)
        del self.fields["checks"]  # there is no record to compare with
        self.fields["language"].initial = language

    def save(self, by: StaffMember) -> SubjectRequest:
        """ValidationError too if somebody has confirmed this contact: the request is theirs then."""
        typed = self.cleaned_data["contact"]
        kind = DataCategory.Kind.EMAIL if "@" in typed else DataCategory.Kind.PHONE
        code = papers.purpose().categories.filter(kind=kind).order_by("pk").values_list("code", flat=True).first()
        if code is None:
            raise ValidationError(_("Answering needs no such contact: ask for another one."), code="contact")
        accepted = accept({code: typed}, [papers.purpose()])
        ((category, value),) = accepted.items()
        self._refuse_known(typed, index_of(category, value), by)
        with transaction.atomic():
            source = PersonalDatum.Source.OPERATOR
            language = self.cleaned_data["language"]
            claimant = register(accepted, claim=code, language=language, now=self.now, source=source, by=by)
            claim = claimant.data.live().get(standing=PersonalDatum.Standing.CLAIMED)
            return self.enter(claimant, claim.pk, by)

    def _refuse_known(self, typed: str, index: bytes, by: StaffMember) -> None:
        """Only by a contact they have confirmed: a number that somebody wrote beside an address may be a relative's."""
        searching.find(typed, by=by, now=self.now)  # recorded, and refused to whoever may not
        if PersonalDatum.objects.identifying(index).exists():
            told = _("Somebody in the registry has this contact: find them, and enter the request for them.")
            raise ValidationError(told, code="known")


def enter_view(request: HttpRequest) -> HttpResponse:
    """GET asks who it is; POST looks for them and leads to the form of the one found."""
    by, now = _clerk(request)
    if request.method != "POST":
        return _search_page(request)
    try:
        found = searching.find(request.POST.get("term", ""), by=by, now=now)
    except ValidationError as error:
        return _search_page(request, problem=" ".join(error.messages))
    if len(found.people) == 1:
        return redirect("admin:request_enter_for", found.people[0].pk)
    return _search_page(request, found=found, lines=lines_of(found))


def enter_for_view(request: HttpRequest, subject_id: int) -> HttpResponse:
    """The form for a person the registry has."""
    _by, now = _clerk(request)
    person = get_object_or_404(DataSubject.objects.exclude(status=DataSubject.Status.ERASED), pk=subject_id)
    form = KnownForm(*_given(request), person=person, now=now)
    return _entered(request, form) or _form_page(request, form, person=person)


def enter_new_view(request: HttpRequest) -> HttpResponse:
    """The form for somebody the registry does not know."""
    _by, now = _clerk(request)
    form = NewForm(*_given(request), language=settings.LANGUAGE_CODE, now=now)
    return _entered(request, form) or _form_page(request, form)


def _clerk(request: HttpRequest) -> tuple[StaffMember, datetime]:
    """Who enters, and when. Everybody who may not is refused, and that is recorded."""
    refuse_unappointed(request)
    by, now = staff_member(request), timezone.now()
    check_may(by, None, now=now)
    return by, now


def _given(request: HttpRequest) -> tuple[Any, ...]:
    return (request.POST, request.FILES) if request.method == "POST" else ()


def _entered(request: HttpRequest, form: KnownForm | NewForm) -> HttpResponse | None:
    """To the request; None, with the errors on the form, if anything is refused."""
    if request.method != "POST" or not form.is_valid():
        return None
    try:
        row = form.save(staff_member(request))
    except ValidationError as error:
        _show(error, form)
        return None
    tasks.wake_mail()
    messages.success(request, _("Entered: request %(number)s") % {"number": row.number})
    return redirect("admin:registry_subjectrequest_change", row.pk)


def _show(error: ValidationError, form: KnownForm | NewForm) -> None:
    code = getattr(error, "code", None) or ("contact" if hasattr(error, "error_dict") else "")
    name = {"scan": "scan", "checks": "checks", "contact": "contact", "known": "contact"}.get(code)
    form.add_error(name if name in form.fields else None, error.messages)


def _search_page(request: HttpRequest, **context: Any) -> HttpResponse:
    return framed(request, "request_enter.html", {"title": _("Enter a request"), **context})


def _form_page(request: HttpRequest, form: RequestForm, person: DataSubject | None = None) -> HttpResponse:
    title = _("Enter a request: %(person)s") % {"person": person.reference if person else _("somebody new")}
    return framed(request, "request_desk.html", {"title": title, "form": form, "person": person})
