"""Texts, scans and letters of a request: sealed like every value, so one engine destroys them and one door opens them.

A request holds their numbers only. They are kept under the purpose "answering a request", e-mail under its own. Each
text has an end of its own, and its term begins when its own request is answered: a later request of the person opens
the purpose anew and prolongs nothing that was written before.

Called by: registry.requests, consent.mailbox. Other packages keep texts of requests, too (`also_hands_over`).
"""

import secrets
from collections.abc import Callable, Iterable
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
Mover = Callable[[SubjectRequest, datetime], None]
movers: list[Mover] = []


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
    until: datetime | None = None,
) -> int:
    """Seals one text, kept `until` then at the longest; the number of the datum. The person is locked by the caller and
    `hold_open` was called."""
    datum = PersonalDatum(
        subject=person,
        category=DataCategory.objects.get(code=category),
        index=secrets.token_bytes(32),  # nobody is looked up by it
        source=source,
        standing=PersonalDatum.Standing.STATED,
        recorded_at=now,
        recorded_by=by,
        keep_until=until,
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
    """The text sealed anew for whom it turned out to be from, with the end it had; the old one goes with the next
    purge. Both are locked."""
    text = read(datum_id)
    if not text or datum_id is None:
        return None
    datum = PersonalDatum.objects.select_related("category", "recorded_by").get(pk=datum_id)
    source, until = Source(datum.source), None if datum.superseded_at else datum.keep_until
    kept = keep(owner, datum.category.code, text, now=now, source=source, by=datum.recorded_by, until=until)
    drop(datum.subject, [datum_id], now=now)
    return kept


def hand_over_all(request: SubjectRequest, person: DataSubject, *, now: datetime) -> None:
    """A request turned out to be this person's: its text and scan go over to them, and letters to the same contact of
    theirs. Not saved: that it is theirs and that it is joined to the same one is one step. Both are locked."""
    if request.subject == person:
        return
    hold_open(person, now=now)
    request.text_id = hand_over(person, request.text_id, now=now)
    request.scan_id = hand_over(person, request.scan_id, now=now)
    request.contact_id = _same_contact(person, request.contact_id)
    request.subject = person


def _same_contact(person: DataSubject, claimed_id: int | None) -> int | None:
    """The datum of this person that has the value of the claim."""
    index = PersonalDatum.objects.filter(pk=claimed_id or 0).values_list("index", flat=True).first()
    if index is None:
        return None
    return person.data.live().filter(index=index).values_list("pk", flat=True).first()


def also_hands_over(mover: Mover) -> Mover:
    """Who else keeps texts of requests: `mover` gets a request that is its owner's now, in the same transaction."""
    movers.append(mover)
    return mover


def hand_over_elsewhere(request: SubjectRequest, *, now: datetime) -> None:
    """Once the request is saved as its owner's. Owner and claimant are locked by the caller."""
    for mover in movers:
        mover(request, now)


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
    """A request is over: the term of its texts begins. After the last open one that of the purpose begins, too; what
    never was a request goes at once.

    The person is locked by the caller.
    """
    requests = SubjectRequest.objects.filter(subject=person)
    _end_texts(person, _ends_of_texts(list(requests), now))
    if requests.waiting().exists():
        refresh_due([person.pk])
        return
    was_answered = requests.filter(state=SubjectRequest.State.ANSWERED).exists()
    wanted = ProcessingPurpose.objects.filter(code=PURPOSE).values_list("pk", flat=True)
    end_processing(person, wanted, Processing.State.CLOSED, now=now, is_at_once=not was_answered)
    refresh_due([person.pk])


def _ends_of_texts(requests: list[SubjectRequest], now: datetime) -> dict[int, datetime]:
    """By number of the datum, of all requests of a person that are over: closed and the term of the purpose. What was
    joined to another ends with it; of what was never answered nothing is proved."""
    term, rows = purpose(), {row.pk: row for row in requests}
    ends = {}
    for row in requests:
        last = row
        while last.joined_to_id in rows:
            last = rows[last.joined_to_id]
        end = term.lapse(last.answered_at) if last.answered_at else now
        if last.state not in SubjectRequest.WAITING and end:
            ends.update({number: end for number in (row.text_id, row.scan_id, row.answer_id) if number})
    return ends


def _end_texts(person: DataSubject, ends: dict[int, datetime]) -> None:
    """An end that was set before stays: what was demanded, and what another text took the place of."""
    texts = list(PersonalDatum.objects.filter(subject=person, pk__in=ends, keep_until=None).only("pk"))
    for text in texts:
        text.keep_until = ends[text.pk]
    PersonalDatum.objects.bulk_update(texts, ["keep_until"])
