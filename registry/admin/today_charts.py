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
from registry.models import Country
from registry.requests.counting import share

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
REQUESTS: Names = {**DEADLINES, "paused": gettext_lazy("clock paused")}
ANSWERS: Names = {"in_time": gettext_lazy("in time"), "not_in_time": gettext_lazy("late")}
COLOURS = {
    "given": "c1",
    "withdrawn": "c2",
    "overdue": "bad",
    "soon": "soon",
    "later": "ok",
    "paused": "c2",
    "in_time": "ok",
    "not_in_time": "bad",
}


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
    """The charts by name; None for one that has nothing to show yet."""
    drawn = {
        "months": _months,
        "requests": _requests,
        "answers": _answers,
        "erasures": _erasures,
        "due": _due,
        "countries": _countries,
    }
    return {name: draw(board, smallest) for name, draw in drawn.items()}


def _months(board: Board, smallest: int | None) -> Drawn | None:
    rows = _by_month(board, ACTS, smallest)
    if not rows:
        return None
    return Drawn(
        "months",
        _("Consents given and withdrawn"),
        _("By month, the last twelve; the newest first."),
        geometry.bars([(_month(month, "M Y"), values) for month, values in rows]),
        [_("month"), *map(str, ACTS.values())],
        [(_month(month, "YEAR_MONTH_FORMAT"), [value.text for value in values]) for month, values in rows],
        _legend(ACTS),
    )


def _by_month(board: Board, names: Names, smallest: int | None) -> list[tuple[str, list[Value]]]:
    """The month, newest first, with the number of each of these figures; empty where there is none in any month."""
    series = {name: shown(board.of(name), smallest)[0] for name in names}
    months = sorted({month for counted in series.values() for month in counted}, reverse=True)
    if not any(value != 0 for counted in series.values() for value in counted.values()):
        return []
    return [
        (month, [_value(counted.get(month, 0), COLOURS[name], smallest) for name, counted in series.items()])
        for month in months
    ]


def _legend(names: Names) -> list[tuple[str, str]]:
    return [(COLOURS[name], str(label)) for name, label in names.items()]


def _month(month: str, style: str) -> str:
    """Kazakh and Russian write months small."""
    written = date_format(date.fromisoformat(f"{month}-01"), style)
    return written if get_language() == "en" else written.lower()


def _answers(board: Board, smallest: int | None) -> Drawn | None:
    """Where one of the two numbers is hidden there is no share: it would bring the number back."""
    rows = _by_month(board, ANSWERS, smallest)
    if not rows:
        return None
    whole = [[value.amount for value in values] for _month_, values in rows]
    of_all = _("Answered in time, of all:")
    told_ = _("By month, the last twelve; the newest first. Refusals count, what was joined or closed does not.")
    return Drawn(
        "answers",
        _("Requests answered in time"),
        f"{of_all} {_share_of_all(whole)}. {told_}",
        geometry.bars([(_month(month, "M Y"), values) for month, values in rows]),
        [_("month"), *map(str, ANSWERS.values()), _("share in time")],
        [
            (_month(month, "YEAR_MONTH_FORMAT"), [*(value.text for value in values), _share(amounts)])
            for (month, values), amounts in zip(rows, whole, strict=True)
        ],
        _legend(ANSWERS),
    )


def _share_of_all(months: list[list[int | None]]) -> str:
    if any(amount is None for amounts in months for amount in amounts):
        return "-"
    return _share([sum(amount or 0 for amount in column) for column in zip(*months, strict=True)])


def _share(amounts: list[int | None] | list[int]) -> str:
    """None where a number is hidden."""
    in_time, late = amounts
    return "-" if in_time is None or late is None else share(in_time, in_time + late)


def _erasures(board: Board, smallest: int | None) -> Drawn | None:
    titles = _("Demanded erasures by deadline"), _("Those that are not done yet."), _("erasures")
    return _by_deadline("erasures", titles, DEADLINES, board, smallest)


def _requests(board: Board, smallest: int | None) -> Drawn | None:
    titles = _("Open requests by deadline"), _("Those that wait for an answer of yours."), _("requests")
    return _by_deadline("requests", titles, REQUESTS, board, smallest)


def _by_deadline(
    code: str, titles: tuple[str, str, str], names: Names, board: Board, smallest: int | None
) -> Drawn | None:
    """One bar divided by what is left of the term. `titles`: of the chart, what is in it, of the column."""
    values = _values(board.of(code), names, smallest)
    if not any(value.amount != 0 for value in values):
        return None
    title, description, column = titles
    return Drawn(
        code,
        title,
        description,
        geometry.stacked(values),
        [_("deadline"), column],
        _table(values, names),
        [(value.css, f"{name}: {value.text}") for value, name in zip(values, names.values(), strict=True)],
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


def _countries(board: Board, smallest: int | None) -> Drawn | None:
    """The country with most people first."""
    counted = dict(sorted(board.of("countries").items(), key=lambda one: -one[1]))
    if not counted:
        return None
    known = Country.objects.in_bulk(counted)
    names = {code: str(known.get(code, code)) for code in counted}
    visible = shown(counted, smallest)[0]
    values = [_value(visible[code], "c1", smallest) for code in counted]
    return Drawn(
        "countries",
        _("People given to recipients, by country"),
        _("In the last twelve months. Whoever was in two files counts twice."),
        geometry.bars([(name, [value]) for name, value in zip(names.values(), values, strict=True)]),
        [_("country"), _("people")],
        [(name, [value.text]) for name, value in zip(names.values(), values, strict=True)],
        [],
    )


def _values(counted: Mapping[str, int], names: Names, smallest: int | None) -> list[Value]:
    visible = shown({group: counted.get(group, 0) for group in names}, smallest)[0]
    return [_value(visible[group], COLOURS.get(group, "c1"), smallest) for group in names]


def _value(amount: int | None, css: str, smallest: int | None) -> Value:
    return Value(amount, told(amount, smallest), css)


def _table(values: list[Value], names: Names) -> list[tuple[str, list[str]]]:
    return [(str(name), [value.text]) for value, name in zip(values, names.values(), strict=True)]
