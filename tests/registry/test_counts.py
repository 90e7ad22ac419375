"""Depersonalising counts people once and forgets them; the table of counts betrays nobody.

Guarded lines broken and seen to fail: `counted_at IS NULL` and the EXISTS over what goes taken out of `ended` in
erasure.DESTROY, `outcome = 'depersonalise'` taken out, the mark left out, `counted_at: None` taken out of
open_processing, the rule for totals in `_says_nothing` turned to "two hidden cells are enough"."""

from datetime import date, timedelta
from itertools import product

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from consent import decisions
from registry import counts, purging
from registry.models import KeptCount, Processing
from tests.factories import DAY, MOMENT, enter, keep_until, person, purpose, question, staff

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
MONTH = date(2026, 11, 1)


def counted():
    return list(KeptCount.objects.values_list("purpose__code", "month", "language", "channel", "people"))


def kept_by_news(phone="87015551234"):
    """Somebody whose e-mail is needed for the news too, and whose phone only for the quality of service."""
    purpose("site-news").categories.remove(*purpose("site-news").categories.filter(code="phone"))
    return person("service-quality", "site-news", phone=phone, now=MOMENT - 10 * DAY)


def test_a_person_is_counted_once_though_e_mail_and_phone_go_on_different_days():
    subject = kept_by_news()
    keep_until(subject, MOMENT - 2 * DAY, "service-quality")
    keep_until(subject, MOMENT - DAY, "site-news")
    purging.purge(MOMENT - 2 * DAY)
    assert [datum.category.code for datum in subject.data.all()] == ["email"]
    assert counted() == [("service-quality", MONTH, "kk", "link", 1)]
    purging.purge(MOMENT)
    assert not subject.data.exists()
    assert counted() == [("service-quality", MONTH, "kk", "link", 1)]


def test_nobody_is_counted_while_the_purpose_still_has_its_data():
    subject = person("service-quality", phone="87015551234", now=MOMENT - DAY)
    decisions.ask({"email": "x@example.kz", "phone": "87015551235"}, [purpose("service-quality")], language="kk", now=MOMENT)
    subject.data.filter(category__code="phone").update(superseded_at=MOMENT, keep_until=MOMENT)
    keep_until(subject, MOMENT + DAY, "service-quality")
    assert purging.purge(MOMENT).data == 1  # the replaced phone
    assert counted() == []
    keep_until(subject, MOMENT, "service-quality")
    purging.purge(MOMENT)
    assert len(counted()) == 1


def test_nobody_is_counted_when_only_data_of_another_purpose_go():
    email, phone = purpose("site-news").categories.order_by("code")
    for code, needs in (("service-quality", phone), ("site-news", phone), ("feedback", email)):
        purpose(code).categories.set([needs])
    subject = person("service-quality", "site-news", "feedback", phone="87015551234", now=MOMENT - 2 * DAY)
    for code in ("service-quality", "feedback"):
        keep_until(subject, MOMENT - DAY, code)
    assert purging.purge(MOMENT).data == 1  # the e-mail; the news keep the phone
    assert counted() == []
    keep_until(subject, MOMENT, "site-news")
    purging.purge(MOMENT)
    assert len(counted()) == 1


def test_a_purpose_that_destroys_counts_nobody():
    keep_until(person("site-news", now=MOMENT - DAY), MOMENT)
    assert purging.purge(MOMENT).data == 1
    assert counted() == []


def test_after_a_new_consent_a_person_is_counted_again():
    subject = kept_by_news()
    keep_until(subject, MOMENT - 2 * DAY, "service-quality")
    purging.purge(MOMENT - 2 * DAY)
    decisions.give(subject, [purpose("service-quality")], now=MOMENT - DAY, channel="link")
    for code in ("service-quality", "site-news"):
        keep_until(subject, MOMENT, code)
    purging.purge(MOMENT)
    assert sum(row[-1] for row in counted()) == 2


def test_a_withdrawn_consent_is_counted_too():
    subject = person("service-quality", now=MOMENT - DAY)
    decisions.withdraw(subject, None, now=MOMENT - SECOND, channel="page")
    purging.purge(MOMENT)
    assert counted() == [("service-quality", MONTH, "kk", "link", 1)]


