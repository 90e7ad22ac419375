"""What a list's page needs beyond Django's: the reader's own filters and the words of an empty list."""

from typing import Any

from django import template
from django.db.models import QuerySet
from django.http import HttpRequest

from registry.admin import empty, saved_filters
from registry.models import SavedFilter

register = template.Library()


@register.simple_tag
def saved_filters_of(request: HttpRequest, changelist: Any) -> QuerySet[SavedFilter]:
    page = saved_filters.page_of(changelist.model_admin)
    return SavedFilter.objects.filter(person=request.user.pk, page=page)


@register.simple_tag
def page_of(changelist: Any) -> str:
    return saved_filters.page_of(changelist.model_admin)


@register.simple_tag
def empty_text(changelist: Any) -> str:
    return empty.empty_text(changelist.model_admin)
