"""The outbox against a real SMTP server that refuses, stalls or hangs up. The web never waits for it.

Broken and seen to fail: the same Message-ID for each attempt, growing pauses, a 4xx taken for a refusal, a 5xx tried again.
"""

import time
from itertools import pairwise

import pytest
from django.test import Client
from django.utils import timezone

from registry import mail
from registry.models import OutgoingMessage, SubjectRequest
from registry.requests import opening, papers
from tests.factories import DAY, MOMENT, person, shown_form
from tests.mail_servers import smtp_sink

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
State = OutgoingMessage.State


@pytest.fixture
def sink(settings):
    with smtp_sink(settings) as running:
        settings.EMAIL_TIMEOUT = 1
        yield running


def send(now=MOMENT):
    return mail.send_due(now, clock=lambda: now)


def question(address, *, now=MOMENT):
    """The one letter that waits: did you ask this?"""
    subject = person(email=address, now=now - DAY)
    OutgoingMessage.objects.all().update(state=State.CANCELLED)
    asked = opening.receive(
        subject,
        SubjectRequest.Kind.ERASURE,
        channel=SubjectRequest.Channel.MAIL,
        language="ru",
        now=now,
        contact_id=subject.data.get().pk,
        text="hens",
    )
    opening.ask_to_confirm(asked, now=now)
    assert papers.read(asked.text_id) == "hens"
    return OutgoingMessage.objects.get(letter=opening.CONFIRM, about_id=asked.pk)


def fresh(message):
    return OutgoingMessage.objects.get(pk=message.pk)


def tried(message):
    """It is tried at its time, in vain; the moment of the next try."""
    assert send(fresh(message).next_try_at) == 0
    return fresh(message).next_try_at


@pytest.mark.parametrize("where", ["address", "letter"])
def test_a_refusal_for_now_is_tried_again_with_growing_pauses_until_it_is_given_up(sink, where):
    setattr(sink, f"answer_to_{where}", "451 4.7.1 Greylisted")
    message = question("first@example.kz")
    moments = [message.next_try_at]
    for _ in mail.PAUSES:
        moments.append(tried(message))
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert pauses == mail.PAUSES == sorted(set(pauses)) and fresh(message).state == State.QUEUED
    tried(message)
    assert fresh(message).state == State.FAILED and fresh(message).sent_at is None


def test_a_refusal_for_now_does_not_hold_up_the_letter_that_comes_when_it_is_over(sink):
    sink.answer_to_address = "450 4.2.1 Mailbox full"
    message = question("first@example.kz")
    again = tried(message)
    sink.answer_to_address = "250 OK"
    assert send(again) == 1 and fresh(message).state == State.SENT and sink.addresses() == ["first@example.kz"]


def test_a_refusal_for_good_fails_at_once_and_the_next_letter_goes(sink, caplog):
    sink.answer_to_address = "550 5.1.1 No such mailbox first.canary@example.kz"
    message = question("first.canary@example.kz")
    assert send() == 0
    assert (fresh(message).state, fresh(message).attempts) == (State.FAILED, 1)
    sink.answer_to_address = "250 OK"
    assert send(MOMENT + DAY) == 0 and sink.taken == []
    assert fresh(message).last_error == "SMTPRecipientsRefused" and "canary" not in caplog.text


def test_a_server_that_stalls_is_left_after_its_time_and_the_letter_goes_later(sink):
    sink.pause = 3
    message = question("first@example.kz")
    began = time.monotonic()
    again = tried(message)
    assert time.monotonic() - began < 2.5 and again == MOMENT + mail.PAUSES[0]
    sink.pause, sink.taken = 0, []
    assert send(again) == 1 and sink.addresses() == ["first@example.kz"]


def test_a_server_that_hangs_up_before_its_answer_gets_the_same_letter_under_the_same_number(sink):
    sink.cuts = True
    message = question("first@example.kz")
    again = tried(message)
    assert fresh(message).state == State.QUEUED
    sink.cuts = False
    assert send(again) == 1
    first, second = sink.taken
    assert first.headers["Message-ID"] == second.headers["Message-ID"] == f"<{mail.message_id(message)}>"
    assert first.text == second.text and first.to == second.to


def test_while_one_letter_waits_for_its_next_try_the_others_go(sink):
    sink.answer_to_address = "451 later"
    message = question("first@example.kz")
    tried(message)
    sink.answer_to_address = "250 OK"
    question("second@example.kz")
    OutgoingMessage.objects.filter(pk=message.pk).update(state=State.QUEUED)
    assert send() == 1 and sink.addresses() == ["second@example.kz"]


def test_the_web_never_waits_for_the_mail_server(sink):
    sink.pause = 30
    began = time.monotonic()
    answer = Client().post("/ru/consent/", {"email": "first@example.kz", "purposes": "feedback", "shown": shown_form()})
    assert answer.status_code == 200 and time.monotonic() - began < 5
    assert OutgoingMessage.objects.get().state == State.QUEUED and sink.taken == []
    sink.pause = 0
    now = timezone.now()
    assert send(now) == 1 and sink.addresses() == ["first@example.kz"]
