"""The reminder of a request: once, to whoever has it, on the working day before; and again until a mail has left.

Broken and seen to fail: reminded only once, days off left over, the earlier of both days, somebody who left, the officers
instead, mails that fail (caught, and noted as sent all the same), the lapsing in the job.
"""

import smtplib
from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.utils import timezone

from registry import tasks
from registry.models import JobRun, RequestStep, SubjectRequest
from registry.requests import answering, handling, opening, reminding, verifying
from tests.factories import EMAIL, MOMENT, PHONE, person, staff

pytestmark = pytest.mark.django_db
ALMATY = ZoneInfo("Asia/Almaty")
CANARY = "my hens must be forgotten"
Kind, Channel = SubjectRequest.Kind, SubjectRequest.Channel


def at(day, hour=9):
    return datetime.combine(datetime.fromisoformat(day).date(), time(hour), tzinfo=ALMATY)


def received(day, kind=Kind.ACCESS, *, channel=Channel.PAGE, confirmed=True, by=None, **contacts):
    subject = person(now=MOMENT, **contacts)
    contact = subject.data.live().contacts().first()
    request = opening.receive(
        subject, kind, channel=channel, language="ru", now=at(day), contact_id=contact.pk, text=CANARY, by=by
    )
    if confirmed:
        verifying.confirm(request.pk, now=at(day))
    return request


def member(name, *, email, officer=False):
    one = staff(name)
    one.email = email
    one.save()
    if officer:
        one.groups.add(Group.objects.get(name="Officer"))
    return one


@pytest.fixture
def officer(db):
    return member("officer", email="officer@operator.kz", officer=True)


def sent():
    """To whom, about how many letters."""
    return [letter.to for letter in mail.outbox]


# --- when ------------------------------------------------------------------------------------------------------------
WHEN = {  # received, length of the kind, the last day without a reminder, the day of the reminder
    "the working day before": ("2026-11-23", Kind.ACCESS, "2026-11-24", "2026-11-25"),
    "before a Monday on Friday": ("2026-11-25", Kind.ACCESS, "2026-11-26", "2026-11-27"),
    "before a long holiday": ("2026-03-17", Kind.ACCESS, "2026-03-18", "2026-03-19"),
    "for a day after the holiday, on the Friday before it": ("2026-03-18", Kind.ACCESS, "2026-03-19", "2026-03-20"),
    "one day's term, the same day": ("2026-11-23", Kind.BLOCKING, None, "2026-11-23"),
    "by the earlier of both days": ("2026-03-18", Kind.ERASURE, "2026-04-06", "2026-04-07"),
}


@pytest.mark.parametrize("name", WHEN)
def test_it_goes_on_the_working_day_before_the_day_to_warn_on(officer, name):
    day, kind, before, on = WHEN[name]
    received(day, kind)
    if before:
        assert reminding.remind(at(before, 23)) == 0
    assert reminding.remind(at(on, 0)) == 1 and sent() == [["officer@operator.kz"]]


def test_once_and_not_once_a_day(officer):
    request = received("2026-11-23")
    days = ("2026-11-25", "2026-11-26", "2026-11-27", "2026-12-30")
    assert [reminding.remind(at(day)) for day in days] == [1, 0, 0, 0]
    assert len(mail.outbox) == 1
    request.refresh_from_db()
    assert request.reminded_at == at("2026-11-25") and request.steps.last().step == "reminded"


# --- to whom -----------------------------------------------------------------------------------------------------------
def test_it_goes_to_whoever_took_it_and_to_nobody_else(officer):
    clerk = member("clerk", email="clerk@operator.kz")
    request = received("2026-11-23")
    handling.take(request, by=clerk, now=at("2026-11-24"))
    received("2026-11-23")
    assert reminding.remind(at("2026-11-25")) == 2
    assert sorted(sent()) == [["clerk@operator.kz"], ["officer@operator.kz"]]


@pytest.mark.parametrize("change", [{"email": ""}, {"is_active": False}])
def test_whoever_took_it_and_can_not_be_reached_leaves_it_to_the_officers(officer, change):
    clerk = member("clerk", email="clerk@operator.kz")
    handling.take(received("2026-11-23"), by=clerk, now=at("2026-11-24"))
    type(clerk).objects.filter(pk=clerk.pk).update(**change)
    assert reminding.remind(at("2026-11-25")) == 1 and sent() == [["officer@operator.kz"]]


