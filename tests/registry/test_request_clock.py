"""The last day of a request: the table of the Law's deadlines, local days, pauses, moved days, and why it is that day.

Broken and seen to fail. In registry/requests/clock.py: a term that was over before its pause, `settle`, a second pause,
extensions, the local date, requests not confirmed yet left out of `recount`, calendar days counted and told as working
days. In registry/working_days.py: the first and the last day of a pause, a last day that moves into one. In
registry/requests: late ones that are paused in counting.py, the refusal to extend what is over. In
registry/calendar.py: the border of `late_before` and how far back it looks, 1 November, the days around Kurban Ait. In
registry/certifying.py: the promised day in `is_over` and in `ends_at`. In registry/admin/calendar.py: the recount.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from registry import calendar, certifying, demands
from registry.models import AuditEntry, Deadline, LegalGround, SubjectRequest, WorkCalendarOverride
from registry.requests import answering, clock, counting, handling, opening, verifying
from registry.requests.answering import Details
from registry.working_days import Calendar, Stated, standing
from tests.factories import DAY, MOMENT, enter, person, staff
from tests.registry.test_working_days import STATED, TABLE

pytestmark = pytest.mark.django_db
ALMATY = ZoneInfo("Asia/Almaty")
Kind, Channel, State, Outcome = (
    SubjectRequest.Kind,
    SubjectRequest.Channel,
    SubjectRequest.State,
    SubjectRequest.Outcome,
)
OF_LENGTH = {1: Kind.BLOCKING, 3: Kind.ACCESS, 15: Kind.ERASURE}


def noon(day):
    return datetime.combine(date.fromisoformat(day), time(12), tzinfo=ALMATY)


def received(at, kind=Kind.ACCESS):
    """Confirmed by its person the moment it came."""
    at = noon(at) if isinstance(at, str) else at
    subject = person(now=MOMENT)
    request = opening.receive(subject, kind, channel=Channel.PAGE, language="ru", now=at)
    verifying.confirm(request.pk, now=at)
    return read(request)


def read(request):
    return SubjectRequest.objects.get(pk=request.pk)


def due(request):
    return read(request).due_on.isoformat()


def paused(request, by, first, last):
    doubt(request, by, first)
    assert read(request).due_on is None
    known(request, by, last)


def doubt(request, by, day):
    verifying.doubt(request, by=by, reason="another signature", now=noon(day))


def known(request, by, day):
    assert verifying.check(request, ["document"], by=by, now=noon(day)) == verifying.Outcome.DONE


def refused(request, by, day):
    details = Details(ground=LegalGround.objects.first())
    return answering.answer(request, Outcome.REFUSED, "Who?", by=by, now=noon(day), details=details)


def state_day(day, kind="dayoff", reason="decree"):
    WorkCalendarOverride.objects.create(day=day, kind=kind, reason=reason)
    return clock.recount(MOMENT)


@pytest.fixture
def clerk(db):
    return staff("clerk")


# --- the table and the borders of days ---------------------------------------------------------------------------------
@pytest.mark.parametrize(("day", "length", "last", "naive"), TABLE)
def test_the_table_of_the_law_holds_for_requests(day, length, last, naive):
    request = received(day, OF_LENGTH[length])
    assert request.length == length
    assert (request.due_on.isoformat(), request.alarm_on.isoformat()) == (last, min(last, naive))


@pytest.mark.parametrize(
    ("at", "last"),
    [
        (datetime(2026, 11, 23, 0, 1, tzinfo=ALMATY), "2026-11-26"),
        (datetime(2026, 11, 23, 23, 59, tzinfo=ALMATY), "2026-11-26"),
        (datetime(2026, 11, 24, 0, 1, tzinfo=ALMATY), "2026-11-27"),
        (datetime(2026, 11, 23, 18, 59, tzinfo=UTC), "2026-11-26"),
        (datetime(2026, 11, 23, 19, 30, tzinfo=UTC), "2026-11-27"),
    ],
)
def test_the_day_of_receipt_is_the_local_one(at, last):
    assert due(received(at)) == last


def test_the_last_day_lasts_until_its_local_midnight(clerk):
    request = received("2026-11-23")
    assert not request.is_overdue(date(2026, 11, 26)) and request.is_overdue(date(2026, 11, 27))
    late = SubjectRequest.objects.overdue
    assert list(late(date(2026, 11, 27))) == [request] and not late(date(2026, 11, 26)).exists()


# --- the calendar changes ----------------------------------------------------------------------------------------------
def test_a_holiday_added_later_moves_what_waits_and_leaves_what_was_answered(clerk):
    waiting, answered = received("2026-11-23"), received("2026-11-23", Kind.OTHER)
    answering.answer(answered, Outcome.GRANTED, "We keep hens.", by=clerk, now=noon("2026-11-24"))
    assert state_day("2026-11-25") == 1
    assert (due(waiting), due(answered)) == ("2026-11-27", "2026-11-26")
    assert waiting.steps.last().step == "recounted" and waiting.steps.last().due_on == date(2026, 11, 27)
    assert clock.recount(MOMENT) == 0


def test_a_day_made_a_working_day_moves_it_back():
    request = received("2026-11-26")
    assert due(request) == "2026-12-01"
    assert state_day("2026-11-28", "workday") == 1
    assert due(request) == "2026-11-30"


def test_what_waits_for_its_person_is_counted_anew_too():
    request = opening.receive(
        person(now=MOMENT), Kind.ACCESS, channel=Channel.PAGE, language="ru", now=noon("2026-11-23")
    )
    assert state_day("2026-11-25") == 1 and due(request) == "2026-11-27"


def test_a_paused_one_has_no_day_before_and_after(clerk):
    request = received("2026-11-23")
    doubt(request, clerk, "2026-11-24")
    assert state_day("2026-11-25") == 0 and read(request).due_on is None


def test_a_day_moved_during_a_pause_may_take_the_lateness_away_and_bring_it_back(clerk):
    request = received("2026-11-23")
    doubt(request, clerk, "2026-11-27")
    assert due(request) == "2026-11-26"
    assert state_day("2026-11-26") == 1 and read(request).due_on is None
    WorkCalendarOverride.objects.all().delete()
    assert clock.recount(MOMENT) == 1 and due(request) == "2026-11-26"


def test_a_day_moved_in_the_console_moves_the_requests_at_once(client):
    moved, unmoved = received("2026-11-23"), received("2026-10-01")
    enter(client, staff())
    client.cookies["language"] = "en"
    day = {"day": "25.11.2026", "kind": "dayoff", "reason": "decree"}
    answer = client.post(reverse("admin:registry_workcalendaroverride_add"), day, follow=True)
    assert "got another last day: 1" in answer.content.decode()
    assert (due(moved), due(unmoved)) == ("2026-11-27", "2026-10-06")
    row = WorkCalendarOverride.objects.get()
    client.post(reverse("admin:registry_workcalendaroverride_change", args=[row.pk]), day | {"kind": "workday"})
    assert due(moved) == "2026-11-26" and moved.steps.filter(step="recounted").count() == 2


def test_a_term_edited_in_the_console_is_for_those_that_come_after(client):
    before = received("2026-11-23")
    row = Deadline.objects.get(code="access_info")
    enter(client, staff())
    fields = {name: getattr(row, name) for name in ("code", "unit", "is_reviewed")} | {"ground": row.ground_id}
    texts = {f"{name}_{language}": "text" for name in ("title", "trigger") for language in ("kk", "ru", "en")}
    address = reverse("admin:registry_deadline_change", args=[row.pk])
    assert client.post(address, fields | texts | {"length": 5, "is_reviewed": ""}).status_code == 302
    assert clock.recount(MOMENT) == 0
    assert (due(before), due(received("2026-11-23"))) == ("2026-11-26", "2026-11-30")


# --- pause, extension, calendar days -----------------------------------------------------------------------------------
PAUSES = {
    "the same day": ("2026-11-25", [("2026-11-26", "2026-11-26")], "2026-11-30"),
    "a working day": ("2026-11-23", [("2026-11-24", "2026-11-25")], "2026-11-27"),
    "over a weekend": ("2026-11-25", [("2026-11-27", "2026-11-30")], "2026-12-01"),
    "over a weekend only": ("2026-11-25", [("2026-11-28", "2026-11-29")], "2026-11-30"),
    "on the last day": ("2026-11-23", [("2026-11-26", "2026-12-01")], "2026-12-01"),
    "on the day of receipt": ("2026-11-23", [("2026-11-23", "2026-11-24")], "2026-11-26"),
    "over a holiday": ("2026-12-14", [("2026-12-15", "2026-12-17")], "2026-12-21"),
    "two pauses": ("2026-11-23", [("2026-11-24", "2026-11-25"), ("2026-11-26", "2026-11-30")], "2026-12-01"),
}


@pytest.mark.parametrize("name", PAUSES)
def test_days_of_a_pause_do_not_count(clerk, name):
    day, pauses, last = PAUSES[name]
    request = received(day)
    for pause in pauses:
        paused(request, clerk, *pause)
    assert due(request) == last
    other = received(day)
    assert due(other) != last or name in {"the same day", "over a weekend only", "on the day of receipt"}


def test_what_was_late_before_its_pause_stays_late_through_it_and_after(clerk):
    request, in_time = received("2026-11-23"), received("2026-11-23")
    doubt(in_time, clerk, "2026-11-26")
    doubt(request, clerk, "2026-11-27")
    request = read(request)
    assert (request.due_on, request.alarm_on) == (date(2026, 11, 26), None) and request.is_overdue(date(2026, 11, 27))
    assert list(SubjectRequest.objects.overdue(date(2026, 12, 9))) == [request]
    assert "paused on 27.11.2026, after the last day" in request.explained("en")
    known(request, clerk, "2026-12-10")
    known(in_time, clerk, "2026-12-10")
    assert (due(request), due(in_time)) == ("2026-11-26", "2026-12-10")
    assert read(request).is_overdue(date(2026, 12, 10)) and not read(in_time).is_overdue(date(2026, 12, 10))
    assert "27.11.2026, after the last day" in read(request).explained("en")


def test_a_refusal_during_a_pause_is_judged_by_the_pause_up_to_it(clerk):
    late, in_time, after = (received("2026-11-23") for _ in range(3))
    doubt(in_time, clerk, "2026-11-25")
    doubt(late, clerk, "2026-11-27")
    doubt(after, clerk, "2026-11-26")
    assert refused(in_time, clerk, "2026-12-15").due_on == date(2026, 12, 17)  # the 16th is a holiday
    assert read(in_time).was_in_time(date(2026, 12, 15)) and "25.11.2026 to 14.12.2026" in read(in_time).explained("en")
    assert refused(late, clerk, "2026-11-28").due_on == date(2026, 11, 26)
    assert not read(late).was_in_time(date(2026, 11, 28))
    assert refused(after, clerk, "2026-11-28").due_on == date(2026, 11, 30)
    with override("en"):
        found = dict(counting.by_kind(noon("2026-11-01"), noon("2026-12-31")))
    assert found["copy of the data"] == counting.Counts(received=3, answered=3, refused=3, in_time=2, late=1)
    assert list(counting.late(noon("2026-11-01"), noon("2026-12-31"))) == [late]


def test_the_report_counts_what_was_late_before_its_pause(clerk):
    request, stands = received("2026-11-23"), received("2026-11-23")
    doubt(stands, clerk, "2026-11-25")
    doubt(request, clerk, "2026-11-27")
    assert list(counting.late(noon("2026-11-01"), noon("2026-12-01"))) == [request]
    with override("en"):
        found = dict(counting.by_kind(noon("2026-11-01"), noon("2026-12-01")))
    assert found["all kinds"] == counting.Counts(received=2, open=2, late=1)


def test_nothing_is_answered_without_a_last_day(clerk):
    request = received("2026-11-23")
    doubt(request, clerk, "2026-11-25")
    moment = noon("2026-11-26")
    forced = {"state": "answered", "outcome": "refused", "answered_at": moment, "ground": LegalGround.objects.first()}
    with pytest.raises(IntegrityError, match="evidence"), transaction.atomic():
        SubjectRequest.objects.filter(pk=request.pk).update(**forced, answer_id=1)
    assert SubjectRequest.objects.filter(pk=request.pk).update(**forced, answer_id=1, due_on=moment.date()) == 1


def test_a_term_that_is_over_is_not_extended(clerk):
    request = received("2026-11-23")
    with pytest.raises(ValidationError):
        handling.extend(request, 5, by=clerk, reason="an archive is searched", now=noon("2026-11-27"))
    assert due(request) == "2026-11-26"
    handling.extend(request, 5, by=clerk, reason="an archive is searched", now=noon("2026-11-26"))
    assert due(request) == "2026-12-03"


def test_a_pause_of_one_request_moves_no_other(clerk):
    request, other = received("2026-11-23"), received("2026-11-23")
    paused(request, clerk, "2026-11-24", "2026-11-25")
    clock.recount(MOMENT)
    assert (due(request), due(other)) == ("2026-11-27", "2026-11-26")


def test_an_extension_adds_working_days_with_a_reason(clerk):
    request, other = received("2026-11-23"), received("2026-11-23")
    handling.extend(request, 2, by=clerk, reason="an archive is searched", now=noon("2026-11-24"))
    assert (due(request), due(other)) == ("2026-11-30", "2026-11-26")
    clock.recount(MOMENT)
    paused(request, clerk, "2026-11-24", "2026-11-25")
    assert due(request) == "2026-12-01"


def test_a_term_of_calendar_days_ends_on_a_working_day():
    Deadline.objects.filter(code="access_info").update(unit="calendar_days")
    saturday, friday = received("2026-11-25"), received("2026-11-24")
    assert (due(saturday), saturday.alarm_on, due(friday)) == ("2026-11-30", date(2026, 11, 28), "2026-11-27")
    told = saturday.explained("en")
    assert "day 3: 28.11.2026" in told and "moves to the next working day: 30.11.2026" in told
    assert "working day" not in friday.explained("en")


# --- why -------------------------------------------------------------------------------------------------------------
HOLIDAYS = {
    "kk": ("Наурыз", "жұмыс күні", "26.03.2026 есептелмейді"),
    "ru": ("Наурыз", "рабочий день", "26.03.2026 не считается"),
    "en": ("Nowruz", "working day 1", "26.03.2026 does not count: the clock was paused"),
}


@pytest.mark.parametrize("language", HOLIDAYS)
def test_every_last_day_says_why_in_three_languages(clerk, language):
    request = received("2026-03-20")
    paused(request, clerk, "2026-03-26", "2026-03-27")
    handling.extend(request, 1, by=clerk, reason="an archive is searched", now=noon("2026-03-27"))
    told = read(request).explained(language)
    assert all(
        day in told for day in ("20.03.2026", "26.03.2026", "27.03.2026", read(request).due_on.strftime("%d.%m.%Y"))
    )
    assert told.count(HOLIDAYS[language][0]) == 5 and all(words in told for words in HOLIDAYS[language][1:])


def test_a_stated_day_is_named_and_a_pause_says_that_the_clock_stands(clerk):
    request = received("2026-11-23")
    state_day("2026-11-25", reason="decree 77")
    assert "25.11.2026 decree 77" in read(request).explained("ru")
    doubt(request, clerk, "2026-11-24")
    told = {read(request).explained(language) for language in ("kk", "ru", "en")}
    assert len(told) == 3 and any("paused until" in one for one in told)


# --- what holds for any calendar ---------------------------------------------------------------------------------------
DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))
TERMS = st.integers(1, 20)
PAUSES_ANYWHERE = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), max_size=3)
UNITS = st.sampled_from(Deadline.Unit.values)


def counted(day, length, unit, spans, stated):
    at = datetime.combine(day, time(12), tzinfo=ALMATY)
    request = SubjectRequest(received_at=at, length=length, unit=unit)
    pauses = [(day + timedelta(days=after), day + timedelta(days=after + long)) for after, long in spans]
    return clock._due(request, Calendar(stated), pauses), standing(pauses)


@given(day=DAYS, length=TERMS, unit=UNITS, spans=PAUSES_ANYWHERE, stated=STATED)
def test_a_pause_never_ends_a_term_earlier_and_staff_are_never_warned_late(day, length, unit, spans, stated):
    without, with_pause = counted(day, length, unit, [], stated)[0], counted(day, length, unit, spans, stated)[0]
    assert with_pause.day >= without.day and with_pause.naive >= without.naive
    assert day < with_pause.alarm <= with_pause.day


LATER = st.integers(0, 40)


@given(day=DAYS, length=TERMS, unit=UNITS, spans=PAUSES_ANYWHERE, stated=STATED, later=LATER, long=LATER)
def test_a_pause_after_the_last_day_makes_nothing_in_time(day, length, unit, spans, stated, later, long):
    last = counted(day, length, unit, spans, stated)[0].day
    after = (last - day).days + 1 + later
    assert counted(day, length, unit, [*spans, (after, long)], stated)[0].day == last


@given(day=DAYS, length=TERMS, unit=UNITS, spans=PAUSES_ANYWHERE, stated=STATED, other=LATER)
def test_a_pause_that_ends_on_the_day_it_began_changes_nothing(day, length, unit, spans, stated, other):
    assert counted(day, length, unit, spans, stated) == counted(day, length, unit, [*spans, (other, 0)], stated)


@given(day=DAYS, length=TERMS, unit=UNITS, spans=PAUSES_ANYWHERE, stated=STATED, long=LATER)
def test_a_pause_on_the_last_day_leaves_that_of_settling_it_to_answer_in(day, length, unit, spans, stated, long):
    last = counted(day, length, unit, spans, stated)[0].day
    found = counted(day, length, unit, [*spans, ((last - day).days, long)], stated)[0].day
    assert found >= last + timedelta(days=long)


@given(day=DAYS, length=TERMS, spans=PAUSES_ANYWHERE, stated=STATED)
def test_exactly_so_many_working_days_outside_the_pauses_are_counted(day, length, spans, stated):
    found, stood = counted(day, length, "working_days", spans, stated)
    between = {day + timedelta(days=number) for number in range(1, (found.day - day).days + 1)}
    days = Calendar(stated)
    assert sum(days.is_working(one) for one in between - stood) == length
    assert days.is_working(found.day) and found.day not in stood


# --- demanded erasures -------------------------------------------------------------------------------------------------
@given(
    day=st.dates(date(2026, 2, 1), date(2027, 2, 1)), back=st.integers(0, 60), length=TERMS, unit=UNITS, stated=STATED
)
def test_what_began_before_that_moment_is_late_and_nothing_else(day, back, length, unit, stated):
    term = calendar.Term(length, unit, Calendar(stated))
    now = datetime.combine(day, time(0), tzinfo=ALMATY)
    for at in (now - back * DAY, now - back * DAY - timedelta(seconds=1), now - back * DAY + timedelta(hours=13)):
        assert (term.ends_at(at) <= now) == (at < term.late_before(now))


def demanded(at, by):
    return demands.demand(person(now=MOMENT), ground=LegalGround.objects.first(), reason="asked", by=by, now=at)


def late(certificate, now):
    rows = certifying.promised(type(certificate).objects.open())
    return rows.filter(certifying.is_over(certifying.own_term(), now)).exists()


def test_a_demanded_erasure_is_late_after_fifteen_working_days_of_the_calendar(clerk):
    certificate = demanded(noon("2026-03-20"), clerk)
    midnight = datetime(2026, 4, 16, tzinfo=ALMATY)
    assert not late(certificate, midnight - timedelta(seconds=1)) and late(certificate, midnight)
    state_day("2026-04-15")
    assert not late(certificate, midnight) and late(certificate, midnight + DAY)
    Deadline.objects.filter(code="withdrawal").update(length=10)
    assert late(certificate, midnight - 5 * DAY)


def test_a_demand_that_carries_out_a_request_has_the_day_of_that_request(clerk):
    request = received("2026-11-02", Kind.ERASURE)
    assert due(request) == "2026-11-23"
    details = Details(ground=LegalGround.objects.first())
    answering.answer(request, Outcome.GRANTED, "Done.", by=clerk, now=noon("2026-11-20"), details=details)
    certificate = read(request).certificate
    row = certifying.promised(type(certificate).objects.all()).get()
    midnight = datetime(2026, 11, 24, tzinfo=ALMATY)
    assert certifying.ends_at(row, certifying.own_term()) == midnight
    assert not late(certificate, midnight - timedelta(seconds=1)) and late(certificate, midnight)


def test_a_demand_is_not_late_while_an_extended_request_is_not(clerk):
    request = received("2026-11-02", Kind.ERASURE)
    handling.extend(request, 15, by=clerk, reason="an archive is searched", now=noon("2026-11-03"))
    details = Details(ground=LegalGround.objects.first())
    answering.answer(request, Outcome.GRANTED, "Done.", by=clerk, now=noon("2026-11-03"), details=details)
    certificate = read(request).certificate
    own = certifying.own_term().ends_at(certificate.demanded_at)
    assert due(request) == "2026-12-14" and own == datetime(2026, 11, 25, tzinfo=ALMATY)
    assert not late(certificate, own) and late(certificate, datetime(2026, 12, 15, tzinfo=ALMATY))


# --- the calendar of next year -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("at", "year"),
    [
        (datetime(2026, 10, 31, 23, 59, tzinfo=ALMATY), None),
        (datetime(2026, 11, 1, tzinfo=ALMATY), 2027),
        (datetime(2026, 12, 31, 23, 59, tzinfo=ALMATY), 2027),
        (datetime(2027, 1, 1, tzinfo=ALMATY), None),
    ],
)
def test_next_year_is_looked_at_from_the_first_of_november(at, year):
    assert calendar.year_ahead(at) == year


def test_what_is_estimated_or_not_decided_is_known_once_somebody_stated_it():
    nothing = calendar.doubts(2027, Calendar())
    assert nothing.is_ait_open and nothing.are_moves_open and nothing.ait is not None
    on_ait = calendar.doubts(2027, Calendar({nothing.ait + 2 * DAY: Stated(False, "Kurban Ait")}))
    assert not on_ait.is_ait_open and not on_ait.are_moves_open
    elsewhere = calendar.doubts(2027, Calendar({date(2027, 1, 1): Stated(False, "nothing moved")}))
    assert elsewhere.is_ait_open and not elsewhere.are_moves_open


def test_a_past_year_the_package_has_confirmed_leaves_nothing_open():
    known = calendar.doubts(2025, Calendar())
    assert known.ait == date(2025, 6, 6) and not known.is_ait_open and not known.are_moves_open


def test_who_recounts_is_in_the_audit():
    request = received("2026-11-23")
    state_day("2026-11-25")
    entry = AuditEntry.objects.filter(subject=request.subject_id).latest("pk")
    assert (entry.reason, entry.system, entry.object_id) == ("recounted", "requests", request.pk)
    with override("en"):
        assert request.steps.last().get_step_display() == "term counted anew"
