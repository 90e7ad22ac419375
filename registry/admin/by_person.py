"""A list's filter by one person: the reference goes into an input and the address, for it is no personal value."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from registry.models import DataSubject

LONGEST = 20  # characters; a reference has 12


class ByPerson(admin.SimpleListFilter):
    """`?person=DS-7K3F-9Q2M`. A reference nobody has finds nothing; it is not an error."""

    title = _("data subject")
    parameter_name = "person"
    template = "admin/by_person_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("", "")]  # shown though there is nothing to choose from

    def choices(self, changelist: Any) -> Iterator[Any]:
        others = changelist.get_filters_params()
        yield {"parameter": self.parameter_name, "value": self.value() or "", "others": _pairs(others, self)}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        given = (self.value() or "").strip().upper()
        if not given:
            return queryset
        if len(given) > LONGEST or "\0" in given:
            raise IncorrectLookupParameters(ValidationError("not a reference"))
        return queryset.filter(subject__in=DataSubject.objects.filter(reference=given))


def _pairs(parameters: dict[str, list[str]], own: admin.SimpleListFilter) -> list[tuple[str, str]]:
    """What the other filters say, for hidden inputs."""
    return [(name, value) for name, values in parameters.items() if name != own.parameter_name for value in values]
