"""The page Today, the console's first: what waits, what is wrong, how much there is.

It reads figures that a job counted and queues with a bound, so it takes as long with three million people as with ten.
Whoever may not see people sees no name, no reference and no small group of them (registry.figures.shown).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import banners, checklist, failures, figures, sizes, work
from registry.admin import today_charts
from registry.admin.base import sees_people, staff_member
from registry.figures import Board, told
from registry.models import Processing, PurgeRun, RetentionSettings, SizeClass, StaffMember

SHOWN = 20  # rows of the queue
RUNS = 5
TABS: dict[str, Promise] = {
    "all": gettext_lazy("All"),
    "overdue": gettext_lazy("Overdue"),
    "today": gettext_lazy("Due in 24 hours"),
    "mine": gettext_lazy("Mine"),
    "unassigned": gettext_lazy("Nobody's"),
}


@dataclass(frozen=True)
class Reading:
    """Who reads, when, and what they may see. `smallest` None: people, and so small groups of them too."""

    request: HttpRequest
    reader: StaffMember
    now: datetime
    board: Board
    smallest: int | None

    @property
    def sees_people(self) -> bool:
        return self.smallest is None

    def may_view(self, model: type[models.Model]) -> bool:
        site = admin.site
        return site.is_registered(model) and site.get_model_admin(model).has_view_permission(self.request)

    def list_of(self, model: type[models.Model] | None, query: str = "") -> str:
        """The address of the list, empty where there is none for this reader."""
        if model is None or not self.may_view(model):
            return ""
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") + query

    def page_of(self, row: Any) -> str:
        """The address of one row's page, empty where there is none for this reader."""
        if row is None or not self.may_view(type(row)):
            return ""
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def context(request: HttpRequest) -> dict[str, Any]:
    """Everything the page shows to whoever asks."""
    reading = read(request)
    queue = work.waiting(reading.reader, reading.now, sees_people=reading.sees_people)
    standing = sizes.look(reading.board)
    return {
        "title": _("Today"),
        "counted_at": reading.board.counted_at,
        "banners": [
            (line, reading.page_of(line.row) or reading.list_of(line.model))
            for line in banners.find(
                reading.reader, reading.now, sees_people=reading.sees_people, standing=standing
            )
        ],
        "tiles": tiles(reading, queue),
        **setup(reading),
        **queued(reading, queue),
        **today_charts.charts(reading.board, reading.smallest),
        "size": size(reading, standing),
        "runs": runs(reading),
        "failures": failed(reading),
    }


def read(request: HttpRequest) -> Reading:
    reader = staff_member(request)
    may_see = sees_people(request) and reader.has_perm("registry.view_datasubject")
    smallest = None if may_see else RetentionSettings.objects.get().smallest_cell
    return Reading(request, reader, timezone.now(), figures.read(), smallest)


@dataclass(frozen=True)
class Tile:
    """A number with its name; `level` colours it, `address` is where it leads, `note` says more."""

    number: str
    name: str
    level: str = ""
    address: str = ""
    note: str = ""


def tiles(reading: Reading, queue: work.Queue) -> list[Tile]:
    overdue, soon = (len(work.in_tab(queue, tab, reading.now)) for tab in ("overdue", "today"))
    more = "+" if queue.is_cut else ""
    return [
        Tile(f"{told(overdue)}{more}", _("overdue"), "bad" if overdue else "ok", "?q=overdue#queue"),
        Tile(f"{told(soon)}{more}", _("due in 24 hours"), "soon" if soon else "ok", "?q=today#queue"),
        _live(reading),
        _due(reading),
    ]


def _live(reading: Reading) -> Tile:
    """Beside the months the number of live consents is a kind of total: it must not bring back a hidden month."""
    board, smallest = reading.board, reading.smallest
    address = reading.list_of(Processing, "?state__exact=open")
    if board.counted_at is None:
        return Tile("-", _("live consents"))
    months = (figures.shown(board.of(name), smallest)[1] for name in ("given", "withdrawn"))
    if None in months:
        return Tile("-", _("live consents"), note=_("not shown: it would tell about few people"))
    people = _("people in the registry: %(count)s") % {"count": told(board.one("people"), smallest)}
    return Tile(told(board.one("live"), smallest), _("live consents"), "", address, people)


