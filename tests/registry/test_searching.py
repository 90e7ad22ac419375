"""Finding a person: exactly, by POST, recorded without the term.

Guarded lines broken and seen to fail: the permission and the appointment taken out of `check_may_find`, the entry left
out, what was looked for put into its reason and back into the field, `live` and the limit left out, the search answered
by GET."""

import logging

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.logs import LineFormatter
from consent.models import Receipt
from registry import auditing, demands, searching
from registry.models import AuditEntry, LegalGround
from tests.factories import EMAIL, MOMENT, PHONE, enter, person, question, staff

pytestmark = pytest.mark.django_db
FIND = "/admin/registry/datasubject/find/"
CANARIES = [EMAIL, EMAIL.lower(), "Aigul", "aigul.canary", "77015551234", "701) 555", "701%29"]


@pytest.fixture
def subject():
    return person(email=EMAIL, phone=PHONE, now=timezone.now())


def search(term, by=None, now=MOMENT):
    return searching.find(term, by=by or staff(), now=now)


def entries():
    return list(AuditEntry.objects.filter(operation="search").values_list("actor__username", "subject", "reason"))


def allowed_to(*codenames, name="clerk", appointed=True):
    member = staff(name, superuser=False, appointed=appointed)
    member.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return member


@pytest.mark.parametrize(
    "term", [EMAIL, EMAIL.upper(), f"  {EMAIL} ", PHONE, "+7 701 555 12 34", "87015551234", "7015551234"]
)
def test_a_contact_is_found_in_any_spelling(subject, term):
    person(email="another@example.kz", phone="87010000000")
    assert search(term).people == [subject]


@pytest.mark.parametrize(
    "spelling", [str, str.lower, lambda text: text.replace("-", ""), lambda text: text.replace("-", " ")]
)
def test_a_reference_and_a_receipt_are_found_in_any_spelling(subject, spelling):
    by = staff()
    person()
    assert search(spelling(subject.reference), by).people == [subject]
    assert search(spelling(subject.receipts.get().number), by).people == [subject]


def test_a_receipts_number_is_found_as_it_was_misread(subject):
    Receipt.objects.create(number="CR-01A0-1111", subject=subject, language="kk", issued_at=MOMENT, records=[])
    assert search("CR-oIAo-LL11").people == [subject]


def test_an_erasure_certificate_leads_to_its_person(subject):
    by = staff()
    certificate = demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=by, now=timezone.now())
    assert search(f"№ {certificate.pk}", by).people == [subject]
    assert not search(f"№ {certificate.pk + 1}", by).people


@pytest.mark.parametrize(
    "term", ["", "Aigul", "aigul.canary@", "555-12-34", "ДС-7K3F-9Q2M", "DS-7K3F", "DS-0O1I-7K3F", "12", "a\x00b"]
)
def test_what_is_no_whole_term_is_refused_and_names_nothing(term):
    with pytest.raises(ValidationError) as refused:
        search(term)
    assert not term or term not in str(refused.value)
    assert not entries()


def test_only_an_exact_match_is_found(subject):
    by = staff()
    for term in ("aigul.canary@example.com", "gul.canary@example.kz", "+77015551235", "DS-2222-2222", "CR-2222-2222"):
        assert not search(term, by).people


def test_the_confirmed_and_the_claimant_of_one_address_are_both_found(subject):
    claimant = question(email=EMAIL, now=timezone.now()).subject
    assert search(EMAIL).people == [claimant, subject]
    assert entries() == [("officer", None, "e-mail")]


def test_what_was_replaced_or_destroyed_is_not_found(subject):
    by = staff()
    assert search(PHONE, by).people == [subject]
    subject.data.filter(category__code="phone").update(superseded_at=MOMENT, keep_until=MOMENT)
    assert not search(PHONE, by).people
    demands.finish(
        demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=by, now=timezone.now()).pk,
        now=timezone.now(),
    )
    assert not search(EMAIL, by).people and search(subject.reference, by).people == [subject]


def test_many_who_stated_one_number_are_cut_short():
    for number in range(searching.MOST + 1):
        question(email=f"stated{number}@example.kz", phone=PHONE)
    found = search(PHONE)
    assert len(found.people) == searching.MOST and found.has_more


