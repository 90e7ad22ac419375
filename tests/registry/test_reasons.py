"""Why a datum is still here: the list explains exactly what the view decides.

Guarded lines broken and seen to fail: holds left out of `_holds`, `min` of a processing's ends turned to `lapses_at`
alone, the closing of a purpose left out of `end_of`, released holds listed, holds of another datum listed, the reasons
asked once per datum on the page."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from consent import decisions
from registry import holds, reasons
from registry.models import (
    DataCategory,
    DataSubject,
    DatumTerm,
    LegalGround,
    LegalHold,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
)
from tests.factories import DAY, MOMENT, block, enter, hold, keep_until, person, purpose, question, staff

pytestmark = pytest.mark.django_db
FOREVER = datetime.max.replace(tzinfo=UTC)


def why(subject, now=MOMENT):
    """Of a person with one datum."""
    return next(iter(reasons.why(subject.data.all(), now).values()))


def test_one_purpose_says_basis_start_rule_and_end():
    explained = why(person(now=MOMENT - DAY))
    keeper = explained.keepers[0]
    assert (keeper.purpose, keeper.ground, keeper.state) == (purpose(), None, "open")
    assert (keeper.began_at, keeper.term_from, keeper.rule_version) == (MOMENT - DAY, MOMENT - DAY, 1)
    assert keeper.until == explained.verdict.until and keeper.is_decisive
    assert keeper.until.astimezone(timezone.get_default_timezone()).date() == date(2028, 11, 22)
    assert not explained.verdict.is_over


def test_the_longest_purpose_decides_and_the_others_are_listed():
    explained = why(person("site-news", "feedback"))
    assert [keeper.purpose.code for keeper in explained.keepers if keeper.is_decisive] == ["site-news"]
    assert {"site-news", "feedback", "confirmation"} == {keeper.purpose.code for keeper in explained.keepers}
    assert explained.verdict.purpose.code == "site-news"


def test_a_legal_ground_is_named_where_the_basis_is_not_consent():
    keeper = why(question().subject).keepers[0]
    assert keeper.purpose.code == "confirmation" and keeper.ground.code == "consent-form"


def test_a_clock_that_has_not_started_says_which():
    ProcessingPurpose.objects.filter(code="site-news").update(clock="withdrawn")
    subject = person()
    explained = why(subject)
    keeper = next(one for one in explained.keepers if one.purpose.code == "site-news")
    assert explained.verdict.until is None and keeper.is_decisive
    assert keeper.term_from is None and keeper.waits_for == keeper.clock.label
    decisions.withdraw(subject, None, now=MOMENT, channel="page")
    assert not any(keeper.waits_for for keeper in why(subject).keepers)


def test_nothing_keeps_what_was_withdrawn():
    subject = person()
    decisions.withdraw(subject, None, now=MOMENT, channel="page")
    explained = why(subject, MOMENT)
    assert explained.verdict.is_over and explained.verdict.ground == "withdrawn"
    assert all(keeper.is_over for keeper in explained.keepers)


def test_a_hold_is_listed_with_its_ground_and_decides():
    subject = person(now=MOMENT - DAY)
    keep_until(subject, MOMENT)
    placed = hold(subject, until=MOMENT + DAY)
    explained = why(subject)
    listed = explained.holds[0]
    assert (listed.number, listed.ground, listed.until) == (placed.pk, placed.ground, MOMENT + DAY)
    assert listed.is_decisive and not any(keeper.is_decisive for keeper in explained.keepers)
    assert not explained.verdict.is_over


def test_a_released_hold_and_a_hold_on_another_datum_are_not_listed():
    subject = person(phone="87015551234")
    released = hold(subject)
    email = subject.data.get(category__code="email")
    phone = subject.data.get(category__code="phone")
    hold(subject, datum=phone)
    holds.release(released, by=staff(), reason="over", now=MOMENT)
    explained = reasons.why(subject.data.all(), MOMENT)
    assert not explained[email.pk].holds and len(explained[phone.pk].holds) == 1


def test_blocking_decides_before_everything():
    subject = person()
    hold(subject)
    block(subject)
    explained = why(subject)
    assert explained.is_blocked and explained.verdict.until is None
    assert not any(line.is_decisive for line in [*explained.keepers, *explained.holds])


def test_a_replaced_value_has_its_own_end_and_the_newer_has_none():
    subject = question(phone="87015551234").subject
    question(phone="87015551235")
    explained = reasons.why(subject.data.filter(category__code="phone").order_by("pk"), MOMENT)
    old, new = explained.values()
    assert old.own_end.ground == "superseded" and old.own_end.is_decisive and old.verdict.is_over
    assert new.own_end is None and not new.verdict.is_over


def test_what_was_demanded_under_a_hold_goes_when_the_hold_ends():
    subject = person()
    subject.data.update(keep_until=MOMENT)
    hold(subject, until=MOMENT + DAY)
    explained = why(subject)
    assert explained.own_end.ground == explained.verdict.ground == "on_demand"
    assert explained.verdict.until == MOMENT + DAY and explained.holds[0].is_decisive


def test_an_unconfirmed_value_names_the_rule_that_will_take_it():
    explained = why(question().subject)
    assert explained.is_unconfirmed and explained.verdict.ground == "unconfirmed"
    assert explained.verdict.purpose.code == "confirmation" and explained.verdict.rule_version == 1


def test_the_queries_do_not_grow_with_the_data(django_assert_num_queries):
    for _ in range(6):
        hold(person("site-news", "feedback", phone="87015551234"))
    with django_assert_num_queries(4):
        assert len(reasons.why(PersonalDatum.objects.all(), MOMENT)) == 12


DAYS = st.integers(-40, 40).map(lambda days: MOMENT + days * DAY)
MAYBE = st.none() | DAYS
PURPOSES = ("site-news", "feedback", "confirmation")
RULES = st.fixed_dictionaries(
    {
        "clock": st.sampled_from(["consent_given", "withdrawn", "fixed", "purpose_closed", "last_contact"]),
        "term_value": st.integers(1, 3),
        "term_unit": st.sampled_from(["days", "months"]),
        "closes_at": MAYBE,
    }
)
PROCESSING = st.none() | st.tuples(st.sampled_from(["open", "withdrawn", "closed"]), MAYBE)
HOLDS = st.lists(st.tuples(st.sampled_from(["person", "datum", "other"]), MAYBE, st.booleans()), max_size=3)
END = st.sampled_from(["none", "superseded", "demanded"])


@examples(max_examples=150, deadline=None)
@given(
    rules=st.tuples(*[RULES] * 3), needs=st.tuples(*[st.booleans()] * 3), processing=st.tuples(*[PROCESSING] * 3),
    held=HOLDS, status=st.sampled_from(["active", "pending", "blocked"]), end=END, own=DAYS, claimed=st.booleans(),
)  # fmt: skip
def test_the_greatest_of_the_listed_ends_is_what_the_view_says(rules, needs, processing, held, status, end, own, claimed):
    with transaction.atomic():
        datum = _datum(status, end, own, claimed)
        for code, rule, is_needed, open_ in zip(PURPOSES, rules, needs, processing, strict=True):
            _keep(datum, code, rule, is_needed, open_)
        for about, until, is_released in held:
            _hold(datum, about, until, is_released)
        explained = reasons.why(PersonalDatum.objects.filter(pk=datum.pk), MOMENT)[datum.pk]
        term = DatumTerm.objects.get(pk=datum.pk)
        transaction.set_rollback(True)
    assert _greatest(explained) == term.until == explained.verdict.until
    assert explained.verdict.ground == term.ground
    assert {keeper.purpose.code for keeper in explained.keepers} == {
        code for code, is_needed, open_ in zip(PURPOSES, needs, processing, strict=True) if is_needed and open_
    }
    decisive = [*explained.keepers, *explained.holds, *([explained.own_end] if explained.own_end else [])]
    assert all(line.until == term.until for line in decisive if line.is_decisive)
    assert explained.is_blocked or any(line.is_decisive for line in decisive) or not explained.keepers


def _greatest(explained):
    keeping = max((keeper.until or FOREVER for keeper in explained.keepers), default=explained.recorded_at)
    if explained.own_end:
        keeping = min(keeping, explained.own_end.until)
    ends = [keeping, *(hold.until or FOREVER for hold in explained.holds), *([FOREVER] if explained.is_blocked else [])]
    return None if max(ends) == FOREVER else max(ends)


def _datum(status, end, own, claimed):
    subject = DataSubject.objects.create(language="kk", status=status, created_at=MOMENT)
    return PersonalDatum.objects.create(
        subject=subject, category=DataCategory.objects.get(code="email"), sealed=b"", index=b"%d" % subject.pk,
        source="subject", standing="claimed" if claimed else "stated", recorded_at=MOMENT,
        superseded_at=own if end == "superseded" else None, keep_until=None if end == "none" else own,
    )  # fmt: skip


def _keep(datum, code, rule, is_needed, open_):
    changed = purpose(code)
    ProcessingPurpose.objects.filter(pk=changed.pk).update(ends_on=date(2026, 12, 1), **rule)
    changed.categories.set([datum.category] if is_needed else [])
    if open_:
        state, lapses_at = open_
        Processing.objects.create(
            subject=datum.subject, purpose=changed, state=state, began_at=MOMENT - 90 * DAY, rule_version=1,
            lapses_at=lapses_at if state == "open" else lapses_at or MOMENT,
        )  # fmt: skip


def _hold(datum, about, until, is_released):
    other = PersonalDatum.objects.create(
        subject=datum.subject, category=datum.category, sealed=b"", index=b"o", source="subject", standing="stated",
        recorded_at=MOMENT,
    )  # fmt: skip
    LegalHold.objects.create(
        subject=datum.subject, datum={"person": None, "datum": datum, "other": other}[about], reason="court",
        ground=LegalGround.objects.first(), placed_at=MOMENT - 90 * DAY, until=until,
        released_at=MOMENT if is_released else None,
    )  # fmt: skip


def test_the_page_says_it_in_words_and_in_local_time(client):
    subject = person(now=MOMENT)
    keep_until(subject, datetime(2027, 11, 22, 19, 0, tzinfo=UTC))
    hold(subject, until=datetime(2030, 1, 1, 19, 0, tzinfo=UTC))
    enter(client, staff())
    with translation.override("en"):
        client.cookies["language"] = "en"
        body = client.get(reverse("admin:registry_datasubject_change", args=[subject.pk])).content.decode()
    assert "consent of 22.11.2026 · rule 1" in body
    assert "until 23.11.2027 00:00" in body
    assert "court" in body and "Kept until 02.01.2030 00:00" in body
    assert "style=" not in body.split('class="why"')[1].split("</ul>")[0]


def test_the_page_asks_once_for_all_data_of_a_person(client):
    enter(client, staff())
    counts = []
    for phone in (None, "87015551234"):
        subject = person(phone=phone)
        address = reverse("admin:registry_datasubject_change", args=[subject.pk])
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).content.decode().count('class="why"') == subject.data.count()
        counts.append(len(queries))
    assert counts[0] == counts[1]
