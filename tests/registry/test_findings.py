"""What is found, what is not, and that a fresh registry has no warning.

Guarded lines broken and seen to fail: `keep_until=None` taken out of `without_end_date` and of `without_rule`, `until=None`
out of `held_without_end`, the comparison of the queue turned round, the two clocks of `never_starts` exchanged, closed
purposes not left out, `<=` in `_day_is_over` turned to `<`, the exit code, next year in `_of_calendar`,
requests that wait for their person."""

from datetime import UTC, date, datetime, time, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone, translation

from registry import calendar, findings, jobs, traces
from registry.models import (
    DataCategory,
    DatumTerm,
    ErasureCertificate,
    JobRun,
    LedgerQueue,
    LegalGround,
    PersonalDatum,
    ProcessingPurpose,
    RetentionDue,
    SelfRetentionRule,
    SubjectRequest,
)
from registry.processing import recount, refresh_due
from registry.requests import opening
from tests.factories import DAY, MOMENT, block, enter, hold, keep_until, person, purpose, question, staff

pytestmark = pytest.mark.django_db


def found(code, now=MOMENT):
    return [finding for finding in findings.find(now) if finding.code == code]


def count(code, now=MOMENT):
    return [finding.values["count"] for finding in found(code, now)]


def change(code="site-news", **fields):
    ProcessingPurpose.objects.filter(code=code).update(**fields)


def test_a_fresh_registry_has_no_warning():
    assert [finding.code for finding in findings.find(MOMENT) if finding.level == "warning"] == []


def test_people_in_ordinary_states_are_no_finding():
    before = {finding.code for finding in findings.find(MOMENT)}
    assert "purpose-without-data" in before
    person("site-news", "feedback", phone="87015551234")
    question(email="other@example.kz")
    assert {finding.code for finding in findings.find(MOMENT)} == before


def test_open_processing_without_an_end_is_counted_by_purpose():
    for _ in range(2):
        keep_until(person("site-news", "feedback"), None)
    keep_until(person("feedback"), None, "feedback")
    found_ = {finding.values["purpose"].code: finding for finding in found("processing-without-end")}
    assert {code: one.values["count"] for code, one in found_.items()} == {"site-news": 2, "feedback": 1}


def test_the_list_of_the_console_shows_those_and_no_others(client):
    endless, ended = person(), person()
    keep_until(endless, None)
    enter(client, staff())
    finding = found("processing-without-end")[0]
    listed = client.get(reverse("admin:registry_processing_changelist") + finding.query).context["cl"].queryset
    assert [row.subject for row in listed] == [endless]
    everybody = client.get(reverse("admin:registry_processing_changelist")).context["cl"].queryset
    assert ended.pk in {row.subject_id for row in everybody}


@pytest.mark.parametrize(("code", "level"), [("site-news", "warning"), ("confirmation", "notice")])
def test_a_purpose_without_data_has_no_effect(code, level):
    purpose(code).categories.clear()
    kind = "public-purpose-without-data" if level == "warning" else "purpose-without-data"
    finding = next(one for one in found(kind) if one.values["purpose"].code == code)
    assert finding.level == level


def test_a_closed_purpose_is_not_judged():
    purpose().categories.clear()
    assert found("public-purpose-without-data")
    change(closes_at=MOMENT)
    assert not found("public-purpose-without-data")


# The last day ends at 24:00 in Almaty: 19:00 UTC.
@pytest.mark.parametrize(
    ("now", "is_found"),
    [(datetime(2026, 11, 22, 18, 59, 59, tzinfo=UTC), False), (datetime(2026, 11, 22, 19, 0, tzinfo=UTC), True)],
)
def test_a_fixed_date_that_is_over_is_a_warning(now, is_found):
    change(clock="fixed", ends_on=date(2026, 11, 22))
    assert bool(found("fixed-date-past", now)) is is_found


CLOCKS = {
    "consent_given": ("fine", "opening"),
    "withdrawn": ("fine", "never"),
    "last_contact": ("fine", "fine"),
    "fixed": ("fine", "fine"),
    "purpose_closed": ("fine", "fine"),
    "asked": ("opening", "fine"),
    "closed": ("never", "fine"),
}


