"""A list's filter by days: two `<input type=date>`, which need no script."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

SANE = [MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(2999, 12, 31))]
ISO = ["%Y-%m-%d"]  # what a date input sends, in every language


class DaysForm(forms.Form):
    first = forms.DateField(label=_("First day"), required=False, input_formats=ISO, validators=SANE)
    last = forms.DateField(label=_("Last day"), required=False, input_formats=ISO, validators=SANE)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("first") and cleaned.get("last") and cleaned["first"] > cleaned["last"]:
            raise forms.ValidationError(_("The first day is after the last."))
        return cleaned


class DateRange(admin.FieldListFilter):
    """`list_filter = [("at", DateRange)]` reads `?at__from=2026-11-01&at__to=2026-11-30`: local days, both included.

    Days that can't be read, or the wrong way round, find nothing and say why: a list that passed over its filter would
    lie.
    """

    template = "admin/date_range_filter.html"

    def __init__(self, field: models.Field, request: HttpRequest, *others: Any, **named: Any) -> None:
        self.first, self.last = (f"{named['field_path']}__{end}" for end in ("from", "to"))
        super().__init__(field, request, *others, **named)
        first, last = (str(self.used_parameters.get(name, [""])[-1]) for name in (self.first, self.last))  # type: ignore[index]
        self.form = DaysForm({"first": first, "last": last})

    def expected_parameters(self) -> list[str | None]:
        return [self.first, self.last]

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        """One: the form itself, as it was filled in. `query_string` says the same, for whoever keeps it."""
        days = self._days()
        given = changelist.get_filters_params()
        others = [(name, value) for name in given if name not in self.expected_parameters() for value in given[name]]
        return [
            {
                "selected": bool(days),
                "query_string": changelist.get_query_string(days, remove=[self.first, self.last]),
                "clear": changelist.get_query_string(remove=[self.first, self.last]),
                "others": others,
                "form": self.form,
                "first": self.first,
                "last": self.last,
            }
        ]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        if not self.form.is_valid():
            return queryset.none()
        first, last = self.form.cleaned_data["first"], self.form.cleaned_data["last"]
        bounds: dict[str, date] = {}
        if first:
            bounds[f"{self.field_path}__gte"] = self._start_of(first)
        if last:
            bounds[f"{self.field_path}__lt"] = self._start_of(last + timedelta(days=1))
        return queryset.filter(**bounds)

    def _days(self) -> dict[str, str]:
        """The parameters that say something readable."""
        given = self.form.cleaned_data if self.form.is_valid() else {}
        named = ((self.first, given.get("first")), (self.last, given.get("last")))
        return {name: day.isoformat() for name, day in named if day}

    def _start_of(self, day: date) -> date:
        is_moment = isinstance(self.field, models.DateTimeField)
        return timezone.make_aware(datetime.combine(day, time.min)) if is_moment else day
