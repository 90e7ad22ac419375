"""What the responsible persons do with an incident on the way to its end. Each act is one transaction.

Called by: the console.
"""

from collections.abc import Collection
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry.incidents import rows, texts
from registry.models import AuditEntry, DataCategory, Incident, IncidentNote, StaffMember
from registry.normalise import check_given

Way = Incident.Way
Kind = IncidentNote.Kind


def note_measure(
    incident: Incident, text: str, *, at: datetime, by: StaffMember, now: datetime, secures: bool = False
) -> IncidentNote:
    """A measure that was taken at `at`. `secures`: with it people's data were out of danger. ValidationError."""
    return _append(incident, Kind.MEASURE, text, at=at, by=by, now=now, secures=secures)


def note_finding(
    incident: Incident,
    text: str,
    *,
    at: datetime,
    by: StaffMember,
    now: datetime,
    categories: Collection[DataCategory] = (),
) -> IncidentNote:
    """Something learnt at `at`, perhaps that more `categories` are concerned. ValidationError."""
    return _append(incident, Kind.FINDING, text, at=at, by=by, now=now, categories=categories)


def _append(
    incident: Incident,
    kind: Kind,
    text: str,
    *,
    at: datetime,
    by: StaffMember,
    now: datetime,
    secures: bool = False,
    categories: Collection[DataCategory] = (),
) -> IncidentNote:
    rows.check_may(by, incident, now=now)
    kept = texts.cleaned(text)
    if at > now:
        raise ValidationError(_("This moment is still to come."), code="at")
    with transaction.atomic():
        row = rows.locked(incident)
        written = IncidentNote.objects.create(
            incident=row, kind=kind, text=kept, at=at, secures=secures, noted_at=now, noted_by=by
        )
        row.categories.add(*categories)
        rows.note(row, f"{kind}: {written}", by=by, now=now)
    return written


def note_sent(
    incident: Incident, *, sent_at: datetime, how: Way, reference: str, by: StaffMember, now: datetime
) -> Incident:
    """The notice left at `sent_at`; `reference` is the number it was registered under, if there is one yet.

    Once: what was told stays. PermissionDenied, ValidationError.
    """
    rows.check_may(by, incident, now=now)
    if not incident.discovered_at <= sent_at <= now:
        raise ValidationError(_("The notice was sent after the discovery, and not in the future."), code="sent_at")
    if "@" in reference:
        raise ValidationError(_("This is an address, not the number of a notice."), code="reference")
    with transaction.atomic():
        row = rows.locked(incident)
        if row.is_told:
            raise ValidationError(_("The notice was noted already."), code="told")
        row.notified_at, row.notified_how, row.notified_by = sent_at, how, by
        row.notified_reference = reference.strip()
        row.save(update_fields=["notified_at", "notified_how", "notified_by", "notified_reference"])
        rows.note(row, f"notice sent: {how}", by=by, now=now)
    return row


def state_no_notice(incident: Incident, *, reason: str, by: StaffMember, now: datetime) -> Incident:
    """Why the authorised body need not be told. It counts when somebody else closes the incident. Once.

    PermissionDenied, ValidationError.
    """
    rows.check_may(by, incident, now=now)
    check_given(reason)
    with transaction.atomic():
        row = rows.locked(incident)
        if row.is_told:
            raise ValidationError(_("The notice was noted already."), code="told")
        if row.no_notice_at:
            raise ValidationError(_("A reason was stated already: somebody else decides about it."), code="stated")
        row.no_notice_reason, row.no_notice_at, row.no_notice_by = reason.strip(), now, by
        row.save(update_fields=["no_notice_reason", "no_notice_at", "no_notice_by"])
        operation = AuditEntry.Operation.APPROVE
        rows.note(row, f"no notice due: {row.no_notice_reason}", by=by, now=now, operation=operation)
    return row


def close(incident: Incident, *, reason: str, by: StaffMember, now: datetime) -> Incident:
    """The end, with its result in one line. Without a notice that was sent: by somebody else than who stated why.

    PermissionDenied, ValidationError.
    """
    rows.check_may(by, incident, now=now)
    check_given(reason)
    with transaction.atomic():
        row = rows.locked(incident)
        check_may_end(row, by)
        row.state, row.closed_at, row.closed_by = Incident.State.CLOSED, now, by
        row.closing_reason = reason.strip()
        row.save(update_fields=["state", "closed_at", "closed_by", "closing_reason"])
        rows.note(row, f"closed: {row.closing_reason}", by=by, now=now, operation=AuditEntry.Operation.APPROVE)
    return row


def check_may_end(incident: Incident, by: StaffMember) -> None:
    """ValidationError: nobody was told, and no two people have said that nobody need be."""
    if incident.is_told:
        return
    if incident.no_notice_by_id is None:
        raise ValidationError(
            _("Note first when the notice was sent to the authorised body, or state why none was due."), code="untold"
        )
    if incident.no_notice_by_id == by.pk:
        raise ValidationError(_("That no notice is due is decided by somebody else than who stated it."), code="second")
