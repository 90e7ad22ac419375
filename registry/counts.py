"""What depersonalising left of people, shown so that nobody is found in it.

A count below the smallest cell is hidden ("< 5"). Subtraction must not bring it back: a total is shown only where it
tells no more about any hidden cell than "< 5" does. There are no other totals. Two days can still be compared with each
other, so the table is for the staff who may see it, not for publishing.

Called by: the console. Sources: Law 94-V art. 17; policy clauses 13b, 16d.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Sum

from registry.models import KeptCount, ProcessingPurpose


@dataclass(frozen=True)
class Cell:
    """`people` None: hidden, fewer than the smallest cell."""

    language: str
    channel: str
    people: int | None


@dataclass(frozen=True)
class Group:
    """One purpose and month (its first day). `total` None: not shown, it would betray a hidden cell."""

    purpose: ProcessingPurpose
    month: date
    cells: list[Cell]
    total: int | None


def table(smallest: int) -> list[Group]:
    """Kept counts by purpose, month, language and channel, cells below `smallest` hidden. Two queries."""
    purposes = ProcessingPurpose.objects.in_bulk()
    by_cell = KeptCount.objects.values_list("purpose", "month", "language", "channel").annotate(sum=Sum("people"))
    rows = by_cell.filter(sum__gt=0).order_by("purpose__position", "purpose", "month", "language", "channel")
    groups: dict[tuple[int, date], list[tuple[str, str, int]]] = {}
    for purpose, month, language, channel, people in rows:
        groups.setdefault((purpose, month), []).append((language, channel, people))
    return [_group(purposes[purpose], month, cells, smallest) for (purpose, month), cells in groups.items()]


def _group(purpose: ProcessingPurpose, month: date, counted: list[tuple[str, str, int]], smallest: int) -> Group:
    shown, total = suppress([people for _language, _channel, people in counted], smallest)
    pairs = zip(counted, shown, strict=True)
    cells = [Cell(language, channel, people) for (language, channel, _people), people in pairs]
    return Group(purpose, month, cells, total)


def suppress(counts: Sequence[int], smallest: int) -> tuple[list[int | None], int | None]:
    """Counts and their total as they may be shown: None where hidden. Counts are one or more each.

    With the total somebody knows the sum of the hidden cells. It may be shown where each of them can still be anything
    from 1 to `smallest` - 1, and never beside exactly one.
    """
    hidden = [count for count in counts if count < smallest]
    shown = [None if count < smallest else count for count in counts]
    return shown, sum(counts) if _says_nothing(len(hidden), sum(hidden), smallest - 1) else None


def _says_nothing(cells: int, together: int, most: int) -> bool:
    if cells == 0:
        return True
    others = cells - 1
    return others > 0 and together - others >= most and together - others * most <= 1
