"""The contact mailbox under fault, from the letter to the answer. Dovecot and an SMTP server, both real; real kill -9.

Broken and seen to fail: a message seen before decided again, `take` without its transaction, the row lock, UIDVALIDITY left
out, a second copy left, what was decided not marked again, one bad message stopping the others, TRIES, the size asked first,
a failing database blaming the message, the certificate, the time limit, the question to an unknown address; what was filed
deleted at once (a restore loses it); of the look for erased values the decoding, the time in all, what is told as unseen, the
deleting, and that only what was filed and is destroyed is deleted.
"""

import os
import subprocess
import sys
from email.message import EmailMessage

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone

from consent import mailbox, tasks
from consent.mailbox import connecting, filing, looking
from consent.models import MailboxState, ReceivedMail
from registry import demands, erasure, mail, scanning
from registry.models import (
    AuditEntry,
    DataSubject,
    DatumKey,
    JobRun,
    LegalGround,
    OutgoingMessage,
    PersonalDatum,
    RequestStep,
    SubjectRequest,
)
from registry.normalise import normalise
from registry.requests import answering
from registry.requests.answering import Details
from tests.conftest import remove_people
from tests.consent.pages import open_form
from tests.factories import DAY, EMAIL, person, staff
from tests.faults.parallel import all_at_once
from tests.faults.test_purge_killed import ROOT, in_test_database
from tests.mail_servers import Mailbox, imap_server, mute_server, smtp_sink

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
State, Mail = SubjectRequest.State, ReceivedMail.State
CANARY = "my grey hens"
FORGER = "forger.canary@example.org"
ASKED = {
    "kk": f"Менің дербес деректерімді жойыңыз. {CANARY}",
    "ru": f"Прошу удалить мои персональные данные. {CANARY}",
    "en": f"Please erase my personal data. {CANARY}",
}


@pytest.fixture(scope="module")
def server():
    with imap_server() as running:
        yield running


@pytest.fixture
def box(server, settings, monkeypatch, request):
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    found = Mailbox(server, f"box{abs(hash(request.node.name))}")
    settings.MAILBOX_URL = found.url
    return found


@pytest.fixture
def sink(settings):
    with smtp_sink(settings) as running:
        yield running


def letter(text=ASKED["ru"], *, sender=EMAIL, number="1", **heads):
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = sender, "Data", f"<{number}@example.kz>"
    for name, value in heads.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def send(sink):
    """What is queued goes; the letters that came, each once."""
    mail.send_due(timezone.now(), clock=timezone.now)
    taken, sink.taken = sink.taken, []
    return taken


def states():
    return sorted(ReceivedMail.objects.values_list("state", "why"))


# --- from the letter to the answer -------------------------------------------------------------------------------------
@pytest.mark.parametrize("language", ASKED)
def test_an_erasure_asked_by_letter_is_confirmed_done_and_answered(box, sink, language, today, caplog):
    subject, clerk = person(email=EMAIL, now=today - DAY), staff("clerk")
    send(sink)
    box.put(letter(ASKED[language]))
    tasks.read_mailbox()
    [question] = send(sink)
    request = subject.requests.get()
    assert (question.to, request.kind, request.language) == (EMAIL, "erasure", language)
    confirm(question.path("request"))
    request.refresh_from_db()
    assert (request.state, request.identity) == (State.OPEN, "link")
    assert request.number in send(sink)[0].text
    sealed = held(subject)
    assert len(sealed) == 3  # address, text, message
    now, granted = timezone.now(), SubjectRequest.Outcome.GRANTED
    details = Details(ground=LegalGround.objects.first())
    answering.answer(request, granted, "All is destroyed.", by=clerk, now=now, details=details)
    demands.finish_due(timezone.now())
    [answer] = send(sink)
    assert answer.to == EMAIL and "All is destroyed." in answer.text and request.number in answer.text
    demands.finish_due(timezone.now())
    assert held(subject) == [] and not DatumKey.objects.filter(datum__in=sealed).exists()
    assert DataSubject.objects.get(pk=subject.pk).status == DataSubject.Status.ERASED
    tasks.read_mailbox()
    assert box.flags() == [] and CANARY not in caplog.text and "anary" not in caplog.text
    for one in (certificate := request.subject.certificates.get()).scan["passes"]:
        assert looking.PLACE not in one["unseen"] and one["remains"] == {} and "mailbox" in one["looked"]
    assert certificate.finished_at


