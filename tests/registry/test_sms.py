"""Messages to phones: what a gateway is told, what its answers mean, and that nothing of a message is told to anybody else.

Broken and seen to fail: of the door, a refusal let through as any other error or with its context, the type of an error turned to
its text, an error raised where the backend's own is at hand, a backend said to be there; of the gateway, 408 and 429 taken for
final, 5xx too, 3xx for taken, redirects followed, a proxy used, no limit of time, a key for each attempt, values logged, JSON and
form filled in unread, placeholders filled one after the other, private for loopback, a URL without host, a template that is neither,
the check without its tag or not registered; of the folder, a name for each attempt, modes, one part for all, no part at all; a folder
though mail leaves; of the outbox, the wrong carrier, its name in the audit, Refused tried again, a blocked person, a service letter
for all or for none, one for a closed purpose, a note outside its transaction or outside the net, what comes after not called, a key
without the number of the row; of the traces, the folder not looked through or looked through twice, its parts left, other files
taken."""

import json
import os
import runpy
import socket
import threading
import time
import traceback
from http.client import BadStatusLine
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from django.core import checks
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction

from config import settings as project
from config import sms_folder, sms_http
from registry import blocking, mail, registration, scanning, sms, traces
from registry.models import AuditEntry, DataCategory, DataSubject, OutgoingMessage, PersonalDatum, ProcessingPurpose
from registry.normalise import normalise
from registry.processing import open_processing
from tests.factories import DAY, EMAIL, MOMENT, nobody_yet

NUMBER, TEXT, KEY = "+77015551234", "Кодыңыз: 123 456", "0b5b2c1e-canary"
JSON = '{"to": ["{number}"], "text": "{text}", "id": "{key}", "from": "Site", "n": 1}'
FORM = "to={number}&text={text}&id={key}&from=My+site"
State = OutgoingMessage.State


