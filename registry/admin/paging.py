"""Pages of a list that may hold millions: nothing is counted past MOST, nobody is led past it.

Whoever needs what lies deeper narrows the list by a filter or a search: page 20,000 helps nobody.
"""

from functools import cached_property
from typing import Any

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

MOST = 10_000  # rows


class BoundedPaginator(Paginator):
    """`count` is exact up to MOST; with more rows than that `is_cut`, and the pages end there."""

    object_list: Any

    @cached_property
    def count(self) -> int:
        return min(self._found, MOST)

    @property
    def is_cut(self) -> bool:
        return self._found > MOST

    @cached_property
    def _found(self) -> int:
        """How many rows, or MOST + 1."""
        return int(self.counted().count())

    def counted(self) -> Any:
        """What the database counts, and where it stops. Without the columns, the joins and the order of the page."""
        rows = self.object_list.order_by().select_related(None).prefetch_related(None).values("pk")
        return rows[: MOST + 1]


class InOneOrder(ChangeList):
    """Django hides the links of columns that may not be sorted by, and sorts by them all the same when asked."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        self.params.pop(ORDER_VAR, None)
        ordering: list[Any] = super().get_ordering(request, queryset)
        return ordering