def test_the_entry_says_who_whom_and_of_what_kind(subject):
    by = staff()
    for term in (EMAIL, PHONE, subject.reference, subject.receipts.get().number, "nobody@example.kz"):
        search(term, by)
    kinds = ["e-mail", "phone", "reference", "receipt"]
    assert entries()[::-1] == [*(("officer", subject.pk, kind) for kind in kinds), ("officer", None, "e-mail")]


@pytest.mark.parametrize(("permission", "appointed"), [("view_datasubject", False), ("view_processing", True)])
def test_who_may_not_see_people_finds_nobody_and_that_is_recorded(subject, permission, appointed):
    member = allowed_to(permission, appointed=appointed)
    with pytest.raises(PermissionDenied):
        search(EMAIL, member)
    assert AuditEntry.objects.get(operation="refused").actor == member and not entries()


def test_what_cannot_be_recorded_is_not_answered(subject):
    by = staff()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE registry_auditentry (no_such_column int)")  # stands before the real one
    with pytest.raises(auditing.NotRecorded):
        search(EMAIL, by)


def test_a_search_costs_the_same_for_more_people(subject):
    by, costs = staff(), []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            search(EMAIL, by)
        costs.append(len(queries))
        for number in range(8):
            person(email=f"more{number}@example.kz")
    assert costs[0] == costs[1]


# The page


def find(client, term):
    client.cookies["language"] = "en"
    return client.post(FIND, {"term": term})


def test_one_person_found_is_shown_under_a_number(client, subject):
    enter(client, staff())
    answer = find(client, EMAIL)
    assert answer["Location"] == reverse("admin:registry_datasubject_change", args=[subject.pk])
    assert "no-store" in answer["Cache-Control"]
    assert "A•••@example.kz" in client.get(answer["Location"]).content.decode()


def test_several_are_listed_masked(client, subject):
    question(email=EMAIL, now=timezone.now())
    enter(client, staff())
    body = find(client, EMAIL).content.decode()
    assert body.count("A•••@example.kz") == 2 and subject.reference in body
    assert not any(canary in body for canary in CANARIES)


def test_nobody_is_told_with_what_to_try_and_the_term_is_not_repeated(client):
    enter(client, staff())
    for term in ("Aigul.Nobody@example.kz", "not a term Aigul"):
        body = find(client, term).content.decode()
        assert "Aigul" not in body and "Find a person" in body
    assert "no whole address" in body
    assert "Nobody was found (e-mail address)" in find(client, "Aigul.Nobody@example.kz").content.decode()


def test_the_term_is_nowhere_afterwards(client, subject, caplog):
    """It was there: it went in with the form, and the person it belongs to came out."""
    caplog.set_level(logging.DEBUG)
    enter(client, staff())
    answer = find(client, EMAIL)
    assert answer.wsgi_request.POST["term"] == EMAIL
    client.get(answer["Location"])
    find(client, "Aigul.Nobody@example.kz")
    places = [answer["Location"], str(dict(client.session)), *map(LineFormatter().format, caplog.records)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT entry::text FROM registry_auditentry entry")
        places += [row[0] for row in cursor.fetchall()]
    assert any("search" in place for place in places)
    assert not any(canary in place for canary in CANARIES for place in places)


def test_looking_at_the_page_searches_nothing(client, subject):
    enter(client, staff())
    body = client.get(FIND, {"term": EMAIL}).content.decode()
    assert subject.reference not in body and "Aigul" not in body.split("<main")[-1]
    assert not entries()
    assert client.put(FIND).status_code == 405


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(("permission", "appointed"), [("view_datasubject", False), ("view_processing", True)])
def test_the_page_is_closed_to_who_may_not_see_people(client, subject, method, permission, appointed):
    enter(client, allowed_to(permission, appointed=appointed))
    assert getattr(client, method)(FIND, {"term": EMAIL}).status_code == 403
    assert AuditEntry.objects.filter(operation="refused").count() == 1 and not entries()


def test_the_list_of_people_takes_no_term_into_its_address(client, subject):
    enter(client, staff())
    body = client.get("/admin/registry/datasubject/").content.decode()
    assert 'name="q"' not in body
    assert f'action="{FIND}"' in body and 'name="term"' in body