def test_one_letter_for_all_requests_of_a_reader_with_numbers_and_dates_and_nobody(officer):
    requests = [received("2026-11-23", email=EMAIL, phone=PHONE), received("2026-11-23", Kind.OTHER)]
    assert reminding.remind(at("2026-11-25")) == 2
    (letter,) = mail.outbox
    text = letter.message().as_string() + letter.body
    assert all(letter.body.count(request.number) == 2 for request in requests) and "26.11.2026" in letter.body
    canaries = (EMAIL, "Aigul", "77015551234", CANARY, *(request.subject.reference for request in requests))
    assert not any(canary in text for canary in canaries)


def test_without_anybody_to_tell_nothing_is_forgotten():
    request = received("2026-11-23")
    assert reminding.remind(at("2026-11-25")) == 0 and mail.outbox == []
    member("officer", email="officer@operator.kz", officer=True)
    assert reminding.remind(at("2026-11-26")) == 1
    request.refresh_from_db()
    assert request.reminded_at == at("2026-11-26")


# --- about what --------------------------------------------------------------------------------------------------------
def test_what_waits_for_its_person_and_what_is_paused_or_over_is_not_nagged_about(officer):
    clerk = member("clerk", email="clerk@operator.kz")
    received("2026-11-23", confirmed=False)
    doubted, answered = received("2026-11-23"), received("2026-11-23", Kind.OTHER)
    verifying.doubt(doubted, by=clerk, reason="another signature", now=at("2026-11-24"))
    answering.answer(answered, SubjectRequest.Outcome.GRANTED, "Hens.", by=clerk, now=at("2026-11-24"))
    assert reminding.remind(at("2026-12-30")) == 0 and mail.outbox == []


@pytest.mark.parametrize("channel", [Channel.MAIL, Channel.DESK])
def test_who_asks_by_mail_or_at_the_desk_is_for_the_staff_to_find_out(officer, channel):
    received("2026-11-23", channel=channel, confirmed=False, by=officer if channel == Channel.DESK else None)
    assert reminding.remind(at("2026-11-25")) == 1


def test_one_that_is_confirmed_after_its_day_is_reminded_of_then(officer):
    request = received("2026-11-23", confirmed=False)
    assert reminding.remind(at("2026-11-26")) == 0
    verifying.confirm(request.pk, now=at("2026-11-27"))
    assert reminding.remind(at("2026-11-27")) == 1


# --- mail that fails ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("error", [smtplib.SMTPServerDisconnected, ConnectionRefusedError, TimeoutError])
def test_a_mail_that_fails_is_tried_again_and_stops_nothing(officer, monkeypatch, error):
    clerk = member("clerk", email="clerk@operator.kz")
    handling.take(received("2026-11-23"), by=clerk, now=at("2026-11-24"))
    received("2026-11-23")

    def send(subject, text, sender, addresses):
        if addresses == ["clerk@operator.kz"]:
            raise error
        return mail.send_mail(subject, text, sender, addresses)

    with monkeypatch.context() as broken:
        broken.setattr(reminding, "send_mail", send)
        assert reminding.remind(at("2026-11-25")) == 1 and sent() == [["officer@operator.kz"]]
    assert RequestStep.objects.filter(step="reminded").count() == 1
    assert reminding.remind(at("2026-11-25", 10)) == 1 and sent()[1] == ["clerk@operator.kz"]


def test_a_real_letter_leaves_as_a_file(officer, settings, tmp_path):
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = "django.core.mail.backends.filebased.EmailBackend", str(tmp_path)
    request = received("2026-11-23")
    assert reminding.remind(at("2026-11-25")) == 1
    (kept,) = tmp_path.glob("*.log")
    assert "To: officer@operator.kz" in kept.read_text() and request.number not in kept.name


# --- the job -----------------------------------------------------------------------------------------------------------
def test_the_hourly_job_ends_recounts_and_reminds(officer, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: at("2026-11-25"))
    old, due = received("2026-11-17", confirmed=False), received("2026-11-23")
    SubjectRequest.objects.filter(pk=due.pk).update(due_on="2026-11-30", alarm_on="2026-11-30")
    tasks.requests()
    states = dict(SubjectRequest.objects.values_list("pk", "state"))
    assert states == {old.pk: "lapsed", due.pk: "open"}
    due.refresh_from_db()
    assert due.due_on.isoformat() == "2026-11-26" and due.reminded_at == at("2026-11-25")
    assert JobRun.objects.get(name="requests").outcome == "1 lapsed, 1 got another day, 1 reminded of"
