"""Where a consent came from, under seal, each for its own time: IP address, browser and form (policy clause 10), or the
scan of the signed paper.

One datum per act, named by ConsentRecord.evidence_id, per scan by Confirmation.document_id. It is destroyed on the day
of its own term even while consents go on: a later act renews nothing of an earlier one.
"""

import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from registry import scans
from registry.keyring import keyring
from registry.models import DataCategory, DataSubject, PersonalDatum, Processing, ProcessingPurpose
from registry.processing import end_processing, open_processing
from registry.sealing import SealError

PURPOSE, CATEGORY = "consent-evidence", "technical"
PAPER, SCAN = "paper-evidence", "scan"
LONGEST = 1000  # characters of what a browser says of itself
SUPERSEDE = """
    UPDATE registry_personaldatum datum SET superseded_at = %(now)s,
        keep_until = registry_end_of_term(datum.recorded_at, purpose.term_value, purpose.term_unit)
    FROM registry_processingpurpose purpose
    WHERE purpose.id = %(purpose)s AND datum.subject_id = %(subject)s AND datum.category_id = %(category)s
        AND datum.superseded_at IS NULL
"""


@dataclass(frozen=True, repr=False)
class Circumstances:
    """What the request of a consent said of itself."""

    ip: str
    user_agent: str
    form_url: str


class Place(NamedTuple):
    """What evidence is kept for and as what."""

    purpose: ProcessingPurpose
    category: DataCategory


def place(now: datetime, code: str = PURPOSE, category: str = CATEGORY) -> Place | None:
    """None while nothing is kept for this purpose."""
    purpose = ProcessingPurpose.objects.open(now).filter(code=code).first()
    return Place(purpose, DataCategory.objects.get(code=category)) if purpose else None


def keep(
    person: DataSubject, circumstances: Circumstances, where: Place | None, *, now: datetime, is_open: bool = False
) -> int | None:
    """Seals them; the number of the datum, None where they are not kept. The person is locked by the caller. `is_open`:
    its purpose was opened by them, too."""
    said = {name: value[:LONGEST] for name, value in vars(circumstances).items()}
    source = PersonalDatum.Source.SUBJECT
    return _seal(person, where, json.dumps(said, ensure_ascii=False), is_open, now=now, source=source)


def keep_scan(person: DataSubject, content: bytes, *, now: datetime, by: int | None) -> int | None:
    """Seals a scan that the member of the staff with number `by` entered; the number of the datum, None where scans are
    not kept. The person is locked by the caller."""
    source = PersonalDatum.Source.OPERATOR
    where = place(now, PAPER, SCAN)
    return _seal(person, where, scans.to_text(content), now=now, source=source, recorded_by_id=by)


def _seal(
    person: DataSubject, where: Place | None, text: str, is_open: bool = False, *, now: datetime, **also: Any
) -> int | None:
    if where is None:
        return None
    purpose, category = where
    if not person.is_new:
        values: dict[str, Any] = {"now": now, "purpose": purpose.pk, "subject": person.pk, "category": category.pk}
        with connection.cursor() as cursor:
            cursor.execute(SUPERSEDE, values)
    if not is_open:
        open_processing(person, purpose, now=now)
    datum = PersonalDatum(
        subject=person,
        category=category,
        index=secrets.token_bytes(32),  # nobody is looked up by it
        standing=PersonalDatum.Standing.STATED,
        recorded_at=now,
        **also,
    )
    datum.seal(text, keyring().masters)
    return datum.pk


def scan(datum_id: int, digest: str) -> bytes | None:
    """The scan with this SHA-256; None if it is gone, does not open or is another one."""
    datum = PersonalDatum.objects.filter(pk=datum_id).select_related("key").first()
    try:
        content = scans.from_text(datum.unseal(keyring().masters)) if datum else b""
    except SealError:
        return None
    return content if sha256(content).hexdigest() == digest else None


def drop_scan(person: DataSubject, datum_id: int | None, *, now: datetime) -> None:
    """It proves nothing here any more and goes with the next purge; other scans of this person stay, and so does what
    keeps them. The person is locked by the caller."""
    if datum_id is None:
        return
    others = PersonalDatum.objects.filter(subject=person, category__code=SCAN).exclude(pk=datum_id)
    if others.filter(Q(keep_until=None) | Q(keep_until__gt=now)).exists():
        PersonalDatum.objects.filter(subject=person, pk=datum_id).update(superseded_at=now, keep_until=now)
    else:
        _end(person, PAPER, now)


def drop_these(person: DataSubject, numbers: Collection[int | None], *, now: datetime) -> None:
    """Technical data of a question by which nothing counts; they go with the next purge, those of others stay. The
    person is locked by the caller."""
    kept = [number for number in numbers if number]
    technical = PersonalDatum.objects.filter(subject=person, category__code=CATEGORY, pk__in=kept)
    technical.update(superseded_at=now, keep_until=now)


def drop(person: DataSubject, *, now: datetime) -> None:
    """Nothing was agreed to: there is nothing to prove. The person is locked by the caller."""
    _end(person, PURPOSE, now)


def _end(person: DataSubject, code: str, now: datetime) -> None:
    numbers = ProcessingPurpose.objects.filter(code=code).values_list("pk", flat=True)
    end_processing(person, numbers, Processing.State.CLOSED, now=now)
