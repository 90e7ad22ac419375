"""Registering what a person entered: the one entrance of personal values.

Every value is normalised, must be on the approved list and must be needed by an asked purpose; otherwise nothing is
written. An address nobody has confirmed is a claim: it finds or makes one pending person, however often and however
parallel it comes, and touches nobody who has confirmed the same address.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _

from registry import auditing, memory, statements
from registry.keyring import keyring
from registry.models import (
    AuditEntry,
    DataCategory,
    DataSubject,
    PersonalDatum,
    ProcessingPurpose,
    StaffMember,
)
from registry.normalise import Normalised, normalise
from registry.processing import lock_subjects, refresh_due

Accepted = dict[DataCategory, Normalised]
CLAIMANT = "SELECT * FROM registry_claimant(%s, %s, %s, %s, %s)"
Standing = PersonalDatum.Standing


def accept(values: Mapping[str, str], purposes: Iterable[ProcessingPurpose]) -> Accepted:
    """The canonical form of each value by category. ValidationError names every refused one by its category code."""
    prefetch_related_objects(wanted := list(purposes), "categories")
    asked = (category for purpose in wanted for category in purpose.categories.all())
    needed = {category.code: category for category in asked if category.kind in DataCategory.CONTACTS}
    approved = needed.keys() if values.keys() <= needed.keys() else _approved_codes()
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


def _approved_codes() -> Collection[str]:
    return set(DataCategory.objects.filter(kind__in=DataCategory.CONTACTS).values_list("code", flat=True))


def _approved(code: str, approved: Collection[str], needed: Mapping[str, DataCategory]) -> DataCategory:
    if code not in approved:
        raise ValidationError(_("This is not on the approved list of personal data."), code="not_approved")
    if code not in needed:
        raise ValidationError(_("None of the chosen purposes needs this."), code="not_needed")
    return needed[code]


@transaction.atomic(savepoint=False)
def register(
    accepted: Accepted,
    *,
    claim: str,
    language: str,
    now: datetime,
    source: str = PersonalDatum.Source.SUBJECT,
    by: StaffMember | None = None,
) -> DataSubject:
    """The pending person who claims the address of category `claim`, with the other values stated beside it.
    `by`: who on the staff entered them.

    Returns with the person locked.
    """
    category, value = next((item for item in accepted.items() if item[0].code == claim), (None, None))
    if category is None or value is None:
        raise ValidationError(_("An address for confirmation is needed."), code="claim")
    index = index_of(category, value)
    subject = _claimant(index, language, now)
    if subject.is_new:
        subject.claim = record_datum(subject, category, value, standing=Standing.CLAIMED, source=source, now=now, by=by)
        system = "" if by else "page"
        auditing.record(
            AuditEntry.Operation.COLLECT, now=now, actor=by, system=system, subject_id=subject.pk, about=subject
        )
    for other, stated in accepted.items():
        if other != category:
            state_datum(subject, other, stated, source=source, now=now, by=by)
    return subject


def index_of(category: DataCategory, value: Normalised) -> bytes:
    """By which equal values of one category find each other."""
    return keyring().blind_index(category.code, value.canonical)


def record_datum(
    subject: DataSubject,
    category: DataCategory,
    value: Normalised,
    *,
    standing: PersonalDatum.Standing,
    now: datetime,
    source: str = PersonalDatum.Source.SUBJECT,
    by: StaffMember | None = None,
) -> PersonalDatum:
    """Seals one value under a key of its own. The person is locked by the caller."""
    datum = PersonalDatum(
        subject=subject,
        category=category,
        index=index_of(category, value),
        source=source,
        standing=standing,
        recorded_at=now,
        recorded_by=by,
        confirmed_at=now if standing == Standing.CONFIRMED else None,
    )
    datum.seal(value.kept, keyring().masters)
    return datum


def state_datum(
    subject: DataSubject,
    category: DataCategory,
    value: Normalised,
    *,
    source: str,
    now: datetime,
    by: StaffMember | None = None,
) -> None:
    """Keeps a value nobody has checked. It replaces an earlier unchecked one, never a confirmed one."""
    index = index_of(category, value)
    held = subject.data.live().filter(category=category)
    if held.filter(index=index).exists():
        return
    held.filter(standing=Standing.STATED).update(superseded_at=now, keep_until=now)
    record_datum(subject, category, value, standing=Standing.STATED, source=source, now=now, by=by)


@transaction.atomic
def confirm_identity(claimant: DataSubject, *, now: datetime, agrees: bool = True) -> DataSubject | None:
    """Turns a claim into identity and returns the person it belongs to, locked; None if the claim is gone.

    Where somebody has confirmed this address before, it is them: what the claimant stated goes over to them, sealed
    anew, and the claim is left to the purge. `agrees`: to what was entered, and to be kept and contacted. Whoever only
    asks about their data (registry.requests) does not: nothing goes over, no erasure and no memory is taken back.
    """
    claim = claimant.data.live().filter(standing=Standing.CLAIMED).first()
    if claim is None:
        return _still_there(claimant)
    lock_identifier(bytes(claim.index))
    known = PersonalDatum.objects.identifying(bytes(claim.index)).first()
    lock_subjects({claimant.pk, known.subject_id} if known else {claimant.pk})
    if not claimant.data.filter(pk=claim.pk, standing=Standing.CLAIMED).exists():
        return _still_there(claimant)
    if known and (owner := DataSubject.objects.filter(pk=known.subject_id, data=known.pk).first()):
        if agrees and owner.status != DataSubject.Status.BLOCKED:
            _keep_again(owner, claim)
            _forget_suppression(claim)
            _carry_over(claimant, owner, now)
        return owner
    claim.standing, claim.confirmed_at = Standing.CONFIRMED, now
    claim.save(update_fields=["standing", "confirmed_at"])
    if agrees:
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
    for datum in claimant.data.live().contacts().filter(standing=Standing.STATED).select_related("category", "key"):
        value = normalise(datum.category.kind, datum.unseal(keyring().masters))
        state_datum(owner, datum.category, value, source=datum.source, now=now)
        _keep_again(owner, datum)
    refresh_due([owner.pk])


def _claimant(index: bytes, language: str, now: datetime) -> DataSubject:
    """The pending person who claims this identifier, found or made, locked. Nobody else sees who is new before this
    transaction ends; who is found is looked up again under their lock: a purge may be faster."""
    subject = DataSubject(language=language, status=DataSubject.Status.PENDING, created_at=now)
    values = [index, _lock_number(index), subject.reference, language, now]
    subject.pk, numbers = statements.run(CLAIMANT, values).fetchone()
    if numbers:
        subject.numbers, subject.is_new, subject._state.adding = numbers, True, False
        return subject
    lock_subjects([subject.pk])
    claims = PersonalDatum.objects.live().filter(index=index, standing=Standing.CLAIMED)
    known = DataSubject.objects.filter(pk=subject.pk, data__in=claims).first()
    return known or _claimant(index, language, now)


def lock_claims(claims: Iterable[tuple[str, str]]) -> None:
    """Takes at once what registering several claims takes one after the other; each by category code and canonical
    form. Whoever registers or confirms more than one does it like this: addresses before people, in one order for all.
    """
    indexes = sorted(keyring().blind_index(category, canonical) for category, canonical in claims)
    _lock_identifiers(indexes)
    claimants = PersonalDatum.objects.live().filter(index__in=indexes, standing=Standing.CLAIMED)
    lock_subjects(claimants.values_list("subject_id", flat=True))


def lock_identities(claimant_ids: Iterable[int]) -> None:
    """Takes at once what confirming the identity of several claimants takes one after the other."""
    claimants = set(claimant_ids)
    claims = PersonalDatum.objects.live().filter(subject__in=claimants, standing=Standing.CLAIMED)
    indexes = sorted(bytes(index) for index in claims.values_list("index", flat=True))
    _lock_identifiers(indexes)
    owners = PersonalDatum.objects.live().filter(index__in=indexes, standing=Standing.CONFIRMED)
    lock_subjects(claimants.union(owners.values_list("subject_id", flat=True)))


def _lock_identifiers(indexes: Iterable[bytes]) -> None:
    for index in indexes:
        lock_identifier(index)


def lock_identifier(index: bytes) -> None:
    """Equal identifiers wait for each other until the transaction ends; the unique constraint is the judge behind."""
    statements.run("SELECT pg_advisory_xact_lock(%s)", [_lock_number(index)])


def _lock_number(index: bytes) -> int:
    return int.from_bytes(index[:8], signed=True)
