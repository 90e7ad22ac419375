"""Changing a retention rule, and closing a purpose. Guarded lines were broken and seen to fail: `least` in
simulating.NEW_END turned to `greatest` (a consent stretched), the requester allowed to approve (here and, past the
operation, the constraint dropped), `effective_at__lte` left out of apply_due, the trigger rule_needs_approval disabled."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from consent import decisions
from registry import purging, rules, simulating
from registry.deadlines import end_of_day, end_of_term
from registry.models import (
    DatumTerm,
    LegalGround,
    Processing,
    ProcessingPurpose,
    RetentionDue,
    RuleChange,
)
from registry.processing import (
    end_processing,
    lock_subjects,
    may_process,
    note_contact,
    open_processing,
    recount,
    refresh_due,
)
from registry.simulating import Proposal
from tests.factories import DAY, MOMENT, hold, keep_until, person, purpose, staff
from tests.traces import database_digest

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
ALMATY = ZoneInfo("Asia/Almaty")


def proposal(code="site-news", **changes):
    present = purpose(code)
    rule = {field: getattr(present, field) for field in RuleChange.RULE} | changes
    categories = rule.pop("categories", tuple(present.categories.values_list("pk", flat=True)))
    return Proposal(present, categories=tuple(categories), **rule)


def set_rule(code="site-news", **changes):
    """Another rule, as two people and the quarantine would bring it, while nobody is concerned yet."""
    present = purpose(code)
    for field, value in changes.items():
        setattr(present, field, value)
    present.save()
    return purpose(code)


def rest_on_law(code="site-news"):
    ProcessingPurpose.objects.filter(code=code).update(ground=LegalGround.objects.all()[0], is_public=False)


def approved(proposed, now=MOMENT):
    change = rules.propose(proposed, by=staff("one"), reason="too long", now=now)
    return rules.approve(change, by=staff("two"), reason="right", now=now)


# --- the clocks -----------------------------------------------------------------------------------------------------
def processing_of(subject, code="site-news"):
    return Processing.objects.get(subject=subject, purpose__code=code)


def test_a_term_from_consent_ends_at_midnight_in_almaty():
    late = datetime(2026, 1, 30, 19, 30, tzinfo=UTC)  # 00:30 of the 31st in Almaty
    set_rule(term_value=1)
    assert processing_of(person(now=late)).lapses_at == datetime(2026, 3, 1, tzinfo=ALMATY)


@pytest.mark.parametrize(
    ("began", "months", "over"),
    [
        ((2026, 1, 31), 1, (2026, 3, 1)),
        ((2028, 1, 31), 1, (2028, 3, 1)),  # a leap year: the 29th is the last day
        ((2028, 2, 29), 12, (2029, 3, 1)),
        ((2026, 3, 31), 1, (2026, 5, 1)),
    ],
)
def test_a_month_ends_where_there_is_no_such_day(began, months, over):
    set_rule(term_value=months)
    lapse = processing_of(person(now=datetime(*began, 9, tzinfo=ALMATY))).lapses_at
    assert lapse == datetime(*over, tzinfo=ALMATY)


@pytest.mark.parametrize("before", [SECOND, timedelta(0)])
def test_the_value_stays_to_the_last_second_of_the_term(before):
    subject = person(now=datetime(2024, 1, 31, 9, tzinfo=ALMATY))
    end = processing_of(subject).lapses_at
    purging.purge(end - before)
    assert subject.data.exists() is (before == SECOND)


def test_under_the_clock_of_withdrawal_no_end_is_known_before_and_the_term_after():
    set_rule(clock="withdrawn", term_value=30, term_unit="days")
    subject = person(now=MOMENT - 900 * DAY)
    assert processing_of(subject).lapses_at is None and DatumTerm.objects.get(subject=subject).until is None
    decisions.withdraw(subject, purpose(), now=MOMENT, channel="page")
    assert not may_process(subject, purpose(), MOMENT)
    assert processing_of(subject).lapses_at == end_of_term(MOMENT, 30, "days", ALMATY)
    assert subject.data.exists() and purging.purge(MOMENT).data == 0
    assert DatumTerm.objects.get(subject=subject).ground == "withdrawn"


def test_a_withdrawal_under_another_clock_ends_keeping_at_once():
    subject = person()
    decisions.withdraw(subject, purpose(), now=MOMENT + DAY, channel="page")
    assert processing_of(subject).lapses_at == MOMENT + DAY


def test_the_clock_of_the_last_contact_starts_anew_with_each():
    set_rule(clock="last_contact", term_value=10, term_unit="days")
    subject = person()
    first = processing_of(subject).lapses_at
    with transaction.atomic():
        lock_subjects([subject.pk])
        assert note_contact(subject, now=MOMENT + 5 * DAY) == 1
        assert note_contact(subject, now=MOMENT + 5 * DAY) == 0
    assert processing_of(subject).lapses_at == first + 5 * DAY


def test_another_consent_is_a_contact():
    set_rule(clock="last_contact", term_value=10, term_unit="days")
    subject = person()
    decisions.give(subject, [purpose("feedback")], now=MOMENT + DAY)
    assert processing_of(subject).term_from == MOMENT + DAY


def test_a_fixed_date_ends_with_its_day_in_almaty():
    set_rule(clock="fixed", ends_on=date(2027, 3, 1))
    assert processing_of(person()).lapses_at == datetime(2027, 3, 2, tzinfo=ALMATY)


def test_a_fixed_rule_without_its_date_is_refused_by_the_database():
    with pytest.raises(DatabaseError), transaction.atomic():
        ProcessingPurpose.objects.filter(code="feedback").update(clock="fixed")


def test_no_start_means_no_end_and_stands_on_the_list():
    set_rule(clock="purpose_closed", term_value=3)
    subject = person()
    assert list(Processing.objects.without_an_end()) == [processing_of(subject)]
    assert purging.purge(MOMENT).data == 0


# Set-based and single: the database's functions say what registry.deadlines says.
@given(
    st.integers(946684800, 3786912000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.integers(0, 400),
    st.sampled_from(["days", "months"]),
)
def test_the_database_counts_terms_as_the_product_does(start, length, unit):
    assert settings.TIME_ZONE == "Asia/Almaty"
    with connection.cursor() as cursor:
        cursor.execute("SELECT registry_end_of_term(%s, %s, %s)", [start, length, unit])
        assert cursor.fetchone()[0] == end_of_term(start, length, unit, ALMATY)
        cursor.execute("SELECT registry_lapse('fixed', NULL, 0, 'days', %s)", [start.date()])
        assert cursor.fetchone()[0] == end_of_day(start.date(), ALMATY)


# --- closing a purpose ----------------------------------------------------------------------------------------------
def test_a_closed_purpose_is_shut_at_once_and_all_its_processing_ends():
    people = [person("site-news", now=MOMENT - DAY) for _ in range(3)]
    other = person("feedback", now=MOMENT - DAY)
    rules.close_purpose(purpose(), by=staff(), reason="achieved", now=MOMENT)
    assert not may_process(people[0], purpose(), MOMENT)
    rules.apply_due(MOMENT)
    states = {p.state for p in Processing.objects.filter(purpose=purpose())}
    assert states == {"closed"} and processing_of(other, "feedback").state == "open"
    assert purging.purge(MOMENT).data == 3
    assert other.data.exists()


def test_closing_starts_the_term_of_its_clock():
    set_rule(clock="purpose_closed", term_value=1, term_unit="months")
    subject = person()
    rules.close_purpose(purpose(), by=staff(), reason="achieved", now=datetime(2026, 11, 30, 9, tzinfo=ALMATY))
    end = datetime(2026, 12, 31, tzinfo=ALMATY)
    refresh_due([subject.pk])
    assert DatumTerm.objects.get(subject=subject).until == end  # before a row was touched
    rules.apply_due(MOMENT + 9 * DAY)
    assert processing_of(subject).lapses_at == end
    assert DatumTerm.objects.get(subject=subject).until == end == RetentionDue.objects.get(subject=subject).due_at


def test_closing_does_not_lengthen_what_ends_before():
    subject = person()
    keep_until(subject, MOMENT + DAY)
    rules.close_purpose(purpose(), by=staff(), reason="achieved", now=MOMENT + 9 * DAY)
    rules.apply_due(MOMENT + 9 * DAY)
    assert processing_of(subject).lapses_at == MOMENT + DAY


def test_closing_leaves_history_and_is_refused_twice():
    subject = person()
    officer = staff()
    rules.close_purpose(purpose(), by=officer, reason="achieved", now=MOMENT + DAY)
    rules.apply_due(MOMENT + DAY)
    newest = processing_of(subject).history.latest("history_id")
    assert (newest.state, newest.history_change_reason) == ("closed", "purpose closed")
    rules.apply_due(MOMENT + DAY)
    assert processing_of(subject).history.latest("history_id") == newest
    with pytest.raises(ValidationError):
        rules.close_purpose(purpose(), by=officer, reason="again", now=MOMENT + 2 * DAY)


# --- simulating -----------------------------------------------------------------------------------------------------
def test_a_simulation_says_what_the_rule_then_does_and_changes_nothing():
    old = [person(now=MOMENT - 400 * DAY) for _ in range(3)]
    fresh, held = person(), person(now=MOMENT - 400 * DAY)
    hold(held)
    person("site-news", "feedback", now=MOMENT - 100 * DAY)  # another purpose keeps it
    before = database_digest()
    seen = simulating.simulate(proposal(term_value=12), MOMENT + 7 * DAY)
    assert database_digest() == before
    assert (seen.newly_due, seen.newly_kept) == ({"site-news": 3}, {})
    assert (seen.earlier, seen.later, seen.open) == (6, 0, 6)
    change = approved(proposal(term_value=12))
    rules.apply_due(MOMENT + 7 * DAY)
    assert purging.purge(MOMENT).data == 3  # a moment before it would be refused by no clock: they ended long ago
    assert not any(subject.data.exists() for subject in old) and fresh.data.exists() and held.data.exists()
    change.refresh_from_db()
    assert change.state == "in_effect" and change.simulation["newly_due"] == {"site-news": 3}


def test_a_consent_is_never_stretched():
    subject = person()
    agreed = processing_of(subject).lapses_at
    seen = simulating.simulate(proposal(term_value=48), agreed)
    assert (seen.newly_kept, seen.later) == ({}, 0)
    approved(proposal(term_value=48))
    rules.apply_due(MOMENT + 7 * DAY)
    assert processing_of(subject).lapses_at == agreed
    assert processing_of(subject).rule_version == 1  # still the rule it was given under
    assert processing_of(person(now=MOMENT + 8 * DAY)).rule_version == 2


def test_a_longer_rule_keeps_what_rests_on_law():
    rest_on_law()
    ProcessingPurpose.objects.filter(code="site-news").update(is_public=False)
    subject = person("feedback")
    with transaction.atomic():
        lock_subjects([subject.pk])
        end_processing(subject, [purpose("feedback").pk], Processing.State.WITHDRAWN, now=MOMENT)
        open_processing(subject, purpose(), now=MOMENT - 730 * DAY)
        refresh_due([subject.pk])
    at = MOMENT + 20 * DAY
    assert DatumTerm.objects.get(subject=subject).until < at
    assert simulating.simulate(proposal(term_value=48), at).newly_kept == {"site-news": 1}
    approved(proposal(term_value=48))
    rules.apply_due(MOMENT + 7 * DAY)
    assert DatumTerm.objects.get(subject=subject).until > at


def test_taking_a_category_from_a_purpose_is_simulated_too():
    subject = person(phone="87015551234")
    email = subject.data.get(category__code="email").category_id
    proposed = proposal(categories=[email])
    assert simulating.simulate(proposed, MOMENT + 7 * DAY).newly_due == {"site-news": 1}
    approved(proposed)
    rules.apply_due(MOMENT + 7 * DAY)
    assert purging.purge(MOMENT).data == 1
    assert [datum.category_id for datum in subject.data.all()] == [email]


def test_what_concerns_many_people_is_simulated_by_the_job_before_anybody_can_say_yes(monkeypatch):
    monkeypatch.setattr(rules, "SIMULATED_AT_ONCE", 1)
    [person(now=MOMENT - 400 * DAY) for _ in range(2)]
    change = rules.propose(proposal(term_value=12), by=staff("one"), reason="too long", now=MOMENT)
    two = staff("two")
    with pytest.raises(ValidationError):
        rules.approve(change, by=two, reason="right", now=MOMENT)
    assert rules.simulate_waiting(MOMENT) == 1 and rules.simulate_waiting(MOMENT) == 0
    assert rules.approve(change, by=two, reason="right", now=MOMENT).simulation["newly_due"] == {"site-news": 2}


# --- two people and the quarantine ----------------------------------------------------------------------------------
def test_nothing_changes_before_the_quarantine_is_over():
    subject = person(now=MOMENT - 400 * DAY)
    change = approved(proposal(term_value=12))
    assert change.effective_at == MOMENT + 7 * DAY
    assert rules.apply_due(MOMENT + 7 * DAY - SECOND) == 0
    assert purpose().term_value == 24 and purging.purge(MOMENT).data == 0
    assert rules.apply_due(MOMENT + 7 * DAY) == 1
    assert purpose().term_value == 12 and purpose().rule_version == 2
    assert purging.purge(MOMENT).data == 1 and not subject.data.exists()


def test_a_rule_taken_back_in_its_quarantine_never_comes():
    change = approved(proposal(term_value=12))
    rules.take_back(change, by=staff("three"), reason="wrong purpose", now=MOMENT + DAY)
    assert rules.apply_due(MOMENT + 30 * DAY) == 0 and purpose().term_value == 24


def test_who_proposes_does_not_approve():
    one = staff("one")
    change = rules.propose(proposal(term_value=12), by=one, reason="too long", now=MOMENT)
    with pytest.raises(ValidationError):
        rules.approve(change, by=one, reason="right", now=MOMENT)
    with pytest.raises(DatabaseError), transaction.atomic():
        RuleChange.objects.filter(pk=change.pk).update(approved_by=one)
    assert RuleChange.objects.get().state == "proposed"


def test_without_the_permission_nobody_proposes_or_approves():
    with pytest.raises(PermissionDenied):
        rules.propose(proposal(term_value=12), by=staff("nobody", superuser=False), reason="x", now=MOMENT)
    change = rules.propose(proposal(term_value=12), by=staff("one"), reason="too long", now=MOMENT)
    with pytest.raises(PermissionDenied):
        rules.approve(change, by=staff("other", superuser=False), reason="x", now=MOMENT)


def test_one_change_of_a_purpose_waits_at_a_time_and_it_must_change_something():
    with pytest.raises(ValidationError):
        rules.propose(proposal(), by=staff("nobody else"), reason="nothing", now=MOMENT)
    approved(proposal(term_value=12))
    with pytest.raises(ValidationError):
        rules.propose(proposal(term_value=6), by=staff("three"), reason="again", now=MOMENT)


def test_the_database_refuses_a_rule_that_two_people_did_not_decide():
    person()
    with pytest.raises(DatabaseError), transaction.atomic():
        ProcessingPurpose.objects.filter(code="site-news").update(term_value=1)
    assert purpose().term_value == 24
    ProcessingPurpose.objects.filter(code="advertising").update(term_value=11)  # nobody's data depend on it


def test_the_database_refuses_to_rewrite_a_proposal():
    change = rules.propose(proposal(term_value=12), by=staff("one"), reason="too long", now=MOMENT)
    with pytest.raises(DatabaseError), transaction.atomic():
        RuleChange.objects.filter(pk=change.pk).update(term_value=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        RuleChange.objects.filter(pk=change.pk).delete()


def test_an_interrupted_change_goes_on_where_it_stopped():
    people = [person(now=MOMENT - 400 * DAY) for _ in range(4)]
    approved(proposal(term_value=12))

    def interrupt(seen):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rules.apply_due(MOMENT + 7 * DAY, report=interrupt)
    assert purpose().term_value == 12 and RuleChange.objects.get().state == "approved"
    assert rules.apply_due(MOMENT + 7 * DAY) == 1
    assert {processing_of(subject).rule_version for subject in people} == {2}
    assert {processing_of(subject).history.count() for subject in people} == {2}
    assert recount() == 4
