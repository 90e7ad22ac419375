"""Which parameters a list's address may carry: those of its own filters.

Django lets an address ask about any column of the list's table (`?password__startswith=a`), and the number of rows
answers: letter by letter a digest, an index or a sealed value could be told from outside. Here everything that is not a
filter's own is refused with 400.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from django.contrib.admin.utils import get_fields_from_path
from django.db.models import Model

ASKED = ("exact", "isnull", "isempty", "gte", "lt", "from", "to")  # by Django's filters of a field, and by DateRange


def parameters(filters: Iterable[Any], model: type[Model]) -> Iterator[str]:
    """The parameters of `list_filter`'s items: filters of their own, field names, (field name, filter) pairs."""
    for item in filters:
        if isinstance(item, type):
            yield item.parameter_name  # type: ignore[attr-defined]
        else:
            yield from _of_field(item if isinstance(item, str) else item[0], model)


def _of_field(path: str, model: type[Model]) -> Iterator[str]:
    field = get_fields_from_path(model, path)[-1]
    target = getattr(field, "target_field", None)
    asked = (*ASKED, *([f"{target.name}__exact"] if target else []))
    return chain([path], (f"{path}__{lookup}" for lookup in asked))
