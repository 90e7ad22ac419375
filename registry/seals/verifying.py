"""Is the audit what was sealed? Reads every entry again and names the first wrong one.

What was signed outside counts before what stands in the database: the seals there are rows like others, and their owner
can write all of them anew. Constant memory; changes nothing; may be stopped at any moment.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from registry import chain
from registry.models import AuditEntry, AuditVerification, StaffMember
from registry.seals import checkpoints, form
from registry.seals.statements import CheckpointError, Mark, public_key

Outcome = AuditVerification.Outcome
INTACT, CHANGED, MISSING, ADDED, REWRITTEN = Outcome


@dataclass(frozen=True)
class Result:
    """`first_bad`: the first wrong entry; where no line names it, the wrong ones lie between it and `last_bad`.

    `reach`: how far the checkpoints that were given go, None without; `unsealed`: entries that nothing vouches for yet.
    """

    outcome: Outcome = INTACT
    entries: int = 0
    first_bad: int | None = None
    last_bad: int | None = None
    unsealed: int = 0
    reach: int | None = None


def verify(
    path: Path | None = None,
    *,
    key: Ed25519PublicKey | None = None,
    report: Callable[[int], None] = lambda entries: None,
) -> Result:
    """Compares all entries with their seals and, if given, with a file of checkpoints signed by `key` (default: ours).

    `report` is told how many entries were looked at. CheckpointError: the file itself can't be trusted.
    """
    size = _size_of(path) if path else 0  # before the seals are read: those in the file are then among them
    signed = checkpoints.read(path, size, key or public_key()) if path else iter(())
    walk = _Walk()
    for mark, is_signed, agrees in _together(checkpoints.marks(), signed):
        if found := walk.pass_by(mark, is_signed, agrees):
            break
        report(walk.entries)
    else:
        unsealed = AuditEntry.objects.filter(pk__gt=walk.last).count()
        found = walk.doubt or Result(entries=walk.entries, unsealed=unsealed)
    return replace(found, entries=walk.entries, reach=walk.last_signed if path else None)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise CheckpointError(f"{path} can't be read ({error.strerror})") from None


def _together(own: Iterator[Mark], signed: Iterator[Mark]) -> Iterator[tuple[Mark, bool, bool]]:
    """The marks to pass by, in order: what was signed where it names its entries, else the database's own seals.

    With each: whether it was signed, and whether the database holds the very same seal and no other on the way.
    """
    seal = next(own, None)
    for mark in signed:
        agrees = True
        while seal and seal.last < mark.last:
            if mark.lines is None or seal.last < mark.first:
                yield seal, False, True
            else:
                agrees = False
            seal = next(own, None)
        same = seal if seal and seal.last == mark.last else None
        agrees = agrees and same is not None and same.statement() == mark.statement()
        yield (replace(mark, lines=same.lines) if mark.lines is None and same else mark), True, agrees
        seal = next(own, None) if same else seal
    while seal:
        yield seal, False, True
        seal = next(own, None)


class _Walk:
    """On the way through all entries: how far, and the head there.

    `doubt`: a seal is not the one that was signed, though the entries under it are right. A wrong entry tells more.
    """

    def __init__(self) -> None:
        self.last, self.head, self.entries, self.last_signed = 0, form.START, 0, 0
        self.doubt: Result | None = None

    def pass_by(self, mark: Mark, is_signed: bool, agrees: bool) -> Result | None:
        """Reads on to the mark; which entry on the way is wrong, if one is."""
        trusted = self.last_signed if is_signed else self.last
        rewritten = Result(REWRITTEN, first_bad=trusted + 1, last_bad=mark.last)
        named = form.unpack(mark.lines) if mark.lines is not None and self._is_next(mark) else None
        difference = self._read_on(mark.last, named)
        if self.head != mark.head:
            lacks = is_signed and self.entries < mark.total
            return difference or (replace(rewritten, outcome=MISSING) if lacks else rewritten)
        if difference or not agrees or (named is None and mark.lines is not None):
            self.doubt = self.doubt or rewritten
        self.last_signed = mark.last if is_signed else self.last_signed
        return None

    def _is_next(self, mark: Mark) -> bool:
        return (mark.previous, mark.first) == (self.head, self.last + 1)

    def _read_on(self, upto: int, named: Sequence[form.Entry] | None) -> Result | None:
        """The first entry that is not the one that is named."""
        names = _Names(named)
        for number, digest in form.entries(self.last or form.BEFORE_ALL, upto):
            self.head = form.behind(self.head, digest)
            self.entries += 1
            names.meet(number, digest[: form.TAG])
        self.last = upto
        return names.end()


class _Names:
    """The entries a seal names, met one by one; None: it names none, and no difference is found."""

    def __init__(self, named: Sequence[form.Entry] | None) -> None:
        self.is_silent = named is None
        self.rest = iter(named or ())
        self.named = next(self.rest, None)
        self.difference: Result | None = None

    def meet(self, number: int, tag: bytes) -> None:
        if self.is_silent or self.difference:
            return
        if self.named is None or self.named[0] > number:
            self.difference = _wrong(ADDED, number)
        elif self.named[0] < number:
            self.difference = _wrong(MISSING, self.named[0])
        elif self.named[1] != tag:
            self.difference = _wrong(CHANGED, number)
        self.named = next(self.rest, None)

    def end(self) -> Result | None:
        """The first difference; an entry that is named and was never met is one."""
        return self.difference or (_wrong(MISSING, self.named[0]) if self.named else None)


def _wrong(outcome: Outcome, number: int) -> Result:
    return Result(outcome, first_bad=number, last_bad=number)


def request(by: StaffMember, now: datetime) -> AuditVerification:
    """Asks for a verification; one that still waits is not asked for twice."""
    waiting = AuditVerification.objects.filter(finished_at=None).first()
    return waiting or AuditVerification.objects.create(by=by, started_at=now)


def run(now: datetime, *, clock: Callable[[], datetime]) -> AuditVerification:
    """Verifies, with our own file of checkpoints where there is one, and notes what came of it.

    Does what was asked for; else what the nightly job asks. CheckpointError leaves it asked for.
    """
    asked = AuditVerification.objects.filter(finished_at=None).first() or AuditVerification(started_at=now)
    path: Path = settings.CHECKPOINTS_FILE
    result = verify(path if chain.size_of(path) else None)
    asked.entries, asked.outcome, asked.first_bad = result.entries, result.outcome, result.first_bad
    asked.finished_at = clock()
    asked.save()
    return asked


def broken() -> AuditVerification | None:
    """The last verification, if it found something."""
    last = AuditVerification.objects.exclude(finished_at=None).first()
    return last if last and last.outcome != INTACT else None
