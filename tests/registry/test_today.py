"""The page Today: what it counts is what is there, what it offers may be done, and nobody sees more than they may.

Guarded lines broken and seen to fail. In registry/work.py: people's work shown without an appointment, the permission of
`seen_by` and of `is_offered`, the second person, `<=` in `is_overdue`. In registry/figures.py: the hiding in `shown` and
in `told`, the legal ground in "live", the lower end of a group of days, the horizon of the data due. In
registry/admin/today.py: the months beside the live consents, appointment and permission of `read`, who sees the steps
and what failed. In registry/banners.py: whose appointment, who hears of openings, who hears of a waiting purge. In
registry/checklist.py: appointment and role of the two people, the mail server, the officers' addresses. In
consent/today.py: the time zone. Of requests: the end of the last day, what came by the page in the queue, an appointment to see
them, "soon" counted without "overdue", the local day of an answer, a paused clock, a share rounded up or
shown beside a hidden number; the right to be asked for next year's calendar."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from consent import decisions
from consent.decisions import desk
from registry import (
    banners,
    calendar,
    certifying,
    charts,
    checklist,
    demands,
    disclosure,
    failures,
    figures,
    first_login,
    jobs,
    ledger,
    roles,
    rules,
    tasks,
    work,
    work_kinds,
)
from registry.admin import today_charts
from registry.admin.today import deadline_of
from registry.figures import Board
from registry.models import (
    Appointment,
    AuditVerification,
    Authenticator,
    DataExport,
    DataSubject,
    DatumTerm,
    ErasureCertificate,
    Figure,
    JobRun,
    LedgerQueue,
    LegalGround,
    Operator,
    OutgoingMessage,
    ProcessingPurpose,
    PurgePreview,
    PurgeRun,
    StaffMember,
    SubjectRequest,
    WorkCalendarOverride,
)
from registry.requests import answering, handling, opening, verifying
from registry.requests.answering import Details
from registry.simulating import Proposal
from tests.factories import DAY, MOMENT, block, enter, hold, keep_until, person, purpose, question, staff

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def page(today):
    """The page as somebody sees it, after everything was counted."""

    def opened(member, query=""):
        figures.count(today)
        client = Client()
        enter(client, member)
        answer = client.get(reverse("admin:index") + query)
        assert answer.status_code == 200
        return answer

    return opened


def in_role(name, *, appointed=True):
    member = staff(name.lower(), appointed=appointed, superuser=False)
    roles.apply(timezone.now())
    member.groups.add(Group.objects.get(name=name))
    return StaffMember.objects.get(pk=member.pk)


def counted(name, now=MOMENT):
    figures.count(now)
    return figures.read().of(name)


def demanded(now, by=None):
    """A demanded erasure that is not done: a hold stands on it."""
    subject = person("site-news", phone="87015551234", now=now)
    hold(subject)
    by = by or staff("who-demands")
    return demands.demand(subject, ground=LegalGround.objects.all()[0], reason="asked", by=by, now=now)


def asked(now, kind="access", channel="page"):
    subject = person(now=now)
    return opening.receive(subject, SubjectRequest.Kind(kind), channel=channel, language="ru", now=now)


def in_work(now, kind="access"):
    """A request of somebody known."""
    request = asked(now, kind)
    verifying.confirm(request.pk, now=now)
    request.refresh_from_db()
    return request


def preview(**fields):
    return PurgePreview.objects.create(
        **{"taken_at": MOMENT, "as_of": MOMENT, "state": "waiting", "reasons": "people", "subjects": 3, "data": 4}
        | fields
    )


def proposed(by, now):
    present = purpose()
    fields = ("clock", "term_unit", "ends_on", "outcome")
    rule = {field: getattr(present, field) for field in fields} | {"term_value": 12}
    proposal = Proposal(present, categories=tuple(present.categories.values_list("pk", flat=True)), **rule)
    return rules.propose(proposal, by=by, reason="too long", now=now)


def entered(by, now, email="desk@example.kz"):
    return desk.enter({"email": email}, [purpose()], way="telephone", language="kk", by=by, now=now)


def asked_for_list(by, now):
    return DataExport.objects.create(
        kind="plain", purpose=purpose(), reason="post", state="waiting", people=30, requested_by=by, requested_at=now
    )


# figures


def test_live_consents_are_what_the_gate_lets_through():
    kept, withdrawn, blocked = (person("site-news", "feedback") for _ in range(3))
    question(email="not-confirmed@example.kz")
    assert counted("live") == {"": 6}
    decisions.withdraw(withdrawn, purpose("feedback"), now=MOMENT, channel="link")
    block(blocked)
    keep_until(kept, MOMENT)
    assert counted("live") == {"": 2}


def test_people_are_counted_until_they_are_erased():
    one, _other = person(), person()
    assert counted("people") == {"": 2}
    DataSubject.objects.filter(pk=one.pk).update(status="erased")
    assert counted("people") == {"": 1}


def test_months_begin_at_local_midnight_and_there_are_twelve():
    midnight = datetime(2026, 10, 31, 19, tzinfo=UTC)  # in Almaty it is 1 November
    person(now=midnight)
    person(now=midnight - timedelta(minutes=1))
    person("site-news", "feedback", now=datetime(2025, 12, 1, tzinfo=UTC))
    person(now=datetime(2025, 11, 30, 18, tzinfo=UTC))
    given = counted("given")
    assert len(given) == 12 and min(given) == "2025-12" and max(given) == "2026-11"
    assert {month: value for month, value in given.items() if value} == {"2026-11": 1, "2026-10": 1, "2025-12": 2}


def test_withdrawals_are_counted_in_the_month_of_the_act():
    subject = person("site-news", "feedback", now=MOMENT - 60 * DAY)
    decisions.withdraw(subject, None, now=MOMENT, channel="link")
    assert counted("withdrawn")["2026-11"] == 2 and sum(counted("withdrawn").values()) == 2
    assert counted("given")["2026-09"] == 2


def test_data_due_are_what_the_definition_of_due_says_about_everybody():
    for days in (-1, 0, 1, 30, 31, 60, 61, 90, 91):
        keep_until(person(phone="87015551234" if days == 30 else None, now=MOMENT - 2 * DAY), MOMENT + days * DAY)
    held, blocked = person(), person()
    keep_until(held, MOMENT + DAY)
    hold(held)
    keep_until(blocked, MOMENT + DAY)
    block(blocked)
    ends = [term.until - MOMENT for term in DatumTerm.objects.exclude(until=None)]
    groups = {"overdue": (-999, 0), "30": (0, 30), "60": (30, 60), "90": (60, 90)}
    expected = {name: sum(after * DAY < end <= until * DAY for end in ends) for name, (after, until) in groups.items()}
    assert counted("due") == expected
    assert sum(expected.values()) < len(ends) and all(expected.values())


def test_demanded_erasures_are_counted_by_what_is_left_of_their_term():
    """Today is Sunday 22 November: what was demanded on Sunday the 1st had 15 working days until Friday the 20th."""
    certificate = demanded(MOMENT)
    for day, group in ((date(2026, 11, 1), "overdue"), (date(2026, 11, 2), "soon"), (date(2026, 11, 3), "later")):
        noon = datetime.combine(day, time(7), tzinfo=UTC)
        ErasureCertificate.objects.filter(pk=certificate.pk).update(demanded_at=noon)
        moment = MOMENT if group != "soon" else datetime(2026, 11, 23, 9, tzinfo=UTC)
        assert counted("erasures", moment) == {"overdue": 0, "soon": 0, "later": 0, group: 1}


def test_requests_are_counted_by_what_is_left_of_their_term():
    requests = [in_work(MOMENT) for _ in range(5)] + [asked(MOMENT), asked(MOMENT, channel="mail")]
    days = (21, 22, 22, 23, None, 21, 21)  # today is the 22nd; the last but one came by the page and waits for its link
    for request, day in zip(requests, days, strict=True):
        due_on = date(2026, 11, day) if day else None
        state = request.state if day else "paused"
        identity = {"identity": "none", "verified_at": None} if state == "paused" else {}
        SubjectRequest.objects.filter(pk=request.pk).update(due_on=due_on, alarm_on=due_on, state=state, **identity)
    assert counted("requests") == {"overdue": 2, "soon": 2, "later": 1, "paused": 1}
    late = {"state": "paused", "alarm_on": None, "identity": "none", "verified_at": None}
    SubjectRequest.objects.filter(pk=requests[0].pk).update(**late)  # it was before its pause, and stays it
    assert counted("requests") == {"overdue": 2, "soon": 2, "later": 1, "paused": 1}


def test_answers_in_time_and_late_are_counted_by_month_and_nothing_else_is_an_answer():
    ground = LegalGround.objects.all()[0]
    granted, refused, late, paused, too_late = (in_work(MOMENT, "other") for _ in range(5))
    clerk, last = staff("clerk"), MOMENT + 3 * DAY  # Wednesday the 25th
    answer = partial(answering.answer, by=clerk)
    answer(granted, "granted", "Hens.", now=last)
    answer(refused, "refused", "No.", now=datetime(2026, 11, 25, 18, 59, tzinfo=UTC), details=Details(ground=ground))
    answer(late, "granted", "Hens.", now=datetime(2026, 11, 25, 19, 0, tzinfo=UTC))
    verifying.doubt(paused, by=clerk, reason="strange", now=last)
    answer(paused, "refused", "Who?", now=last + 30 * DAY, details=Details(ground=ground))
    verifying.doubt(too_late, by=clerk, reason="strange", now=last + DAY)
    answer(too_late, "refused", "Who?", now=last + 30 * DAY, details=Details(ground=ground))
    handling.close_as_spam(in_work(MOMENT, "other"), by=clerk, reason="spam", now=last + 30 * DAY)
    verifying.lapse(asked(MOMENT).received_at + 8 * DAY)
    now = last + 40 * DAY
    assert {month: n for month, n in counted("in_time", now).items() if n} == {"2026-11": 2, "2026-12": 1}
    assert {month: n for month, n in counted("not_in_time", now).items() if n} == {"2026-11": 1, "2026-12": 1}
    assert len(counted("in_time", now)) == 12


def test_counting_again_replaces_everything_and_says_when():
    Figure.objects.create(name="gone", group="x", value=3, counted_at=MOMENT - DAY)
    figures.count(MOMENT - HOUR)
    figures.count(MOMENT)
    assert "gone" not in figures.read().groups and figures.read().counted_at == MOMENT
    assert Figure.objects.filter(name="people").count() == 1


def test_the_job_counts_and_a_new_registry_is_counted_at_once():
    assert figures.count_first(MOMENT) > 0
    assert figures.count_first(MOMENT + HOUR) == 0
    tasks.count_figures()
    assert JobRun.objects.get(name="count_figures").succeeded_at
    assert figures.read().counted_at > MOMENT


# the share answered in time


def board(in_time, late):
    return Board(MOMENT, {"in_time": in_time, "not_in_time": late})


def answers(in_time, late, smallest=None):
    with translation.override("en"):
        return today_charts.charts(board(in_time, late), smallest)["answers"]


def test_the_share_in_time_stands_beside_every_month_and_is_never_rounded_up():
    drawn = answers({"2026-10": 0, "2026-11": 199}, {"2026-10": 0, "2026-11": 1})
    assert drawn.rows == [("November 2026", ["199", "1", "99 %"]), ("October 2026", ["0", "0", "-"])]
    assert "of all: 99 %" in drawn.description
    assert answers({"2026-11": 0}, {"2026-11": 0}) is None


def test_where_a_number_is_hidden_there_is_no_share_that_brings_it_back():
    drawn = answers({"2026-10": 20, "2026-11": 40}, {"2026-10": 0, "2026-11": 2}, smallest=5)
    assert drawn.rows == [("November 2026", ["40", "< 5", "-"]), ("October 2026", ["20", "0", "100 %"])]
    assert "of all: -" in drawn.description and "2 " not in drawn.description.split("By month")[0]


def test_the_chart_of_requests_hides_small_groups():
    waiting = Board(MOMENT, {"requests": {"overdue": 2, "soon": 0, "later": 30, "paused": 0}})
    with translation.override("en"):
        (seen, blind) = (today_charts.charts(waiting, smallest)["requests"] for smallest in (None, 5))
    assert [cells for _name, cells in seen.rows] == [["2"], ["0"], ["30"], ["0"]]
    assert [cells for _name, cells in blind.rows] == [["< 5"], ["0"], ["30"], ["0"]]


# small groups of people


@pytest.mark.parametrize(
    ("values", "seen", "total"),
    [
        ({"a": 7, "b": 9}, {"a": 7, "b": 9}, 16),
        ({"a": 4, "b": 9}, {"a": None, "b": 9}, None),
        ({"a": 0, "b": 5}, {"a": 0, "b": 5}, 5),
        ({"a": 1, "b": 1, "c": 9}, {"a": None, "b": None, "c": 9}, None),
        ({}, {}, 0),
    ],
)
def test_few_people_are_hidden_and_no_total_brings_them_back(values, seen, total):
    assert figures.shown(values, 5) == (seen, total)
    assert figures.shown(values, None) == (values, sum(values.values()))


@pytest.mark.parametrize(
    ("appointed", "role", "sees"),
    [(True, "Officer", True), (True, "Auditor", True), (False, "Officer", False), (True, "Administrator", False)],
)
def test_small_numbers_are_shown_to_those_who_may_see_people(page, today, appointed, role, sees):
    for _ in range(3):
        keep_until(person(now=today), today + DAY)
    answer = page(in_role(role, appointed=appointed))
    newest = answer.context["months"].rows[0][1]
    tiles = [tile.number for tile in answer.context["tiles"]]
    assert newest == (["3", "0"] if sees else ["< 5", "0"])
    assert tiles[2:] == (["3", "3"] if sees else ["-", "-"])
    assert (">3<" in answer.content.decode()) is sees


def test_many_people_are_shown_to_everybody(page, today):
    for _ in range(5):
        person(now=today)
    answer = page(staff("outsider", appointed=False, superuser=False))
    assert answer.context["months"].rows[0][1] == ["5", "0"]
    assert answer.context["tiles"][2].number == "5"


def test_one_hidden_month_hides_the_number_of_live_consents(page, today):
    for at in [today] * 6 + [today - 40 * DAY] * 2:
        person(now=at)
    assert page(staff()).context["tiles"][2].number == "8"
    blind = page(staff("outsider", appointed=False, superuser=False))
    assert blind.context["tiles"][2].number == "-"
    assert sorted(cells[0] for _month, cells in blind.context["months"].rows if cells[0] != "0") == ["6", "< 5"]


# the work queue


@pytest.fixture
def all_work(today):
    """One of each kind, asked for by people who are not tested."""
    clerk = staff("clerk")
    certificate = demanded(today, by=clerk)
    preview(as_of=today)
    proposed(clerk, today)
    entered(clerk, today)
    asked_for_list(clerk, today)
    in_work(today)
    asked(today, channel="mail")
    return certificate


def offered(answer):
    return {str(line.item.kind.name) for line in answer.context["lines"] if line.item.is_offered}


EVERYTHING = {
    "Erasure on demand", "Approve a purge", "Approve a retention rule", "Approve a list of people",
    "Check a consent from the desk", "Answer a request", "Find out who asks",
}  # fmt: skip
REQUESTS = {"Answer a request", "Find out who asks"}


@pytest.mark.parametrize(
    ("role", "appointed", "kinds"),
    [
        ("Officer", True, EVERYTHING),
        ("Officer", False, {"Approve a retention rule"}),
        ("Operator", True, {"Check a consent from the desk"} | REQUESTS),
        ("Operator", False, set()),
        ("Auditor", True, set()),
        ("Integrator", True, set()),
        ("Administrator", True, set()),
    ],
)
def test_what_waits_is_shown_to_whoever_may_do_it(page, all_work, role, appointed, kinds):
    answer = page(in_role(role, appointed=appointed))
    with translation.override("en"):  # the page has spoken Kazakh
        assert offered(answer) == kinds
    body = answer.content.decode()
    assert (all_work.subject.reference in body) is ("Erasure on demand" in kinds)
    assert ("DS-" in body) is bool(kinds & {"Erasure on demand", "Check a consent from the desk"})
    assert ("RQ-" in body) is bool(kinds & REQUESTS)


def test_a_request_is_due_at_the_end_of_its_last_day_and_belongs_to_whoever_took_it(today):
    clerk, other = staff("clerk"), staff("other")
    request, free = in_work(today), in_work(today, "other")
    handling.take(request, by=clerk, now=today)
    queue = work.waiting(clerk, today, sees_people=True)
    midnight = datetime.combine(request.due_on + DAY, time(0), tzinfo=ZoneInfo("Asia/Almaty"))
    assert [item.due_at for item in queue.items] == [midnight, midnight]
    assert [item.row for item in work.in_tab(queue, "mine", today)] == [request]
    assert [item.row for item in work.in_tab(queue, "unassigned", today)] == [free]
    theirs = work.waiting(other, today, sees_people=True)
    assert len(work.in_tab(theirs, "all", today)) == 2 and not work.in_tab(theirs, "mine", today)
    assert len(work.in_tab(queue, "overdue", midnight)) == 2
    assert [len(work.in_tab(queue, tab, midnight - HOUR)) for tab in ("overdue", "today")] == [0, 2]


def test_a_page_that_nobody_confirmed_is_no_work_and_a_paused_one_has_no_deadline(today):
    clerk, doubted = staff("clerk"), in_work(today)
    asked(today)
    verifying.doubt(doubted, by=clerk, reason="strange", now=today)
    (item,) = work.waiting(clerk, today, sees_people=True).items
    assert (item.row, item.due_at) == (doubted, None)


def test_a_request_that_was_late_before_its_pause_stays_among_the_overdue(page, today):
    clerk, doubted = staff("clerk"), in_work(today - 40 * DAY)
    verifying.doubt(doubted, by=clerk, reason="strange", now=today)
    queue = work.waiting(clerk, today, sees_people=True)
    assert [item.row for item in work.in_tab(queue, "overdue", today)] == [doubted]
    assert page(clerk).context["tiles"][0].number == "1"


def test_the_tiles_count_requests_of_whoever_may_handle_them(page, today):
    request = in_work(today)
    SubjectRequest.objects.filter(pk=request.pk).update(due_on="2020-01-01", alarm_on="2020-01-01")
    assert page(staff("clerk")).context["tiles"][0].number == "1"
    assert page(in_role("Integrator")).context["tiles"][0].number == "0"


def test_a_demand_is_due_as_the_findings_count_it(today):
    certificate = demanded(today)
    (item,) = work.waiting(staff("other"), today, sees_people=True).items
    term = certifying.own_term()
    assert item.row == certificate and item.due_at == term.ends_at(today)
    assert term.late_before(item.due_at - HOUR) <= today < term.late_before(item.due_at)


def test_whoever_asked_does_not_decide_and_sees_where_it_stands(page, today):
    officer, second = in_role("Officer"), staff("second")
    proposed(officer, today)
    preview(requested_by=officer)
    asked_for_list(officer, today)
    entered(officer, today)
    assert len(page(second).context["lines"]) == 4
    assert page(officer).context["lines"] == []
    mine = page(officer, "?q=mine").context["lines"]
    assert len(mine) == 4 and all(line.waits for line in mine)


def test_a_clerk_who_only_asks_sees_his_own_and_nobody_elses(today):
    clerk = in_role("Operator")
    asked_for_list(clerk, today)
    asked_for_list(staff("second"), today)
    items = [
        item
        for item in work.waiting(clerk, today, sees_people=True).items
        if item.kind.asked_with == "registry.export_plain"
    ]
    assert [item.asked_by for item in items] == [clerk] and not items[0].is_offered


def test_asking_is_no_permission_to_do_even_where_one_person_is_enough(today, monkeypatch):
    clerk = in_role("Operator")
    asked_for_list(clerk, today)
    (lists,) = (kind for kind in work.kinds if kind.permission == "registry.approve_dataexport")
    monkeypatch.setattr(work, "kinds", [replace(lists, needs_second=False)])
    (item,) = work.waiting(clerk, today, sees_people=True).items
    assert item.is_mine and not item.is_offered


def test_the_earliest_deadline_comes_first_and_what_has_none_comes_last(today):
    proposed(staff("clerk"), today)
    late = preview(as_of=today - 2 * DAY)
    soon = preview(as_of=today, subjects=1)
    rows = [item.row for item in work.waiting(staff(), today, sees_people=True).items]
    assert rows[:2] == [late, soon] and rows[2].purpose == purpose()


@pytest.mark.parametrize(
    ("left", "tabs"),
    [(-HOUR, "overdue"), (0 * HOUR, "overdue"), (timedelta(seconds=1), "today"), (DAY, "today"), (25 * HOUR, "")],
)
def test_tabs_cut_the_queue_by_deadline(left, tabs):
    preview(as_of=MOMENT - work_kinds.DESTRUCTION_TERM + left)
    queue = work.waiting(staff(), MOMENT, sees_people=True)
    found = [tab for tab in ("overdue", "today") if work.in_tab(queue, tab, MOMENT)]
    assert found == ([tabs] if tabs else [])
    assert work.in_tab(queue, "unassigned", MOMENT) == work.in_tab(queue, "all", MOMENT) == queue.items


@pytest.mark.parametrize(
    ("left", "level", "words"),
    [
        (-50 * HOUR, "bad", "overdue 2 d"),
        (-5 * HOUR, "bad", "overdue 5 h"),
        (3 * HOUR, "soon", "3 h left"),
        (timedelta(minutes=20), "soon", "less than an hour left"),
        (48 * HOUR, "", "24.11.2026"),
        (58 * HOUR, "", "24.11.2026"),  # the midnight after that day
        (58 * HOUR + timedelta(minutes=1), "", "25.11.2026"),
    ],
)
def test_a_deadline_is_said_in_words_with_its_level(left, level, words):
    with translation.override("en"):
        assert deadline_of(MOMENT + left, MOMENT) == (level, words)
    assert deadline_of(None, MOMENT) == ("", "")


def test_twenty_rows_are_shown_and_the_rest_is_counted(page, today):
    for number in range(23):
        ErasureCertificate.objects.create(
            subject=DataSubject.objects.create(language="kk", created_at=today),
            ground=LegalGround.objects.all()[0], reason="asked", demanded_at=today - number * HOUR,
        )  # fmt: skip
    answer = page(staff())
    assert len(answer.context["lines"]) == 20 and answer.context["more"] == 3
    assert dict((name, count) for name, _label, count in answer.context["tabs"])["all"] == "23"


def test_a_tab_there_is_not_is_the_first_one(page):
    assert page(staff(), "?q=<script>").context["tab"] == "all"


# the checklist


def is_done(code, now=MOMENT):
    figures.count(now)
    return {one.step.code: one.is_done for one in checklist.look(now, figures.read())}[code]


def test_the_operator_is_ticked_when_nothing_is_empty():
    assert not is_done("operator") and not is_done("responsible")
    places = {"address_kk": "Астана", "address_ru": "Астана", "address_en": "Astana"}
    Operator.objects.update(responsible_person="Officer", **places)
    assert is_done("operator") and is_done("responsible")
    Operator.objects.update(address_en="", responsible_person="")
    assert not is_done("operator") and not is_done("responsible")


def test_purposes_are_ticked_while_none_leaves_anything_open():
    assert is_done("purposes") and is_done("policy")
    purpose().categories.clear()
    assert not is_done("purposes")
    ProcessingPurpose.objects.update(is_public=False)
    assert not is_done("purposes")


def test_two_people_need_appointment_role_and_second_factor():
    one, other = staff("one"), in_role("Officer")
    for member in (one, other):
        assert not is_done("people")
        Authenticator.objects.create(person=member, wrapped=b"x", added_at=MOMENT, confirmed_at=MOMENT)
    assert is_done("people")
    other.groups.clear()
    assert not is_done("people")
    type(other).objects.filter(pk=other.pk).update(is_superuser=True)
    assert is_done("people")
    Appointment.objects.filter(person=one).update(revoked_on=date(2026, 11, 1))
    assert not is_done("people")


def test_the_appointment_for_setting_up_is_to_be_replaced(settings, tmp_path):
    settings.HOME = tmp_path
    first_login.create_first_administrator(MOMENT)
    assert not is_done("appointment")
    Appointment.objects.update(revoked_on=date(2026, 11, 22))
    assert is_done("appointment")


def test_reminders_need_an_officer_with_an_address():
    officer = in_role("Officer")
    assert not is_done("reminders")
    type(officer).objects.filter(pk=officer.pk).update(email="officer@operator.kz")
    assert is_done("reminders")


def test_a_letter_counts_when_a_mail_server_sent_it(settings):
    person()
    OutgoingMessage.objects.update(state="sent")
    assert OutgoingMessage.objects.exists()
    settings.EMAIL_BACKEND = "config.mail_folder.EmailBackend"
    assert not is_done("letters")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert is_done("letters")
    OutgoingMessage.objects.update(state="failed")
    assert not is_done("letters")


def test_phones_need_a_gateway_only_where_a_number_is_asked_for(settings):
    settings.SMS_URL = "https://sms.example.kz"
    assert is_done("phones")
    settings.SMS_URL = ""
    assert not is_done("phones")
    ProcessingPurpose.objects.filter(categories__kind="phone").update(is_public=False)
    assert is_done("phones")


def test_the_ledger_is_ticked_while_its_file_is_there(settings):
    assert not is_done("ledger")
    ledger.write(MOMENT)
    assert is_done("ledger")
    settings.LEDGER_FILE.unlink()
    assert not is_done("ledger")


def test_the_purge_is_ticked_while_it_runs_in_time():
    assert not is_done("purge")
    run = {"name": "purge", "started_at": MOMENT, "finished_at": MOMENT, "succeeded_at": MOMENT}
    JobRun.objects.create(**run)
    assert is_done("purge", MOMENT + jobs.LATE_AFTER["purge"])
    assert not is_done("purge", MOMENT + jobs.LATE_AFTER["purge"] + timedelta(seconds=1))


def test_the_audit_is_ticked_while_checkpoints_are_written(settings, tmp_path):
    settings.CHECKPOINTS_FILE = tmp_path / "checkpoints.jsonl"
    JobRun.objects.create(name="seal_audit", started_at=MOMENT, finished_at=MOMENT, succeeded_at=MOMENT)
    assert not is_done("checkpoint")
    settings.CHECKPOINTS_FILE.write_text("{}\n")
    assert is_done("checkpoint", MOMENT + DAY)
    assert not is_done("checkpoint", MOMENT + DAY + timedelta(seconds=1))


def test_the_checklist_is_for_those_who_can_do_something_and_shrinks_when_done(page, monkeypatch):
    assert page(in_role("Administrator")).context["steps"]
    assert not page(in_role("Operator")).context["steps"]
    assert 'id="setup"' in page(staff()).content.decode()
    done = checklist.Step("one", "one", None, lambda now, board: True)
    monkeypatch.setattr(checklist, "steps", [done])
    assert 'id="setup"' not in page(StaffMember.objects.get(username="officer")).content.decode()


# banners and what failed


def texts(reader, now=MOMENT, sees_people=True):
    with translation.override("en"):
        return [line.text for line in banners.find(reader, now, sees_people=sees_people)]


def test_a_late_purge_is_said_to_everybody():
    clerk = staff("clerk", superuser=False)
    JobRun.objects.create(name="purge", started_at=MOMENT, finished_at=MOMENT, succeeded_at=MOMENT - 26 * HOUR)
    assert texts(clerk) == []
    assert "did not run in time" in texts(clerk, MOMENT + HOUR)[0]


def state_calendar():
    """Somebody has looked at the calendar of next year."""
    ait = calendar.doubts(2027, calendar.current()).ait
    WorkCalendarOverride.objects.create(day=ait, kind="dayoff", reason="Kurban Ait")


def test_next_year_s_calendar_is_asked_for_from_november_on_and_of_whoever_keeps_it():
    officer, october = in_role("Officer"), datetime(2026, 10, 31, 18, 59, tzinfo=UTC)
    assert texts(officer, october) == texts(in_role("Operator"), october + HOUR) == []
    (line,) = texts(officer, october + HOUR)
    assert "2027" in line and "16.05.2027" in line and "moved" in line
    WorkCalendarOverride.objects.create(day=date(2027, 1, 1), kind="dayoff", reason="none moved")
    assert "moved" not in texts(officer)[0] and "Kurban Ait" in texts(officer)[0]
    state_calendar()
    assert texts(officer) == []


def test_the_banner_of_the_calendar_leads_to_the_moved_days(page, monkeypatch):
    monkeypatch.setattr(calendar, "year_ahead", lambda now: 2027)
    assert reverse("admin:registry_workcalendaroverride_changelist") in [
        address for _line, address in page(staff()).context["banners"]
    ]


def test_an_ending_appointment_is_said_to_its_person_and_to_who_manages_them():
    clerk, other, manager = staff("clerk", superuser=False), staff("other", superuser=False), staff("manager")
    ends = Appointment.objects.filter(person=clerk)
    ends.update(valid_until=date(2026, 12, 7))
    state_calendar()
    assert texts(clerk) == texts(manager) == []
    ends.update(valid_until=date(2026, 12, 6))
    assert "06.12.2026" in texts(clerk)[0] and "clerk" in texts(manager)[0]
    assert texts(other) == []


def test_the_appointment_for_setting_up_is_said_from_its_first_day(settings, tmp_path):
    settings.HOME = tmp_path
    first_login.create_first_administrator(MOMENT)
    state_calendar()
    (line,) = texts(StaffMember.objects.get())
    assert "Replace it by an order" in line and "22.12.2026" in line


def test_unusual_openings_are_said_to_those_who_read_the_audit(monkeypatch):
    opened = disclosure.Alarm(staff("curious"), 40, 1.0)
    monkeypatch.setattr(disclosure, "alarms", lambda now: [opened])
    assert "curious, 40" in texts(in_role("Officer"))[0]
    assert texts(in_role("Operator")) == []


def test_a_waiting_purge_is_said_to_those_who_may_see_it():
    preview()
    auditor = in_role("Auditor")
    assert "data: 4, people: 3" in texts(auditor)[0]
    assert texts(auditor, sees_people=False) == texts(in_role("Administrator")) == []


def failing(smallest=None, now=MOMENT):
    with translation.override("en"):
        figures.count(now)
        return [one.text for one in failures.find(now, figures.read(), smallest)]


def test_failed_letters_and_remains_are_counted_and_few_are_hidden():
    assert failing() == []
    demanded(MOMENT)
    OutgoingMessage.objects.filter(pk=OutgoingMessage.objects.latest("pk").pk).update(state="failed")
    ErasureCertificate.objects.update(remains=2)
    assert failing() == ["Erasures after which something was found: 1", "Letters that could not be delivered: 1"]
    assert all(text.endswith("< 5") for text in failing(smallest=5))


def test_what_is_late_is_said_by_the_rules_of_the_findings():
    LedgerQueue.objects.create(kind="erased", numbers=[1], at=MOMENT - HOUR)
    JobRun.objects.create(name="send_mail", started_at=MOMENT, finished_at=MOMENT, succeeded_at=MOMENT - HOUR)
    assert len(failing()) == 2 and any("send_mail" in text for text in failing())


def test_a_broken_audit_comes_first():
    AuditVerification.objects.create(started_at=MOMENT, finished_at=MOMENT, outcome="missing", first_bad=7)
    assert failing()[0].startswith("The audit is not what was sealed")


def test_what_failed_is_for_those_who_see_the_workings(page):
    assert page(in_role("Integrator")).context["failures"] == []
    assert page(in_role("Operator")).context["failures"] is None


# the page as a whole


def test_an_empty_registry_teaches_what_will_stand_here(page):
    body = page(staff()).content.decode()
    assert body.count('<svg class="chart"') == 0 and 'class="empty"' in body


def test_nothing_is_invented_before_the_first_count(client):
    Figure.objects.all().delete()
    enter(client, staff())
    answer = client.get(reverse("admin:index"))
    assert [tile.number for tile in answer.context["tiles"][2:]] == ["-", "-"]
    assert answer.context["counted_at"] is None and answer.context["months"] is None


def test_the_page_costs_the_same_with_more_of_everything(client, today, all_work):
    enter(client, staff())
    figures.count(today)
    client.get("/admin/")
    with CaptureQueriesContext(connection) as before:
        client.get("/admin/")
    for number in range(4):
        demanded(today, by=StaffMember.objects.get(username="clerk"))
        entered(StaffMember.objects.get(username="clerk"), today, f"desk{number}@example.kz")
        preview(as_of=today)
        PurgeRun.objects.create(started_at=today, as_of=today)
    figures.count(today)
    client.get("/admin/")  # the process looks after its ledger anew
    with CaptureQueriesContext(connection) as after:
        assert len(client.get("/admin/").context["lines"]) > 10
    assert len(after) == len(before)


def test_the_last_purges_hide_few_people_too(page, today):
    PurgeRun.objects.create(started_at=today, as_of=today, finished_at=today, subjects=3, data=12)
    assert page(staff("second")).context["runs"][0]["people"] == "3"
    runs = page(in_role("Officer", appointed=False)).context["runs"]
    assert (runs[0]["people"], runs[0]["data"]) == ("< 5", "12")


def test_looking_changes_nothing(page, today, all_work):
    before = StaffMember.objects.count(), PurgePreview.objects.count(), AuditVerification.objects.count()
    client = page(staff()).client
    assert client.head("/admin/").status_code == 200
    assert before == (StaffMember.objects.count() - 1, PurgePreview.objects.count(), AuditVerification.objects.count())


# geometry


def test_the_longest_bar_fills_the_width_and_the_smallest_is_seen():
    drawn = charts.bars(
        [(name, [charts.Value(amount, "", "c1")]) for name, amount in (("a", 1000), ("b", 500), ("c", 1), ("d", 0))]
    )
    full = charts.WIDTH - charts.LABEL - charts.NUMBER
    assert [row.bars[0].width for row in drawn.rows] == [full, full // 2, 2, 0]
    assert drawn.rows[-1].bars[0].y + charts.BAR == drawn.height


def test_a_hidden_number_has_no_length():
    drawn = charts.bars([("a", [charts.Value(None, "< 5", "c1"), charts.Value(9, "9", "c2")])])
    assert [bar.width for bar in drawn.rows[0].bars] == [0, charts.WIDTH - charts.LABEL - charts.NUMBER]
    assert charts.stacked([charts.Value(None, "< 5", "bad")]).rows[0].bars == []


def test_a_stacked_bar_is_divided_by_its_parts():
    bars = charts.stacked([charts.Value(amount, str(amount), "c1") for amount in (1, 0, 3)]).rows[0].bars
    assert [(bar.x, bar.width) for bar in bars] == [(0, 73), (75, 223)]
    assert charts.stacked([]).rows[0].bars == [] and charts.bars([]).height == 0


def test_a_figure_nobody_counted_is_zero():
    assert Board().one("live") == 0 and Board().of("due") == {}
