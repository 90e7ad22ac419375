"""Consent on paper or by telephone: one person on the staff enters it, a second one confirms or refuses it.

Dangerous because nobody outside answers: what two people on the staff say makes an address somebody's identity. The
rules:

- Both want a permission of their own and an appointment in force (policy clause 29); a refused attempt is recorded.
- Nothing counts before the second person has said so, and that is never who entered it: the database holds this too.
- The second person has opened the contact and, on paper, the scan; the audit shows it. The scan must still be the one
  that was entered.
- A scan lies under seal and serves as proof only. It goes with an entry by which nothing counts, passes to the person
  the address turns out to belong to, and is destroyed with their data. Its digest stays in the chain.

Called by: the console.
Sources: Law 94-V art. 8(1), 25(2)(5); policy clauses 28, 29.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from consent import evidence
from consent.decisions.acts import Act, Channel, Line, Ticks, append
from consent.decisions.answering import Outcome, at_the_desk, count, identified, state_of, turn_down
from consent.decisions.asking import CLAIM, CONFIRMATION, NUMBER, same_question, shown
from consent.models import Confirmation
from registry import auditing, scans
from registry.disclosure import may_see_people
from registry.models import AuditEntry, DataSubject, PersonalDatum, ProcessingPurpose, StaffMember
from registry.normalise import check_given
from registry.processing import open_processing, refresh_due
from registry.registration import Accepted, accept, register

ENTER, CHECK = "consent.enter_confirmation", "consent.check_confirmation"


def check_may(by: StaffMember, permission: str, about: Confirmation | None = None, *, now: datetime) -> None:
    """PermissionDenied, and the attempt recorded, without the permission or an appointment in force."""
    if by.has_perm(permission) and may_see_people(by, now):
        return
    with transaction.atomic():
        subject_id = about.subject_id if about else None
        auditing.record(
            AuditEntry.Operation.REFUSED, now=now, actor=by, subject_id=subject_id, about=about, reason=permission
        )
    raise PermissionDenied


def enter(
    values: Mapping[str, str],
    purposes: Sequence[ProcessingPurpose],
    *,
    way: str,
    language: str,
    by: StaffMember,
    now: datetime,
    ticks: Ticks | None = None,
    scan: bytes | None = None,
) -> Confirmation:
    """Keeps what a person gave on paper or by telephone as a claim that waits for the second person. Sends nothing.

    `values` by category code, as typed; `ticks` by code of the purpose; `scan` for a paper and only for that.
    ValidationError names what is refused, PermissionDenied; then nothing is written.
    """
    check_may(by, ENTER, now=now)
    if not purposes:
        raise ValidationError({"purposes": _("Tick at least one purpose")})
    digest = _digest(way, scan)
    with transaction.atomic():
        accepted = accept(values, purposes)
        source = PersonalDatum.Source.OPERATOR
        person = register(accepted, claim=_claim(accepted), language=language, source=source, by=by, now=now)
        ends_at = open_processing(person, ProcessingPurpose.objects.get(code=CONFIRMATION), now=now)
        entry = Confirmation(
            subject=person,
            way=way,
            language=language,
            entered_by=by,
            document_digest=digest,
            asked_at=now,
            expires_at=ends_at or now,
        )
        lines = shown(purposes, language, now, ticks or {})
        entry = same_question(entry, lines) or _keep(entry, lines, scan)
        refresh_due([person.pk])
    return entry


def _digest(way: str, scan: bytes | None) -> str:
    """SHA-256 of the scan in hexadecimal; empty where there must be none. ValidationError."""
    if way not in Confirmation.BY_STAFF:
        raise ValidationError({"way": _("Choose paper or telephone.")})
    if way == Confirmation.Way.TELEPHONE:
        if scan:
            raise ValidationError({"scan": _("A scan belongs to a paper.")})
        return ""
    try:
        scans.check(scan or b"")
    except ValidationError as error:
        raise ValidationError({"scan": error.messages}) from None
    return sha256(scan or b"").hexdigest()


def _claim(accepted: Accepted) -> str:
    """Which of the contacts becomes the identity. Nothing is sent to it, so a number always will do."""
    entered = {category.code for category in accepted}
    for code in (CLAIM, NUMBER):
        if code in entered:
            return code
    raise ValidationError({CLAIM: _("Enter an e-mail address or a phone number")})


def _keep(entry: Confirmation, lines: list[Line], scan: bytes | None) -> Confirmation:
    person, now = entry.subject, entry.asked_at
    if scan:
        entry.document_id = evidence.keep_scan(person, scan, now=now, by=entry.entered_by_id)
        if entry.document_id is None:
            raise ValidationError({"scan": _("Scans are not kept: their purpose is closed.")})
    entry.save(force_insert=True)
    append(Act.ASKED, person, lines, Channel(entry.way), now=now, confirmation=entry, **at_the_desk(entry))
    _record(entry, entry.entered_by, "asked", now)
    return entry


def _record(entry: Confirmation, by: StaffMember | None, reason: str, now: datetime) -> None:
    auditing.record(
        AuditEntry.Operation.APPROVE, now=now, actor=by, subject_id=entry.subject_id, about=entry, reason=reason
    )


def check(confirmation_id: int, *, by: StaffMember, now: datetime) -> Outcome:
    """The second person's yes: what was entered counts. Again changes nothing the second time.

    ValidationError says why it can't be this person, or not yet; PermissionDenied.
    """
    check_may(by, CHECK, Confirmation.objects.entered().get(pk=confirmation_id), now=now)
    with transaction.atomic():
        entry = Confirmation.objects.entered().taken(confirmation_id)
        state = state_of(entry, now)
        if state != Outcome.OPEN:
            return state
        _check_second(entry, by)
        person = identified(entry, now)
        if isinstance(person, Outcome):
            return person
        entry.checked_by = by
        entry.document_id = _handed_over(entry, person, now)
        entry.save(update_fields=["checked_by", "document_id"])
        count(entry, person, now)
        _record(entry, by, "given", now)
        return Outcome.DONE


def _check_second(entry: Confirmation, by: StaffMember) -> None:
    if entry.entered_by_id == by.pk:
        raise ValidationError(_("Another person must check what you entered."))
    if unopened(entry, by):
        raise ValidationError(_("Open what was entered first, and compare it."))


def unopened(entry: Confirmation, by: StaffMember) -> set[int]:
    """The numbers of the data this person must open before confirming, and has not: the contact that becomes the
    identity and, on paper, the scan."""
    contacts = entry.subject.data.live().contacts().exclude(standing=PersonalDatum.Standing.STATED)
    wanted = set(contacts.values_list("pk", flat=True)) | ({entry.document_id} if entry.document_id else set())
    opened = AuditEntry.objects.filter(
        subject=entry.subject_id,
        operation=AuditEntry.Operation.REVEAL,
        actor=by,
        at__gte=entry.asked_at,
        object_type=PersonalDatum._meta.label_lower,
        object_id__in=wanted,
    )
    return wanted - set(opened.values_list("object_id", flat=True))


def _handed_over(entry: Confirmation, person: DataSubject, now: datetime) -> int | None:
    """The number of the scan, whole and with the person it proves something about. Everybody is locked."""
    if not entry.document_digest:
        return None
    content = entry.document_id and evidence.scan(entry.document_id, entry.document_digest)
    if not content:
        raise ValidationError(_("The scan is gone or damaged. Refuse this, and enter it anew."))
    if person == entry.subject:
        return entry.document_id
    kept = evidence.keep_scan(person, content, now=now, by=entry.entered_by_id)
    evidence.drop_scan(entry.subject, entry.document_id, now=now)
    return kept


def refuse(confirmation_id: int, *, by: StaffMember, reason: str, now: datetime) -> Outcome:
    """Nothing counts, and the scan goes with the next purge. Who entered it may take it back in the same way.

    ValidationError (no reason), PermissionDenied.
    """
    entry = Confirmation.objects.entered().get(pk=confirmation_id)
    is_own = entry.entered_by_id == by.pk
    check_may(by, ENTER if is_own else CHECK, entry, now=now)
    check_given(reason)
    with transaction.atomic():
        entry = Confirmation.objects.entered().taken(confirmation_id)
        if entry.answer != Confirmation.Answer.WAITING:
            return state_of(entry, now)
        if not is_own:
            entry.checked_by = by
            entry.save(update_fields=["checked_by"])
        turn_down(entry, now)
        _record(entry, by, reason.strip(), now)
        return Outcome.REFUSED