def test_every_clock_is_thought_of():
    assert set(CLOCKS) == set(ProcessingPurpose.Clock.values)


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("has_ground", [False, True])
def test_clocks_that_do_not_suit_the_basis_are_found(clock, has_ground):
    ground = LegalGround.objects.first() if has_ground else None
    change(clock=clock, ground=ground, term_value=1, ends_on=date(2030, 1, 1))
    kinds = {"never": "clock-never-starts", "opening": "clock-starts-with-opening"}
    codes = [kind for name, kind in kinds.items() if any(one.values["purpose"] == purpose() for one in found(kind))]
    expected = CLOCKS[clock][has_ground]
    assert codes == ([kinds[expected]] if expected != "fine" else [])


def test_depersonalising_nothing_and_a_category_nobody_needs_are_notices():
    assert not found("category-without-purpose")
    purpose("service-quality").categories.clear()
    DataCategory.objects.create(code="new", kind="phone", name_kk="a", name_ru="a", name_en="a")
    assert "service-quality" in {one.values["purpose"].code for one in found("nothing-to-depersonalise")}
    assert [one.values["category"].code for one in found("category-without-purpose")] == ["new"]


def test_data_no_purpose_needs_are_counted_and_in_the_queue_after_the_daily_recount():
    person("site-news")
    for each in ProcessingPurpose.objects.all():
        each.categories.clear()
    assert count("data-without-rule") == [1]
    assert count("data-without-rule-not-queued") == [1]  # nobody has looked again yet
    recount()
    assert count("data-without-rule") == [1]
    assert not found("data-without-rule-not-queued")


@pytest.mark.parametrize("due_at", [None, MOMENT + DAY])
def test_data_the_purge_does_not_look_at_in_time_are_a_warning(due_at):
    subject = person("site-news", now=MOMENT - DAY)
    for each in ProcessingPurpose.objects.all():
        each.categories.clear()
    refresh_due([subject.pk])
    assert not found("data-without-rule-not-queued")
    RetentionDue.objects.filter(subject=subject).update(due_at=due_at)
    assert found("data-without-rule-not-queued")[0].level == "warning"


def test_data_without_rule_under_a_hold_or_a_block_is_a_notice_only():
    held, blocked = person(), person()
    for each in ProcessingPurpose.objects.all():
        each.categories.clear()
    hold(held)
    block(blocked)
    recount()
    assert count("data-without-rule") == [2]
    assert not found("data-without-rule-not-queued")


def test_a_replaced_or_demanded_datum_has_its_own_rule():
    person(phone="87015551234")
    for each in ProcessingPurpose.objects.all():
        each.categories.clear()
    assert count("data-without-rule") == [2]
    PersonalDatum.objects.filter(category__code="email").update(keep_until=MOMENT)
    PersonalDatum.objects.filter(category__code="phone").update(keep_until=MOMENT, superseded_at=MOMENT)
    assert not found("data-without-rule")


def test_data_without_any_end_are_counted_by_reason():
    undated, held, blocked, ended = person(phone="87015551234"), person(), person(), person()
    keep_until(undated, None)
    undated.data.filter(category__code="phone").update(keep_until=MOMENT)  # its own end comes first
    hold(held)
    hold(ended, until=MOMENT + DAY)
    block(blocked)
    assert count("data-without-end-date") == [1]
    assert count("data-held-without-end") == [1]
    assert count("data-blocked") == [1]
    assert DatumTerm.objects.filter(until=None).count() == 3  # the view knows of the same


def test_a_hold_on_one_datum_and_a_released_one_count_only_what_they_hold():
    subject = person(phone="87015551234")
    hold(subject, datum=subject.data.get(category__code="phone"))
    released = hold(person())
    type(released).objects.filter(pk=released.pk).update(released_at=MOMENT)
    assert count("data-held-without-end") == [1]


@pytest.mark.parametrize(("minutes", "is_found"), [(15, False), (16, True)])
def test_a_ledger_that_waits_is_a_warning(minutes, is_found):
    LedgerQueue.objects.create(kind="erased", numbers=[1], at=MOMENT - timedelta(minutes=minutes))
    assert bool(found("ledger-late")) is is_found


