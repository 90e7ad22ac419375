"""What may be done with a request before it is answered.

Each act has a page of its own, which says what will happen and names the act on its button; the operations decide anew,
and record.

Answering lies in registry.admin.request_answer, showing a text in registry.admin.request_show.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from registry import tasks
from registry.admin.base import staff_member
from registry.admin.request_forms import ActForm, CheckForm, ExtendForm, JoinForm, KindForm, WithReason
from registry.admin.request_page import State, framed, handled, heading
from registry.models import CopyPackage, DataSubject, StaffMember, SubjectRequest
from registry.requests import copying, handling, verifying
from registry.requests.steps import HANDLE

Words = str | Promise
Kind = SubjectRequest.Kind
WAITING = SubjectRequest.WAITING
RECORDED = _("Done and recorded.")
JOINED = _("The same request of this person is in work already: this one was joined to it.")


@dataclass(frozen=True)
class Act:
    """`operation` gets the request, what the form says, and who and when; it answers what to say if not `done`.

    `states` and `is_possible` decide whether the act is worth offering.
    """

    label: Words
    title: Words
    told: tuple[Words, ...]
    button: Words
    operation: Callable[[SubjectRequest, dict[str, Any], dict[str, Any]], Words | None]
    states: tuple[State, ...] = WAITING
    form: type[ActForm] = ActForm
    done: Words = RECORDED
    is_possible: Callable[[SubjectRequest, StaffMember], bool] = field(default=lambda row, by: True)
    is_bad: bool = False


def _take(row: SubjectRequest, given: dict[str, Any], who: dict[str, Any]) -> None:
    handling.take(row, **who)


def _kind(row: SubjectRequest, given: dict[str, Any], who: dict[str, Any]) -> None:
    handling.correct_kind(row, Kind(given["kind"]), **who)


def _check(row: SubjectRequest, given: dict[str, Any], who: dict[str, Any]) -> Words | None:
    outcome = verifying.check(row, given["checks"], reason=given["reason"], **who)
    tasks.wake_mail()
    return JOINED if outcome == verifying.Outcome.JOINED else None


def _ask(row: SubjectRequest, given: dict[str, Any], who: dict[str, Any]) -> None:
    handling.ask(row, **who)
    tasks.wake_mail()


def _doubt(row: SubjectRequest, given: dict[str, Any], who: dict[str, Any]) -> None:
    verifying.doubt(row, reason=given["reason"], **who)
    tasks.wake_mail()


def _extend(row: SubjectRequest, given: dict[str, Any], who: dict[str, Any]) -> None:
    handling.extend(row, given["days"], reason=given["reason"], **who)


def _join(row: SubjectRequest, given: dict[str, Any], who: dict[str, Any]) -> None:
    handling.join(row, given["other"], **who)


def _spam(row: SubjectRequest, given: dict[str, Any], who: dict[str, Any]) -> None:
    handling.close_as_spam(row, reason=given["reason"], **who)


def _copy(row: SubjectRequest, given: dict[str, Any], who: dict[str, Any]) -> None:
    copying.ask(row, **who)
    tasks.wake_copies()


def _lacks_copy(row: SubjectRequest, by: StaffMember) -> bool:
    """A refused one gets none; what was fetched or is over may be built anew."""
    live = (CopyPackage.State.BUILDING, CopyPackage.State.READY)
    is_wanted = row.kind == Kind.ACCESS and row.outcome != SubjectRequest.Outcome.REFUSED
    return is_wanted and not row.packages.filter(state__in=live).exists()


ACTS: dict[str, Act] = {
    "take": Act(
        label=_("Take"),
        title=_("Take a request"),
        told=(_("From now on you answer for it: reminders come to you, and it stands among yours."),),
        button=_("Take this request"),
        operation=_take,
        done=_("It is yours now."),
        is_possible=lambda row, by: row.assignee_id != by.pk,
    ),
    "check": Act(
        label=_("Check identity"),
        title=_("Check who asks"),
        told=(
            _("Tick only what you have seen yourself; it is written into the life of the request."),
            _("The request is in work then, and the person gets its number and last day."),
            _("A withdrawal of consent is carried out at once."),
        ),
        button=_("This is the person"),
        operation=_check,
        states=(State.UNVERIFIED, State.PAUSED),
        form=CheckForm,
        is_possible=lambda row, by: row.subject.status != DataSubject.Status.PENDING,
    ),
    "ask": Act(
        label=_("Ask the person to confirm"),
        title=_("Ask the person to confirm"),
        told=(
            _("A letter with a link goes to the contact of the request, and to no other address."),
            _("Whoever presses its button is taken for the person. If this looks like a forgery, do not ask."),
        ),
        button=_("Send the question"),
        operation=_ask,
        states=(State.UNVERIFIED, State.PAUSED),
        done=_("The question is on its way."),
        is_possible=lambda row, by: row.contact_id is not None,
    ),
    "kind": Act(
        label=_("Correct the kind"),
        title=_("Correct the kind of a request"),
        told=(_("It gets the term of that kind, counted from the same receipt."),),
        button=_("Correct the kind"),
        operation=_kind,
        form=KindForm,
    ),
    "extend": Act(
        label=_("Extend the term"),
        title=_("Extend the term"),
        told=(
            _("The last day moves; the person sees the new one on the page of the request."),
            _("The reason is kept for ever and is shown to inspectors."),
        ),
        button=_("Extend the term"),
        operation=_extend,
        states=(State.UNVERIFIED, State.OPEN),
        form=ExtendForm,
        is_possible=lambda row, by: row.extra_days < handling.MOST_EXTRA,
    ),
    "doubt": Act(
        label=_("Pause: identity in doubt"),
        title=_("Pause: identity in doubt"),
        told=(
            _("The clock stands until it is clear who asks; nothing is carried out and nothing is told."),
            _("The question whether they asked goes to the contact of the request."),
        ),
        button=_("Pause the request"),
        operation=_doubt,
        states=(State.UNVERIFIED, State.OPEN),
        form=WithReason,
    ),
    "copy": Act(
        label=_("Build the copy"),
        title=_("Build the copy of the data"),
        told=(
            _("Everything held about this person is put into one file, sealed."),
            _("The person fetches it once, by the link in the answer; nobody on the staff can."),
        ),
        button=_("Build the copy"),
        operation=_copy,
        states=(State.OPEN, State.ANSWERED),
        done=_("The copy is being built. Look again in a minute."),
        is_possible=_lacks_copy,
    ),
    "join": Act(
        label=_("Join to another"),
        title=_("Join to another request"),
        told=(_("This request ends; the person is answered by the other one, within its term."),),
        button=_("Join this request"),
        operation=_join,
        form=JoinForm,
        is_possible=lambda row, by: handling.may_answer(row).exists(),
    ),
    "spam": Act(
        label=_("Close as spam"),
        title=_("Close as spam"),
        told=(
            _("The request ends without an answer, and nobody is written to."),
            _("Its text and scan are destroyed by the next purge."),
        ),
        button=_("Close as spam"),
        operation=_spam,
        form=WithReason,
        is_bad=True,
    ),
}


def offered(row: SubjectRequest, by: StaffMember) -> list[tuple[str, Act]]:
    """Names of the addresses of the acts that are worth offering."""
    if not by.has_perm(HANDLE):
        return []
    return [
        (f"request_{name}", act) for name, act in ACTS.items() if row.state in act.states and act.is_possible(row, by)
    ]


def act_view(request: HttpRequest, request_id: int, name: str) -> HttpResponse:
    """GET says what will happen; POST does it, and leads back to the request."""
    row, act = handled(request, request_id), ACTS[name]
    form = act.form(request.POST if request.method == "POST" else None, row=row)
    if request.method == "POST" and form.is_valid() and (said := _carried_out(act, row, form, request)):
        messages.success(request, str(said))
        return redirect("admin:registry_subjectrequest_change", row.pk)
    context = {"title": act.title, "form": form, "told": act.told, "button": act.button, "is_bad": act.is_bad}
    return framed(request, "request_act.html", heading(row, timezone.now()) | context)


def _carried_out(act: Act, row: SubjectRequest, form: ActForm, request: HttpRequest) -> Words | None:
    """What to say; None, with the error on the form, if the operation refused."""
    who = {"by": staff_member(request), "now": timezone.now()}
    try:
        return act.operation(row, form.cleaned_data, who) or act.done
    except ValidationError as error:
        form.add_error(None, error.messages)
        return None


VIEWS = {f"request_{name}": (f"<int:request_id>/{name}/", partial(act_view, name=name)) for name in ACTS}
