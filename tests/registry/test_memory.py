"""Memory without values: answers only to who presents the address, for its term, until the person consents anew.

Broken and seen to fail: `until__gt` turned to `gte`, the memory's own key (the search key instead), the forgetting taken
out of confirm_identity, `unique_fields` of the insert."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from consent import decisions
from registry import memory, scanning
from registry.keyring import keyring
from registry.models import DataCategory, RememberedIdentifier, RetentionSettings
from registry.normalise import normalise
from tests.factories import DAY, EMAIL, MOMENT, block, person, question

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
CANONICAL = EMAIL.lower()


def remembered(subject=None, months=36, now=MOMENT):
    RetentionSettings.objects.update(suppression_months=months)
    memory.remember(subject or person(), [(DataCategory.objects.get(code="email"), CANONICAL)], now=now)
    return RememberedIdentifier.objects.get()


def is_suppressed(now=MOMENT):
    return memory.is_suppressed("email", CANONICAL, now=now)


def test_only_the_same_address_answers():
    assert not is_suppressed()
    remembered()
    assert is_suppressed()
    assert not memory.is_suppressed("email", "x" + CANONICAL, now=MOMENT)
    assert not memory.is_suppressed("phone", CANONICAL, now=MOMENT)


def test_it_answers_until_the_local_midnight_that_ends_its_term_and_not_longer():
    until = remembered(months=1, now=datetime(2026, 1, 31, 19, 30, tzinfo=UTC)).until  # 1 February in Almaty
    assert until == datetime(2026, 3, 1, 19, tzinfo=UTC)
    assert is_suppressed(until - SECOND) and not memory.over(until - SECOND).exists()
    assert not is_suppressed(until) and memory.over(until).exists()


def test_remembering_again_gives_a_new_term_and_no_second_row():
    first = remembered()
    again = remembered(now=MOMENT + DAY)
    assert again.pk == first.pk and again.until > first.until


def test_two_data_with_one_value_are_remembered_once():
    category = DataCategory.objects.get(code="email")
    assert memory.remember(person(), [(category, CANONICAL), (category, CANONICAL)], now=MOMENT) == 1


def test_its_index_meets_no_other_index_and_nothing_of_the_value_is_left():
    subject = person()
    remembered(subject)
    asked = question()  # the same address in use elsewhere, with its blind index
    index = bytes(RememberedIdentifier.objects.get().index)
    assert index != bytes(asked.subject.data.get().index) == keyring().blind_index("email", CANONICAL)
    value = normalise("email", EMAIL)
    seen = scanning.scan(scanning.needles_of([("email", value)], indexes=[index]))
    assert seen.remains == {"public.registry_rememberedidentifier.index": 1}
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(one)::text FROM registry_rememberedidentifier one")
        assert "canary" not in cursor.fetchone()[0].lower()


def test_a_consent_by_that_person_ends_it():
    remembered()
    asked = question()
    assert is_suppressed(), "somebody typed the address: that is not a consent yet"
    decisions.confirm(asked.pk, now=MOMENT)
    assert not RememberedIdentifier.objects.exists()


def test_a_consent_of_a_person_known_already_ends_it_too():
    person(email=EMAIL)
    remembered()
    decisions.confirm(question("feedback").pk, now=MOMENT)
    assert not is_suppressed()


def test_a_refusal_and_somebody_elses_consent_end_nothing():
    remembered()
    decisions.refuse(question().pk, now=MOMENT)
    person()
    assert is_suppressed()


def test_a_blocked_person_who_confirms_is_not_heard_yet():
    block(person(email=EMAIL))
    remembered()
    assert decisions.confirm(question("feedback").pk, now=MOMENT) == decisions.Outcome.BLOCKED
    assert is_suppressed()
