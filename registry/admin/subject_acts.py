"""What may be done about a person: block and unblock, place and release a hold.

Each act has a page of its own that says what will happen, asks for a reason, and names the act on its button. Showing a
value lies in registry.admin.reveal, erasing on demand in registry.admin.certificates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import blocking, holds, tasks
from registry.admin.base import refuse_unappointed, refuse_without, staff_member
from registry.admin.forms import ReasonForm, grounds_in_force
from registry.admin.subject_page import framed
from registry.deadlines import end_of_day
from registry.disclosure import masked
from registry.models import DataSubject, LegalGround, LegalHold, PersonalDatum


@dataclass(frozen=True)
class Turn:
    """Blocking or unblocking: what the page says, and the operation."""

    title: str | Promise
    told: tuple[str | Promise, ...]
    button: str | Promise
    done: str | Promise
    operation: Callable[..., bool]


BLOCK = Turn(
    gettext_lazy("Block a person"),
    (
        gettext_lazy("The data stay. They are used for nothing, and nothing is sent."),
        gettext_lazy("Nothing of this person is destroyed while they are blocked, not even what is due."),
        gettext_lazy("Consents stay as they are and count again when the block ends."),
    ),
    gettext_lazy("Block this person"),
    gettext_lazy("Blocked: the data stay and are used for nothing."),
    blocking.block,
)
UNBLOCK = Turn(
    gettext_lazy("Unblock a person"),
    (
        gettext_lazy("The data may be used again as far as the consents in force allow."),
        gettext_lazy("What became due while the person was blocked is destroyed by the next purge."),
    ),
    gettext_lazy("Unblock this person"),
    gettext_lazy("Unblocked: the consents in force count again."),
    blocking.unblock,
)


class Value(forms.ModelChoiceField):
    """One of a person's data, offered by its hint."""

    def label_from_instance(self, datum: Any) -> str:
        return f"{datum.category}: {masked([datum])[datum.pk]} ({datum})"


class HoldForm(ReasonForm):
    """On the whole person or on one value; without a last day it stands until it is released."""

    datum = Value(
        PersonalDatum.objects.none(),
        label=gettext_lazy("What is held"),
        required=False,
        empty_label=gettext_lazy("everything of this person"),
    )
    ground = forms.ModelChoiceField(LegalGround.objects.none(), label=gettext_lazy("Legal ground"))
    last_day = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Leave it empty if the end is not known."),
    )
    field_order = ["datum", "ground", "last_day", "reason"]

    def __init__(self, *args: Any, subject: DataSubject, now: datetime, **options: Any) -> None:
        super().__init__(*args, **options)
        data = subject.data.live().select_related("category", "key").order_by("category__kind", "pk")
        self.fields["datum"].queryset = data  # type: ignore[attr-defined]
        self.fields["ground"].queryset = grounds_in_force(timezone.localdate(now))  # type: ignore[attr-defined]

    def hold_on(self, subject: DataSubject) -> LegalHold:
        """The hold asked for, not saved."""
        given, last_day = self.cleaned_data, self.cleaned_data["last_day"]
        until = end_of_day(last_day, ZoneInfo(settings.TIME_ZONE)) if last_day else None
        return LegalHold(
            subject=subject, datum=given["datum"], ground=given["ground"], reason=given["reason"], until=until
        )


def turn_view(request: HttpRequest, subject_id: int, turn: Turn) -> HttpResponse:
    """GET says what blocking or unblocking means; POST does it."""
    refuse_unappointed(request)
    refuse_without(request, "registry.block_datasubject")
    subject = get_object_or_404(DataSubject, pk=subject_id)
    form = ReasonForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _page(request, subject, form, title=turn.title, button=turn.button, told=turn.told)
    reason = form.cleaned_data["reason"]
    if turn.operation(subject, by=staff_member(request), reason=reason, now=timezone.now()):
        messages.success(request, str(turn.done))
    else:
        messages.warning(request, _("Nothing was changed: the state of this person is another one meanwhile."))
    return _back(subject.pk)


def block_view(request: HttpRequest, subject_id: int) -> HttpResponse:
    return turn_view(request, subject_id, BLOCK)


def unblock_view(request: HttpRequest, subject_id: int) -> HttpResponse:
    return turn_view(request, subject_id, UNBLOCK)


def hold_view(request: HttpRequest, subject_id: int) -> HttpResponse:
    """Places a hold: on the whole person, or on one value chosen by its hint."""
    refuse_unappointed(request)
    refuse_without(request, "registry.place_legalhold")
    subject, now = get_object_or_404(DataSubject, pk=subject_id), timezone.now()
    form = HoldForm(request.POST or None, subject=subject, now=now)
    if request.method == "POST" and form.is_valid() and _place(form, subject, request, now):
        messages.success(request, _("The hold is placed: nothing it covers is destroyed."))
        return _back(subject.pk)
    told = (
        _("A hold keeps data that would be due: a law or an unfulfilled obligation forbids destroying them."),
        _("It allows no use: data that only a hold keeps are used for nothing."),
    )
    return _page(request, subject, form, title=_("Place a hold"), button=_("Place the hold"), told=told)


def _place(form: HoldForm, subject: DataSubject, request: HttpRequest, now: datetime) -> bool:
    try:
        holds.place(form.hold_on(subject), by=staff_member(request), now=now)
    except ValidationError as error:
        form.add_error("last_day" if "until" in error.message_dict else None, error.messages)
        return False
    return True


def release_view(request: HttpRequest, hold_id: int) -> HttpResponse:
    """Ends one hold. What it kept is due when nothing else keeps it."""
    refuse_unappointed(request)
    refuse_without(request, "registry.place_legalhold")
    hold = get_object_or_404(LegalHold.objects.select_related("subject", "ground"), pk=hold_id)
    form = ReasonForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        told = (
            f"{hold}: {hold.ground}. {hold.reason}",
            _("What only this hold keeps is destroyed by the next purge."),
        )
        return _page(request, hold.subject, form, title=_("Release a hold"), button=_("Release the hold"), told=told)
    reason, by = form.cleaned_data["reason"], staff_member(request)
    if holds.release(hold, by=by, reason=reason, now=timezone.now()):
        transaction.on_commit(tasks.wake_erasures)  # a demanded erasure may have waited for this
        messages.success(request, _("The hold is released."))
    else:
        messages.warning(request, _("This hold was released before."))
    return _back(hold.subject_id)


def _page(request: HttpRequest, subject: DataSubject, form: forms.Form, **words: Any) -> HttpResponse:
    """`words`: title, button, and what is told before the form."""
    return framed(request, "subject_act.html", {"subject": subject, "form": form} | words)


def _back(subject_id: int) -> HttpResponse:
    return redirect("admin:registry_datasubject_change", subject_id)
