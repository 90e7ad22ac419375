"""Registering what a person entered: the one entrance of personal values.

Every value is normalised, must be on the approved list and must be needed by an asked purpose; otherwise nothing is
written. An address nobody has confirmed is a claim: it finds or makes one pending person, however often and however
parallel it comes, and touches nobody who has confirmed the same address.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from registry import auditing, memory
from registry.keyring import keyring
from registry.models import AuditEntry, DataCategory, DataSubject, PersonalDatum, ProcessingPurpose, RetentionDue
from registry.normalise import Normalised, normalise
from registry.processing import lock_subjects, refresh_due

Accepted = dict[DataCategory, Normalised]


def accept(values: Mapping[str, str], purposes: Iterable[ProcessingPurpose]) -> Accepted:
    """The canonical form of each value by category. ValidationError names every refused one by its category code."""
    wanted = [purpose.pk for purpose in purposes]
    approved = {category.code: category for category in DataCategory.objects.all()}
    needed = set(DataCategory.objects.filter(processingpurpose__in=wanted).values_list("code", flat=True))
    accepted: Accepted = {}
    errors: dict[str, list[ValidationError]] = {}
    for code, value in values.items():
        try:
            category = _approved(code, approved, needed)
            accepted[category] = normalise(category.kind, value)
        except ValidationError as error:
            errors[code] = [error]
    if errors:
        raise ValidationError(errors)
    return accepted


def _approved(code: str, approved: Mapping[str, DataCategory], needed: set[str]) -> DataCategory:
    if code not in approved:
        raise ValidationError(_("This is not on the approved list of personal data."), code="not_approved")
    if code not in needed:
        raise ValidationError(_("None of the chosen purposes needs this."), code="not_needed")
    return approved[code]


@transaction.atomic
def register(
    accepted: Accepted, *, claim: str, language: str, now: datetime, source: str = PersonalDatum.Source.SUBJECT
) -> DataSubject:
    """The pending person who claims the address of category `claim`, with the other values stated beside it.

    Returns with the person locked.
    """
    category, value = next((item for item in accepted.items() if item[0].code == claim), (None, None))
    if category is None or value is None:
        raise ValidationError(_("An address for confirmation is needed."), code="claim")
    index = keyring().blind_index(category.code, value.canonical)
    _lock_identifier(index)
    subject = _claimant(index)
    if subject is None:
        subject = create_subject(language, DataSubject.Status.PENDING, now)
        record_datum(subject, category, value, standing=PersonalDatum.Standing.CLAIMED, source=source, now=now)
        auditing.record(AuditEntry.Operation.COLLECT, now=now, system="page", subject_id=subject.pk, about=subject)
    for other, stated in accepted.items():
        if other != category:
            state_datum(subject, other, stated, source=source, now=now)
    return subject


def create_subject(language: str, status: DataSubject.Status, now: datetime) -> DataSubject:
    """A new person and their lock, taken."""
    subject = DataSubject.objects.create(language=language, status=status, created_at=now)
    RetentionDue.objects.create(subject=subject)
    lock_subjects([subject.pk])
    return subject


def record_datum(
    subject: DataSubject,
    category: DataCategory,
    value: Normalised,
    *,
    standing: PersonalDatum.Standing,
    now: datetime,
    source: str = PersonalDatum.Source.SUBJECT,
) -> PersonalDatum:
    """Seals one value under a key of its own. The person is locked by the caller."""
    datum = PersonalDatum(
        subject=subject,
        category=category,
        index=keyring().blind_index(category.code, value.canonical),
        source=source,
        standing=standing,
        recorded_at=now,
        confirmed_at=now if standing == PersonalDatum.Standing.CONFIRMED else None,
    )
    datum.seal(value.kept, keyring().masters)
    return datum


def state_datum(subject: DataSubject, category: DataCategory, value: Normalised, *, source: str, now: datetime) -> None:
    """Keeps a value nobody has checked. It replaces an earlier unchecked one, never a confirmed one."""
    index = keyring().blind_index(category.code, value.canonical)
    held = subject.data.live().filter(category=category)
    if held.filter(index=index).exists():
        return
    held.filter(standing=PersonalDatum.Standing.STATED).update(superseded_at=now, keep_until=now)
    record_datum(subject, category, value, standing=PersonalDatum.Standing.STATED, source=source, now=now)


@transaction.atomic
def confirm_identity(claimant: DataSubject, *, now: datetime) -> DataSubject | None:
    """Turns a claim into identity and returns the person it belongs to, locked; None if the claim is gone.

    Where somebody has confirmed this address before, it is them: what the claimant stated goes over to them, sealed
    anew, and the claim is left to the purge.
    """
    claim = claimant.data.live().filter(standing=PersonalDatum.Standing.CLAIMED).first()
    if claim is None:
        return _still_there(claimant)
    _lock_identifier(bytes(claim.index))
    known = PersonalDatum.objects.identifying(bytes(claim.index)).first()
    lock_subjects({claimant.pk, known.subject_id} if known else {claimant.pk})
    if not claimant.data.filter(pk=claim.pk, standing=PersonalDatum.Standing.CLAIMED).exists():
        return _still_there(claimant)
    if known and (owner := DataSubject.objects.filter(pk=known.subject_id, data=known.pk).first()):
        if owner.status != DataSubject.Status.BLOCKED:
            _keep_again(owner, claim)
            _forget_suppression(claim)
            _carry_over(claimant, owner, now)
        return owner
    claim.standing, claim.confirmed_at = PersonalDatum.Standing.CONFIRMED, now
    claim.save(update_fields=["standing", "confirmed_at"])
    _keep_again(claimant, claim)
    _forget_suppression(claim)
    claimant.status = DataSubject.Status.ACTIVE
    claimant.save(update_fields=["status"])
    return claimant


def _keep_again(owner: DataSubject, entered: PersonalDatum) -> None:
    """What is confirmed anew takes back a demanded erasure that a hold has put off: its purposes decide again."""
    owner.data.live().filter(index=entered.index, keep_until__isnull=False).update(keep_until=None)


def _forget_suppression(claim: PersonalDatum) -> None:
    """Whoever confirms an address agrees to be contacted there."""
    value = normalise(claim.category.kind, claim.unseal(keyring().masters))
    memory.forget(claim.category.code, value.canonical)


def _still_there(claimant: DataSubject) -> DataSubject | None:
    """A claimant who was confirmed by another letter meanwhile is themselves."""
    lock_subjects([claimant.pk])
    claimant.refresh_from_db()
    return claimant if claimant.status in {DataSubject.Status.ACTIVE, DataSubject.Status.BLOCKED} else None


def _carry_over(claimant: DataSubject, owner: DataSubject, now: datetime) -> None:
    for datum in claimant.data.live().filter(standing=PersonalDatum.Standing.STATED).select_related("category", "key"):
        value = normalise(datum.category.kind, datum.unseal(keyring().masters))
        state_datum(owner, datum.category, value, source=datum.source, now=now)
        _keep_again(owner, datum)
    refresh_due([owner.pk])


def _claimant(index: bytes) -> DataSubject | None:
    """The pending person who claims this identifier, locked. Looked up again under the lock: a purge may be faster."""
    claims = PersonalDatum.objects.live().filter(index=index, standing=PersonalDatum.Standing.CLAIMED)
    found = claims.values_list("subject_id", flat=True).first()
    if found is None:
        return None
    lock_subjects([found])
    return DataSubject.objects.filter(pk=found, data__in=claims).first()


def _lock_identifier(index: bytes) -> None:
    """Equal identifiers wait for each other until the transaction ends; the unique constraint is the judge behind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(index[:8], signed=True)])
