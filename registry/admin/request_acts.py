"""What may be done with a request before it is answered.

Each act has a page of its own, which says what will happen and names the act on its button; the operations decide anew,
and record.

What is called and when it is offered: registry.admin.request_moves. Answering lies in registry.admin.request_answer,
showing a text in registry.admin.request_show, handing a copy over in registry.admin.request_copy.
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

from registry.admin import request_moves as moves
from registry.admin.base import staff_member
from registry.admin.request_forms import ActForm, CheckForm, ContactForm, ExtendForm, JoinForm, KindForm, WithReason
from registry.admin.request_page import State, framed, handled, heading
from registry.models import StaffMember, SubjectRequest
from registry.requests import contacts, handling
from registry.requests.steps import HANDLE

Words = str | Promise
WAITING = SubjectRequest.WAITING
RECORDED = _("Done and recorded.")


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


ACTS: dict[str, Act] = {
    "take": Act(
        label=_("Take"),
        title=_("Take a request"),
        told=(_("From now on you answer for it: reminders come to you, and it stands among yours."),),
        button=_("Take this request"),
        operation=moves.take,
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
        operation=moves.check,
        form=CheckForm,
        is_possible=lambda row, by: moves.is_asked(row) and moves.is_known(row, by),
    ),
    "ask": Act(
        label=_("Ask the person to confirm"),
        title=_("Ask the person to confirm"),
        told=(
            _("A letter with a link goes to the contact of the request, and to no other address."),
            _("Whoever presses its button is taken for the person. If this looks like a forgery, do not ask."),
        ),
        button=_("Send the question"),
        operation=moves.ask,
        done=_("The question is on its way."),
        is_possible=lambda row, by: row.contact_id is not None and moves.is_asked(row),
    ),
    "kind": Act(
        label=_("Correct the kind"),
        title=_("Correct the kind of a request"),
        told=(
            _("It gets the term of that kind, counted from the same receipt."),
            _(
                "Destruction, withdrawal, blocking and unblocking of what the person confirmed as something else wait "
                "until they confirm this too: the question goes to the contact of the request, and the clock goes on."
            ),
        ),
        button=_("Correct the kind"),
        operation=moves.kind,
        form=KindForm,
    ),
    "extend": Act(
        label=_("Extend the term"),
        title=_("Extend the term"),
        told=(
            _("The last day moves. A person who is known gets a letter with the new day, the ground and the reason."),
            _("The reason is kept for ever and is shown to inspectors."),
        ),
        button=_("Extend the term"),
        operation=moves.extend,
        states=(State.UNVERIFIED, State.OPEN),
        form=ExtendForm,
        is_possible=moves.may_extend,
    ),
    "doubt": Act(
        label=_("Pause: identity in doubt"),
        title=_("Pause: identity in doubt"),
        told=(
            _("The clock stands until it is clear who asks; nothing is carried out and nothing is told."),
            _("Nothing goes to the contact of the request any more, and links sent there stop working."),
            _("It goes on when you have checked who asks, or when another confirmed contact of theirs has answered."),
        ),
        button=_("Pause the request"),
        operation=moves.doubt,
        states=(State.UNVERIFIED, State.OPEN),
        form=WithReason,
        is_possible=moves.is_known,
    ),
    "contact": Act(
        label=_("Choose another contact"),
        title=_("Choose where letters go"),
        told=(
            _("From now on letters about this request go there and nowhere else."),
            _("While it is not known who asks, the question whether they asked goes there at once."),
        ),
        button=_("Use this contact"),
        operation=moves.contact,
        form=ContactForm,
        is_possible=lambda row, by: contacts.choices(row).exists(),
    ),
    "copy": Act(
        label=_("Build the copy"),
        title=_("Build the copy of the data"),
        told=(
            _("Everything held about this person is put into one file, sealed."),
            _("The person fetches it once, by the link in the answer; who has no contact gets it at the desk."),
        ),
        button=_("Build the copy"),
        operation=moves.copy,
        states=(State.OPEN, State.ANSWERED),
        done=_("The copy is being built. Look again in a minute."),
        is_possible=moves.lacks_copy,
    ),
    "join": Act(
        label=_("Join to another"),
        title=_("Join to another request"),
        told=(
            _("This request ends; the person is answered by the other one, within its term."),
            _("Only a request for the same thing will do; another question may be joined to any."),
        ),
        button=_("Join this request"),
        operation=moves.join,
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
        operation=moves.spam,
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
