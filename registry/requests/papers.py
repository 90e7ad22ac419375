"""Texts, scans and letters of a request: sealed like every value, so one engine destroys them and one door opens them.

A request holds their numbers only. They are kept under the purpose "answering a request", e-mail under its own.

Called by: registry.requests, consent.mailbox.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime

from registry.keyring import keyring
from registry.models import (
    DataCategory,
    DataSubject,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
    StaffMember,
    SubjectRequest,
)
from registry.processing import end_processing, open_processing, refresh_due
from registry.sealing import SealError

PURPOSE, MAIL_PURPOSE = "request-answer", "contact-mail"
TEXT, SCAN, MAIL = "request-text", "request-scan", "request-mail"
Source = PersonalDatum.Source


def purpose(code: str = PURPOSE) -> ProcessingPurpose:
    return ProcessingPurpose.objects.get(code=code)


def keep(
    person: DataSubject,
    category: str,
    text: str,
    *,
    now: datetime,
    source: Source = Source.SUBJECT,
    by: StaffMember | None = None,
) -> int:
    """Seals one text; the number of the datum. The person is locked by the caller and `hold_open` was called."""
    datum = PersonalDatum(
        subject=person,
        category=DataCategory.objects.get(code=category),
        index=secrets.token_bytes(32),  # nobody is looked up by it
        source=source,
        standing=PersonalDatum.Standing.STATED,
        recorded_at=now,
        recorded_by=by,
    )
    datum.seal(text, keyring().masters)
    return datum.pk


def read(datum_id: int | None) -> str:
    """The text, for a letter or a package; empty if it is gone or does not open. Staff read by registry.disclosure."""
    datum = PersonalDatum.objects.filter(pk=datum_id or 0).select_related("key").first()
    try:
        return datum.unseal(keyring().masters) if datum else ""
    except SealError:
        return ""


def contact_of(request: SubjectRequest) -> PersonalDatum | None:
    """Where letters about it go, while that is kept and in force."""
    theirs = PersonalDatum.objects.live().filter(subject=request.subject_id)
    return theirs.filter(pk=request.contact_id or 0).first()


def hand_over(owner: DataSubject, datum_id: int | None, *, now: datetime) -> int | None:
    """The text sealed anew for whom it turned out to be from; the old one goes with the next purge. Both are locked."""
    text = read(datum_id)
    if not text or datum_id is None:
        return None
    datum = PersonalDatum.objects.select_related("category", "recorded_by").get(pk=datum_id)
    source = Source(datum.source)
    kept = keep(owner, datum.category.code, text, now=now, source=source, by=datum.recorded_by)
    drop(datum.subject, [datum_id], now=now)
    return kept


def drop(person: DataSubject, numbers: Iterable[int | None], *, now: datetime) -> None:
    """These go with the next purge, whatever else is kept. The person is locked by the caller."""
    kept = [number for number in numbers if number]
    PersonalDatum.objects.filter(subject=person, pk__in=kept).update(superseded_at=now, keep_until=now)
    refresh_due([person.pk])


def hold_open(person: DataSubject, *, now: datetime) -> None:
    """Data needed to answer are kept, without an end, until `let_go`. The person is locked by the caller."""
    open_processing(person, purpose(), now=now)
    refresh_due([person.pk])


def let_go(person: DataSubject, *, now: datetime) -> None:
    """After the last open request: the term of what was answered begins; what never was a request goes at once.

    The person is locked by the caller.
    """
    requests = SubjectRequest.objects.filter(subject=person)
    if requests.waiting().exists():
        return
    was_answered = requests.filter(state=SubjectRequest.State.ANSWERED).exists()
    wanted = ProcessingPurpose.objects.filter(code=PURPOSE)
    end_processing(person, wanted, Processing.State.CLOSED, now=now, is_at_once=not was_answered)
    refresh_due([person.pk])
