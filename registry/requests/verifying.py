"""Who asks? Nothing is done and nothing is told before that is clear.

Dangerous because an answer to the wrong person is a disclosure, and an erasure for the wrong one a loss. The rules:

- By link: whoever opens the mailbox on record and presses the button is the person. The question goes to the address on
  record, never to the one a message says to answer to.
- At the desk: a checklist, ticked by a member of the staff with the right and an appointment in force.
- In doubt: the clock is paused, with a reason, and the contact of the request is not used any more: links made before
  are dead. Only the checklist settles it, or a link to another confirmed contact of the person (requests.contacts).
- What is confirmed is what was shown: a kind corrected meanwhile is shown anew. One corrected afterwards to a kind that
  ends something is confirmed once more (registry.requests.anew).
- Confirming locks people first, then the request. What was claimed turns out to be somebody's: request, text and scan
  go over to them, sealed anew. The same request of theirs in work: this one is joined to it.
- A withdrawal needs nobody on the staff: it is carried out in the very transaction that confirms it.

Called by: consent.views (confirm, disown), the console (check, doubt), registry.tasks (lapse).
Sources: Law 94-V art. 24; policy clauses 12, 19.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import Enum

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import calendar
from registry.models import DataSubject, RequestStep, StaffMember, SubjectRequest
from registry.normalise import check_given, check_reason
from registry.processing import lock_subjects
from registry.registration import confirm_identity
from registry.requests import anew, answering, clock, opening, papers
from registry.requests.steps import State, Step, check_may, locked, note, with_person

Kind = SubjectRequest.Kind
Channel = SubjectRequest.Channel
Identity = SubjectRequest.Identity
LAPSES_AFTER = {Channel.PAGE: timedelta(days=7), Channel.MAIL: timedelta(days=30), Channel.DESK: timedelta(days=30)}
ENTERED_AT = Subquery(RequestStep.objects.filter(request=OuterRef("pk"), step=Step.RECEIVED).values("at")[:1])
AT_ONCE = (Kind.WITHDRAWAL,)
CHECKS = {
    "document": gettext_lazy("An identity document was shown, and it is theirs"),
    "contact": gettext_lazy("They name the contact on record by themselves"),
    "representative": gettext_lazy("A representative showed their authority"),
}
ENOUGH = ({"document"}, {"contact", "representative"})


class Outcome(Enum):
    """What became of a link."""

    OPEN = "open"  # not pressed yet
    DONE = "done"
    JOINED = "joined"
    FINISHED = "finished"  # the request is over: answered, lapsed, closed
    DISOWNED = "disowned"
    GONE = "gone"
    DOUBTED = "doubted"  # the link is older than a doubt


def state_of(request: SubjectRequest) -> Outcome:
    """What the page behind the link of the question shows now."""
    if request.state in {State.UNVERIFIED, State.PAUSED} or anew.is_asked(request):
        return Outcome.OPEN
    known = {State.OPEN: Outcome.DONE, State.JOINED: Outcome.JOINED, State.DISOWNED: Outcome.DISOWNED}
    return known.get(State(request.state), Outcome.FINISHED)


def outcome_of(request: SubjectRequest, doubts: int) -> Outcome:
    """What whoever holds a link made after so many doubts is told: nothing, once there was another one."""
    return state_of(request) if doubts == len(request.doubted) else Outcome.DOUBTED


def confirm(request_id: int, *, now: datetime, kind: str = "", doubts: int = 0) -> Outcome:
    """The button behind the link: this is the person. Again changes nothing the second time.

    `kind`: what the page showed; if the request is of another kind by now nothing is confirmed. `doubts`: how many
    there were when the link was made.
    """
    with transaction.atomic():
        asked = SubjectRequest.objects.select_related("subject").get(pk=request_id)
        if outcome_of(asked, doubts) != Outcome.OPEN:
            return outcome_of(asked, doubts)
        person = confirm_identity(asked.subject, now=now, agrees=False)
        if person is None:
            return Outcome.GONE
        lock_subjects({asked.subject_id, person.pk})
        request = SubjectRequest.objects.taken(request_id)
        outcome = outcome_of(request, doubts)
        if outcome != Outcome.OPEN or kind not in {"", request.kind}:
            transaction.set_rollback(True)  # from here on the database may be asked nothing
            return outcome
        claimant = request.subject
        papers.hand_over_all(request, person, now=now)
        outcome = _identified(request, Identity.LINK, now=now, by=None, reason="")
        if claimant != person:
            papers.hand_over_elsewhere(request, now=now)
            papers.let_go(claimant, now=now)
    return outcome


def _identified(
    request: SubjectRequest, identity: Identity, *, now: datetime, by: StaffMember | None, reason: str
) -> Outcome:
    """The person is known: in work, joined to the same one, or carried out at once. Everybody is locked."""
    was_paused = request.state == State.PAUSED
    request.identity, request.verified_at = identity, now
    same = _same_in_work(request)
    request.state = State.JOINED if same else State.OPEN
    request.joined_to = same
    if not same:
        clock.count(request, calendar.current(), now)
    request.save()
    if was_paused:
        note(request, Step.RESUMED, now=now, by=by, reason=reason)
    note(request, Step.CONFIRMED, now=now, by=by, reason=reason)
    if same:
        note(request, Step.JOINED, now=now, by=by, reason=same.number)
        return Outcome.JOINED
    if request.kind in AT_ONCE:
        answering.carry_out_at_once(request, now=now)
    else:
        opening.tell_opened(request, now=now)
    return Outcome.DONE


def _same_in_work(request: SubjectRequest) -> SubjectRequest | None:
    if request.kind == Kind.OTHER:
        return None
    others = SubjectRequest.objects.in_work().filter(subject=request.subject, kind=request.kind)
    return others.exclude(pk=request.pk).order_by("pk").first()


def disown(request_id: int, *, now: datetime, doubts: int = 0) -> Outcome:
    """ "I did not ask for this": the request is over, its texts go with the next purge. One that was confirmed as
    another kind is that kind again, and goes on."""
    with transaction.atomic():
        request = with_person(request_id)
        if outcome_of(request, doubts) != Outcome.OPEN:
            return outcome_of(request, doubts)
        if anew.is_asked(request):
            return _as_confirmed(request, now)
        close(request, State.DISOWNED, Step.DISOWNED, now=now)
    return Outcome.DISOWNED


def _as_confirmed(request: SubjectRequest, now: datetime) -> Outcome:
    """The kind it had when it was confirmed; if another of that kind is in work meanwhile, joined to that."""
    before, request.kind = request.kind, anew.confirmed_as(request)
    same = _same_in_work(request)
    request.state, request.joined_to = State.JOINED if same else State.OPEN, same
    clock.start(request, now)
    request.save()
    note(request, Step.KIND, now=now, reason=anew.corrected(before, request.kind))
    if same:
        note(request, Step.JOINED, now=now, reason=same.number)
    return Outcome.JOINED if same else Outcome.DONE


def close(
    request: SubjectRequest,
    state: State,
    step: Step,
    *,
    now: datetime,
    by: StaffMember | None = None,
    reason: str = "",
) -> None:
    """Ends a request that is answered by nobody. The person and the row are locked by the caller."""
    request.state = state
    request.save()
    note(request, step, now=now, by=by, reason=reason)
    papers.drop(request.subject, [request.text_id, request.scan_id], now=now)
    papers.let_go(request.subject, now=now)


def check(
    request: SubjectRequest, checks: Collection[str], *, by: StaffMember, now: datetime, reason: str = ""
) -> Outcome:
    """The staff has seen who asks: `checks` are codes of CHECKS. ValidationError (not enough, not waiting for it)."""
    check_may(by, request, now=now)
    check_reason(reason)
    if not any(enough <= set(checks) for enough in ENOUGH):
        raise ValidationError(_("This is not enough to know who asks."), code="checks")
    with transaction.atomic():
        row = locked(request)
        check_is_asked(row)
        if row.subject.status == DataSubject.Status.PENDING:
            raise ValidationError(_("Nothing is held about whoever this is: there is no record to compare with."))
        told = " ".join([*sorted(checks), reason.strip()]).strip()
        return _identified(row, Identity.CHECKLIST, now=now, by=by, reason=told)


def check_is_asked(request: SubjectRequest) -> None:
    """ValidationError if this locked request waits for nobody's confirmation (any more)."""
    if state_of(request) != Outcome.OPEN:
        raise ValidationError(_("Somebody was faster: this request is in another state now."), code="state")