# Today is Sunday 22 November 2026: of what was demanded on Sunday the 1st the last of 15 working days was Friday the 20th.
@pytest.mark.parametrize(("day", "is_found"), [(date(2026, 11, 1), True), (date(2026, 11, 2), False)])
def test_a_demanded_erasure_that_lasts_is_a_notice(day, is_found):
    ErasureCertificate.objects.create(
        subject=person(),
        ground=LegalGround.objects.first(),
        reason="asked",
        demanded_at=datetime.combine(day, time(18, 59), tzinfo=UTC),
    )
    assert bool(found("erasure-late")) is is_found


@pytest.mark.parametrize(
    ("channel", "due_on", "is_found"),
    [("mail", "2026-11-21", True), ("mail", "2026-11-22", False), ("page", "2026-11-21", False)],
)
def test_a_request_beyond_its_term_is_a_notice_unless_it_waits_for_its_person(channel, due_on, is_found):
    request = opening.receive(person(), SubjectRequest.Kind.ACCESS, channel=channel, language="ru", now=MOMENT)
    SubjectRequest.objects.filter(pk=request.pk).update(due_on=due_on)
    assert bool(found("request-late")) is is_found


@pytest.mark.parametrize(("due_on", "is_found"), [("2026-11-21", True), (None, False)])
def test_a_request_that_was_late_before_its_pause_is_a_notice(due_on, is_found):
    request = opening.receive(person(), SubjectRequest.Kind.ACCESS, channel="mail", language="ru", now=MOMENT)
    SubjectRequest.objects.filter(pk=request.pk).update(due_on=due_on, alarm_on=None, state="paused")
    assert bool(found("request-late")) is is_found


def test_a_year_without_holidays_is_a_warning(monkeypatch):
    assert not found("calendar-unknown") and not calendar.is_known(2500)
    monkeypatch.setattr(calendar, "is_known", lambda year: year < 2027)
    assert [finding.values["year"] for finding in found("calendar-unknown")] == [2027]
    assert not found("calendar-unknown", datetime(2026, 10, 31, tzinfo=UTC))


def test_a_late_job_is_a_warning():
    late = MOMENT - jobs.LATE_AFTER["purge"] - timedelta(seconds=1)
    JobRun.objects.create(name="purge", started_at=late, finished_at=late, succeeded_at=late)
    assert [finding.values["job"] for finding in found("job-late")] == ["purge"]


def test_a_trace_without_a_rule_is_a_warning(monkeypatch):
    monkeypatch.setitem(traces.stores, "new", traces.stores["letters"])
    assert found("trace-without-rule")[0].level == "warning"
    assert SelfRetentionRule.objects.exists()


def test_warnings_come_first_and_texts_speak_the_language_of_the_reader():
    purpose().categories.clear()
    all_ = findings.find(MOMENT)
    assert [one.level for one in all_] == sorted((one.level for one in all_), reverse=True)
    with translation.override("en"):
        assert "Site news" in all_[0].text
    with translation.override("ru"):
        assert "Новости сайта" in all_[0].text


def test_the_questions_do_not_grow_with_people(django_assert_max_num_queries):
    for _ in range(5):
        keep_until(person(), None)
    with django_assert_max_num_queries(17):
        findings.find(MOMENT)


def test_the_command_prints_and_fails_only_on_a_warning(now):
    out = StringIO()
    call_command("check_retention", stdout=out)
    assert "0 warnings" in out.getvalue() and "notice" in out.getvalue()
    purpose().categories.clear()
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("check_retention", stdout=out)
    assert ended.value.code == 1
    assert "public-purpose-without-data: “Site news” is asked of people" in out.getvalue()


def test_the_page_needs_a_permission_and_its_lists_of_people_an_appointment(client):
    subject = person(now=timezone.now())
    keep_until(subject, None)
    clerk = staff("clerk", appointed=False, superuser=False)
    enter(client, clerk)
    assert client.get(reverse("admin:findings")).status_code == 403
    names = ("view_processingpurpose", "view_processing")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    enter(client, clerk)
    body = client.get(reverse("admin:findings")).content.decode()
    people = reverse("admin:registry_processing_changelist")
    assert reverse("admin:registry_processingpurpose_changelist") in body and people not in body
    assert subject.reference not in body
    enter(client, staff())
    assert people in client.get(reverse("admin:findings")).content.decode()
