"""The brake on opening values: a quota of the day, and an alarm when somebody opens unusually many.

Broken and seen to fail: the quota's `> 0`, the day it counts, the person it counts, the audit of a refusal, the lock on
the person's row (tests/faults/test_exporting.py); in `alarms` the number, the three times, the ten and the day; the
memory and the `except` of registry.alarming.
"""

from datetime import timedelta
from smtplib import SMTPException

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError

from registry import alarming, auditing, disclosure
from registry.disclosure import QuotaUsedUp, alarms, left_today, reveal
from registry.models import AccessSettings, AuditEntry, StaffMember
from tests.factories import DAY, EMAIL, MOMENT, person, staff

pytestmark = pytest.mark.django_db
MIDNIGHT = MOMENT.replace(hour=19, minute=0)  # 24:00 of that day in Almaty
SECOND = timedelta(seconds=1)


@pytest.fixture
def datum():
    return person(email=EMAIL, now=MOMENT - DAY).data.get()


@pytest.fixture
def clerk():
    return staff("clerk")


def limit(**values):
    AccessSettings.objects.update(**values)


def opened(by, count, at=MOMENT):
    AuditEntry.objects.bulk_create(AuditEntry(at=at, actor=by, operation="reveal") for _ in range(count))


def counts():
    return [AuditEntry.objects.filter(operation=operation).count() for operation in ("reveal", "refused")]


def test_the_last_of_the_quota_is_opened_and_the_next_is_not(datum, clerk):
    limit(reveals_per_day=2)
    assert [reveal(datum, by=clerk, reason="asked", now=MOMENT) for _ in range(2)] == [EMAIL, EMAIL]
    with pytest.raises(QuotaUsedUp):
        reveal(datum, by=clerk, reason="asked", now=MOMENT)
    assert counts() == [2, 1]


def test_a_quota_used_up_is_a_plain_error_without_the_value(datum, clerk):
    limit(reveals_per_day=1)
    opened(clerk, 1)
    with pytest.raises(ValidationError) as refusal:
        reveal(datum, by=clerk, reason="asked", now=MOMENT)
    assert "Canary" not in repr(refusal.value)


def test_the_quota_begins_anew_at_local_midnight(clerk):
    limit(reveals_per_day=3)
    opened(clerk, 2, at=MIDNIGHT - SECOND)
    assert left_today(clerk, MIDNIGHT - SECOND) == 1
    assert left_today(clerk, MIDNIGHT) == 3
    opened(clerk, 1, at=MIDNIGHT)
    assert left_today(clerk, MIDNIGHT + SECOND) == 2


def test_everybody_has_a_quota_of_their_own_and_only_openings_count(clerk):
    limit(reveals_per_day=5)
    opened(staff("other"), 4)
    AuditEntry.objects.create(at=MOMENT, actor=clerk, operation="refused")
    assert left_today(clerk, MOMENT) == 5


def test_a_smaller_quota_leaves_nothing_and_never_less(clerk):
    opened(clerk, 9)
    limit(reveals_per_day=3)
    assert left_today(clerk, MOMENT) == 0


def test_no_reason_and_no_appointment_cost_nothing(datum, clerk):
    left = left_today(clerk, MOMENT)
    with pytest.raises(ValidationError):
        reveal(datum, by=clerk, reason=" ", now=MOMENT)
    outsider = staff("outsider", appointed=False)
    with pytest.raises(PermissionDenied):
        reveal(datum, by=outsider, reason="asked", now=MOMENT)
    assert (left_today(clerk, MOMENT), left_today(outsider, MOMENT)) == (left, left)


def test_what_cannot_be_recorded_is_not_opened(datum, clerk, monkeypatch):
    def down(*arguments, **named):
        raise auditing.NotRecorded

    assert reveal(datum, by=clerk, reason="asked", now=MOMENT) == EMAIL
    monkeypatch.setattr(auditing, "record", down)
    monkeypatch.setattr(type(datum), "unseal", lambda *arguments: pytest.fail("opened"))
    with pytest.raises(auditing.NotRecorded):
        reveal(datum, by=clerk, reason="asked", now=MOMENT)


