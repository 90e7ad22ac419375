"""Lists stay as fast with millions: nothing is counted to the end, and every choice of a filter is read by an index.

Seen to fail: a filter by the language of people, and by the channel of consents, before they were taken out; `?o=1` obeyed."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin import site
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from registry.admin import paging
from registry.admin.base import PeopleAdmin
from registry.admin.paging import BoundedPaginator
from registry.models import DataSubject, StaffMember
from tests.factories import EMAIL, PHONE, enter, hold, person, staff

pytestmark = pytest.mark.django_db
PEOPLE = sorted((model._meta.label_lower for model, admin in site._registry.items() if isinstance(admin, PeopleAdmin)))
# Few rows each, however many people there are: what staff entered, demanded, listed, asked for themselves or must answer.
SMALL = {
    "registry.legalhold", "registry.erasurecertificate", "registry.purgepreview", "registry.dataexport",
    "registry.subjectrequest", "registry.transfer",
}  # fmt: skip
BIG = sorted(set(PEOPLE) - SMALL)
JOINED = {"?end=unknown"}  # asks the purpose too: with as few rows as here the planner may begin there
MOST_ROWS_ARE = {
    "registry.datasubject": ["status__exact=active"],
    "registry.processing": ["state__exact=open"],
    "registry.outgoingmessage": ["state__exact=sent"],
    "registry.recipientnotice": ["show=told", "show=confirmed"],
    "registry.personnotice": ["show=told"],
    "registry.erasurerecord": ["ground__exact=term_over"],
    "consent.receivedmail": ["state__exact=filed"],
    "consent.consentrecord": ["act__exact=asked", "act__exact=confirmed"],
}


@pytest.fixture
def subject():
    subject = person("site-news", "feedback", email=EMAIL, phone=PHONE, now=timezone.now())
    hold(subject)
    return subject


def test_nothing_is_counted_past_the_most(subject, monkeypatch):
    for _ in range(4):
        person()
    monkeypatch.setattr(paging, "MOST", 3)
    pages = BoundedPaginator(DataSubject.objects.order_by("-pk"), 2)
    with CaptureQueriesContext(connection) as queries:
        assert (pages.count, pages.is_cut, pages.num_pages) == (3, True, 2)
    assert len(queries) == 1 and "LIMIT 4" in queries[0]["sql"]


def test_a_list_within_the_most_is_counted_exactly(subject):
    pages = BoundedPaginator(DataSubject.objects.order_by("-pk"), 2)
    assert (pages.count, pages.is_cut) == (DataSubject.objects.count(), False)


def test_a_list_that_is_cut_says_so(client, subject, monkeypatch):
    enter(client, staff())
    address = reverse("admin:registry_auditentry_changelist")
    client.cookies["language"] = "en"
    assert "More than" not in client.get(address).content.decode()
    monkeypatch.setattr(paging, "MOST", 1)
    assert "More than 1 rows" in client.get(address).content.decode()


@pytest.mark.parametrize("label", PEOPLE)
def test_a_list_about_people_comes_in_one_order_only(client, subject, label):
    enter(client, staff())
    address = reverse(f"admin:{label.replace('.', '_')}_changelist")
    plain, asked = (client.get(address, query).context["cl"].queryset.query for query in ({}, {"o": "1"}))
    assert asked.order_by == plain.order_by and asked.order_by


@pytest.mark.parametrize("label", BIG)
def test_every_choice_of_a_filter_is_read_by_an_index(subject, label):
    """Except what most rows are: there the first page is full after a few of them."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    read_through = {query for query, rows in choices(label) if is_read_through(rows)}
    assert read_through - JOINED == {f"?{query}" for query in MOST_ROWS_ARE.get(label, ())}


def choices(label: str) -> Iterator[tuple[str, Any]]:
    """The list under every choice of every filter."""
    page = next(page for model, page in site._registry.items() if model._meta.label_lower == label)
    reader = staff("reader")
    changelist = page.get_changelist_instance(ask("", reader))
    for spec in changelist.filter_specs:
        for choice in spec.choices(changelist):
            query = choice.get("query_string", "?")
            if query != "?":
                yield query, page.get_changelist_instance(ask(query, reader)).queryset


def ask(query: str, reader: StaffMember) -> HttpRequest:
    request = RequestFactory().get(f"/{query}")
    request.user = reader
    return request


def is_read_through(rows: QuerySet[Any]) -> bool:
    """Whether rows are thrown away one by one: a filter where no index has a condition."""
    statement, values = BoundedPaginator(rows, 50).counted().query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
        (plan,) = cursor.fetchone()[0]
    return any("Filter" in node and "Index Cond" not in node for node in nodes(plan["Plan"], rows.model._meta.db_table))


def nodes(plan: dict[str, Any], table: str) -> Iterator[dict[str, Any]]:
    if plan.get("Relation Name") == table:
        yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part, table)
