"""The work queue: what waits for somebody, earliest deadline first.

- Whoever may not do a thing is not shown that it waits; whoever asked for it is not offered to decide about it.
- What is about people is shown only to those who may see people, and names a person by reference.
- Of each kind the earliest rows are read, so the queue costs the same however much waits.

Called by: the console's page Today. Other packages add their kinds of work with `add`.
Sources: Law 94-V art. 18, 25; policy clauses 19, 25, 29.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry.figures import SOON
from registry.findings import ERASURE_IS_LATE_AFTER
from registry.models import DataExport, ErasureCertificate, PurgePreview, RuleChange, StaffMember

MOST = 200  # rows of one kind that are looked at
DESTRUCTION_TERM = timedelta(days=1)  # from the end of the term of the data (Rules 395)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Kind:
    """One kind of work. `name` and `about` are shown, `about` says of a row whom or what it concerns.

    `permission`: who may do it; `asked_with`: who may ask for it and then sees where it stands. `asked_by`: the field
    that names who asked. `needs_second`: somebody else must do it than who asked. `due`: None where nothing sets one.
    """

    name: Any
    permission: str
    asked_with: str
    asked_by: str
    rows: Callable[[datetime], models.QuerySet[Any]]
    about: Callable[[Any], str]
    due: Callable[[Any], datetime | None] = lambda row: None
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
    """One row of the queue. `is_offered`: this reader may do it; `is_mine`: this reader asked for it."""

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
    rows = kind.seen_by(reader, now)
    return [] if rows is None else [_item(kind, row, reader) for row in rows[:MOST]]


def _item(kind: Kind, row: Any, reader: StaffMember) -> Item:
    asked_by = getattr(row, kind.asked_by)
    is_mine = asked_by == reader
    is_offered = reader.has_perm(kind.permission) and not (is_mine and kind.needs_second)
    return Item(kind, row, kind.due(row), asked_by, is_mine, is_offered)


def in_tab(queue: Queue, tab: str, now: datetime) -> list[Item]:
    """The items of one tab, in order. KeyError for a tab there is not."""
    return [item for item in queue.items if TABS[tab](item, now)]


def _erasures(now: datetime) -> models.QuerySet[ErasureCertificate]:
    return ErasureCertificate.objects.open().select_related("subject").defer("scan").order_by("demanded_at", "pk")


def _purges(now: datetime) -> models.QuerySet[PurgePreview]:
    return PurgePreview.objects.filter(state=PurgePreview.State.WAITING).order_by("as_of", "pk")


def _rules(now: datetime) -> models.QuerySet[RuleChange]:
    proposed = RuleChange.objects.filter(state=RuleChange.State.PROPOSED)
    return proposed.select_related("purpose").defer("simulation").order_by("requested_at", "pk")


def _lists(now: datetime) -> models.QuerySet[DataExport]:
    waiting = DataExport.objects.filter(state=DataExport.State.WAITING)
    return waiting.select_related("purpose").defer("wrapped").order_by("requested_at", "pk")


def _told_purge(preview: PurgePreview) -> str:
    return _("data: %(data)d, people: %(people)d") % {"data": preview.data, "people": preview.subjects}


def _told_list(export: DataExport) -> str:
    return _("%(purpose)s, people: %(people)d") % {"purpose": export.purpose, "people": export.people}


add(
    Kind(
        gettext_lazy("Erasure on demand"),
        permission="registry.demand_erasure",
        asked_with="registry.demand_erasure",
        asked_by="demanded_by",
        rows=_erasures,
        about=lambda certificate: certificate.subject.reference,
        due=lambda certificate: certificate.demanded_at + ERASURE_IS_LATE_AFTER,
        needs_second=False,
    )
)
add(
    Kind(
        gettext_lazy("Approve a purge"),
        permission="registry.approve_purge",
        asked_with="registry.request_purge",
        asked_by="requested_by",
        rows=_purges,
        about=_told_purge,
        due=lambda preview: preview.as_of + DESTRUCTION_TERM,
    )
)
add(
    Kind(
        gettext_lazy("Approve a retention rule"),
        permission="registry.approve_rulechange",
        asked_with="registry.propose_rulechange",
        asked_by="requested_by",
        rows=_rules,
        about=lambda change: str(change.purpose),
        is_about_people=False,
    )
)
add(
    Kind(
        gettext_lazy("Approve a list of people"),
        permission="registry.approve_dataexport",
        asked_with="registry.export_plain",
        asked_by="requested_by",
        rows=_lists,
        about=_told_list,
    )
)
