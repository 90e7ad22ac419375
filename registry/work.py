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
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import certifying
from registry.deadlines import end_of_day
from registry.figures import SOON
from registry.models import (
    DataExport,
    ErasureCertificate,
    Incident,
    PurgePreview,
    RecipientNotice,
    RuleChange,
    StaffMember,
    SubjectRequest,
    Transfer,
)
from registry.requests.steps import HANDLE

MOST = 200  # rows of one kind that are looked at
DESTRUCTION_TERM = timedelta(days=1)  # from the end of the term of the data (Rules 395)
NEVER = datetime.max.replace(tzinfo=UTC)
Due = Callable[[Any], datetime | None]
State = SubjectRequest.State


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


def _erasures(now: datetime) -> models.QuerySet[ErasureCertificate]:
    waiting = certifying.promised(ErasureCertificate.objects.open())
    return waiting.select_related("subject").defer("scan").order_by("demanded_at", "pk")


def _erasure_ends() -> Due:
    term = certifying.own_term()
    return lambda certificate: certifying.ends_at(certificate, term)


def _requests(now: datetime) -> models.QuerySet[SubjectRequest]:
    return _by_day(SubjectRequest.objects.filter(state=State.OPEN))


def _unknown(now: datetime) -> models.QuerySet[SubjectRequest]:
    """Nobody knows yet who asks, and the staff can find out: a link in a page's letter is pressed by the person."""
    by_staff = Q(state=State.UNVERIFIED) & ~Q(channel=SubjectRequest.Channel.PAGE)
    return _by_day(SubjectRequest.objects.filter(by_staff | Q(state=State.PAUSED)))


def _by_day(requests: models.QuerySet[SubjectRequest]) -> models.QuerySet[SubjectRequest]:
    return requests.select_related("subject").defer("explanation").order_by("due_on", "pk")


def _purges(now: datetime) -> models.QuerySet[PurgePreview]:
    return PurgePreview.objects.filter(state=PurgePreview.State.WAITING).order_by("as_of", "pk")


def _rules(now: datetime) -> models.QuerySet[RuleChange]:
    proposed = RuleChange.objects.filter(state=RuleChange.State.PROPOSED)
    return proposed.select_related("purpose").defer("simulation").order_by("requested_at", "pk")


def _lists(now: datetime) -> models.QuerySet[DataExport]:
    waiting = DataExport.objects.filter(state=DataExport.State.WAITING)
    return waiting.select_related("purpose").defer("wrapped").order_by("requested_at", "pk")


def _transfers(now: datetime) -> models.QuerySet[Transfer]:
    waiting = Transfer.objects.filter(state=Transfer.State.WAITING)
    return waiting.select_related("recipient").defer("wrapped").order_by("requested_at", "pk")


def _notices(now: datetime) -> models.QuerySet[RecipientNotice]:
    """Recipients nobody has told yet: those without an e-mail wait for the staff."""
    untold = RecipientNotice.objects.filter(sent_at=None, acknowledged_at=None)
    return untold.select_related("recipient", "subject").order_by("due_on", "pk")


def _told_request(request: SubjectRequest) -> str:
    return f"{request.get_kind_display()}, {request.subject.reference}"


def _request_ends(request: SubjectRequest) -> datetime | None:
    return end_of_day(request.due_on, ZoneInfo(settings.TIME_ZONE)) if request.due_on else None


def _untold(now: datetime) -> models.QuerySet[Incident]:
    return Incident.objects.untold().filter(no_notice_at=None).order_by("due_on", "pk")


def _unsettled(now: datetime) -> models.QuerySet[Incident]:
    """Somebody has stated why no notice is due: another person closes, or sends one."""
    return Incident.objects.untold().filter(no_notice_at__isnull=False).order_by("due_on", "pk")


def _notice_ends(row: Incident | RecipientNotice) -> datetime:
    return end_of_day(row.due_on, ZoneInfo(settings.TIME_ZONE))


def _told_purge(preview: PurgePreview) -> str:
    return _("data: %(data)d, people: %(people)d") % {"data": preview.data, "people": preview.subjects}


def _told_list(export: DataExport) -> str:
    return _("%(purpose)s, people: %(people)d") % {"purpose": export.purpose, "people": export.people}


def _told_transfer(transfer: Transfer) -> str:
    return _("%(recipient)s, people: %(people)d") % {"recipient": transfer.recipient, "people": transfer.people}


add(
    Kind(
        gettext_lazy("Erasure on demand"),
        permission="registry.demand_erasure",
        asked_with="registry.demand_erasure",
        asked_by="demanded_by",
        rows=_erasures,
        about=lambda certificate: certificate.subject.reference,
        dues=_erasure_ends,
        needs_second=False,
    )
)
for _name, _rows in ((gettext_lazy("Answer a request"), _requests), (gettext_lazy("Find out who asks"), _unknown)):
    add(Kind(_name, HANDLE, HANDLE, "assignee", _rows, _told_request, _request_ends, needs_second=False))
for _title, _breaches, _by in (
    (gettext_lazy("Notice of a breach"), _untold, "entered_by"),
    (gettext_lazy("Close an incident without a notice"), _unsettled, "no_notice_by"),
):
    add(
        Kind(
            _title,
            permission="registry.handle_incident",
            asked_with="registry.handle_incident",
            asked_by=_by,
            rows=_breaches,
            about=lambda incident: str(incident.get_kind_display()),
            due=_notice_ends,
            needs_second=_by == "no_notice_by",
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
add(
    Kind(
        gettext_lazy("Approve a transfer"),
        permission="registry.approve_transfer",
        asked_with="registry.ask_transfer",
        asked_by="requested_by",
        rows=_transfers,
        about=_told_transfer,
    )
)
add(
    Kind(
        gettext_lazy("Tell a recipient"),
        permission="registry.handle_recipientnotice",
        asked_with="registry.handle_recipientnotice",
        asked_by="acknowledged_by",
        rows=_notices,
        about=lambda notice: f"{notice.recipient}, {notice.subject.reference}",
        due=_notice_ends,
        needs_second=False,
    )
)
