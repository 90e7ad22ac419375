"""The charts of the page Today: which figures they show, in which words and colours. Geometry: registry.charts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from registry import charts as geometry
from registry.charts import Chart, Value
from registry.figures import Board, shown, told

Names = Mapping[str, Promise]
ACTS: Names = {"given": gettext_lazy("given"), "withdrawn": gettext_lazy("withdrawn")}
DEADLINES: Names = {
    "overdue": gettext_lazy("overdue"),
    "soon": gettext_lazy("due in 24 hours"),
    "later": gettext_lazy("later"),
}
DUE: Names = {
    "overdue": gettext_lazy("overdue"),
    "30": gettext_lazy("within 30 days"),
    "60": gettext_lazy("31-60 days"),
    "90": gettext_lazy("61-90 days"),
}
COLOURS = {"given": "c1", "withdrawn": "c2", "overdue": "bad", "soon": "soon", "later": "ok"}


@dataclass(frozen=True)
class Drawn:
    """A chart with the same numbers as a table: `heads` of its columns, `rows` of a name and the numbers as written.

    `legend`: colour and name of each series. `is_stacked` says how it is drawn.
    """

    code: str
    title: str
    description: str
    chart: Chart
    heads: list[str]
    rows: list[tuple[str, list[str]]]
    legend: list[tuple[str, str]]
    is_stacked: bool = False


def charts(board: Board, smallest: int | None) -> dict[str, Any]:
    """The three charts; None for one that has nothing to show yet."""
    return {"months": _months(board, smallest), "erasures": _erasures(board, smallest), "due": _due(board, smallest)}


def _months(board: Board, smallest: int | None) -> Drawn | None:
    """Newest first."""
    series = {act: shown(board.of(act), smallest)[0] for act in ACTS}
    months = sorted(series["given"], reverse=True)
    if not any(value != 0 for act in ACTS for value in series[act].values()):
        return None
    rows = [(month, [_value(series[act].get(month, 0), COLOURS[act], smallest) for act in ACTS]) for month in months]
    return Drawn(
        "months",
        _("Consents given and withdrawn"),
        _("By month, the last twelve; the newest first."),
        geometry.bars([(_month(month, "M Y"), values) for month, values in rows]),
        [_("month"), *map(str, ACTS.values())],
        [(_month(month, "YEAR_MONTH_FORMAT"), [value.text for value in values]) for month, values in rows],
        [(COLOURS[act], str(name)) for act, name in ACTS.items()],
    )


def _month(month: str, style: str) -> str:
    """Kazakh and Russian write months small."""
    written = date_format(date.fromisoformat(f"{month}-01"), style)
    return written if get_language() == "en" else written.lower()


def _erasures(board: Board, smallest: int | None) -> Drawn | None:
    values = _values(board.of("erasures"), DEADLINES, smallest)
    if not any(value.amount != 0 for value in values):
        return None
    return Drawn(
        "erasures",
        _("Demanded erasures by deadline"),
        _("Those that are not done yet."),
        geometry.stacked(values),
        [_("deadline"), _("erasures")],
        _table(values, DEADLINES),
        [(value.css, f"{name}: {value.text}") for value, name in zip(values, DEADLINES.values(), strict=True)],
        is_stacked=True,
    )


def _due(board: Board, smallest: int | None) -> Drawn | None:
    values = _values(board.of("due"), DUE, smallest)
    if not any(value.amount != 0 for value in values):
        return None
    rows = [(str(name), [value]) for name, value in zip(DUE.values(), values, strict=True)]
    return Drawn(
        "due",
        _("Data due for destruction"),
        _("Data whose term ends, unless a consent is renewed or a hold is placed."),
        geometry.bars(rows),
        [_("term ends in"), _("data")],
        _table(values, DUE),
        [],
    )


def _values(counted: Mapping[str, int], names: Names, smallest: int | None) -> list[Value]:
    visible = shown({group: counted.get(group, 0) for group in names}, smallest)[0]
    return [_value(visible[group], COLOURS.get(group, "c1"), smallest) for group in names]


def _value(amount: int | None, css: str, smallest: int | None) -> Value:
    return Value(amount, told(amount, smallest), css)


def _table(values: list[Value], names: Names) -> list[tuple[str, list[str]]]:
    return [(str(name), [value.text]) for value, name in zip(values, names.values(), strict=True)]