def found(now=MOMENT):
    return {alarm.person.username: (alarm.today, alarm.usual) for alarm in alarms(now)}


@pytest.mark.parametrize(("today", "is_unusual"), [(19, False), (20, True)])
def test_many_in_one_day_alarm_whatever_is_usual(clerk, today, is_unusual):
    opened(clerk, 450, at=MOMENT - DAY)
    opened(clerk, today)
    assert ("clerk" in found()) == is_unusual


@pytest.mark.parametrize(
    ("usual", "today", "is_unusual"), [(4, 12, False), (4, 13, True), (0, 9, False), (0, 10, True), (1, 9, False)]
)
def test_three_times_the_usual_alarm_from_ten_on(clerk, usual, today, is_unusual):
    opened(clerk, usual * 30, at=MOMENT - 2 * DAY)
    opened(clerk, today)
    assert found() == ({"clerk": (today, usual)} if is_unusual else {})


def test_usual_is_what_thirty_days_say_and_today_ends_at_midnight(clerk):
    opened(clerk, 300, at=MOMENT - 31 * DAY)
    opened(clerk, 10, at=MIDNIGHT - SECOND)
    assert found(MIDNIGHT - SECOND) == {"clerk": (10, 0)}
    assert found(MIDNIGHT) == {}


def test_alarms_cost_the_same_for_many_people(django_assert_num_queries):
    for number in range(5):
        opened(staff(f"clerk{number}"), 30 + number)
    with django_assert_num_queries(3):
        assert [alarm.today for alarm in alarms(MOMENT)] == [34, 33, 32, 31, 30]


@pytest.fixture
def officer():
    member = staff("officer")
    StaffMember.objects.filter(pk=member.pk).update(email="officer@example.kz")
    member.groups.add(Group.objects.get_or_create(name="Officer")[0])
    return member


def test_the_officers_are_told_once_a_day_in_two_languages(clerk, officer):
    opened(clerk, 30)
    assert [alarming.tell_officers(MOMENT), alarming.tell_officers(MOMENT + SECOND)] == [1, 0]
    letter = mail.outbox[0]
    assert letter.to == ["officer@example.kz"] and len(mail.outbox) == 1
    assert letter.body.count("clerk") == 2 and letter.body.count("30") == 2
    opened(clerk, 30, at=MOMENT + DAY)
    assert alarming.tell_officers(MOMENT + DAY) == 1


def test_the_letter_tells_of_no_person_and_no_reason(clerk, officer, datum):
    limit(alarm_reveals=1)
    reveal(datum, by=clerk, reason="canary reason", now=MOMENT)
    assert alarming.tell_officers(MOMENT) == 1
    letter = mail.outbox[0].message().as_string() + mail.outbox[0].body
    assert "clerk" in letter
    assert not any(word in letter for word in ("Aigul", "example.kz\n\n", datum.subject.reference, "canary reason"))


def test_a_mail_that_fails_is_tried_again_and_stops_nothing(clerk, officer, monkeypatch):
    opened(clerk, 30)
    opened(staff("other"), 40)

    def refused(*arguments):
        raise SMTPException

    with monkeypatch.context() as broken:
        broken.setattr(alarming, "send_mail", refused)
        assert alarming.tell_officers(MOMENT) == 0
    assert not AuditEntry.objects.filter(system="alarm").exists()
    assert alarming.tell_officers(MOMENT) == 2


def test_without_an_officer_nothing_is_sent_and_nothing_forgotten(clerk):
    opened(clerk, 30)
    assert alarming.tell_officers(MOMENT) == 0
    assert [alarm.person for alarm in disclosure.alarms(MOMENT)] == [clerk]
