"""How large the operator is by the Law, from the number of people held that was counted last, and what follows.

A size goes up to the number before the next one begins. Data of restricted access move the operator one size up. From
WARN_FROM of the last number of a size on, the next one is announced: there is something to do before it is reached.

Called by: the console's page Today. Sources: Law 94-V art. 10-1, 25-1 (content: registry/content/sizes.toml).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.figures import Board
from registry.models import Operator, SizeClass

WARN_FROM = 90  # per cent of `most`


@dataclass(frozen=True)
class Standing:
    """Where the operator stands with so many `people`.

    `most`: the last number of people at which `size` does not change, None where it can grow no more; `following`: the
    size after it.
    """

    size: SizeClass
    people: int
    is_restricted: bool
    most: int | None = None
    following: SizeClass | None = None

    @property
    def is_near(self) -> bool:
        """Whether the next size is to be thought of."""
        return self.most is not None and self.people * 100 >= self.most * WARN_FROM


def of(people: int, sizes: Sequence[SizeClass], *, is_restricted: bool) -> Standing | None:
    """By the number of people alone; `sizes` by their beginning. None where there are none.

    The first size begins with nobody, whatever it says.
    """
    if not sizes:
        return None
    place = sum(one.starts_at <= people for one in sizes[1:])
    here, after = (_moved(one, sizes, is_restricted) for one in (place, place + 1))
    if here == after:
        return Standing(sizes[here], people, is_restricted)
    return Standing(sizes[here], people, is_restricted, sizes[place + 1].starts_at - 1, sizes[after])


def _moved(place: int, sizes: Sequence[SizeClass], is_restricted: bool) -> int:
    return min(place + is_restricted, len(sizes) - 1)


def look(board: Board) -> Standing | None:
    """By the figures counted last; None where nothing was counted yet, or no size is known. Two queries."""
    operator = Operator.objects.first()
    if board.counted_at is None or operator is None:
        return None
    sizes = list(SizeClass.objects.order_by("starts_at"))
    return of(board.one("people"), sizes, is_restricted=operator.has_restricted_data)