def held(subject):
    return sorted(PersonalDatum.objects.filter(subject=subject).values_list("pk", flat=True))


def confirm(path):
    """The first button of the page behind the link."""
    assert open_form(Client(), path).press(Client()).status_code == 200


def test_a_forger_gets_nothing_and_the_victim_is_asked_at_the_stored_address(box, sink, today):
    subject = person(email=EMAIL, now=today - DAY)
    send(sink)
    box.put(letter(sender=f'"{FORGER}" <{EMAIL.lower()}>', Reply_To=FORGER, Sender=FORGER, Return_Path=f"<{FORGER}>"))
    tasks.read_mailbox()
    assert [one.to for one in send(sink)] == [EMAIL]
    request = subject.requests.get()
    assert request.state == State.UNVERIFIED and FORGER not in str(list(SubjectRequest.objects.values()))


def test_a_letter_in_the_name_of_nobody_known_sends_nothing_at_all(box, sink):
    box.put(letter(sender=FORGER))
    tasks.read_mailbox()
    assert send(sink) == [] and SubjectRequest.objects.get().subject.status == DataSubject.Status.PENDING


# --- bad messages among good ones ---------------------------------------------------------------------------------------
HEAD = b"From: bad.canary@example.kz\r\nSubject: my grey hens\r\n"
BAD = [
    b"Subject: my grey hens\r\nFrom: " + b"(" * 400 + b"\r\n\r\nhello",
    HEAD + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300)),
    HEAD + b"Content-Type: text/plain; charset=klingon\r\n\r\nhello",
    HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xff\xfe\xff",
    HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xed\xa0\x80",
    HEAD.replace(b"From", b"To") + b"\r\nhello",
]
LARGE = HEAD + b"Message-ID: <large@example.kz>\r\n\r\n" + (b"x" * 76 + b"\r\n") * (20 * 1024 * 1024 // 78 + 1)


def test_bad_messages_are_put_aside_and_the_others_do_not_wait(box, monkeypatch, caplog):
    fetched = []
    fetch = connecting.Box.fetch
    monkeypatch.setattr(connecting.Box, "fetch", lambda box, uid: fetched.append(fetch(box, uid)) or fetched[-1])
    box.put(letter(number="first"), *BAD, LARGE, letter("Пришлите копию", sender="b@example.kz", number="last"))
    now = timezone.now()
    assert mailbox.read(now) == f"2 filed, 1 quarantined, {len(BAD)} tried"
    assert SubjectRequest.objects.count() == 2
    assert 0 < max(len(one) for one in fetched) < 1024 * 1024  # the text of the large one was never fetched
    for _ in range(2):
        mailbox.read(now)
    assert states() == [("filed", "")] * 2 + [("quarantined", "too-large")] + [("quarantined", "unreadable")] * len(BAD)
    assert set(ReceivedMail.objects.filter(why="unreadable").values_list("attempts", flat=True)) == {3}
    assert box.flags() == [{r"\Seen"}, *[{r"\Flagged"}] * (len(BAD) + 1), {r"\Seen"}]
    assert mailbox.read(now) == "nothing new"
    assert "attempt 3" in caplog.text and CANARY not in caplog.text and "canary" not in caplog.text


def test_a_settled_message_leaves_the_mailbox(box):
    box.put(*BAD[:2])
    for _ in range(3):
        mailbox.read(timezone.now())
    mailbox.resolve(ReceivedMail.objects.earliest("pk"), by=staff("clerk"), now=timezone.now())
    mailbox.read(timezone.now())
    assert len(box.flags()) == 1


# --- nothing twice, nothing lost ----------------------------------------------------------------------------------------
def test_a_reader_killed_between_commit_and_mark_doubles_nothing(box, sink, today):
    subject = person(email=EMAIL, now=today - DAY)
    send(sink)
    box.put(letter(), letter(number="2", Precedence="bulk"))
    kill_before_it_marks(box)
    assert len(box.flags()) == 2 and states() == [("filed", "")]
    mailbox.read(timezone.now())
    assert subject.requests.count() == 1 and states() == [("filed", ""), ("ignored", "automatic")]
    assert box.flags() == [{r"\Seen"}] * 2 and [one.to for one in send(sink)] == [EMAIL]
    assert PersonalDatum.objects.filter(category__code="request-mail").count() == 1


def kill_before_it_marks(box):
    given = [name for name in ("DATABASE_URL", "DATABASE_APP_URL") if name in os.environ]
    addresses = {name: in_test_database(os.environ[name]) for name in given}
    environment = {**os.environ, **addresses, "MAILBOX_URL": box.url}
    command = [sys.executable, "-m", "tests.faults.poller"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "committed\n"
        process.kill()
    assert process.returncode == -9


def test_the_same_message_twice_is_one(box):
    box.put(letter(), letter(), letter(number="2", Precedence="bulk"), letter(number="2", Precedence="bulk"))
    mailbox.read(timezone.now())
    assert states() == [("filed", ""), ("ignored", "automatic")] and box.flags() == [{r"\Seen"}] * 2
    box.put(letter())
    assert mailbox.read(timezone.now()) == "1 filed"
    assert SubjectRequest.objects.get().steps.count() == 1 and len(box.flags()) == 2


def test_a_database_restored_from_before_files_what_came_since_and_one_that_knows_it_changes_nothing(box, today):
    person(email=EMAIL, now=today - DAY)
    box.put(letter(), letter("Пришлите копию", number="2"))
    mailbox.read(timezone.now())
    before = list(SubjectRequest.objects.order_by("pk").values_list("pk", "kind"))
    for _ in range(2):
        assert mailbox.read(timezone.now()) == "nothing new"
    assert list(SubjectRequest.objects.order_by("pk").values_list("pk", "kind")) == before and len(box.flags()) == 2
    remove_people()  # last night's backup: nothing of it had come yet
    person(email=EMAIL, now=today - DAY)
    assert not ReceivedMail.objects.exists() and mailbox.read(timezone.now()) == "2 filed"
    assert sorted(SubjectRequest.objects.values_list("kind", flat=True)) == ["access", "erasure"]
    assert box.flags() == [{r"\Seen"}] * 2


def test_two_letters_with_one_number_are_two(box):
    box.put(letter("Удалите мои данные"), letter("Пришлите копию"))
    mailbox.read(timezone.now())
    assert set(SubjectRequest.objects.values_list("kind", flat=True)) == {"erasure", "access"}


def test_numbered_anew_nothing_is_doubled(box):
    box.put(letter(), letter(number="2", Precedence="bulk"), *BAD[:1])
    for _ in range(3):
        mailbox.read(timezone.now())
    before, rows = MailboxState.objects.get().uid_validity, states()
    box.number_anew()
    box.put(letter(), letter("Пришлите копию", number="3"))
    mailbox.read(timezone.now())
    assert MailboxState.objects.get().uid_validity != before
    assert states() == sorted([*rows, ("filed", "")]) and SubjectRequest.objects.count() == 2
    assert sorted(map(str, box.flags())) == sorted(map(str, [*[{r"\Seen"}] * 3, {r"\Flagged"}]))
    assert mailbox.read(timezone.now()) == "nothing new"


def test_two_readers_at_once_are_one(box):
    box.put(*[letter(sender=f"p{number}@example.kz", number=str(number)) for number in range(5)])
    all_at_once([tasks.read_mailbox] * 2)
    tasks.read_mailbox()
    assert SubjectRequest.objects.count() == ReceivedMail.objects.count() == 5 and box.flags() == [{r"\Seen"}] * 5


def test_even_without_that_lock_a_message_is_taken_once(box):
    box.put(*[letter(sender=f"p{number}@example.kz", number=str(number)) for number in range(5)])
    all_at_once([lambda: mailbox.read(timezone.now())] * 2)
    assert SubjectRequest.objects.count() == ReceivedMail.objects.count() == 5
    assert set(ReceivedMail.objects.values_list("state", "attempts")) == {("filed", 0)}


def test_a_message_tried_before_is_taken_once_by_two_readers(box, monkeypatch):
    box.put(*[letter(sender=f"p{number}@example.kz", number=str(number)) for number in range(5)])
    with monkeypatch.context() as broken:
        broken.setattr(filing, "_keep", lambda *_: 1 / 0)
        assert mailbox.read(timezone.now()) == "5 tried"
    all_at_once([lambda: mailbox.read(timezone.now())] * 2)
    assert SubjectRequest.objects.count() == 5 and not RequestStep.objects.filter(step="written").exists()


def test_what_fails_after_it_was_decided_leaves_nothing_behind(box, monkeypatch):
    box.put(letter())
    with monkeypatch.context() as broken:
        broken.setattr(filing, "_keep", lambda *_: 1 / 0)
        assert mailbox.read(timezone.now()) == "1 tried"
    assert not SubjectRequest.objects.exists() and not DataSubject.objects.exists() and len(box.flags()) == 1
    assert mailbox.read(timezone.now()) == "1 filed" and SubjectRequest.objects.count() == 1


def test_a_database_that_fails_blames_no_message(box, monkeypatch):
    def fail(*_arguments):
        raise OperationalError

    box.put(letter())
    with monkeypatch.context() as broken:
        broken.setattr(filing, "_keep", fail)
        for _ in range(4):
            with pytest.raises(OperationalError):
                tasks.read_mailbox()
    assert (
        not ReceivedMail.objects.exists()
        and JobRun.objects.get(name="read_mailbox").outcome == "failed: OperationalError"
    )
    tasks.read_mailbox()
    assert states() == [("filed", "")] and connection.is_usable()


# --- what is left of an erased value -------------------------------------------------------------------------------------
def needles():
    return scanning.needles_of([("email", normalise("email", EMAIL))])


def test_the_scan_finds_an_address_in_the_mailbox_however_it_is_encoded(box):
    base64 = letter(number="3")
    base64.set_content(f"write to {EMAIL}", cte="base64")
    quoted = letter(sender=f'"{EMAIL}" <other@example.kz>', number="4")
    half = HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + EMAIL[:9].encode() + b"=\r\n" + EMAIL[9:].encode()
    box.put(letter(sender="other@example.kz"), letter(), base64, quoted, half)
    seen = looking.look(needles())
    assert seen.remains == {"contact mailbox": 4} and seen.looked["mailbox"] == 5
    assert looking.PLACE not in seen.unseen


def test_the_scan_removes_what_was_filed_and_is_destroyed_here_and_nothing_else(box, today, caplog):
    subject = person(email=EMAIL, now=today - DAY)
    box.put(letter(), letter(number="2", Precedence="bulk"))
    mailbox.read(timezone.now())
    assert looking.look(needles()).remains == {"contact mailbox": 2} and len(box.flags()) == 2
    with transaction.atomic():
        numbers = list(subject.data.values_list("pk", flat=True))
        erasure.erase(numbers, ground="on_demand", now=timezone.now(), actor_id=None)
        seen = scanning.scan(needles())
    assert seen.remains["contact mailbox"] == 1 and seen.looked["mailbox_removed"] == 1
    assert len(box.flags()) == 1 and "anary" not in caplog.text


def test_a_mailbox_that_cannot_be_looked_through_is_said_so_and_soon(settings, monkeypatch, box):
    monkeypatch.setattr(looking, "TIMEOUT", 1)
    box.put(*BAD[1:2])
    assert looking.look(needles()).as_json() == {"looked": {"mailbox": 1}, "remains": {}, "unseen": [looking.PLACE]}
    with mute_server() as port:
        settings.MAILBOX_URL = f"imaps://a:b@127.0.0.1:{port}/"
        assert looking.look(needles()).unseen == ["contact mailbox"]
    monkeypatch.setattr(looking, "SECONDS", -1)
    settings.MAILBOX_URL = box.url
    assert looking.look(needles()).as_json() == {"looked": {"mailbox": 0}, "remains": {}, "unseen": [looking.PLACE]}
    settings.MAILBOX_URL = ""
    assert looking.look(needles()).as_json() == {"looked": {}, "remains": {}, "unseen": []}


# --- the server ---------------------------------------------------------------------------------------------------------
def noted():
    state = MailboxState.objects.get()
    return state.last_error, state.checked_at


def test_a_server_that_is_down_is_noted_and_read_when_it_is_back(box, settings, server, caplog):
    box.put(letter())
    server.stop()
    try:
        tasks.read_mailbox()
        assert noted() == ("ConnectionRefusedError", None)
    finally:
        server.start()
    assert JobRun.objects.get(name="read_mailbox").outcome.startswith("not read: ConnectionRefusedError")
    tasks.read_mailbox()
    assert noted()[0] == "" and noted()[1] is not None and states() == [("filed", "")]
    assert "anary" not in caplog.text and "127.0.0.1" not in caplog.text


def test_a_server_that_says_nothing_is_left_after_its_time(settings, monkeypatch):
    monkeypatch.setattr(connecting, "TIMEOUT", 1)
    with mute_server() as port:
        settings.MAILBOX_URL = f"imaps://a:b@127.0.0.1:{port}/"
        began = timezone.now()
        assert mailbox.read(began) == "not read: TimeoutError"
        assert (timezone.now() - began).total_seconds() < 5


def test_a_server_that_falls_silent_half_way_loses_nothing(box, monkeypatch):
    box.put(letter(), letter("Пришлите копию", sender="b@example.kz", number="2"))
    fetch = connecting.Box.fetch

    def silent(self, uid):
        if ReceivedMail.objects.exists():
            raise TimeoutError
        return fetch(self, uid)

    with monkeypatch.context() as slow:
        slow.setattr(connecting.Box, "fetch", silent)
        assert mailbox.read(timezone.now()) == "not read: TimeoutError"
    assert states() == [("filed", "")] and box.flags() == [{r"\Seen"}, set()]
    mailbox.read(timezone.now())
    assert SubjectRequest.objects.count() == 2 and box.flags() == [{r"\Seen"}] * 2


def test_a_server_we_do_not_trust_is_told_no_password(box, monkeypatch, server):
    monkeypatch.delenv("SSL_CERT_FILE")
    assert mailbox.read(timezone.now()) == "not read: SSLCertVerificationError"
    assert "auth failed" not in (server.folder / "dovecot.log").read_text()


def test_a_wrong_password_and_a_folder_that_is_not_there_are_told_by_their_kind(box, settings, caplog):
    settings.MAILBOX_URL = box.url.replace("let", "bet")
    assert mailbox.read(timezone.now()) == "not read: MailboxLoginError"
    settings.MAILBOX_URL = box.url.replace("INBOX", "Nowhere")
    assert mailbox.read(timezone.now()) == "not read: MailboxFolderSelectError"
    assert box.name not in caplog.text and "Nowhere" not in caplog.text


# --- what is written down -----------------------------------------------------------------------------------------------
def test_a_canary_is_in_no_log_and_in_no_row_unsealed(box, caplog, today):
    person(email=EMAIL, now=today - DAY)
    box.put(letter(), letter(sender=FORGER, number="2"), *BAD)
    for _ in range(3):
        tasks.read_mailbox()
    assert CANARY.encode() in b"".join(BAD) and CANARY in ASKED["ru"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT count(*) FROM "{table}" t WHERE t::text ILIKE ANY(%s)', [["%grey hens%", "%.canary@%"]]
            )
            assert cursor.fetchone() == (0,), table
    assert "hens" not in caplog.text and "anary" not in caplog.text
    assert not AuditEntry.objects.filter(reason__icontains="canary").exists()
    assert OutgoingMessage.objects.filter(letter="request").count() == 1
