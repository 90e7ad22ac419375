"""Erasing a person because it was demanded, and proving it.

Dangerous because it destroys what a purpose still needs, and because it opens values to look for what is left of them.
The rules:

- `demand` wants the permission, an appointment in force (policy clause 29), a ground and a reason. From its commit on
  nothing of this person is used any more, and every datum has its end: now, or when the last hold on it ends.
- Nobody is left who cannot be answered: what answering needs stays until no request and no letter waits for it, whoever
  demands (registry.spared).
- `finish` is one transaction: lock, open, remember, destroy, look for what is left, write the act. Killed half way,
  nothing happened and the next run does everything again; only letters already removed from their folder stay removed.
- What goes is asked of DatumTerm, the one definition of "due": a datum under a hold and a blocked person's data stay
  (Law 94-V art. 1), are named with their end, and go by a later pass. A purge that is faster is counted in.
- What is over of claims to the same address goes with it (registry.claims) and stands in the act.
- Values live in this process for one pass. They are in no exception, log, audit entry or certificate.
- Who confirms an address anew takes the demand back for what is still held (registry.registration).

Called by: the console and registry.requests (demand), registry.tasks (finish_due, every five minutes and when woken).
Sources: Law 94-V art. 18, policy clauses 19, 25.
"""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from registry import auditing, certifying, claims, memory, scanning, spared
from registry.disclosure import may_see_people
from registry.erasure import erase
from registry.keyring import keyring
from registry.models import (
    AuditEntry,
    DataCategory,
    DataSubject,
    DestructionGround,
    ErasureCertificate,
    LegalGround,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
    RecipientNotice,
    StaffMember,
    SubjectRequest,
)
from registry.normalise import Normalised, check_given, normalise
from registry.processing import end_processing, lock_subjects, refresh_due
from registry.sealing import SealError
from registry.transfers import notices

logger = logging.getLogger(__name__)
ENOUGH = 256  # bytes of a ciphertext tell it from any other; a scan has millions
Opened = list[tuple[DataCategory, Normalised]]


def check_may_demand(by: StaffMember, subject: DataSubject, *, now: datetime) -> None:
    """PermissionDenied, and the attempt recorded, without the permission or an appointment in force."""
    if by.has_perm("registry.demand_erasure") and may_see_people(by, now):
        return
    with transaction.atomic():
        auditing.record(AuditEntry.Operation.REFUSED, now=now, actor=by, subject_id=subject.pk, about=subject)
    raise PermissionDenied


def demand(
    subject: DataSubject,
    *,
    ground: LegalGround,
    reason: str,
    by: StaffMember,
    now: datetime,
    is_remembered: bool = False,
    answering: SubjectRequest | None = None,
) -> ErasureCertificate:
    """Ends all use of this person's data and opens the certificate; `finish` destroys.

    `answering`: the request that this carries out; of it only the contact and the answer stay until the letter is gone.
    ValidationError (no reason, or one is open already), PermissionDenied.
    """
    check_may_demand(by, subject, now=now)
    check_given(reason)
    with transaction.atomic():
        lock_subjects([subject.pk])
        if ErasureCertificate.objects.open().filter(subject=subject).exists():
            raise ValidationError(_("An erasure of this person is under way already."), code="open")
        needed = spared.needed_to_answer(subject, answering)
        certificate = ErasureCertificate.objects.create(
            subject=subject,
            ground=ground,
            reason=reason.strip(),
            is_remembered=is_remembered,
            spared=needed,
            demanded_at=now,
            demanded_by=by,
        )
        _end_everything(subject, now, needed)
        _remember(certificate, _opened(certifying.demanded(certificate)), now)
        notices.open_for([subject.pk], RecipientNotice.Event.ERASED, now=now)
        auditing.record(
            AuditEntry.Operation.DESTROY,
            now=now,
            actor=by,
            subject_id=subject.pk,
            about=certificate,
            reason=certificate.reason,
        )
    return certificate


def _end_everything(subject: DataSubject, now: datetime, needed: Collection[int]) -> None:
    """Nothing is used any more, and each datum ends now: the view lets it go when no hold keeps it."""
    every_purpose = ProcessingPurpose.objects.values_list("pk", flat=True)
    end_processing(subject, every_purpose, Processing.State.CLOSED, now=now)
    ending = subject.data.filter(Q(keep_until=None) | Q(keep_until__gt=now)).exclude(pk__in=needed)
    ending.update(keep_until=now)
    refresh_due([subject.pk])


def _remember(certificate: ErasureCertificate, opened: Opened, now: datetime) -> None:
    if certificate.is_remembered:
        memory.remember(certificate.subject, [(category, value.canonical) for category, value in opened], now=now)


def _opened(data: Iterable[PersonalDatum]) -> Opened:
    """The contacts among these data; one that does not open is left out. The registry's own evidence stays shut: it is
    looked for by its ciphertext, and nobody is remembered by it."""
    found = []
    for datum in _contacts(data):
        try:
            found.append((datum.category, _canonical(datum.category.kind, datum.unseal(keyring().masters))))
        except SealError:
            continue
    return found


