"""Correcting a value: the new one is a new row, the old one is superseded and goes after its own short term.

Dangerous because an address is identity: who can change it can become somebody else. The rules:

- A value nobody has confirmed is replaced at once.
- A confirmed one stays in force until whoever reads the letter sent to the new one confirms it. Until then the new one
  is only stated, and nothing but that letter goes to it.
- What another person has confirmed is never taken over: the letter's button answers that it cannot be done.
- The database lets one person only have a confirmed identifier, whoever is faster.

Called by: registry.requests.answering, consent.views (confirm_new).
Sources: Law 94-V art. 25(2)(8); policy clause 12.
"""

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import auditing, mail
from registry.models import AuditEntry, PersonalDatum, RetentionSettings, StaffMember, SubjectRequest
from registry.normalise import normalise
from registry.processing import lock_subjects, refresh_due
from registry.registration import index_of, lock_identifier, record_datum
from registry.requests import papers
from registry.requests.steps import check_may
from registry.transfers import notices

LETTER, RIGHT = "new_address", "registry.rectify_personaldatum"
Standing = PersonalDatum.Standing


def rectify(
    request: SubjectRequest, datum: PersonalDatum, raw: str, *, by: StaffMember, now: datetime
) -> PersonalDatum:
    """Records the right value beside this one and returns it. The person is locked by the caller.

    PermissionDenied; ValidationError (not a value of this kind, the same as now, superseded meanwhile).
    """
    check_may(by, request, now=now, permission=RIGHT)
    held = request.subject.data.live().contacts().filter(pk=datum.pk).select_related("category").first()
    if held is None or held.standing == Standing.CLAIMED:
        raise ValidationError(_("This value is not kept any more, or waits for its confirmation."), code="datum")
    value = normalise(held.category.kind, raw)
    index = index_of(held.category, value)
    if request.subject.data.live().filter(category=held.category, index=index).exists():
        raise ValidationError(_("This value is kept already."), code="same")
    source = PersonalDatum.Source.SUBJECT
    fresh = record_datum(
        request.subject, held.category, value, standing=Standing.STATED, source=source, now=now, by=by
    )
    if held.standing == Standing.CONFIRMED:
        mail.queue(
            LETTER, about=held, datum=fresh, purpose=papers.purpose(), language=request.language, now=now
        )
    else:
        _supersede(held, fresh, now)
        request.refresh_from_db(fields=["contact_id"])
    auditing.record(
        AuditEntry.Operation.CHANGE, now=now, actor=by, subject_id=held.subject_id, about=fresh, reason=request.number
    )
    refresh_due([held.subject_id])
    return fresh


@transaction.atomic
def confirm_new(old_id: int, new_id: int, *, now: datetime) -> bool:
    """The button in the letter to the new address: it takes the place of the old one. Again: True, nothing changes.

    False: it cannot be done any more (one of them is gone, or the address belongs to another person).
    """
    fresh = PersonalDatum.objects.filter(pk=new_id).first()
    if fresh is None:
        return False
    lock_identifier(bytes(fresh.index))
    lock_subjects([fresh.subject_id])
    fresh = PersonalDatum.objects.live().filter(pk=new_id).first()
    old = PersonalDatum.objects.filter(pk=old_id, subject=fresh.subject_id).first() if fresh else None
    if fresh is None or old is None:
        return False
    if fresh.standing == Standing.CONFIRMED:
        return True
    if old.superseded_at or PersonalDatum.objects.identifying(bytes(fresh.index)).exists():
        return False
    _supersede(old, fresh, now)
    fresh.standing, fresh.confirmed_at = Standing.CONFIRMED, now
    fresh.save(update_fields=["standing", "confirmed_at"])
    operation, subject_id = AuditEntry.Operation.CHANGE, fresh.subject_id
    auditing.record(operation, now=now, system="page", subject_id=subject_id, about=fresh, reason="confirmed")
    refresh_due([fresh.subject_id])
    return True


def _supersede(datum: PersonalDatum, fresh: PersonalDatum, now: datetime) -> None:
    """What waits for its answer gets it at the value in force. The person is locked."""
    notices.open_for([datum.subject_id], notices.Event.CORRECTED, now=now)
    datum.superseded_at = now
    datum.keep_until = now + timedelta(days=RetentionSettings.objects.get().superseded_days)
    datum.save(update_fields=["superseded_at", "keep_until"])
    waiting = SubjectRequest.objects.waiting().filter(subject=datum.subject_id, contact_id=datum.pk)
    waiting.update(contact_id=fresh.pk)