def test_languages_and_channels_are_counted_apart_and_equal_ones_together():
    for language, channel in (("kk", "link"), ("kk", "link"), ("ru", "link"), ("ru", "desk")):
        asked = question("service-quality", email=f"p{MOMENT.timestamp()}{language}{channel}{Processing.objects.count()}@example.kz",
                         language=language, now=MOMENT - 2 * DAY)  # fmt: skip
        decisions.confirm(asked.pk, now=MOMENT - 2 * DAY)
        Processing.objects.filter(subject=asked.subject).update(channel=channel)
        keep_until(asked.subject, MOMENT, "service-quality")
    purging.purge(MOMENT)
    assert sorted(row[2:] for row in counted()) == [("kk", "link", 2), ("ru", "desk", 1), ("ru", "link", 1)]


def test_a_month_is_counted_in_local_time():
    subject = person("service-quality", now=MOMENT - DAY)
    midnight = MOMENT.replace(month=10, day=31, hour=19, minute=0)  # 1 November in Almaty
    Processing.objects.filter(subject=subject).update(began_at=midnight)
    keep_until(subject, MOMENT, "service-quality")
    purging.purge(MOMENT)
    assert counted()[0][1] == MONTH


def test_nothing_in_a_kept_count_leads_to_anybody():
    keep_until(person("service-quality", now=MOMENT - DAY), MOMENT, "service-quality")
    purging.purge(MOMENT)
    assert len(counted()) == 1
    with connection.cursor() as cursor:
        names = {column.name for column in connection.introspection.get_table_description(cursor, "registry_keptcount")}
    assert names == {"id", "purpose_id", "month", "language", "channel", "slot", "people"}


def add(people, language="kk", channel="page", slot=0, code="service-quality", month=MONTH):
    KeptCount.objects.create(
        purpose=purpose(code), month=month, language=language, channel=channel, slot=slot, people=people
    )


def test_the_table_sums_slots_and_hides_small_cells():
    add(3, slot=0)
    add(4, slot=7)
    add(3, language="ru")
    add(2, language="en")
    add(9, code="site-news")
    with_hidden, whole = sorted(counts.table(5), key=lambda group: group.purpose.code)
    assert [(cell.language, cell.people) for cell in with_hidden.cells] == [("en", None), ("kk", 7), ("ru", None)]
    assert (with_hidden.total, whole.total) == (12, 9)


@pytest.mark.parametrize(
    ("given_counts", "total"),
    [
        ([5, 6], 11),  # nothing hidden
        ([4, 6], None),  # exactly one hidden: the difference is it
        ([1, 1, 9], None),  # two hidden, and the difference says 1 and 1
        ([4, 4, 9], None),  # 4 and 4
        ([3, 4, 9], None),  # 3 and 4, in some order: neither can be 1
        ([2, 3, 9], 14),  # each can be 1, 2, 3 or 4
        ([3], None),
        ([], 0),
    ],
)
def test_a_total_is_shown_only_where_subtracting_says_nothing(given_counts, total):
    assert counts.suppress(given_counts, 5)[1] == total


@given(st.lists(st.integers(1, 9), max_size=5), st.integers(2, 5))
def test_no_subtraction_betrays_a_hidden_cell(true_counts, smallest):
    shown, total = counts.suppress(true_counts, smallest)
    hidden = shown.count(None)
    visible = sum(count for count in shown if count is not None)
    assert all(count is None or count >= smallest for count in shown)
    possible = [
        guess
        for guess in product(range(1, smallest), repeat=hidden)
        if total is None or sum(guess) + visible == total
    ]
    assert all({guess[cell] for guess in possible} == set(range(1, smallest)) for cell in range(hidden))
    assert not (hidden == 1 and total is not None)


def test_the_page_shows_counts_to_who_may_see_them_and_nobody_else(client):
    add(123)
    add(4, language="ru")
    clerk = staff("clerk", appointed=False, superuser=False)
    enter(client, clerk)
    assert client.get(reverse("admin:counts")).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_keptcount"))
    enter(client, clerk)
    body = client.get(reverse("admin:counts")).content.decode()
    assert "<td>123</td>" in body and "<td>&lt; 5</td>" in body
    assert "<td>4</td>" not in body and "127" not in body
    assert reverse("admin:counts") in client.get("/admin/").content.decode()
    assert reverse("admin:findings") not in client.get("/admin/").content.decode()
