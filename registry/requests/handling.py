"""What staff do with a request on the way to its answer. Each act is one transaction and one step of its life.

Called by: the console, consent.mailbox (`kind` as a guess is set when it is received).
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from registry import auditing, calendar
from registry.models import AuditEntry, LegalGround, StaffMember, SubjectRequest
from registry.normalise import check_given
from registry.requests import anew, clock, letters, opening, papers, verifying
from registry.requests.steps import State, Step, check_may, locked, note

MOST_EXTRA = 15  # working days a term may be extended by
LONGEST = 300  # characters of the reason of a step
EXTENDED = "request_extended"  # the letter with the new last day
Kind = SubjectRequest.Kind


def take(request: SubjectRequest, *, by: StaffMember, now: datetime) -> None:
    """From now on this person answers for it. PermissionDenied, ValidationError."""
    check_may(by, request, now=now)
    with transaction.atomic():
        row = locked(request)
        row.assignee = by
        row.save(update_fields=["assignee"])
        note(row, Step.TAKEN, now=now, by=by)


def correct_kind(request: SubjectRequest, kind: Kind, *, by: StaffMember, now: datetime) -> bool:
    """The request is of another kind than was thought: it gets the term of that kind, from the same receipt.

    True: the person has confirmed another kind and must confirm this one; they are asked, if there is a contact.
    """
    check_may(by, request, now=now)
    with transaction.atomic():
        row = locked(request)
        same = SubjectRequest.objects.in_work().filter(subject=row.subject, kind=kind).exclude(pk=row.pk)
        if row.state != State.UNVERIFIED and kind != Kind.OTHER and same.exists():
            raise ValidationError(_("This person has a request of that kind in work already: join this one to it."))
        before, row.kind = row.kind, kind
        clock.start(row, now)
        row.save()
        note(row, Step.KIND, now=now, by=by, reason=anew.corrected(before, kind))
        is_asked = anew.is_asked(row)
        if is_asked:
            opening.ask_to_confirm(row, now=now)
    return is_asked


def extend(
    request: SubjectRequest,
    days: int,
    *,
    by: StaffMember,
    reason: str,
    now: datetime,
    ground: LegalGround | None = None,
) -> None:
    """More days of the term's unit, with a reason and a ground: that of the term itself, unless another one is named.

    A person who is known gets a letter. ValidationError: not 1 to MOST_EXTRA in all; paused; over, for what is late
    stays late.
    """
    check_may(by, request, now=now)
    check_given(reason)
    with transaction.atomic():
        row = locked(request, State.UNVERIFIED, State.OPEN)
        if days < 1 or row.extra_days + days > MOST_EXTRA:
            raise ValidationError(
                _("A term may be extended by 1 to %(most)d days in all.") % {"most": MOST_EXTRA}, code="extra_days"
            )
        if row.is_overdue(timezone.localdate(now)):
            raise ValidationError(_("The last day is over: it can't be moved any more."), code="over")
        row.extra_days += days
        clock.count(row, calendar.current(), now)
        row.save()
        told = letters.extended(ground or row.deadline.ground, reason.strip())
        note(row, Step.EXTENDED, now=now, by=by, reason=told[:LONGEST])
        if row.state == State.OPEN:
            letters.queue(EXTENDED, row, now)


def close_as_spam(request: SubjectRequest, *, by: StaffMember, reason: str, now: datetime) -> None:
    """Not a request at all. Its texts go with the next purge."""
    check_may(by, request, now=now)
    check_given(reason)
    with transaction.atomic():
        row = locked(request)
        verifying.close(row, State.SPAM, Step.SPAM, now=now, by=by, reason=reason.strip())


def join(request: SubjectRequest, other: SubjectRequest, *, by: StaffMember, now: datetime) -> None:
    """The same question of the same person twice: this one is answered by the other.

    ValidationError: another person's, over, or about another thing: what this one asks would be done by nobody.
    """
    check_may(by, request, now=now)
    with transaction.atomic():
        row = locked(request)
        if row.kind not in {Kind.OTHER, other.kind}:
            told = _("That request asks for something else: what is asked here would be done by nobody.")
            raise ValidationError(told, code="kind")
        same = may_answer(row).filter(pk=other.pk).first()
        if same is None:
            raise ValidationError(_("Only another request of the same person that is not answered yet will do."))
        row.state, row.joined_to = State.JOINED, same
        row.save()
        note(row, Step.JOINED, now=now, by=by, reason=same.number)
        papers.let_go(row.subject, now=now)


def may_answer(request: SubjectRequest) -> QuerySet[SubjectRequest]:
    """The others of the same person it may be joined to: those that ask for the same; another question, to any.

    Once it is in work only one that is too: what waits for its confirmation may come to nothing.
    """
    is_known = request.state != State.UNVERIFIED
    others = SubjectRequest.objects.in_work() if is_known else SubjectRequest.objects.waiting()
    if request.kind != Kind.OTHER:
        others = others.filter(kind=request.kind)
    return others.filter(subject=request.subject_id).exclude(pk=request.pk).order_by("pk")


def ask(request: SubjectRequest, *, by: StaffMember, now: datetime) -> None:
    """The question "did you ask this?" to the contact of the request, which a clerk decides about. ValidationError."""
    check_may(by, request, now=now)
    with transaction.atomic():
        row = locked(request)
        verifying.check_is_asked(row)
        if not opening.ask_to_confirm(row, now=now):
            raise ValidationError(_("This request has no contact that could be asked."), code="contact")
        auditing.record(
            AuditEntry.Operation.CHANGE,
            now=now,
            actor=by,
            subject_id=row.subject_id,
            about=row,
            reason="asked to confirm",
        )


def written(request: SubjectRequest, *, now: datetime) -> None:
    """Another letter of the person belongs to this request: staff see it in its life."""
    note(request, Step.WRITTEN, now=now)
