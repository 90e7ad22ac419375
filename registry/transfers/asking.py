"""Asking for a transfer, the second person's answer, and giving it up."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from registry.models import AccessSettings, StaffMember, Transfer
from registry.normalise import check_given
from registry.transfers import formats, gate, refusing, rows
from registry.transfers.gate import Counts
from registry.transfers.refusing import Asked
from registry.transfers.rows import Operation, State


def preview(asked: Asked, *, by: StaffMember, now: datetime) -> Counts:
    """How many would go and stay. PermissionDenied; ValidationError: it can't be, and the attempt is recorded."""
    _check(asked, by, now)
    return gate.count(asked, now)


def _check(asked: Asked, by: StaffMember, now: datetime) -> None:
    rows.check(by.has_perm(rows.ASK), by, asked.recipient, now)
    if told := refusing.refusals(asked, now):
        rows.record_refused(by, asked.recipient, now, f"transfer, ground {asked.ground}")
        raise ValidationError([str(one) for one in told])


def ask(asked: Asked, *, file_format: Transfer.Format, reason: str, by: StaffMember, now: datetime) -> Transfer:
    """Freezes who goes; the file is built, or waits for a second person where many would go.

    PermissionDenied; ValidationError (it cannot be at all, no reason, nobody may go, too many for the format): nothing
    is written.
    """
    _check(asked, by, now)
    check_given(reason)
    with transaction.atomic():
        transfer = Transfer.objects.create(
            recipient=asked.recipient,
            country=asked.recipient.country_id,
            ground=asked.ground,
            purpose=asked.purpose,
            categories=[category.code for category in asked.categories],
            is_cross_border=asked.recipient.is_abroad,
            request_number=asked.request_number.strip(),
            requested_on=asked.requested_on,
            article=asked.article.strip(),
            incident=asked.incident,
            with_links=asked.with_links,
            reason=reason.strip(),
            format=file_format,
            state=State.WAITING,
            people=0,
            requested_by=by,
            requested_at=now,
        )
        counts = gate.freeze(transfer, asked, now)
        if not counts.people:
            raise ValidationError(_("Nobody may go to this recipient now."), code="nobody")
        _check_room(transfer, counts.people)
        transfer.people, transfer.left_out = counts.people, counts.left_out
        transfer.state = State.WAITING if needs_a_second(counts.people) else State.BUILDING
        transfer.save(update_fields=["people", "left_out", "state"])
        rows.note(Operation.APPROVE, transfer, by, now, transfer.reason)
    return transfer


def _check_room(transfer: Transfer, people: int) -> None:
    most = formats.most_people(transfer)
    if most is not None and people > most:
        told = _("A workbook has room for so many people: %(most)s. Ask for CSV or JSON.")
        raise ValidationError(told % {"most": number_format(most, force_grouping=True)}, code="room")


def needs_a_second(people: int) -> bool:
    """The limit of readable lists: what leaves here is readable, too."""
    return people > AccessSettings.objects.get().plain_export_people


def approve(transfer: Transfer, *, by: StaffMember, now: datetime) -> None:
    """The second person's yes: the file is built. PermissionDenied, ValidationError (nothing is changed)."""
    _decide(transfer, State.BUILDING, "approved", by, now)


def refuse(transfer: Transfer, *, by: StaffMember, reason: str, now: datetime) -> None:
    """The second person's no, with a reason. PermissionDenied, ValidationError (nothing is changed)."""
    check_given(reason)
    _decide(transfer, State.REFUSED, reason.strip(), by, now)


def _decide(transfer: Transfer, state: State, reason: str, by: StaffMember, now: datetime) -> None:
    rows.check(by.has_perm(rows.APPROVE), by, transfer, now)
    with transaction.atomic():
        row = rows.locked(transfer, State.WAITING)
        if row.requested_by_id == by.pk:
            raise ValidationError(_("This needs another person: who asks for a transfer does not approve it."))
        rows.turn(row, state, approved_by=by, approved_at=now)
        rows.note(Operation.APPROVE, row, by, now, reason)


def cancel(transfer: Transfer, *, by: StaffMember, now: datetime) -> None:
    """Whoever asked gives it up; what was written is destroyed. PermissionDenied, ValidationError."""
    rows.check(transfer.requested_by_id == by.pk, by, transfer, now)
    with transaction.atomic():
        row = rows.locked(transfer, State.WAITING, State.BUILDING, State.READY)
        rows.turn(row, State.CANCELLED, destroyed_at=now)
        rows.note(Operation.DESTROY, row, by, now, "cancelled")
    rows.remove(row)
