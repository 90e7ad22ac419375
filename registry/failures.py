"""What went wrong and waits for somebody to look: jobs, the ledger, letters, what an erasure left, the audit.

Called by: the console's page Today. The rules themselves stand where their work is done.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _

from registry import findings, seals
from registry.figures import Board, told
from registry.models import AuditVerification, ErasureCertificate, JobRun, OutgoingMessage, Transfer
from registry.transfers.gate import DAMAGED

TRANSFERS_STAY = timedelta(days=7)  # since they were asked for


@dataclass(frozen=True)
class Failure:
    """`model` and `query`: the list in the console that shows more, where there is one."""

    text: str
    model: type[models.Model] | None = None
    query: str = ""


Source = Callable[[datetime], Iterable[Failure]]
sources: list[Source] = []


def add(source: Source) -> Source:
    """Other packages tell here what of theirs failed: `source(now)`, in a constant number of queries."""
    sources.append(source)
    return source


def find(now: datetime, board: Board, smallest: int | None) -> list[Failure]:
    """Everything at `now`, the worst first; counts of people below `smallest` hidden. A constant number of queries."""
    others = (failure for source in sources for failure in source(now))
    sent = (*_letters(board, smallest), *_transfers(now, smallest))
    return [*_audit(), *_remains(board, smallest), *_work(now), *sent, *others]


def _audit() -> Iterator[Failure]:
    if broken := seals.broken():
        outcome = broken.get_outcome_display()
        yield Failure(_("The audit is not what was sealed: %(outcome)s.") % {"outcome": outcome}, AuditVerification)


def _remains(board: Board, smallest: int | None) -> Iterator[Failure]:
    if count := board.one("remains"):
        text = _("Erasures after which something was found: %(count)s") % {"count": told(count, smallest)}
        yield Failure(text, ErasureCertificate)


def _work(now: datetime) -> Iterator[Failure]:
    for finding in findings.of_work(now):
        if finding.level == findings.Level.WARNING:
            yield Failure(finding.text, finding.model or (JobRun if "job" in finding.values else None))


def _letters(board: Board, smallest: int | None) -> Iterator[Failure]:
    failed = OutgoingMessage.State.FAILED
    if count := board.one("letters", failed):
        text = _("Letters that could not be delivered: %(count)s") % {"count": told(count, smallest)}
        yield Failure(text, OutgoingMessage, f"?state__exact={failed}")


def _transfers(now: datetime, smallest: int | None) -> Iterator[Failure]:
    """Files that could not be built, and people left out of one because a value is damaged. One query."""
    recent = Transfer.objects.filter(requested_at__gt=now - TRANSFERS_STAY)
    bad = list(recent.filter(Q(state=Transfer.State.FAILED) | Q(left_out__has_key=DAMAGED)).only("state", "left_out"))
    if failed := sum(row.state == Transfer.State.FAILED for row in bad):
        text = _("Transfers whose file could not be finished or was damaged: %(count)s") % {"count": told(failed)}
        yield Failure(text, Transfer, f"?state__exact={Transfer.State.FAILED}")
    if people := sum(row.left_out.get(DAMAGED, 0) for row in bad):
        text = _("People left out of transfers because a value cannot be opened: %(count)s")
        yield Failure(text % {"count": told(people, smallest)}, Transfer)
