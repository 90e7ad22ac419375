"""Terms in working days: the table of the Law's deadlines, moved days, and what holds for any calendar."""

from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from registry import calendar
from registry.models import WorkCalendarOverride
from registry.working_days import Calendar, Stated, explain, holiday_name

# Received, working days, due, and what somebody without a calendar of holidays would say.
TABLE = [
    ("2026-03-06", 1, "2026-03-10", "2026-03-09"),
    ("2026-03-20", 1, "2026-03-26", "2026-03-23"),
    ("2026-03-20", 3, "2026-03-30", "2026-03-25"),
    ("2026-03-20", 15, "2026-04-15", "2026-04-10"),
    ("2026-04-30", 3, "2026-05-06", "2026-05-05"),
    ("2026-04-30", 15, "2026-05-26", "2026-05-21"),
    ("2026-05-26", 1, "2026-05-28", "2026-05-27"),
    ("2026-10-23", 1, "2026-10-27", "2026-10-26"),
    ("2026-11-23", 3, "2026-11-26", "2026-11-26"),
    ("2026-11-23", 15, "2026-12-14", "2026-12-14"),
    ("2026-12-15", 1, "2026-12-17", "2026-12-16"),
    ("2026-12-31", 1, "2027-01-05", "2027-01-01"),
    ("2024-05-03", 1, "2024-05-04", "2024-05-06"),  # a working Saturday
]
DATES = st.dates(date(2024, 1, 1), date(2028, 12, 31))
STATED = st.dictionaries(DATES, st.builds(Stated, st.booleans(), st.just("decree")), max_size=20)


@pytest.mark.parametrize(("received", "length", "due", "naive"), TABLE)
def test_the_table(received, length, due, naive):
    found = Calendar().due(date.fromisoformat(received), length)
    assert (found.day.isoformat(), found.naive.isoformat()) == (due, naive)
    assert found.alarm == min(found.day, found.naive)


@given(received=DATES, length=st.integers(1, 40), stated=STATED)
def test_exactly_so_many_working_days_lie_between(received, length, stated):
    days = Calendar(stated)
    due = days.due(received, length)
    between = [received + timedelta(days=number) for number in range(1, (due.day - received).days + 1)]
    assert sum(map(days.is_working, between)) == length
    assert days.is_working(due.day) and days.is_working(due.first)


@given(received=DATES, length=st.integers(1, 40))
def test_a_longer_term_and_a_later_event_never_end_earlier(received, length):
    due = Calendar().due(received, length).day
    assert Calendar().due(received, length + 1).day > due
    assert Calendar().due(received + timedelta(days=1), length).day >= due


@pytest.mark.parametrize("length", [0, -1, 367])
def test_a_term_that_is_none_is_refused(length):
    with pytest.raises(ValueError, match="working days"):
        Calendar().due(date(2026, 3, 20), length)


@pytest.mark.django_db
def test_what_the_operator_states_wins(now):
    monday = date(2026, 11, 30)
    assert calendar.current().is_working(monday)
    WorkCalendarOverride.objects.create(day=monday, kind="dayoff", reason="moved from 5 December")
    WorkCalendarOverride.objects.create(day=date(2026, 12, 5), kind="workday", reason="moved to 30 November")
    found = calendar.current()
    assert not found.is_working(monday) and found.is_working(date(2026, 12, 5))
    assert found.due(date(2026, 11, 27), 5).day == date(2026, 12, 5)
    assert "moved from 5 December" in explain(found.due(date(2026, 11, 27), 5))


@pytest.mark.parametrize(("language", "word"), [("kk", "Наурыз"), ("ru", "Наурыз"), ("en", "Nowruz")])
def test_an_explanation_names_every_holiday_in_between(language, word):
    with override(language):
        told = explain(Calendar().due(date(2026, 3, 20), 1))
    assert told.count(word) == 5 and "26.03.2026" in told


def test_every_holiday_of_ten_years_has_a_russian_name():
    day = date(2020, 1, 1)
    with override("ru"):
        names = {holiday_name(day + timedelta(days=number)) for number in range(3653)} - {""}
    assert len(names) > 20
    assert [name for name in names if name.isascii() or any("a" <= letter <= "z" for letter in name.lower())] == []


@pytest.mark.django_db
def test_the_command_prints_the_date_and_why():
    out = StringIO()
    call_command("deadline", "--from", "2026-03-20", "--working-days", "15", stdout=out)
    assert out.getvalue().startswith("2026-04-15\nreceived 20.03.2026; ")
    out = StringIO()
    call_command(
        "deadline", "--from", "2026-11-23", "--working-days", "3", "--paused", "2026-11-24:2026-11-25", stdout=out
    )
    assert out.getvalue().startswith("2026-11-27\n")
    out = StringIO()
    call_command(
        "deadline", "--from", "2026-11-23", "--working-days", "3", "--paused", "2026-11-26:2026-11-30", stdout=out
    )
    assert out.getvalue().startswith("2026-11-30\n")
    for wrong in (("20.03.2026", "15"), ("2026-03-20", "0"), ("2026-03-20", "1", "--paused", "2026-03-21")):
        with pytest.raises(CommandError):
            call_command("deadline", "--from", wrong[0], "--working-days", *wrong[1:], stdout=out)
