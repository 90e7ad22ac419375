"""Why is this still here? For every datum: what keeps it, on what basis, since when, until when, and what will take it.

The verdict is read from DatumTerm, the one definition of "due". The list beside it explains the verdict and decides
nothing: a test holds that both say the same of any mixture of purposes, holds, blocking and own ends.

Called by: the person's page in the console. A page or a person at a time: the answer is held in memory.
Sources: Law 94-V art. 12, 18; policy clauses 9, 19.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet

from registry.models import (
    DataCategory,
    DataSubject,
    DestructionGround,
    LegalGround,
    LegalHold,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
)


@dataclass(frozen=True)
class Keeper:
    """One processing whose purpose needs the datum. `until` None: no end known; `term_from` None: not started.

    `ground` None: the basis is the person's consent. `is_decisive`: the end of the datum is the end of this.
    """

    purpose: ProcessingPurpose
    ground: LegalGround | None
    state: Processing.State
    began_at: datetime
    clock: ProcessingPurpose.Clock
    term_from: datetime | None
    rule_version: int
    third_parties: bool
    cross_border: bool
    public_sources: bool
    until: datetime | None
    is_over: bool
    is_decisive: bool

    @property
    def waits_for(self) -> str:
        """The event that starts the term and has not happened; empty where the term runs or an end is known."""
        return "" if self.until or self.term_from else str(self.clock.label)


@dataclass(frozen=True)
class Hold:
    """One hold that was not released. `until` None: without end."""

    number: int
    ground: LegalGround
    reason: str
    since: datetime
    until: datetime | None
    is_on_person: bool
    is_over: bool
    is_decisive: bool


@dataclass(frozen=True)
class OwnEnd:
    """The datum's own end, before any purpose's: it was replaced by a newer value, its erasure was demanded, or it is a
    text whose own term is over then."""

    ground: DestructionGround
    until: datetime
    is_decisive: bool


@dataclass(frozen=True)
class Verdict:
    """Until when (None: no end known), on what ground it goes then, and the rule that takes it (None: no purpose's)."""

    until: datetime | None
    ground: DestructionGround
    purpose: ProcessingPurpose | None
    rule_version: int | None
    is_over: bool


@dataclass(frozen=True)
class Why:
    """Everything that keeps one datum, and the verdict. Nothing listed: it is kept no longer than it was recorded."""

    datum_id: int
    recorded_at: datetime
    keepers: list[Keeper]
    holds: list[Hold]
    own_end: OwnEnd | None
    is_blocked: bool
    is_unconfirmed: bool
    verdict: Verdict


def why(data: QuerySet[PersonalDatum], now: datetime) -> dict[int, Why]:
    """What keeps each of these data, by number of the datum. Four queries, however many data."""
    rows = list(data.select_related("subject", "term", "term__purpose"))
    subject_ids = {datum.subject_id for datum in rows}
    processing, holds = _processing(subject_ids), _holds(subject_ids)
    return {datum.pk: _explain(datum, processing[datum.subject_id], holds[datum.subject_id], now) for datum in rows}


def _processing(subject_ids: set[int]) -> dict[int, list[Processing]]:
    needs = Prefetch("purpose__categories", DataCategory.objects.only("pk"))
    found = Processing.objects.filter(subject__in=subject_ids).select_related("purpose__ground").prefetch_related(needs)
    grouped = defaultdict(list)
    for processing in found.order_by("purpose__position", "pk"):
        grouped[processing.subject_id].append(processing)
    return grouped


def _holds(subject_ids: set[int]) -> dict[int, list[LegalHold]]:
    found = LegalHold.objects.filter(subject__in=subject_ids, released_at=None).select_related("ground")
    grouped = defaultdict(list)
    for hold in found.order_by("pk"):
        grouped[hold.subject_id].append(hold)
    return grouped


def _explain(datum: PersonalDatum, processing: list[Processing], holds: list[LegalHold], now: datetime) -> Why:
    """Blocking decides before holds, holds before the datum's own end, that before purposes."""
    until = datum.term.until
    standing = [hold for hold in holds if hold.datum_id in {None, datum.pk}]
    is_blocked = datum.subject.status == DataSubject.Status.BLOCKED
    is_held = not is_blocked and any(hold.until == until for hold in standing)
    own_end = _own_end(datum, is_open=not is_blocked and not is_held)
    is_open = not is_blocked and not is_held and not (own_end and own_end.is_decisive)
    return Why(
        datum_id=datum.pk,
        recorded_at=datum.recorded_at,
        keepers=_keepers(datum, processing, now, is_open=is_open),
        holds=[_hold(hold, now, is_decisive=is_held and hold.until == until) for hold in standing],
        own_end=own_end,
        is_blocked=is_blocked,
        is_unconfirmed=datum.standing == PersonalDatum.Standing.CLAIMED,
        verdict=_verdict(datum, now),
    )


def _keepers(datum: PersonalDatum, processing: Sequence[Processing], now: datetime, *, is_open: bool) -> list[Keeper]:
    needing = [one for one in processing if datum.category_id in {need.pk for need in one.purpose.categories.all()}]
    ends = [(one, end_of(one)) for one in needing]
    return [_keeper(one, end, now, is_decisive=is_open and end == datum.term.until) for one, end in ends]


def end_of(processing: Processing) -> datetime | None:
    """Until when this processing keeps data; None where no end is known. Closing its purpose ends it too."""
    purpose = processing.purpose
    ends = [processing.lapses_at]
    if purpose.clock == ProcessingPurpose.Clock.PURPOSE_CLOSED:
        ends.append(purpose.lapse(purpose.closes_at))
    elif processing.state == Processing.State.OPEN:
        ends.append(purpose.closes_at)
    return min((end for end in ends if end), default=None)


def _keeper(processing: Processing, end: datetime | None, now: datetime, *, is_decisive: bool) -> Keeper:
    return Keeper(
        purpose=processing.purpose,
        ground=processing.purpose.ground,
        state=Processing.State(processing.state),
        began_at=processing.began_at,
        clock=ProcessingPurpose.Clock(processing.purpose.clock),
        term_from=processing.term_from,
        rule_version=processing.rule_version,
        third_parties=processing.third_parties,
        cross_border=processing.cross_border,
        public_sources=processing.public_sources,
        until=end,
        is_over=_is_over(end, now),
        is_decisive=is_decisive,
    )


def _hold(hold: LegalHold, now: datetime, *, is_decisive: bool) -> Hold:
    return Hold(
        number=hold.pk,
        ground=hold.ground,
        reason=hold.reason,
        since=hold.placed_at,
        until=hold.until,
        is_on_person=hold.datum_id is None,
        is_over=_is_over(hold.until, now),
        is_decisive=is_decisive,
    )


def _own_end(datum: PersonalDatum, *, is_open: bool) -> OwnEnd | None:
    if datum.keep_until is None:
        return None
    stated = {DestructionGround.SUPERSEDED, DestructionGround.ON_DEMAND}
    ground = DestructionGround(datum.term.ground)
    ground = ground if ground in stated else DestructionGround.TERM_OVER
    return OwnEnd(ground, datum.keep_until, is_open and datum.keep_until == datum.term.until)


def _verdict(datum: PersonalDatum, now: datetime) -> Verdict:
    term = datum.term
    ground = DestructionGround(term.ground)
    return Verdict(term.until, ground, term.purpose, term.rule_version, _is_over(term.until, now))


def _is_over(end: datetime | None, now: datetime) -> bool:
    return end is not None and end <= now
