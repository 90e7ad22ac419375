"""The work queue: what waits for somebody, earliest deadline first.

- Whoever may not do a thing is not shown that it waits; whoever asked for it is not offered to decide about it.
- What is about people is shown only to those who may see people, and names a person by reference.
- Of each kind the earliest rows are read, so the queue costs the same however much waits.

Called by: the console's page Today. What there is to do: registry.work_kinds; other packages add theirs with `add`.
Sources: Law 94-V art. 18, 25; policy clauses 19, 25, 29.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import models

from registry.figures import SOON
from registry.models import StaffMember

MOST = 200  # rows of one kind that are looked at
NEVER = datetime.max.replace(tzinfo=UTC)
Due = Callable[[Any], datetime | None]


@dataclass(frozen=True)
class Kind:
    """One kind of work. `name` and `about` are shown, `about` says of a row whom or what it concerns.

    `permission`: who may do it; `asked_with`: who may ask for it and then sees where it stands. `asked_by`: the field
    that names who asked, or who has taken it on. `needs_second`: somebody else must do it than who asked. `due`: None
    where nothing sets one; `dues` instead where counting needs something first: it is asked once for all rows.
    """

    name: Any
    permission: str
    asked_with: str
    asked_by: str
    rows: Callable[[datetime], models.QuerySet[Any]]
    about: Callable[[Any], str]
    due: Due = lambda row: None
    dues: Callable[[], Due] | None = None
    needs_second: bool = True
    is_about_people: bool = True

    def seen_by(self, reader: StaffMember, now: datetime) -> models.QuerySet[Any] | None:
        """The rows this person may act on or has asked for; None if neither is possible."""
        rows = self.rows(now).select_related(self.asked_by)
        if reader.has_perm(self.permission):
            return rows
        return rows.filter(**{self.asked_by: reader}) if reader.has_perm(self.asked_with) else None


@dataclass(frozen=True)
class Item:
    """One row of the queue. `is_offered`: this reader may do it; `is_mine`: this reader asked for it, or took it on."""

    kind: Kind
    row: Any
    due_at: datetime | None
    asked_by: StaffMember | None
    is_mine: bool
    is_offered: bool

    @property
    def about(self) -> str:
        return self.kind.about(self.row)

    def is_overdue(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at <= now

    def is_soon(self, now: datetime) -> bool:
        return self.due_at is not None and now < self.due_at <= now + SOON


@dataclass(frozen=True)
class Queue:
    """What waits for one reader. `is_cut`: of some kind there is more, so numbers are "at least"."""

    items: list[Item]
    is_cut: bool


Tab = Callable[[Item, datetime], bool]
TABS: dict[str, Tab] = {
    "all": lambda item, now: item.is_offered,
    "overdue": lambda item, now: item.is_offered and item.is_overdue(now),
    "today": lambda item, now: item.is_offered and item.is_soon(now),
    "mine": lambda item, now: item.is_mine,
    "unassigned": lambda item, now: item.is_offered and item.asked_by is None,
}

kinds: list[Kind] = []


def add(kind: Kind) -> Kind:
    kinds.append(kind)
    return kind


def waiting(reader: StaffMember, now: datetime, *, sees_people: bool) -> Queue:
    """What this person may do or has asked for at `now`. One query a kind."""
    shown = [kind for kind in kinds if sees_people or not kind.is_about_people]
    found = [_items(kind, reader, now) for kind in shown]
    items = sorted((item for some in found for item in some), key=lambda item: item.due_at or NEVER)
    return Queue(items, any(len(some) == MOST for some in found))


def _items(kind: Kind, reader: StaffMember, now: datetime) -> list[Item]:
    seen = kind.seen_by(reader, now)
    rows = [] if seen is None else list(seen[:MOST])
    due = kind.dues() if kind.dues and rows else kind.due
    return [_item(kind, row, reader, due(row)) for row in rows]


def _item(kind: Kind, row: Any, reader: StaffMember, due_at: datetime | None) -> Item:
    asked_by = getattr(row, kind.asked_by)
    is_mine = asked_by == reader
    is_offered = reader.has_perm(kind.permission) and not (is_mine and kind.needs_second)
    return Item(kind, row, due_at, asked_by, is_mine, is_offered)


def in_tab(queue: Queue, tab: str, now: datetime) -> list[Item]:
    """The items of one tab, in order. KeyError for a tab there is not."""
    return [item for item in queue.items if TABS[tab](item, now)]
