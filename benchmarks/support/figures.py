"""What a benchmark prints at its end: a table, one line per figure, and whether the goals hold."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass

COMPARE = {">=": operator.ge, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    relation: str
    goal: float
    is_judged: bool = True

    @property
    def is_short(self) -> bool:
        return self.is_judged and not COMPARE[self.relation](self.value, self.goal)

    def __str__(self) -> str:
        verdict = "short" if self.is_short else "holds" if self.is_judged else "unjudged"
        return f"figure {self.name} {self.value:.3g} goal {self.relation} {self.goal:g} {verdict}"


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, ["-" * width for width in widths], *rows):
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([row[0].ljust(len(first)), *others]))


def judge(figures: Sequence[Figure]) -> int:
    """Prints the figures; the exit code of the benchmark."""
    for figure in figures:
        print(figure)
    return int(any(figure.is_short for figure in figures))
