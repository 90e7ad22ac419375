"""Geometry of the charts on the page Today: numbers in, rectangles out. Pure; templates draw them as SVG.

Lengths are whole units of the drawing (its viewBox): no decimal mark that a language could spell its own way, and the
chart grows with its card. Colours are CSS classes; nothing here is a style.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

WIDTH = 300
LABEL = 84  # for the name of a row, on the left
NUMBER = 48  # for the number beside the longest bar
BAR, BETWEEN, ROW_GAP = 10, 2, 7
BAND = 24  # height of a stacked bar
ROOM = 26  # a segment narrower than this has no room for its number


@dataclass(frozen=True)
class Value:
    """A number as it is drawn: `amount` None is hidden, so it has no bar; `text` stands beside it; `css` colours it."""

    amount: int | None
    text: str
    css: str


@dataclass(frozen=True)
class Bar:
    css: str
    text: str
    x: int
    y: int
    width: int
    height: int

    @property
    def after(self) -> int:
        """Where the number begins."""
        return self.x + self.width + 5

    @property
    def middle(self) -> int:
        return self.x + self.width // 2

    @property
    def base(self) -> int:
        """The line the number stands on."""
        return self.y + self.height // 2 + 4

    @property
    def has_room(self) -> bool:
        return self.width >= ROOM


@dataclass(frozen=True)
class Row:
    """One name with its bars under each other. `base`: the line its name stands on."""

    label: str
    base: int
    bars: list[Bar]


@dataclass(frozen=True)
class Chart:
    width: int
    height: int
    rows: list[Row]


def bars(rows: Sequence[tuple[str, Sequence[Value]]]) -> Chart:
    """Horizontal bars, one row a name, with one bar for each of its values; the longest fills the width."""
    most = max((value.amount or 0 for _label, values in rows for value in values), default=0)
    drawn, y = [], 0
    for label, values in rows:
        height = len(values) * (BAR + BETWEEN) - BETWEEN
        drawn.append(Row(label, y + height // 2 + 4, _bars(values, y, most)))
        y += height + ROW_GAP
    return Chart(WIDTH, max(y - ROW_GAP, 0), drawn)


def _bars(values: Sequence[Value], y: int, most: int) -> list[Bar]:
    step = BAR + BETWEEN
    return [
        Bar(value.css, value.text, LABEL, y + place * step, _length(value.amount, most), BAR)
        for place, value in enumerate(values)
    ]


def _length(amount: int | None, most: int) -> int:
    """Something that is there is seen: at least two units."""
    return max(2, (WIDTH - LABEL - NUMBER) * amount // most) if amount else 0


def stacked(values: Sequence[Value]) -> Chart:
    """One bar divided among its values, in order; a zero or hidden one has no part of it."""
    drawn = [value for value in values if value.amount]
    total = sum(value.amount or 0 for value in drawn)
    ends = [WIDTH * part // max(total, 1) for part in accumulate((value.amount or 0 for value in drawn), initial=0)]
    segments = [
        Bar(value.css, value.text, start, 0, max(2, end - start - 2), BAND)
        for value, start, end in zip(drawn, ends, ends[1:], strict=False)
    ]
    return Chart(WIDTH, BAND, [Row("", BAND, segments)])