def _contacts(data: Iterable[PersonalDatum]) -> list[PersonalDatum]:
    return [datum for datum in data if datum.category.kind in DataCategory.CONTACTS]


def _canonical(kind: str, value: str) -> Normalised:
    """A value the rules of today would refuse is looked for as it is."""
    try:
        return normalise(kind, value)
    except ValidationError:
        return Normalised(value, value.lower(), "")


def finish_due(now: datetime) -> int:
    """Goes on with every open certificate that has something to do; returns how many were finished."""
    demanded = PersonalDatum.objects.filter(
        subject=OuterRef("subject"), keep_until__lte=OuterRef("demanded_at"), recorded_at__lte=OuterRef("demanded_at")
    )
    waiting = ErasureCertificate.objects.open().filter(demanded_at__lte=now).order_by("pk")
    due = waiting.filter(Exists(demanded.filter(term__until__lte=now)) | ~Exists(demanded) | ~Q(spared=[]))
    return sum(finish(pk, now=now) for pk in list(due.values_list("pk", flat=True)))


def finish(certificate_id: int, *, now: datetime) -> bool:
    """Destroys what no hold keeps any more and writes the act; True once nothing demanded is left.

    A failure undoes all of it and is noted by its type; the next run tries again.
    """
    try:
        certificate, has_remains = _finish(certificate_id, now)
    except Exception as error:
        name = type(error).__name__
        logger.exception("certificate %s: not finished", certificate_id)
        ErasureCertificate.objects.open().filter(pk=certificate_id).update(failure=name)
        return False
    if has_remains:
        logger.error("certificate %s: something was found", certificate_id)
    return certificate.finished_at is not None


@transaction.atomic
def _finish(certificate_id: int, now: datetime) -> tuple[ErasureCertificate, bool]:
    """The certificate, and whether this pass found something left."""
    claims.lock_with_claimants(ErasureCertificate.objects.values_list("subject", flat=True).get(pk=certificate_id))
    certificate = ErasureCertificate.objects.select_for_update(of=("self",)).get(pk=certificate_id)
    if certificate.finished_at or certificate.demanded_at > now:
        return certificate, False
    remains = _pass(certificate, _release_spared(certificate), now)
    certificate.remains += remains
    certificate.failure = ""
    if not certificate.spared and not certifying.demanded(certificate).exists():
        certificate.finished_at = now
        certificate.scan["renewed"] = certifying.renewed(certificate)
    certificate.scan["backups_until"] = certifying.backups_until(certificate)
    certificate.save(update_fields=["spared", "scan", "remains", "failure", "finished_at"])
    return certificate, remains > 0


def _release_spared(certificate: ErasureCertificate) -> list[int]:
    """Once every answer was sent or given up, what they needed is part of what was demanded; its numbers."""
    numbers = list(certificate.spared)
    if not numbers or spared.is_needed(certificate.subject_id, numbers):
        return []
    released = PersonalDatum.objects.filter(subject=certificate.subject_id, pk__in=numbers)
    released.update(keep_until=certificate.demanded_at)
    certificate.spared = []
    refresh_due([certificate.subject_id])
    return numbers


def _pass(certificate: ErasureCertificate, released: Collection[int], now: datetime) -> int:
    """Destroys what is free now and looks for what is left of it; in how many places something was found.

    `released`: with it goes an answer that was written after the demand.
    """
    ended = certifying.demanded(certificate) | PersonalDatum.objects.filter(pk__in=released)
    free = list(ended.filter(term__until__lte=now).select_related("category", "key").order_by("pk"))
    if not free:
        return 0
    opened = _opened(free)
    _remember(certificate, opened, now)
    going = [*free, *claims.left_over(free, now=now)]
    needles = _needles(going, opened)
    letters = _remove_letters(needles)
    numbers, actor_id = [datum.pk for datum in going], certificate.demanded_by_id
    gone = erase(
        numbers,
        ground=DestructionGround.ON_DEMAND,
        now=now,
        actor_id=actor_id,
        system="finish_erasures",
        certificate=certificate,
    )
    seen = scanning.scan(needles)
    unreadable = len(_contacts(free)) - len(opened)
    entry = {"at": now.isoformat(), "data": gone, "unreadable": unreadable, "removed_letters": letters}
    certificate.scan.setdefault("passes", []).append(entry | seen.as_json())
    return len(seen.remains)


def _needles(data: list[PersonalDatum], opened: Opened) -> scanning.Needles:
    keys = [datum.key for datum in data if hasattr(datum, "key")]
    return scanning.needles_of(
        ((category.kind, value) for category, value in opened),
        sealed=[*(bytes(datum.sealed[:ENOUGH]) for datum in data), *(bytes(key.wrapped) for key in keys)],
        indexes=[bytes(datum.index) for datum in data],
        data=[datum.pk for datum in data],
    )


def _remove_letters(needles: scanning.Needles) -> int:
    """A registry without a mail server keeps its letters as files; those that carry one of the values go."""
    carrying = list(scanning.letters_carrying(needles))
    for path in carrying:
        path.unlink(missing_ok=True)
    return len(carrying)
