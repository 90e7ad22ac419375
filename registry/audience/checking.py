"""May these addresses be written to now? Asked with the addresses, answered yes or no, one by one.

No answer tells who is known: unknown, suppressed, withdrawn, blocked, erased and misspelt are all "no". A "yes" is said
of somebody this recipient may be given, whom it could have fetched. So the list of an old mailer is made clean without
giving it anybody. The number of queries is the same for every list; each call is an entry of the audit.

Called by: consent.api.suppression.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from registry import auditing
from registry.audience import lists
from registry.audience.keys import SYSTEM
from registry.keyring import keyring
from registry.models import (
    AuditEntry,
    DataCategory,
    PersonalDatum,
    ProcessingPurpose,
    RecipientKey,
    RememberedIdentifier,
)
from registry.normalise import normalise
from registry.transfers import gate
from registry.transfers.refusing import Asked

MOST = 1000  # addresses in one call
MAY_GO = "SELECT subject_id FROM ({people}) people WHERE reason IS NULL"


def may_be_written_to(
    key: RecipientKey, purpose: ProcessingPurpose, addresses: Sequence[str], now: datetime
) -> list[bool]:
    """For each address, in order. Refused."""
    asked = lists.asked_with(key, purpose)
    lists.check(key, asked, now)
    canonical = [_canonical(address) for address in addresses]
    known = {one for one in canonical if one}
    may = _may(asked, known, now)
    with transaction.atomic():
        told = f"{purpose.code}: {len(addresses)} addresses asked about"
        auditing.record(AuditEntry.Operation.USE, now=now, system=SYSTEM, about=key, reason=told)
    return [one in may for one in canonical]


def _canonical(address: str) -> str:
    try:
        return normalise(DataCategory.Kind.EMAIL, address).canonical
    except ValidationError:
        return ""


def _may(asked: Asked, addresses: set[str], now: datetime) -> set[str]:
    found: set[str] = set()
    for category in asked.categories:
        by_index = {keyring().blind_index(category.code, one): one for one in addresses}
        held = PersonalDatum.objects.live().filter(index__in=list(by_index), category=category)
        held = held.filter(standing__in=asked.standings)
        rows = list(held.values_list("subject_id", "subject__reference", "index"))
        these = replace(asked, references=tuple(reference for _pk, reference, _index in rows))
        going = {pk for (pk,) in gate.ask_of_people(MAY_GO, these, now)}
        found |= {by_index[bytes(index)] for pk, _reference, index in rows if pk in going}
    return found - _remembered(asked, addresses, now)


def _remembered(asked: Asked, addresses: set[str], now: datetime) -> set[str]:
    """Those nobody may write to, erased or not."""
    found: set[str] = set()
    for category in asked.categories:
        by_index = {keyring().memory_index(category.code, one): one for one in addresses}
        kept = RememberedIdentifier.objects.filter(index__in=list(by_index), until__gt=now)
        found |= {by_index[bytes(index)] for index in kept.values_list("index", flat=True)}
    return found
