"""The answer: what was asked is carried out or refused, and the letter goes, in one transaction.

Dangerous because it blocks, corrects and destroys. The rules:

- Carried out is only what a person known by then has asked: an open request, of the kind they confirmed
  (registry.requests.anew). Refusing is possible before that, too.
- Each kind has one way of being carried out (`carried_out_by`). If that fails, nothing happened and nothing is sent.
- What is so already is granted, and nothing is done (registry.requests.already).
- A refusal names a ground of the catalogue and has a text. In doubt who asks, it is judged by the pause as it is then.
- The letter goes to the contact of the request and to nobody else. An erasure keeps that contact and the text until the
  letter is gone, and not longer (registry.demands).

Called by: the console; registry.requests.verifying (what needs nobody on the staff).
Sources: Law 94-V art. 8(2), 25(2)(8); policy clauses 12, 19.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import blocking, certifying, demands, spared
from registry.models import CopyPackage, LegalGround, PersonalDatum, StaffMember, SubjectRequest
from registry.requests import already, anew, clock, letters, papers, rectifying
from registry.requests.steps import State, Step, check_may, locked, note

LETTER = "request_answer"
Kind = SubjectRequest.Kind
Outcome = SubjectRequest.Outcome


@dataclass(frozen=True, repr=False)
class Details:
    """What a kind needs to be carried out: the datum and its right value; whether an erased person is remembered.

    `ground`: of an erasure or of a refusal. `is_so_already`: whoever answers was shown that nothing is left to do.
    """

    ground: LegalGround | None = None
    is_remembered: bool = False
    datum: PersonalDatum | None = None
    value: str = ""
    is_so_already: bool = False


NOTHING = Details()
Doer = Callable[[SubjectRequest, StaffMember | None, Details, datetime], None]
doers: dict[str, Doer] = {}


def carried_out_by(kind: Kind) -> Callable[[Doer], Doer]:
    """Says how requests of this kind are carried out. It raises ValidationError, and then nothing happens."""

    def remember(doer: Doer) -> Doer:
        doers[kind] = doer
        return doer

    return remember


def answer(
    request: SubjectRequest,
    outcome: Outcome,
    text: str,
    *,
    by: StaffMember,
    now: datetime,
    details: Details = NOTHING,
) -> SubjectRequest:
    """Carries out or refuses, and queues the letter. PermissionDenied, ValidationError: then nothing happened."""
    check_may(by, request, now=now)
    with transaction.atomic():
        is_refusal = outcome == Outcome.REFUSED
        row = locked(request, *([] if is_refusal else [State.OPEN]))
        if not text.strip():
            raise ValidationError(_("Write the answer."), code="text")
        if is_refusal and details.ground is None:
            raise ValidationError(_("A refusal names its legal ground."), code="ground")
        if not is_refusal and anew.is_asked(row):
            raise ValidationError(_("The person has confirmed another kind: this one waits for them."), code="anew")
        _answer(row, outcome, text.strip(), by=by, now=now, details=details)
    return row


def carry_out_at_once(request: SubjectRequest, *, now: datetime) -> None:
    """What the person may do alone: no staff, the letter as the operator's template has it. Everybody is locked."""
    text = letters.draft(request, Outcome.GRANTED)
    _answer(request, Outcome.GRANTED, text, by=None, now=now, details=NOTHING)


def _answer(
    row: SubjectRequest, outcome: Outcome, text: str, *, by: StaffMember | None, now: datetime, details: Details
) -> None:
    if text:
        source = PersonalDatum.Source.OPERATOR
        row.answer_id = papers.keep(row.subject, papers.TEXT, text, now=now, by=by, source=source)
    was_so = ""
    if outcome != Outcome.REFUSED:
        was_so = _carry_out(row, by, details, now)
    _send(row, now)  # carried out: a corrected contact is the right one
    row.state, row.outcome, row.answered_at, row.answered_by = State.ANSWERED, outcome, now, by
    row.ground = details.ground if outcome == Outcome.REFUSED else None
    clock.settle(row, now)
    row.save()
    note(row, Step.ANSWERED, now=now, by=by, reason=f"{outcome} {was_so}".strip())
    papers.let_go(row.subject, now=now)
    spared.spare(row, asked_anew=was_so == already.ERASED)


def _carry_out(row: SubjectRequest, by: StaffMember | None, details: Details, now: datetime) -> str:
    """Why there was nothing to do; empty: it was done."""
    if details.is_so_already:
        return _leave(row)
    doer = doers.get(row.kind)
    if doer is None:
        return ""  # a question: the letter is the answer
    doer(row, by, details, now)
    note(row, Step.DONE, now=now, by=by)
    return ""


def _leave(row: SubjectRequest) -> str:
    """What was shown as so already must still be. ValidationError."""
    why = already.why(row)
    if not why:
        raise ValidationError(_("It is not so any more: look at the page anew."), code="already")
    return why


def _send(row: SubjectRequest, now: datetime) -> None:
    """To the contact of the request; where there is none the letter is printed."""
    if row.answer_id:
        letters.queue(LETTER, row, now)


@carried_out_by(Kind.ACCESS)
def _access(row: SubjectRequest, by: StaffMember | None, details: Details, now: datetime) -> None:
    """Ready to be fetched; or fetched already, by whoever looked at the page of the request before the answer."""
    states = [CopyPackage.State.READY, CopyPackage.State.TAKEN]
    if not CopyPackage.objects.filter(request=row, state__in=states).exists():
        raise ValidationError(_("Build the copy first: the letter says where to fetch it."), code="copy")


@carried_out_by(Kind.RECTIFICATION)
def _rectify(row: SubjectRequest, by: StaffMember | None, details: Details, now: datetime) -> None:
    if details.datum is None or by is None:
        raise ValidationError(_("Choose what is to be corrected."), code="datum")
    rectifying.rectify(row, details.datum, details.value, by=by, now=now)


@carried_out_by(Kind.BLOCKING)
def _block(row: SubjectRequest, by: StaffMember | None, details: Details, now: datetime) -> None:
    _turn(blocking.block, row, by, now)


@carried_out_by(Kind.UNBLOCKING)
def _unblock(row: SubjectRequest, by: StaffMember | None, details: Details, now: datetime) -> None:
    _turn(blocking.unblock, row, by, now)


def _turn(operation: Callable[..., bool], row: SubjectRequest, by: StaffMember | None, now: datetime) -> None:
    if by is not None:
        check_may(by, row, now=now, permission="registry.block_datasubject")
    if not operation(row.subject, by=by, reason=row.number, now=now):
        raise ValidationError(_("Nothing was changed: the state of this person is another one meanwhile."))


@carried_out_by(Kind.ERASURE)
def _erase(row: SubjectRequest, by: StaffMember | None, details: Details, now: datetime) -> None:
    if details.ground is None or by is None:
        raise ValidationError(_("An erasure names its legal ground."), code="ground")
    for other in SubjectRequest.objects.waiting().filter(subject=row.subject_id).exclude(pk=row.pk).order_by("pk"):
        other.state, other.joined_to = State.JOINED, row  # one letter answers both
        other.save()
        note(other, Step.JOINED, now=now, by=by, reason=row.number)
    row.certificate = demands.demand(
        row.subject,
        ground=details.ground,
        reason=certifying.ASKED,
        by=by,
        now=now,
        is_remembered=details.is_remembered,
        answering=row,
    )