def _due(reading: Reading) -> Tile:
    name, board = _("data to destroy within 30 days"), reading.board
    if board.counted_at is None:
        return Tile("-", name)
    soonest = {group: board.one("due", group) for group in ("overdue", "30")}
    total = figures.shown(soonest, reading.smallest)[1]
    may_look = reading.sees_people and reading.reader.has_perm("registry.view_purgepreview")
    address = _address("purge_now") if may_look else ""
    if total is None:
        return Tile("-", name, note=_("not shown: it would tell about few people"))
    return Tile(told(total, reading.smallest), name, "", address)


def _address(name: str) -> str:
    try:
        return reverse(f"admin:{name}")
    except NoReverseMatch:
        return ""


def setup(reading: Reading) -> dict[str, Any]:
    """The checklist, for whoever may do something about it."""
    seen = checklist.look(reading.now, reading.board)
    steps = [(one, reading.list_of(one.step.model)) for one in seen]
    concerned = reading.reader.has_perm("registry.change_operator") or reading.reader.has_perm(
        "registry.add_appointment"
    )
    return {"steps": steps if concerned else [], "steps_done": sum(one.is_done for one in seen)}


@dataclass(frozen=True)
class Line:
    """One row of the queue as it is shown. `level` and `deadline`: the badge; `waits`: somebody else must act."""

    item: work.Item
    address: str
    level: str
    deadline: str
    waits: bool


def queued(reading: Reading, queue: work.Queue) -> dict[str, Any]:
    """The queue, cut to the tab asked for; a tab there is not is the first."""
    asked = reading.request.GET.get("q", "all")
    tab = asked if asked in work.TABS else "all"
    counts = {name: len(work.in_tab(queue, name, reading.now)) for name in TABS}
    items = work.in_tab(queue, tab, reading.now)
    return {
        "tab": tab,
        "tabs": [(name, label, f"{told(counts[name])}{'+' if queue.is_cut else ''}") for name, label in TABS.items()],
        "lines": [_line(reading, item) for item in items[:SHOWN]],
        "more": max(0, len(items) - SHOWN),
        "is_cut": queue.is_cut,
        "has_work": any(counts.values()),
    }


def _line(reading: Reading, item: work.Item) -> Line:
    level, deadline = deadline_of(item.due_at, reading.now)
    return Line(item, reading.page_of(item.row), level, deadline, not item.is_offered)


def deadline_of(due_at: datetime | None, now: datetime) -> tuple[str, str]:
    """Level and words of a deadline's badge; the sign comes with the level (the theme)."""
    if due_at is None:
        return "", ""
    hours = int(abs(due_at - now).total_seconds() // 3600)
    if due_at <= now:
        late = _("overdue %(count)d d") if hours >= 48 else _("overdue %(count)d h")
        return "bad", late % {"count": hours // 24 if hours >= 48 else hours}
    if due_at <= now + figures.SOON:
        return "soon", _("%(count)d h left") % {"count": hours} if hours else _("less than an hour left")
    last_moment = timezone.localtime(due_at - timedelta(microseconds=1))  # a day is over at the midnight after it
    return "", date_format(last_moment, "SHORT_DATE_FORMAT")


def size(reading: Reading, standing: sizes.Standing | None) -> dict[str, Any] | None:
    """The operator's size and what follows; how many people only for who may see people. None: not for this reader."""
    if not reading.reader.has_perm("registry.view_operator"):
        return None
    if standing is None:
        return {"size": None}
    most = "" if standing.most is None else told(standing.most)
    return {
        "size": standing.size,
        "following": standing.following,
        "is_restricted": standing.is_restricted,
        "duties": standing.size.text("duties"),
        "address": reading.page_of(standing.size) or reading.list_of(SizeClass),
        **({"people": told(standing.people), "most": most} if reading.sees_people else {}),
    }


def runs(reading: Reading) -> list[dict[str, Any]]:
    """The last purges, for whoever may see them; few people stay unseen here too."""
    if not reading.may_view(PurgeRun):
        return []
    return [
        {
            "run": run,
            "address": reading.page_of(run),
            "people": told(run.subjects, reading.smallest),
            "data": told(run.data, reading.smallest),
        }
        for run in PurgeRun.objects.order_by("-pk")[:RUNS]
    ]


def failed(reading: Reading) -> list[tuple[failures.Failure, str]] | None:
    """What failed, with where to look; None for whoever has nothing to do with the workings."""
    if not reading.reader.has_perm("registry.view_jobrun"):
        return None
    found = failures.find(reading.now, reading.board, reading.smallest)
    return [(one, reading.list_of(one.model, one.query)) for one in found]
