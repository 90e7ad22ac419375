"""Looking for a person by what they say. The term comes by POST and goes no further: not into an address, not back onto
the page, not into a message."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from registry import searching
from registry.admin.base import refuse_unappointed, staff_member
from registry.admin.subject_page import badge_of, framed
from registry.disclosure import masked
from registry.models import DataSubject, PersonalDatum


def with_contacts(people: QuerySet[DataSubject]) -> QuerySet[DataSubject]:
    """With the live contacts of each as `live_data`, for their hints: two queries, however many people."""
    data = PersonalDatum.objects.live().contacts().select_related("category", "key").order_by("category__kind", "pk")
    return people.prefetch_related(Prefetch("data", data, to_attr="live_data"))


def find_view(request: HttpRequest) -> HttpResponse:
    """GET asks; POST answers with the one person's page, a short masked list, or what to try next."""
    refuse_unappointed(request)
    by, now = staff_member(request), timezone.now()
    searching.check_may_find(by, now=now)
    if request.method != "POST":
        return _page(request)
    try:
        found = searching.find(request.POST.get("term", ""), by=by, now=now)
    except ValidationError as error:
        return _page(request, problem=" ".join(error.messages))
    if len(found.people) == 1:
        return redirect("admin:registry_datasubject_change", found.people[0].pk)
    return _page(request, found=found, lines=lines_of(found))


def lines_of(found: searching.Found) -> list[tuple[DataSubject, tuple[str, object], list[str]]]:
    """Everybody found, with their state and the hints of their contacts."""
    people = with_contacts(DataSubject.objects.filter(pk__in=[one.pk for one in found.people]))
    return [(one, badge_of(one), list(masked(one.live_data).values())) for one in people]  # type: ignore[attr-defined]


def _page(request: HttpRequest, **context: Any) -> HttpResponse:
    return framed(request, "find.html", {"title": _("Find a person"), **context})