# --- a gateway --------------------------------------------------------------------------------------------------------
class Gateway(ThreadingHTTPServer):
    """Answers with `status`, or does what `habit` says; keeps what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.habit, self.asked, self.is_over = 200, "", [], threading.Event()

    def handle_error(self, request, client_address):
        """Who waited no longer is no error here."""


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append((self.path, self.headers, body))
        match self.server.habit:
            case "stalls":
                self.server.is_over.wait(10)
            case "closes":
                self.connection.shutdown(socket.SHUT_RDWR)
            case "babbles":
                self.wfile.write(f"{body}\r\n\r\n".encode())
            case _:
                self.answer(body)

    def answer(self, body):
        self.send_response(self.server.status, body)  # quotes what it was sent, as gateways do
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self):
        self.server.asked.append((self.path, self.headers, ""))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        """Silent: its lines must not be taken for ours."""


@pytest.fixture
def gateway(settings):
    server = Gateway()
    settings.SMS_BACKEND, settings.SMS_BODY = "config.sms_http.send", JSON
    settings.SMS_URL, settings.SMS_AUTHORIZATION = f"http://127.0.0.1:{server.server_port}/messages", "Bearer secret"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.is_over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def send(text=TEXT):
    sms.send(NUMBER, text, key=KEY)


def test_the_gateway_is_told_what_the_template_says(gateway):
    send()
    [(path, headers, body)] = gateway.asked
    assert path == "/messages" and (headers["Idempotency-Key"], headers["Authorization"]) == (KEY, "Bearer secret")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"to": [NUMBER], "text": TEXT, "id": KEY, "from": "Site", "n": 1}


def test_a_form_is_told_the_same(gateway, settings):
    settings.SMS_BODY, settings.SMS_AUTHORIZATION = FORM, ""
    send()
    [(_path, headers, body)] = gateway.asked
    assert headers["Content-Type"] == "application/x-www-form-urlencoded" and headers["Authorization"] is None
    assert parse_qs(body) == {"to": [NUMBER], "text": [TEXT], "id": [KEY], "from": ["My site"]}


@pytest.mark.parametrize(
    "text",
    [
        'says "yes", \'no\'', '", "to": "+77770000000', "a&to=%2B77770000000&b=c", "100% = 1 + 1; #?/\\", "Қазақ әріптері: ә ғ қ ң ө ұ ү һ і",
        "two\nlines\r\n\tand a tab", "{number} {key} {text} {}", "\\u0022", "👋🏽", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("template", [JSON, FORM])
def test_a_text_arrives_as_it_is_and_ends_no_field(gateway, settings, template, text):
    settings.SMS_BODY = template
    send(text)
    body = gateway.asked[0][2]
    told = json.loads(body) if template == JSON else parse_qs(body, keep_blank_values=True)
    assert (told["to"], told["text"]) == ([NUMBER], text if template == JSON else [text])


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_2xx_is_taken(gateway, status):
    gateway.status = status
    send()
    assert len(gateway.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 499])
def test_most_4xx_are_final(gateway, status):
    gateway.status = status
    with pytest.raises(sms.Refused):
        send()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_not_final_and_a_redirect_is_not_followed(gateway, status):
    gateway.status = status
    with pytest.raises(sms.NotSent, match=r"^NotTaken$"):
        send()
    assert [path for path, _headers, _body in gateway.asked] == ["/messages"]


@pytest.mark.parametrize(
    ("habit", "error"), [("stalls", "TimeoutError"), ("closes", "RemoteDisconnected"), ("babbles", "BadStatusLine")]
)
def test_a_gateway_that_says_nothing_is_waited_for_no_longer_than_the_limit(gateway, monkeypatch, habit, error):
    monkeypatch.setattr(sms_http, "TIMEOUT", 1)
    gateway.habit, begin = habit, time.monotonic()
    with pytest.raises(sms.NotSent, match=f"^{error}$"):
        send()
    assert time.monotonic() - begin < 8 and len(gateway.asked) == 1


def test_a_gateway_that_is_not_there_may_come_back(gateway, settings):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        settings.SMS_URL = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    with pytest.raises(sms.NotSent, match=r"^URLError$"):
        send()


def test_the_limit_is_ten_seconds():
    assert sms_http.TIMEOUT == 10


def test_no_proxy_of_the_environment_is_asked(gateway, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    send()
    assert len(gateway.asked) == 1


def test_another_scheme_opens_no_file(settings, tmp_path):
    settings.SMS_BACKEND, settings.SMS_URL, settings.SMS_BODY = "config.sms_http.send", f"file://{tmp_path}/x", JSON
    with pytest.raises(sms.NotSent):
        send()


# --- nothing is told to anybody else ----------------------------------------------------------------------------------
def holds(text):
    return any(needle in text for needle in (NUMBER, NUMBER[1:], "5551234", TEXT, "Bearer", "secret"))


def everything_of(error):
    """What a log, a report or somebody with the exception in hand could read."""
    seen, told = [error], []
    for one in seen:
        seen += [other for other in (one.__cause__, one.__context__) if other is not None]
        told += [str(one), repr(one), repr(one.args), repr(vars(one)), *traceback.format_exception(one)]
    return "\n".join(told)


@pytest.mark.parametrize(("status", "habit"), [(400, ""), (500, ""), (302, ""), (200, "babbles"), (200, "closes")])
def test_what_goes_wrong_quotes_neither_number_nor_text(gateway, caplog, status, habit):
    gateway.status, gateway.habit = status, habit
    with pytest.raises((sms.Refused, sms.NotSent)) as caught:
        send()
    assert NUMBER in gateway.asked[0][2] and gateway.asked[0][1]["Authorization"] == "Bearer secret"
    assert not holds(everything_of(caught.value)) and not holds(caplog.text)


def test_a_status_line_that_quotes_the_message_stays_inside(gateway):
    gateway.habit = "babbles"
    with pytest.raises(BadStatusLine) as quoting:
        sms_http.send(NUMBER, TEXT, key=KEY)
    assert holds(everything_of(quoting.value))  # the canary: the library's own exception does quote
    with pytest.raises(sms.NotSent) as caught:
        send()
    assert not holds(everything_of(caught.value))


def refusing(number, text, *, key):
    raise sms.Refused(f"{number}: {text}") from ValueError(number)


def failing(number, text, *, key):
    raise ValueError(f"{number}: {text}")


@pytest.mark.parametrize(("backend", "kind"), [(refusing, sms.Refused), (failing, sms.NotSent)])
def test_a_backend_of_somebody_else_quotes_nothing_either(settings, backend, kind):
    settings.SMS_BACKEND = f"{__name__}.{backend.__name__}"
    with pytest.raises(kind) as caught:
        send()
    assert not holds(everything_of(caught.value))


def test_a_text_that_cannot_be_encoded_is_not_quoted(gateway, settings):
    settings.SMS_BODY = FORM
    with pytest.raises(sms.NotSent, match=r"^UnicodeEncodeError$") as caught:
        send(f"{TEXT}\ud800")
    assert not holds(everything_of(caught.value)) and not gateway.asked


# --- messages as files ------------------------------------------------------------------------------------------------
def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_message_becomes_a_file_of_its_own_that_nobody_else_reads(settings):
    sms_folder.send(NUMBER, TEXT, key=KEY)
    sms_folder.send(NUMBER, TEXT, key="another")
    assert files(settings.SMS_FOLDER) == [f"{KEY}.sms", "another.sms"]
    path = settings.SMS_FOLDER / f"{KEY}.sms"
    assert path.read_text() == f"To: {NUMBER}\n\n{TEXT}\n"
    assert (path.stat().st_mode & 0o777, settings.SMS_FOLDER.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_message_sent_again_is_one_file_also_after_a_crash_half_way(settings, monkeypatch):
    def crash(self, target):
        raise OSError

    with monkeypatch.context() as broken, pytest.raises(OSError):
        broken.setattr(Path, "rename", crash)
        sms_folder.send(NUMBER, TEXT, key=KEY)
    assert [name.endswith(".part") for name in files(settings.SMS_FOLDER)] == [True]
    for _ in range(2):
        sms_folder.send(NUMBER, TEXT, key=KEY)
    assert [path.name for path in settings.SMS_FOLDER.glob("*.sms")] == [f"{KEY}.sms"]


@pytest.mark.parametrize(
    ("given", "backend"),
    [
        ({}, "config.sms_folder.send"),
        ({"EMAIL_URL": "smtp://127.0.0.1:25"}, ""),
        ({"SMS_URL": "https://sms.example"}, "config.sms_http.send"),
        ({"SMS_URL": "https://sms.example", "EMAIL_URL": "smtp://127.0.0.1:25"}, "config.sms_http.send"),
    ],
)
def test_which_backend_the_environment_chooses(monkeypatch, settings, given, backend):
    for name in ("SMS_URL", "EMAIL_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    read = runpy.run_path(project.__file__)
    assert read["SMS_BACKEND"] == backend and read["SMS_FOLDER"] == read["HOME"] / "sms"
    settings.SMS_BACKEND = read["SMS_BACKEND"]
    assert sms.is_available() == bool(backend)


# --- the check for production -----------------------------------------------------------------------------------------
def found(settings, url="https://sms.example/send", body=JSON, *, deploy=True):
    settings.SMS_URL, settings.SMS_BODY = url, body
    messages = checks.run_checks(tags=["security"], include_deployment_checks=deploy)
    return [(message.id, message.level) for message in messages if str(message.id).startswith("sms.")]


@pytest.mark.parametrize(
    ("url", "is_fine"),
    [
        ("https://sms.example/send?api=x", True), ("http://127.0.0.1:8080/", True), ("http://localhost/", True), ("http://[::1]:80/", True),
        ("http://sms.example/", False), ("http://10.0.0.5/", False), ("http://127.0.0.1.sms.example/", False), ("http://localhost@sms.example/", False),
        ("HTTP://SMS.example/", False), ("ftp://127.0.0.1/", False), ("file:///etc/passwd", False), ("sms.example/send", False), ("https:///send", False), ("http://[::1/", False),
    ],
)  # fmt: skip
def test_a_gateway_over_an_open_line_is_refused_unless_it_is_this_machine(settings, url, is_fine):
    assert found(settings, url) == ([] if is_fine else [("sms.E001", checks.ERROR)])


@pytest.mark.parametrize(
    ("body", "lacking"),
    [
        (JSON, ""), (FORM, ""), ('[{"to": "{number}"}, {"a": {"text": "x{text}"}}]', ""), ("n={number}&t={text}", ""),
        ('{"to": "{number}"}', "{text}"), ("text={text}", "{number}"), ("", "{number} and {text}"), ('{"to": {number}, "text": {text}}', "{number} and {text}"),
        ("nothing", "{number} and {text}"), ('{"{number}": "{text}"}', "{number}"), ("{number}={text}", "{number} and {text}"),
    ],
)  # fmt: skip
def test_a_template_that_would_send_no_number_or_no_text_is_refused(settings, body, lacking):
    assert found(settings, body=body) == ([("sms.E002", checks.ERROR)] if lacking else [])
    assert not lacking or f"with {lacking} in" in sms_http.check(None)[0].msg


def test_only_the_check_for_production_asks_and_only_where_there_is_a_gateway(settings):
    assert found(settings, "http://sms.example/", "", deploy=False) == []
    assert found(settings, "", "") == []


# --- the outbox -------------------------------------------------------------------------------------------------------
@pytest.fixture
def written(monkeypatch):
    """Letters of the name `greeting`, and how they are registered; the others are as they were."""
    monkeypatch.setattr(mail, "writers", dict(mail.writers))

    def register(**options):
        mail.written_by("greeting", **options)(lambda message, contact: mail.Letter("Subject", TEXT))

    register()
    return register


@transaction.atomic
def queued(kind="phone", value=NUMBER, *, is_processed=True):
    """A letter to somebody who left only this."""
    subject = nobody_yet(DataSubject.Status.ACTIVE)
    category, normal = DataCategory.objects.get(kind=kind), normalise(kind, value)
    standing = PersonalDatum.Standing.CONFIRMED
    datum = registration.record_datum(subject, category, normal, standing=standing, now=MOMENT)
    purpose = ProcessingPurpose.objects.get(code="site-news")
    if is_processed:
        open_processing(subject, purpose, now=MOMENT)
    return mail.queue("greeting", about=subject, datum=datum, purpose=purpose, language="kk", now=MOMENT)


def send_due(now=MOMENT):
    return mail.send_due(now, clock=lambda: now)


def state(message):
    message.refresh_from_db()
    return message.state


def uses():
    return list(AuditEntry.objects.filter(operation="use").order_by("pk").values_list("system", flat=True))


@pytest.mark.django_db
def test_a_number_gets_a_message_and_an_address_a_letter(settings, written, mailoutbox):
    by_phone, by_mail = queued(), queued("email", EMAIL)
    assert send_due() == 2 and uses() == ["sms", "mail"]
    [path] = settings.SMS_FOLDER.iterdir()
    assert path.read_text() == f"To: {NUMBER}\n\n{TEXT}\n"
    assert [(letter.to, letter.subject, letter.body) for letter in mailoutbox] == [([EMAIL], "Subject", TEXT)]
    assert (state(by_phone), state(by_mail), by_phone.sent_at) == (State.SENT, State.SENT, MOMENT)
    assert mailoutbox[0].extra_headers["Message-ID"].startswith(f"<{mail._key(by_mail, mail.Operator.objects.get())}@")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "habit", "error"),
    [(302, "", "NotTaken"), (429, "", "NotTaken"), (500, "", "NotTaken"), (200, "stalls", "TimeoutError"), (200, "closes", "RemoteDisconnected")],
)  # fmt: skip
def test_what_may_pass_is_tried_again_under_the_same_key(gateway, written, monkeypatch, caplog, status, habit, error):
    message, gateway.status, gateway.habit = queued(), status, habit
    for _ in range(2):
        with monkeypatch.context() as hurried:
            hurried.setattr(sms_http, "TIMEOUT", 1 if habit == "stalls" else 10)
            assert send_due(OutgoingMessage.objects.get().next_try_at) == 0
        assert (state(message), message.last_error, message.sent_at) == (State.QUEUED, error, None) and not uses()
    gateway.status, gateway.habit = 200, ""
    assert send_due(message.next_try_at) == 1 and state(message) == State.SENT
    keys = [headers["Idempotency-Key"] for _path, headers, _body in gateway.asked]
    assert len(keys) == 3 and len(set(keys)) == 1 and {path for path, _h, _b in gateway.asked} == {"/messages"}
    assert NUMBER in gateway.asked[0][2] and not holds(caplog.text) and "not sent" in caplog.text


@pytest.mark.django_db
def test_two_messages_have_two_keys(gateway, written):
    queued()
    queued(value="+77015550000")
    assert send_due() == 2
    assert len({headers["Idempotency-Key"] for _path, headers, _body in gateway.asked}) == 2


@pytest.mark.django_db
def test_a_refused_message_fails_at_once_and_the_next_one_goes(gateway, written, caplog):
    message, gateway.status = queued(), 400
    assert send_due() == 0
    assert (state(message), message.last_error, message.attempts) == (State.FAILED, "Refused", 1)
    gateway.status = 200
    assert send_due(MOMENT + DAY) == 0 and len(gateway.asked) == 1
    assert NUMBER in gateway.asked[0][2] and not holds(caplog.text) and "gateway answered 400" in caplog.text


@pytest.mark.django_db
def test_without_a_backend_a_message_waits(settings, written):
    settings.SMS_BACKEND = ""
    message = queued()
    assert send_due() == 0 and (state(message), sms.is_available()) == (State.QUEUED, False)


# --- letters that answer the person or are owed by law ----------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize(("is_service", "expected"), [(True, State.SENT), (False, State.CANCELLED)])
def test_only_a_service_letter_goes_where_nothing_is_processed(written, is_service, expected):
    written(is_service=is_service)
    message = queued(is_processed=False)
    send_due()
    assert state(message) == expected


@pytest.mark.django_db
@pytest.mark.parametrize("is_service", [True, False])
def test_a_blocked_person_gets_neither(settings, written, is_service):
    written(is_service=is_service)
    message = queued()
    assert blocking.block(message.subject, by=None, reason="asked", now=MOMENT)
    assert send_due() == 0 and state(message) == State.CANCELLED and not settings.SMS_FOLDER.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("opening", "expected"),
    [
        ({"closes_at": MOMENT}, State.CANCELLED), ({"closes_at": MOMENT + DAY}, State.SENT),
        ({"opens_at": MOMENT + DAY}, State.CANCELLED), ({"opens_at": MOMENT}, State.SENT),
    ],
)  # fmt: skip
def test_a_service_letter_asks_whether_its_purpose_is_open(written, opening, expected):
    written(is_service=True)
    message = queued(is_processed=False)
    ProcessingPurpose.objects.filter(pk=message.purpose_id).update(**opening)
    send_due()
    assert state(message) == expected


@pytest.mark.django_db
def test_a_service_letter_to_a_value_that_is_gone_is_cancelled(written):
    written(is_service=True)
    message = queued()
    PersonalDatum.objects.filter(pk=message.datum_id).update(superseded_at=MOMENT, keep_until=MOMENT)
    assert send_due() == 0 and state(message) == State.CANCELLED


# --- what is noted with a letter that went ----------------------------------------------------------------------------
@pytest.mark.django_db
def test_what_comes_after_is_called_with_the_letter_once_it_went(settings, written):
    called = []
    written(after=lambda message, now: called.append((message.pk, now, len(files(settings.SMS_FOLDER)))))
    message = queued()
    assert send_due(MOMENT + DAY) == 1 and called == [(message.pk, MOMENT + DAY, 1)]


@pytest.mark.django_db
def test_what_comes_after_is_not_called_for_a_letter_that_did_not_go(gateway, written):
    called = []
    written(after=lambda message, now: called.append(message))
    queued()
    gateway.status = 500
    assert send_due() == 0 and len(gateway.asked) == 1 and called == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempts", [0, len(mail.PAUSES)])
def test_if_what_comes_after_fails_nothing_is_noted_and_the_next_letter_goes(settings, written, attempts):
    def fail(message, now):
        if message.pk == first.pk:
            DataSubject.objects.filter(pk=message.subject_id).update(language="en")
            DataSubject.objects.filter(pk=message.subject_id).update(language="xx")

    written(after=fail)
    first, second = queued(), queued(value="+77015550000")
    OutgoingMessage.objects.update(attempts=attempts)
    assert send_due() == 1 and uses() == ["sms"] and state(second) == State.SENT
    expected = State.FAILED if attempts else State.QUEUED
    assert (state(first), first.sent_at, first.last_error) == (expected, None, IntegrityError.__name__)
    assert DataSubject.objects.get(pk=first.subject_id).language == "kk" and len(files(settings.SMS_FOLDER)) == 2


# --- what is left behind ----------------------------------------------------------------------------------------------
def needles():
    return scanning.needles_of([("phone", normalise("phone", NUMBER))])


@pytest.mark.django_db
@pytest.mark.parametrize("number", [NUMBER, "8 (701) 555-12-34"])
def test_a_message_kept_as_a_file_is_looked_through_once(settings, number):
    settings.HOME = settings.SMS_FOLDER.parent
    sms_folder.send("+77015550000", f"Сіздің нөміріңіз: {number}", key="1")
    sms_folder.send("+77015550000", "nothing", key="2")
    seen = scanning.scan(needles())
    assert seen.remains == {"files: sms": 1} and seen.looked["letters"] == 2
    assert list(scanning.letters_carrying(needles())) == [settings.SMS_FOLDER / "1.sms"]


@pytest.mark.django_db
def test_the_number_a_message_went_to_and_the_name_of_a_file_are_looked_through(settings):
    sms_folder.send(NUMBER, "nothing", key="1")
    sms_folder.send("+77015550000", "nothing", key=NUMBER[1:])
    sms_folder.send("+77015550000", "nothing", key="2")
    letter = EmailMessage("Subject", f"call {NUMBER}", to=[EMAIL])
    settings.MAIL_FOLDER.mkdir()
    (settings.MAIL_FOLDER / "1.eml").write_bytes(letter.message().as_bytes())
    assert scanning.letters.look(needles()).remains == {"files: sms": 2, "files: mail": 1}


@pytest.mark.django_db
def test_old_messages_go_and_young_ones_and_other_files_stay(settings, tmp_path):
    settings.HOME, long_ago = tmp_path, (MOMENT - 31 * DAY).timestamp()
    settings.SMS_FOLDER.mkdir()
    for name, moment in [("old.sms", long_ago), (".x.part", long_ago), ("notes.txt", long_ago), ("new.sms", MOMENT.timestamp())]:
        (settings.SMS_FOLDER / name).write_text("x")
        os.utime(settings.SMS_FOLDER / name, (moment, moment))
    assert traces.destroy_over(MOMENT) == {"sms-files": 2}
    assert files(settings.SMS_FOLDER) == ["new.sms", "notes.txt"]
