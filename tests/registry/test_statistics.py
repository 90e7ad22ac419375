"""Anonymous statistics: whoever holds two exports, and knows who came in between, learns of nobody.

Broken and seen to fail: the HAVING that leaves small cells out (a row of "0" told of the first and of the last person), the
month that is not over.
"""

import csv
import io
import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import decisions
from registry import purging
from registry.models import DataSubject, KeptCount, Processing, RetentionSettings, Transfer
from registry.transfers import statistics
from tests.factories import DAY, keep_until, person, purpose, staff
from tests.registry.test_transfers import partner  # noqa: F401

SMALLEST = 5
LANGUAGES, CHANNELS = ("kk", "ru", "en"), ("link", "page")
COUNTS = st.lists(st.integers(0, 17), min_size=6, max_size=6)


@pytest.fixture
def last_month(today):
    assert RetentionSettings.objects.get().smallest_cell == SMALLEST
    return today.replace(day=1) - 5 * DAY


def come(count, when, *, language="kk", channel="link"):
    people = [person("site-news", now=when) for _number in range(count)]
    DataSubject.objects.filter(pk__in=[one.pk for one in people]).update(language=language)
    Processing.objects.filter(subject__in=people).update(channel=channel)
    return people


def export(partner, now, file_format="csv"):  # noqa: F811
    by = staff(f"sends{Transfer.objects.count()}")
    return statistics.hand_over(partner, file_format=file_format, reason="research", by=by, now=now).content


def cells(now):
    return {(one.language, one.channel): one.people for one in statistics.table(now)}


# --- one person more or less ------------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize("held", [0, 1, 3, 5, 8])
def test_whoever_joins_is_seen_in_neither_of_two_exports(partner, today, last_month, held):  # noqa: F811
    come(7, last_month, language="ru")
    come(held, last_month)
    before = export(partner, today), export(partner, today, "json")
    come(1, last_month)
    assert (export(partner, today), export(partner, today, "json")) == before
    assert cells(today).get(("kk", "link")) == (SMALLEST if held >= SMALLEST else None)


@pytest.mark.django_db
def test_whoever_leaves_is_not_seen_either_not_even_the_last(partner, today, last_month):  # noqa: F811
    come(6, last_month, language="ru")
    (only,) = come(1, last_month)
    before = export(partner, today)
    decisions.withdraw(only, purpose(), now=today, channel="link")
    decisions.give(only, [purpose()], now=today)  # agreed anew: another month, which is not over
    assert export(partner, today) == before and len(cells(today)) == 1


@pytest.mark.django_db
def test_where_a_multiple_is_reached_it_says_at_least_so_many(today, last_month):
    come(4, last_month)
    assert cells(today) == {}
    come(1, last_month)
    assert cells(today) == {("kk", "link"): 5}
    come(4, last_month)
    assert cells(today) == {("kk", "link"): 5}


@pytest.mark.django_db
def test_a_month_that_is_not_over_is_in_no_export(today, last_month):
    come(5, last_month)
    before = statistics.table(today)
    come(5, today)
    assert len(before) == 1 and statistics.table(today) == before


@pytest.mark.django_db
def test_the_destroyed_count_on_and_their_end_is_not_seen(partner, today, last_month):  # noqa: F811
    purpose("site-news").__class__.objects.filter(code="site-news").update(outcome="depersonalise")
    people = come(6, last_month)
    before = export(partner, today)
    for one in people[:2]:
        keep_until(one, today - DAY)
    purging.purge(today)
    assert sum(KeptCount.objects.values_list("people", flat=True)) == 2, "this proves something"
    assert export(partner, today) == before


# --- rows and columns -------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_there_is_no_total_of_a_row_a_column_or_all(partner, today, last_month):  # noqa: F811
    held = {("kk", "link"): 7, ("kk", "page"): 3, ("ru", "link"): 2, ("ru", "page"): 11}
    for (language, channel), count in held.items():
        come(count, last_month, language=language, channel=channel)
    table = list(csv.DictReader(io.StringIO(export(partner, today).decode("utf-8-sig")), delimiter=";"))
    shown = {(row["language"], row["channel"]): int(row["people_at_least"]) for row in table}
    assert shown == {("kk", "link"): 5, ("ru", "page"): 10} and len(table) == len(shown)
    found = json.loads(export(partner, today, "json"))
    assert list(found) == ["cells"] and len(found["cells"]) == len(shown)
    assert {frozenset(one) for one in found["cells"]} == {frozenset({"purpose", "month", "language", "channel", "people"})}


def published(counts):
    """What an export says of the six cells, in the same order; None where it says nothing."""
    return [statistics.coarse(one, SMALLEST) if one >= SMALLEST else None for one in counts]


def lines():
    """The cells of each row and of each column of three languages by two channels."""
    places = list(product(range(len(LANGUAGES)), range(len(CHANNELS))))
    for axis, size in ((0, len(LANGUAGES)), (1, len(CHANNELS))):
        yield from ([number for number, place in enumerate(places) if place[axis] == one] for one in range(size))


@given(COUNTS)
def test_a_hidden_cell_can_be_anything_small_whatever_stands_beside_it(counts):
    for number, count in enumerate(counts):
        if count >= SMALLEST:
            continue
        others = [published([*counts[:number], other, *counts[number + 1 :]]) for other in range(SMALLEST)]
        assert all(one == published(counts) for one in others)


@given(COUNTS, st.integers(0, 5))
def test_two_exports_subtracted_by_row_and_column_never_give_one_person(counts, joins):
    after = [count + (number == joins) for number, count in enumerate(counts)]
    first, second = published(counts), published(after)
    for line in lines():
        difference = sum(second[one] or 0 for one in line) - sum(first[one] or 0 for one in line)
        assert difference in {0, SMALLEST}
    changed = [number for number in range(6) if first[number] != second[number]]
    assert changed in ([], [joins]) and bool(changed) is (after[joins] % SMALLEST == 0)
