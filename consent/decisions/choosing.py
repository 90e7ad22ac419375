"""A person's own choice among all purposes at once (the page "my consents"): one transaction, nothing half done."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from consent.decisions.acts import Act, Channel, Line, past_of, scope_of
from consent.decisions.asking import shown
from consent.decisions.giving import end_consents, lock_known, record_consent
from consent.evidence import Circumstances
from consent.models import Confirmation, ConsentRecord, Receipt, Wording
from registry.models import DataSubject, Processing, ProcessingPurpose
from registry.processing import Scope, pause


class Unseen(Exception):
    """The text has changed since the page was shown."""


@dataclass(frozen=True)
class Choice:
    """What a choice has changed."""

    given: list[ProcessingPurpose] = field(default_factory=list)
    withdrawn: list[ProcessingPurpose] = field(default_factory=list)
    receipt: Receipt | None = None


@transaction.atomic
def choose(
    person: DataSubject,
    wanted: Mapping[str, Scope],
    *,
    now: datetime,
    language: str,
    seen: Container[str] = (),
    anew: Iterable[str] = (),
    circumstances: Circumstances | None = None,
) -> Choice:
    """Gives what is `wanted` by code of the purpose, with its ticks, and not given yet; withdraws what is not wanted.
    A blocked person can only withdraw, a minor only withdraw or take ticks away.

    What is open goes on under the text it was given to, unless its code is among `anew`. Fewer ticks keep the old end.
    `seen`: the digests of the texts on the page; Unseen if another one would be agreed to.
    ValidationError if something new is not offered, DataSubject.DoesNotExist if the person was destroyed meanwhile.
    """
    lock_known(person)
    person.refresh_from_db()
    held = Processing.objects.filter(subject=person, purpose__in=past_of(person).agreed).ongoing(now)
    current = {one.purpose.code: one for one in held.select_related("purpose")}
    unwanted = [one.purpose_id for code, one in current.items() if code not in wanted]
    withdrawn = end_consents(person, unwanted, Channel.LINK, now=now)
    if is_minor(person, now):
        wanted, anew = {code: _less(wanted[code], scope_of(current[code])) for code in wanted if code in current}, ()
    fresh = {code for code in wanted if code not in current} | (set(anew) & wanted.keys())
    other = {code for code in wanted if code not in fresh and wanted[code] != scope_of(current[code])}
    if person.status == DataSubject.Status.BLOCKED:
        return Choice(withdrawn=withdrawn)
    lines = [_again(current[code].purpose, person, wanted[code]) for code in other]
    if fresh:
        named = [one for one in ProcessingPurpose.objects.all() if one.code in fresh]  # a code may be any text
        offered = shown(named, language, now, wanted)
        lines += _seen([line for line in offered if not _stands(line, current.get(line.purpose.code))], seen)
    if not lines:
        return Choice(withdrawn=withdrawn)
    ends = {code: current[code].lapses_at for code in other if _is_narrower(wanted[code], scope_of(current[code]))}
    kept = {code: end for code, end in ends.items() if end}
    receipt = record_consent(
        person, lines, Act.GIVEN, Channel.LINK, now=now, until=kept, circumstances=circumstances
    )
    _wait_on([current[code] for code in other], now)
    return Choice([line.purpose for line in lines], withdrawn, receipt)


def is_minor(person: DataSubject, now: datetime) -> bool:
    """Whether this person said so on the form: to what is new their representative must agree, by the form again."""
    minors = Confirmation.objects.filter(adult_at__gt=now, owned_at__isnull=False)
    return minors.filter(subject=person).exists() or minors.filter(records__subject=person).exists()


def _stands(line: Line, held: Processing | None) -> bool:
    """Whether this very text, with these ticks, is agreed to already: a form sent twice is one consent."""
    if held is None or held.paused_at or line.scope != scope_of(held):
        return False
    return line.wording == _agreed(line.purpose, held.subject)


def _wait_on(before: Iterable[Processing], now: datetime) -> None:
    """Other ticks are no answer to what became wider: what waited for one goes on waiting."""
    pause([(one.subject_id, one.purpose_id) for one in before if one.paused_at], now=now)


def _seen(lines: list[Line], seen: Container[str]) -> list[Line]:
    if not all(line.wording and line.wording.digest in seen for line in lines):
        raise Unseen
    return lines


def _again(purpose: ProcessingPurpose, person: DataSubject, wanted: Scope) -> Line:
    """Other ticks under the text that was agreed to."""
    agreed = _agreed(purpose, person)
    ticks = {name: getattr(wanted, name) and bool(agreed and agreed.tick_text(name)) for name in Wording.TICKS}
    return Line(purpose, agreed, Scope(**ticks))


def _agreed(purpose: ProcessingPurpose, person: DataSubject) -> Wording | None:
    """The text this person agreed to last."""
    given = ConsentRecord.objects.filter(subject=person, purpose=purpose, act__in=[Act.GIVEN, Act.CONFIRMED])
    return given.select_related("wording").latest("pk").wording


def _less(wanted: Scope, given: Scope) -> Scope:
    return Scope(**{name: getattr(wanted, name) and getattr(given, name) for name in Wording.TICKS})


def _is_narrower(wanted: Scope, given: Scope) -> bool:
    return all(getattr(given, name) or not getattr(wanted, name) for name in Wording.TICKS)
