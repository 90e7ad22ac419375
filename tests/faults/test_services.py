"""The broker and the mail server down, hung, refusing or cutting; a worker killed with a letter in its hand.

Seen to fail before they were mended: an address refused for now, an address that does not open.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from itertools import pairwise

import pytest
from aiosmtpd.controller import Controller
from django.db import connection
from django.test import Client
from kombu import pools

from config.celery import app
from consent import decisions
from registry import mail, tasks
from registry.models import AuditEntry, DatumKey, JobRun, OutgoingMessage
from tests.factories import DAY, EMAIL, MOMENT, person, question, shown_form
from tests.faults.parallel import all_at_once
from tests.faults.test_purge_killed import ROOT, in_test_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
State = OutgoingMessage.State


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- the broker -------------------------------------------------------------------------------------------------------
@contextmanager
def nobody():
    """An address at which nothing listens."""
    yield free_port()


@contextmanager
def a_mute():
    """A server that takes the call and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@contextmanager
def a_stranger():
    """A server that hangs up at once."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as server:
        server.shutdown(socket.SHUT_RDWR)
        yield server.getsockname()[1]


@pytest.fixture(params=[nobody, a_mute, a_stranger])
def no_broker(request, monkeypatch):
    with request.param() as port:
        for name in ("broker_url", "broker_write_url", "broker_read_url"):
            monkeypatch.setitem(app.conf, name, f"redis://127.0.0.1:{port}/0")
        forget_connections()
        yield
    forget_connections()


def forget_connections():
    pools.reset()
    app.amqp._producer_pool = app._pool = None


@pytest.fixture
def eml(settings):
    """Mail as files, as in a registry without a mail server; counts the letters."""
    settings.EMAIL_BACKEND = "config.mail_folder.EmailBackend"
    return lambda: len(list(settings.MAIL_FOLDER.glob("*.eml")))


def test_without_a_broker_people_still_consent_and_the_letter_goes_later(no_broker, eml, today):
    begin = time.monotonic()
    answer = Client().post("/kk/consent/", {"email": EMAIL, "purposes": "feedback", "shown": shown_form()})
    assert answer.status_code == 200
    assert time.monotonic() - begin < 3, "nobody waits for the broker"
    assert (OutgoingMessage.objects.get().state, eml()) == (State.QUEUED, 0)
    tasks.send_mail()  # the sweeper, which comes every minute
    assert (OutgoingMessage.objects.get().state, eml()) == (State.SENT, 1)


# --- the mail server ------------------------------------------------------------------------------------------------
class Post:
    """What the mail server does with a letter; `taken` are the letters it has read to the end."""

    def __init__(self):
        self.taken, self.answer_to_address, self.answer_to_letter = [], "250 OK", "250 OK"
        self.cuts, self.pause = False, 0

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 (aiosmtpd's own name)
        if self.answer_to_address.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer_to_address

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.taken.append(envelope.rcpt_tos[0])
        await asyncio.sleep(self.pause)
        if self.cuts:
            server.transport.abort()
        return self.answer_to_letter


@pytest.fixture
def post(settings):
    office, port = Post(), free_port()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 1
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    controller = Controller(office, hostname="127.0.0.1", port=port)
    controller.start()
    office.close = controller.stop
    yield office
    if controller.server:
        controller.stop()


def send(now=MOMENT):
    return mail.send_due(now, clock=lambda: now)


def letter():
    return OutgoingMessage.objects.get()


def check_waits(now=MOMENT):
    """Not lost, not taken for sent, and due again within the first pause."""
    assert (letter().state, letter().sent_at) == (State.QUEUED, None)
    assert now < letter().next_try_at <= now + mail.PAUSES[0]
    assert not AuditEntry.objects.filter(operation="use").exists()


def test_a_letter_goes_once(post):
    question()
    assert (send(), send(), send(MOMENT + DAY)) == (1, 0, 0)
    assert len(post.taken) == 1
    assert (letter().state, letter().sent_at) == (State.SENT, MOMENT)


@pytest.mark.parametrize("answer", ["450 4.2.0 greylisted", "451 4.3.0 later", "452 4.2.2 mailbox full", "421 bye"])
def test_an_address_refused_for_now_is_tried_again(post, answer):
    """Greylisting is the ordinary way in: a 4xx is no refusal."""
    question()
    post.answer_to_address = answer
    assert send() == 0
    check_waits()
    post.answer_to_address = "250 OK"
    assert send(letter().next_try_at) == 1


@pytest.mark.parametrize("answer", ["550 5.1.1 no such user", "553 5.1.3 not an address"])
def test_an_address_refused_for_good_fails(post, answer):
    question()
    post.answer_to_address = answer
    assert send() == 0
    assert (letter().state, letter().sent_at, letter().last_error) == (State.FAILED, None, "SMTPRecipientsRefused")
    assert send(MOMENT + DAY) == 0


@pytest.mark.parametrize("answer", ["451 4.3.0 try later", "552 5.2.2 too much", "554 5.7.1 looks like spam"])
def test_a_refused_letter_is_tried_again(post, answer):
    question()
    post.answer_to_letter = answer
    assert send() == 0
    check_waits()
    post.answer_to_letter = "250 OK"
    assert send(letter().next_try_at) == 1


def test_a_line_cut_before_the_answer_sends_the_letter_again(post):
    question()
    post.cuts = True
    assert send() == 0
    check_waits()
    post.cuts = False
    assert send(letter().next_try_at) == 1
    assert len(post.taken) == 2  # at least once: better twice than never


def test_a_server_that_does_not_answer_in_time_gets_the_letter_again(post):
    question()
    post.pause = 3
    assert send() == 0
    check_waits()
    post.pause = 0
    assert send(letter().next_try_at) == 1


def test_a_dead_server_is_tried_with_growing_pauses_and_then_given_up(post):
    question()
    post.close()
    tries, now = [], MOMENT
    while letter().state == State.QUEUED and len(tries) < 50:
        now = letter().next_try_at
        tries.append(now)
        # the address is held for three days only; here the mail server is the question
        letter().subject.processing.update(lapses_at=now + DAY)
        assert send(now) == 0
    assert (letter().state, letter().sent_at) == (State.FAILED, None)
    assert [later - earlier for earlier, later in pairwise(tries)] == mail.PAUSES


def test_one_refused_letter_does_not_keep_the_others(post):
    for number in range(3):
        question(email=f"person{number}@example.kz")
    refuse = post.handle_RCPT

    async def refuse_one(server, session, envelope, address, options):
        post.answer_to_address = "550 no" if address.startswith("person1") else "250 OK"
        return await refuse(server, session, envelope, address, options)

    post.handle_RCPT = refuse_one
    assert send() == 2
    assert sorted(post.taken) == ["person0@example.kz", "person2@example.kz"]


@pytest.mark.parametrize("is_lost", [True, False])
def test_an_address_that_does_not_open_does_not_keep_the_others(post, is_lost):
    for number in range(3):
        question(email=f"person{number}@example.kz")
    first = DatumKey.objects.order_by("pk").values_list("pk", flat=True)[0]
    key = DatumKey.objects.filter(pk=first)
    key.delete() if is_lost else key.update(wrapped=b"\1\4test" + bytes(60))
    assert send() == 2
    assert OutgoingMessage.objects.get(datum_id=first).state != State.SENT


def test_a_withdrawal_while_the_server_is_down_stops_the_letter(post, today):
    subject = person(email=EMAIL, now=today)
    OutgoingMessage.objects.update(state=State.QUEUED)
    post.answer_to_letter = "451 later"
    assert send(today) == 0
    decisions.withdraw(subject, None, now=today, channel="link")
    post.answer_to_letter, before = "250 OK", len(post.taken)
    assert send(today + DAY) == 0
    assert len(post.taken) == before
    assert not OutgoingMessage.objects.filter(letter="receipt", state=State.QUEUED).exists()


def test_four_senders_at_once_send_each_letter_once(post):
    for number in range(12):
        question(email=f"person{number}@example.kz")
    assert sum(all_at_once([send] * 4)) == 12
    assert sorted(post.taken) == sorted(set(post.taken))
    assert len(post.taken) == 12


WORKER = "import django; django.setup(); from registry.tasks import send_mail; send_mail()"


def test_a_letter_of_a_killed_worker_is_swept_up_later(post, settings, today):
    question(now=today)
    post.pause = 30
    worker = start_worker(f"smtp://127.0.0.1:{settings.EMAIL_PORT}")
    wait_until(lambda: post.taken)
    worker.kill()
    assert worker.wait(10) == -9
    assert (letter().state, letter().attempts, letter().sent_at) == (State.QUEUED, 1, None)
    post.pause = 0
    assert send(letter().next_try_at - mail.LEASE / 2) == 0  # its lease: nobody else takes it meanwhile
    assert letter().next_try_at <= JobRun.objects.get(name="send_mail").started_at + mail.LEASE
    assert send(letter().next_try_at) == 1
    assert letter().state == State.SENT


def start_worker(email_url):
    given = [name for name in ("DATABASE_URL", "DATABASE_APP_URL") if name in os.environ]
    addresses = {name: in_test_database(os.environ[name]) for name in given}
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings", "EMAIL_URL": email_url}
    return subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env={**os.environ, **addresses, **settings})


def wait_until(holds):
    for _ in range(1500):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("never came")


def test_a_job_of_a_killed_worker_can_run_again(post, settings, today):
    """The lock of a job goes with the connection of the dead: the next run takes it."""
    question(now=today)
    post.pause = 30
    worker = start_worker(f"smtp://127.0.0.1:{settings.EMAIL_PORT}")
    wait_until(lambda: post.taken)
    started = JobRun.objects.get(name="send_mail").started_at
    tasks.send_mail()
    assert JobRun.objects.get(name="send_mail").started_at == started  # it runs elsewhere
    worker.kill()
    worker.wait(10)
    wait_until(lambda: not locks_held())
    tasks.send_mail()
    assert JobRun.objects.get(name="send_mail").started_at > started


def locks_held():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        return cursor.fetchone()[0]
