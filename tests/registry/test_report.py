"""The page of the seals and the report of internal control: what stands there, who may see it, and that it is only read.

Broken and seen to fail: the right and the appointment asked for by the report, the right to see the page of the seals and
to verify, the border days, erasures that wait too long, refusals, requests answered after the period.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone, translation

from registry import auditing, demands, holds, purging, reports, seals, tasks
from registry.disclosure import reveal
from registry.models import (
    Appointment,
    AuditEntry,
    AuditVerification,
    DataExport,
    ErasureCertificate,
    LegalGround,
    LegalHold,
    SubjectRequest,
)
from registry.requests import answering, opening, verifying
from registry.requests.answering import Details
from registry.requests.counting import Counts
from tests.factories import DAY, EMAIL, MOMENT, PHONE, enter, hold, keep_until, person, purpose, staff
from tests.faults.tables import rows_written

pytestmark = pytest.mark.django_db
ALMATY = ZoneInfo("Asia/Almaty")
NOVEMBER = reports.Period(date(2026, 11, 1), date(2026, 11, 30))
REPORT, VERIFICATION = reverse("admin:control_report"), reverse("admin:audit_verification")
DECEMBER = datetime(2026, 12, 5, 12, tzinfo=ALMATY)


def member(role=None, *, appointed=True):
    one = staff(role or "outsider", appointed=appointed, superuser=False)
    if role:
        one.groups.add(Group.objects.get(name=role))
    return one


def shown(client, url=REPORT, **query):
    answer = client.get(url, query)
    return answer, answer.content.decode()


# --- what stands in it ------------------------------------------------------------------------------------------------
def test_the_report_counts_what_each_person_opened_and_on_which_day():
    officer, other = staff("officer"), staff("other")
    for datum in person(email=EMAIL, phone=PHONE).data.all():
        reveal(datum, by=officer, reason="asked", now=MOMENT)
    reveal(person().data.get(), by=officer, reason="asked", now=MOMENT + DAY)
    auditing.record("search", now=MOMENT, actor=other)
    auditing.record("refused", now=MOMENT, actor=other, system="console: search")
    auditing.record("refused", now=MOMENT, system="sign-in")
    auditing.record("sign_in", now=MOMENT, actor=other)
    report = reports.make(NOVEMBER, DECEMBER)
    assert report.acts == [
        reports.Acts(officer, sign_ins=0, searches=0, opened=3, people=2, refused=0),
        reports.Acts(other, sign_ins=1, searches=1, opened=0, people=0, refused=1),
        reports.Acts(None, sign_ins=0, searches=0, opened=0, people=0, refused=1),
    ]
    assert report.opened_by_day == [(date(2026, 11, 22), 2), (date(2026, 11, 23), 1)]
    assert sorted(report.refusals) == [("console: search", 1), ("sign-in", 1)]


def test_the_days_of_a_period_are_local_and_both_in_it():
    officer = staff()
    for moment in ((2026, 10, 31, 23, 59), (2026, 11, 1, 0, 0), (2026, 11, 30, 23, 59), (2026, 12, 1, 0, 0)):
        auditing.record("search", now=datetime(*moment, tzinfo=ALMATY), actor=officer)
    assert [one.searches for one in reports.make(NOVEMBER, DECEMBER).acts] == [2]


def test_the_report_starts_with_last_month():
    assert reports.last_month(date(2026, 12, 5)) == NOVEMBER
    assert reports.last_month(date(2026, 1, 31)) == reports.Period(date(2025, 12, 1), date(2025, 12, 31))


APPOINTMENTS = {
    "in force all the time": ("2026-01-01", None, None, True),
    "begins on the last day": ("2026-11-30", None, None, True),
    "begins after it": ("2026-12-01", None, None, False),
    "ends on the first day": ("2026-01-01", "2026-11-01", None, True),
    "ended before": ("2026-01-01", "2026-10-31", None, False),
    "revoked in it": ("2026-01-01", None, "2026-11-10", True),
    "revoked before": ("2026-01-01", None, "2026-10-10", False),
}


def test_appointments_in_force_on_any_day_of_the_period_are_in_it():
    one = staff(appointed=False)
    for name, (begins, until, revoked, _) in APPOINTMENTS.items():
        Appointment.objects.create(
            person=one,
            order_number="1",
            ordered_on=begins,
            scope=name,
            valid_from=begins,
            valid_until=until,
            revoked_on=revoked,
        )
    named = {appointment.scope for appointment in reports.make(NOVEMBER, DECEMBER).appointments}
    assert named == {name for name, (*_, is_in_it) in APPOINTMENTS.items() if is_in_it}


def test_holds_are_counted_by_what_happened_in_the_period():
    officer = staff()
    before, released, placed, over = (hold(person()) for _ in range(4))
    LegalHold.objects.update(placed_at=MOMENT - 60 * DAY)
    LegalHold.objects.filter(pk=placed.pk).update(placed_at=MOMENT)
    LegalHold.objects.filter(pk=over.pk).update(until=MOMENT)
    holds.release(released, by=officer, reason="over", now=MOMENT)
    assert reports.make(NOVEMBER, DECEMBER).holds == {"placed": 1, "released": 1, "standing": 2}
    assert before.released_at is None


def test_late_erasures_are_named_by_their_number():
    ground = LegalGround.objects.first()
    rows = {
        "in time": (0, 5),
        "late": (-25, 0),
        "waits in time": (0, None),
        "waits too long": (-25, None),
        "long ago": (-90, -60),
    }
    made = {}
    for name, (demanded, finished) in rows.items():
        made[name] = ErasureCertificate.objects.create(
            subject=person(), ground=ground, reason="asked", demanded_at=MOMENT + demanded * DAY,
            finished_at=None if finished is None else MOMENT + finished * DAY,
        )  # fmt: skip
    erasures = reports.make(NOVEMBER, MOMENT + 8 * DAY).erasures
    assert erasures.late == [made["late"], made["waits too long"]]
    assert (erasures.demanded, erasures.finished, erasures.open, erasures.late_count) == (2, 2, 2, 2)


def asked_for(at, kind="access", *, channel="page", now=MOMENT):
    return opening.receive(
        person(now=now), SubjectRequest.Kind(kind), channel=channel, language="ru", now=datetime(*at, 12, tzinfo=ALMATY)
    )


def in_work(at, kind="access"):
    request = asked_for(at, kind)
    verifying.confirm(request.pk, now=request.received_at)
    return SubjectRequest.objects.get(pk=request.pk)


def answered(request, at, by, outcome="granted"):
    details = Details(ground=LegalGround.objects.first()) if outcome == "refused" else Details()
    answering.answer(request, outcome, "Hens.", by=by, now=datetime(*at, tzinfo=ALMATY), details=details)
    return request


def test_requests_are_in_it_by_kind_with_the_share_in_time():
    clerk = staff()
    answered(in_work((2026, 11, 2), "other"), (2026, 11, 5, 23, 59), clerk)
    late = answered(in_work((2026, 11, 2), "other"), (2026, 11, 6, 0, 0), clerk)
    answered(in_work((2026, 11, 2), "erasure"), (2026, 11, 20, 9, 0), clerk, "refused")
    answered(in_work((2026, 9, 1), "other"), (2026, 9, 3, 9, 0), clerk)  # long over
    open_, overdue, before = in_work((2026, 11, 30)), in_work((2026, 11, 20)), in_work((2026, 10, 1))
    unconfirmed, by_mail = asked_for((2026, 11, 2)), asked_for((2026, 11, 2), channel="mail")
    verifying.lapse(datetime(2026, 11, 9, 13, tzinfo=ALMATY))
    in_work((2026, 12, 1), "blocking")  # after it
    report = reports.make(NOVEMBER, DECEMBER)
    found = dict(zip(("access", "erasure", "other", "all"), (one for _name, one in report.requests), strict=True))
    assert found["access"] == Counts(received=4, open=4, late=3)
    assert found["erasure"] == Counts(received=1, answered=1, refused=1, in_time=1)
    assert found["other"] == Counts(received=2, answered=2, in_time=1, late=1)
    assert found["all"] == Counts(received=7, answered=3, refused=1, in_time=2, open=4, late=4)
    assert (found["other"].share, found["all"].share, found["access"].share) == ("50 %", "66 %", "-")
    assert report.late_requests == [before, late, by_mail, overdue]
    assert open_ not in report.late_requests and unconfirmed not in report.late_requests


def test_a_request_answered_after_the_period_was_open_and_late_at_its_end():
    request = answered(in_work((2026, 11, 25)), (2026, 12, 1, 9, 0), staff(), "refused")
    assert request.due_on == date(2026, 11, 30)
    (_name, one), _all = reports.make(NOVEMBER, DECEMBER).requests
    assert one == Counts(received=1, open=1, late=1)
    december = reports.Period(date(2026, 12, 1), date(2026, 12, 31))
    (_name, one), _all = reports.make(december, DECEMBER).requests
    assert one == Counts(answered=1, refused=1, late=1)


def test_a_period_without_requests_says_so_and_the_page_names_late_ones_by_number(client):
    assert reports.make(NOVEMBER, DECEMBER).requests[-1][1] == Counts()
    request = in_work((2026, 11, 2))
    enter(client, member("Auditor"))
    body = shown(client, first="2026-11-01", last="2026-11-20")[1]
    assert request.number in body and request.subject.reference not in body


def test_purges_and_lists_are_in_it():
    keep_until(person(), MOMENT)
    purging.purge(MOMENT)
    DataExport.objects.create(
        kind="masked",
        purpose=purpose(),
        reason="a mailing",
        state="cancelled",
        people=7,
        requested_by=staff(),
        requested_at=MOMENT,
    )
    report = reports.make(NOVEMBER, DECEMBER)
    assert report.purges == {"runs": 1, "people": 1, "data": 1}
    assert [one.people for one in report.exports] == [7]
    assert reports.make(reports.Period(date(2026, 10, 1), date(2026, 10, 31)), DECEMBER).exports == []


def test_the_number_of_queries_does_not_grow(django_assert_num_queries):
    def fill(names):
        for name in names:
            one = staff(name)
            one.groups.add(Group.objects.get(name="Officer"))
            reveal(person().data.get(), by=one, reason="asked", now=MOMENT)
            DataExport.objects.create(
                kind="masked",
                purpose=purpose(),
                reason="x",
                state="cancelled",
                people=7,
                requested_by=one,
                requested_at=MOMENT,
            )

    fill("a")
    with django_assert_num_queries(19):
        reports.make(NOVEMBER, DECEMBER)
    fill("bcdef")
    with django_assert_num_queries(19):
        reports.make(NOVEMBER, DECEMBER)


# --- the page --------------------------------------------------------------------------------------------------------
def test_the_page_shows_all_of_it_and_no_person(client):
    auditor = member("Auditor")
    subject = person(email=EMAIL, phone=PHONE, now=timezone.now())
    reveal(subject.data.get(category__code="email"), by=staff("Aidar"), reason="to call", now=timezone.now())
    demands.demand(
        subject,
        by=staff("officer2"),
        ground=LegalGround.objects.first(),
        reason="asked",
        is_remembered=False,
        now=timezone.now(),
    )
    enter(client, auditor)
    today = timezone.localdate()
    answer, body = shown(client, first=today.isoformat(), last=today.isoformat())
    assert answer.status_code == 200 and "Aidar" in body
    for canary in (EMAIL, "Aigul", "77015551234", subject.reference, "to call"):
        assert canary not in body


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_the_page_opens_in_every_language_and_carries_nothing_inline(client, language):
    enter(client, member("Auditor"))
    client.post(reverse("set_language"), {"language": language})
    for url in (REPORT, VERIFICATION):
        answer, body = shown(client, url)
        assert answer.status_code == 200 and f'lang="{language}"' in body
        assert " style=" not in body and " onclick=" not in body and "<style" not in body


def test_a_period_that_makes_no_sense_is_said_and_reported_on_by_nobody(client):
    enter(client, member("Auditor"))
    for query in ({"first": "2026-11-30", "last": "2026-11-01"}, {"first": "2020-01-01", "last": "2026-11-01"},
                  {"first": "x", "last": ""}, {"first": "0001-01-01", "last": "0001-01-02"}, {"last": "9999-12-31"}):  # fmt: skip
        answer, body = shown(client, **query)
        assert answer.status_code == 200 and "errorlist" in body and 'class="report"' not in body


def test_reading_writes_nothing(client):
    """But the moment the session was last seen."""
    seals.seal(timezone.now())
    enter(client, member("Auditor"))
    shown(client)
    before = rows_written()
    for url in (REPORT, VERIFICATION):
        assert shown(client, url)[0].status_code == 200
    assert rows_written() == before
    assert client.post(REPORT).status_code == 405


WHO = {"Auditor": True, "Officer": True, "Operator": False, "Integrator": False, "Administrator": False, None: False}


def test_who_may_see_the_report_and_who_may_verify(client):
    for role, may_see in WHO.items():
        enter(client, member(role))
        assert (shown(client)[0].status_code == 200) == may_see, role
        assert (shown(client, VERIFICATION)[0].status_code == 200) == may_see, role
        answer = client.post(VERIFICATION)
        assert (answer.status_code == 302) == (role == "Auditor"), role
    assert AuditVerification.objects.get().by.username == "Auditor"


def test_without_an_appointment_there_is_no_report_and_the_attempt_is_recorded(client):
    enter(client, member("Auditor", appointed=False))
    assert shown(client)[0].status_code == 403
    assert AuditEntry.objects.filter(operation="refused", system="console: no appointment").exists()
    assert (
        shown(client, VERIFICATION)[0].status_code == 200
    )  # no person and no member of the staff but those who verified


# --- the page of the verification -------------------------------------------------------------------------------------
def test_the_page_asks_a_worker_and_shows_what_it_found(client, monkeypatch, django_capture_on_commit_callbacks):
    woken = []
    monkeypatch.setattr(tasks, "wake", lambda task, *ids: woken.append(task))
    auditing.record("hold", now=timezone.now())
    seals.seal(timezone.now())
    enter(client, member("Auditor"))
    with django_capture_on_commit_callbacks(execute=True):
        client.post(VERIFICATION)
    assert woken == [tasks.verify_audit]
    assert "not finished" in shown(client, VERIFICATION)[1] or AuditVerification.objects.get(finished_at=None)
    tasks.verify_audit()
    with translation.override("en"):
        client.post(reverse("set_language"), {"language": "en"})
        assert "nothing was changed" in shown(client, VERIFICATION)[1]


def test_a_broken_audit_is_said_on_the_page(client):
    AuditVerification.objects.create(started_at=MOMENT, finished_at=MOMENT, outcome="missing", first_bad=123456)
    enter(client, member("Auditor"))
    body = shown(client, VERIFICATION)[1]
    assert "banner bad" in body and "123456" in body


def test_the_lists_of_seals_and_verifications_open_and_link_both_pages(client):
    auditing.record("hold", now=timezone.now())
    seals.seal(timezone.now())
    seals.run(timezone.now(), clock=timezone.now)
    enter(client, member("Auditor"))
    for name in ("auditseal", "auditverification"):
        answer, body = shown(client, reverse(f"admin:registry_{name}_changelist"))
        assert answer.status_code == 200 and REPORT in body and VERIFICATION in body
        row = answer.context["cl"].queryset[0]
        assert client.get(reverse(f"admin:registry_{name}_change", args=[row.pk])).status_code == 200