def doubt(request: SubjectRequest, *, by: StaffMember, reason: str, now: datetime) -> None:
    """Pauses the clock because it is not clear who asks: nothing goes to the contact of the request any more.

    PermissionDenied; ValidationError, also while nobody knows yet whose request it is.
    """
    check_may(by, request, now=now)
    check_given(reason)
    with transaction.atomic():
        row = locked(request, State.UNVERIFIED, State.OPEN)
        if row.subject.status == DataSubject.Status.PENDING:
            raise ValidationError(_("Nobody has confirmed this address yet: there is no person to be in doubt about."))
        if _same_in_work(row) is not None:
            raise ValidationError(_("This person has a request of that kind in work already: join this one to it."))
        row.state, row.identity, row.verified_at = State.PAUSED, Identity.NONE, None
        row.doubted, row.contact_id = [*row.doubted, row.contact_id or 0], None
        clock.count(row, calendar.current(), now)
        row.save()
        note(row, Step.DOUBTED, now=now, by=by, reason=reason.strip())


def lapse(now: datetime) -> int:
    """Ends the requests nobody confirmed in time; how many."""
    late = Q()
    for channel, term in LAPSES_AFTER.items():
        late |= Q(channel=channel, entered_at__lte=now - term)
    waiting = SubjectRequest.objects.filter(state=State.UNVERIFIED).alias(entered_at=ENTERED_AT)
    numbers = waiting.filter(late).order_by("pk").values_list("pk", flat=True)
    return sum(_lapse(pk, now) for pk in list(numbers))


def waits_until(request: SubjectRequest) -> datetime:
    """When a request that nobody confirms lapses. It may have been received long before it was entered here."""
    entered_at = request.steps.filter(step=Step.RECEIVED).values_list("at", flat=True).first() or request.received_at
    return entered_at + LAPSES_AFTER[Channel(request.channel)]


@transaction.atomic
def _lapse(request_id: int, now: datetime) -> bool:
    row = with_person(request_id)
    if row.state != State.UNVERIFIED:
        return False
    close(row, State.LAPSED, Step.LAPSED, now=now)
    return True
