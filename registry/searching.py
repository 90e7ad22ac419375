"""Finding a person by what they say: an address, a number, a reference. Exact, and recorded.

Dangerous because the answer tells whether somebody is known here. The rules:

- `find` wants the permission and an appointment in force (policy clause 29); a refused attempt is recorded.
- A contact is looked up by its blind index, so no value is opened for it. Only live data are found, of any standing.
- The entry is committed before the answer is given: who, when, of which kind the term was and, where exactly one person
  was found, who that is. What cannot be recorded is not answered.
- The term is an argument and nothing else: it is in no entry, exception, log, message or task.
- Erased people are not found by an address: nothing is kept that could find them. The list of those who must not be
  contacted is not asked.

Called by: the console. Other apps add what else a person may be found by (`ways`).
Sources: policy clauses 22, 28, 29.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from registry import auditing
from registry.disclosure import may_see_people
from registry.keyring import keyring
from registry.models import AuditEntry, DataCategory, DataSubject, ErasureCertificate, PersonalDatum, StaffMember
from registry.normalise import normalise, visible_text

PERMISSION = "registry.view_datasubject"
MOST = 20  # people in one answer
REFERENCE = re.compile(r"DS[- ]?([2-9A-HJ-NP-Z]{4})[- ]?([2-9A-HJ-NP-Z]{4})")
CERTIFICATE = re.compile(r"№ ?([0-9]{1,9})")


@dataclass(frozen=True)
class Way:
    """One kind of term. `kind` is its word in the audit, `label` its name on a page.

    `read` gives the canonical form of a term, None if it is not of this kind; `people` the numbers of the data subjects
    that have it.
    """

    kind: str
    label: str | Promise
    read: Callable[[str], str | None]
    people: Callable[[str], Iterable[int]]


@dataclass(frozen=True)
class Found:
    """The answer: how the term was read, who has it (at most MOST), and whether there are more."""

    way: Way
    people: list[DataSubject]
    has_more: bool


def check_may_find(by: StaffMember, *, now: datetime) -> None:
    """PermissionDenied, and the attempt recorded, without the permission or an appointment in force."""
    if by.has_perm(PERMISSION) and may_see_people(by, now):
        return
    with transaction.atomic():
        auditing.record(AuditEntry.Operation.REFUSED, now=now, actor=by, system="console: search")
    raise PermissionDenied


def find(term: str, *, by: StaffMember, now: datetime) -> Found:
    """Who has exactly this. PermissionDenied; ValidationError if it is nothing a person can be found by."""
    check_may_find(by, now=now)
    way, canonical = _read(term)
    numbers = sorted(set(way.people(canonical)), reverse=True)
    people = list(DataSubject.objects.filter(pk__in=numbers[:MOST]).order_by("-pk"))
    _record(way, people, by, now)
    return Found(way, people, len(numbers) > MOST)


def _record(way: Way, people: list[DataSubject], by: StaffMember, now: datetime) -> None:
    only = people[0].pk if len(people) == 1 else None
    with transaction.atomic():
        auditing.record(AuditEntry.Operation.SEARCH, now=now, actor=by, subject_id=only, reason=way.kind)


def _read(term: str) -> tuple[Way, str]:
    """The first way that can read this term, and the term in its canonical form."""
    for way in ways:
        if canonical := way.read(term):
            return way, canonical
    raise ValidationError(_("This can't be searched for: it is no whole address, phone number or number."), code="term")


def numbered(form: re.Pattern[str], prefix: str, term: str) -> str | None:
    """`ds 7k3f9q2m` as `DS-7K3F-9Q2M`; None where the term has another form. Look-alike letters are not taken."""
    try:
        match = form.fullmatch(visible_text(term).upper())
    except ValidationError:
        return None
    return "-".join([prefix, *match.groups()]) if match else None


def _reference(term: str) -> str | None:
    return numbered(REFERENCE, "DS", term)


def _has_reference(reference: str) -> Iterable[int]:
    return DataSubject.objects.filter(reference=reference).values_list("pk", flat=True)


def _certificate(term: str) -> str | None:
    match = CERTIFICATE.fullmatch(term.strip())
    return match[1] if match else None


def _has_certificate(number: str) -> Iterable[int]:
    return ErasureCertificate.objects.filter(pk=number).values_list("subject_id", flat=True)


def _contact(kind: DataCategory.Kind, term: str) -> str | None:
    try:
        return normalise(kind, term).canonical
    except ValidationError:
        return None


def _has_contact(kind: DataCategory.Kind, canonical: str) -> Iterable[int]:
    codes = DataCategory.objects.filter(kind=kind).values_list("code", flat=True)
    indexes = [keyring().blind_index(code, canonical) for code in codes]
    found = PersonalDatum.objects.live().filter(index__in=indexes).order_by()
    return found.values_list("subject_id", flat=True)[: MOST + 1]


def _by_contact(kind: DataCategory.Kind, word: str, label: str | Promise) -> Way:
    return Way(word, label, lambda term: _contact(kind, term), lambda canonical: _has_contact(kind, canonical))


ways = [
    Way("reference", _("reference"), _reference, _has_reference),
    Way("certificate", _("number of an erasure certificate"), _certificate, _has_certificate),
    _by_contact(DataCategory.Kind.EMAIL, "e-mail", _("e-mail address")),
    _by_contact(DataCategory.Kind.PHONE, "phone", _("phone number")),
]
