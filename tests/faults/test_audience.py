"""Mailing lists under fault: acts of people while they are streamed, clients cut off, two at once, the server killed.

Broken and seen to fail: `opening.hold`, the gate asked again for each portion, the lock of the list, the lines written before
the bytes go.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from threading import Event

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from consent import decisions
from registry import audience
from registry.audience import feed, keys, opening
from registry.models import AudienceEntry, RecipientKey, RecipientNotice, Transfer, TransferLine
from tests.conftest import owner_connection
from tests.factories import DAY, purpose, staff
from tests.faults import test_transfers
from tests.faults.parallel import all_at_once, start
from tests.faults.tables import contents
from tests.faults.test_audit_down import audit_down
from tests.faults.test_purge_killed import ROOT, in_test_database
from tests.faults.test_races import wait_until, waiting_for_a_lock
from tests.faults.test_transfers import fill, named
from tests.registry.test_transfers import BOTH, NOBODY, gave

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
MANY, LATE = 5_000, 100_000


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def own():
    with named(code="KZ", kind="own") as made:
        yield made


@pytest.fixture
def key(own, today):
    made, text = keys.make(own, last_day=timezone.localdate(today), by=staff("maker"), now=today)
    made.text = text
    return made


def opened(key, since=0):
    fresh = RecipientKey.objects.select_related("recipient__country").get(pk=key.pk)
    return audience.opened(fresh, purpose(), since, clock=timezone.now)


def lines_of(content):
    return [json.loads(line) for line in content.decode().splitlines()]


def told(key, since=0):
    """All of a stream; the last line must be there."""
    *lines, end = lines_of(b"".join(opened(key, since)))
    assert end["end"]
    return lines


def withdraw(subject):
    decisions.withdraw(subject, None, now=timezone.now(), channel="page")


# --- acts in the middle ----------------------------------------------------------------------------------------------
@pytest.fixture
def crowd(today, monkeypatch):
    """Five thousand, and behind them one who came by the form."""
    monkeypatch.setattr(test_transfers, "FIRST", 0)
    fill(MANY, today)
    with owner_connection() as owner:
        for table in ("registry_datasubject", "registry_personaldatum"):
            owner.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, LATE])
    return gave(NOBODY, now=today - DAY, email="last.canary@example.kz")


def test_who_withdraws_while_five_thousand_are_streamed_is_not_in_it(key, crowd):
    stream = opened(key)
    first = next(stream)
    assert b"last.canary" not in first
    start(withdraw, crowd).finish(30)  # waits for nobody
    lines = lines_of(first + b"".join(stream))
    assert len(lines) == MANY + 2 and b"last.canary" not in json.dumps(lines).encode()
    assert [line["change"] for line in lines if line.get("reference") == crowd.reference] == ["out"]
    assert not TransferLine.objects.filter(subject=crowd).exists() and not RecipientNotice.objects.exists()
    assert Transfer.objects.get().people == MANY


def test_without_a_withdrawal_they_are_in_it(key, crowd):
    lines = told(key)
    assert len(lines) == MANY + 1 and lines[-1]["email"] == "last.canary@example.kz"


def test_of_who_withdraws_in_the_last_moment_the_recipient_is_told(key, today, monkeypatch):
    """Nobody is handed out and told about to no one: whoever comes in between waits for the commit."""
    subject = gave(NOBODY, now=today - DAY)
    values, is_opening, may_go_on = opening.values, Event(), Event()

    def held(data):
        is_opening.set()
        assert may_go_on.wait(60)
        return values(data)

    monkeypatch.setattr(opening, "values", held)
    reader = start(told, key)
    assert is_opening.wait(60)
    leaves = start(withdraw, subject)
    wait_until(waiting_for_a_lock)
    may_go_on.set()
    leaves.finish(60)
    assert [line["change"] for line in reader.finish(60)] == ["in"]
    assert RecipientNotice.objects.get().subject == subject
    assert [line["change"] for line in told(key, reader.outcome[0]["cursor"])] == ["out"]


def test_of_who_withdraws_a_moment_before_nothing_goes(key, today, monkeypatch):
    subject = gave(NOBODY, now=today - DAY)
    hold, has_come, may_go_on = opening.hold, Event(), Event()

    def held(subject_ids):
        has_come.set()
        assert may_go_on.wait(60)
        hold(subject_ids)

    monkeypatch.setattr(opening, "hold", held)
    reader = start(told, key)
    assert has_come.wait(60)
    withdraw(subject)
    may_go_on.set()
    assert [line["change"] for line in reader.finish(60)] == ["out"]
    assert not Transfer.objects.exists() and not RecipientNotice.objects.exists()


# --- several at once -------------------------------------------------------------------------------------------------
def test_two_clients_with_one_key_each_get_all_in_one_order(key, today, monkeypatch):
    monkeypatch.setattr(feed, "PORTION", 3)
    people = {gave(NOBODY, now=today - DAY).reference for _number in range(20)}
    first, second = all_at_once([lambda: told(key)] * 2)
    for lines in (first, second):
        cursors = [line["cursor"] for line in lines]
        assert cursors == sorted(set(cursors)) and {line["reference"] for line in lines} == people
    assert first == second
    assert AudienceEntry.objects.values("sequence").distinct().count() == AudienceEntry.objects.count() == 20
    assert sorted(Transfer.objects.values_list("state", "people")) == [("taken", 20)] * 2


def read_on(key, held, cursor, rounds):
    """Whom a program has in its list after so many more calls, and its cursor."""
    for _round in range(rounds):
        for line in lines_of(b"".join(opened(key, cursor))):
            cursor = line["cursor"]
            if line.get("change") in {"in", "contact"}:
                held.add(line["reference"])
            else:
                held.discard(line.get("reference"))
    return held, cursor


def test_reading_on_all_the_time_loses_no_change(key, today):
    """Two read on while people come and go; what each has read is what holds at the end."""
    people = [gave(NOBODY, now=today - DAY) for _number in range(6)]

    def come_and_go():
        for subject in people[:4]:
            withdraw(subject)
        for subject in people[:2]:
            decisions.give(subject, [purpose()], now=timezone.now(), scope=BOTH)

    programs = [lambda: read_on(key, set(), 0, rounds=15)] * 2
    outcomes = all_at_once([*programs, come_and_go])[:2]
    expected = {one.reference for one in [*people[:2], *people[4:]]}
    assert [read_on(key, *outcome, rounds=1)[0] for outcome in outcomes] == [expected] * 2


# --- the server ------------------------------------------------------------------------------------------------------
@contextmanager
def served(seconds):
    """The web server on a port of its own, in a group of its own; yields the port and what kills it like a power cut."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    given = [name for name in ("DATABASE_URL", "DATABASE_APP_URL") if name in os.environ]
    addresses = {name: in_test_database(os.environ[name]) for name in given}
    environment = {**os.environ, **addresses, "SECONDS": str(seconds), "SITE_URL": "http://127.0.0.1"}
    command = [sys.executable, "-m", "gunicorn", "tests.faults.audience_server", "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "gthread", "--threads", "4", "--no-control-socket", "--log-level", "warning"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)

    def kill():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)

    try:
        wait_until(lambda: answers(port))
        yield port, kill
    finally:
        kill()


def answers(port):
    try:
        with get(port, "/healthz", "") as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def get(port, path, text):
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        asked.request("GET", path, headers={"Authorization": f"Bearer {text}"})
        with asked.getresponse() as answer:
            yield answer
    finally:
        asked.close()


@contextmanager
def ask(port, key, since=0):
    with get(port, f"/api/v1/audience/site-news/?since={since}", key.text) as answer:
        assert answer.status == 200
        yield answer


def whole_of(port, key, since=0):
    with ask(port, key, since) as answer:
        return lines_of(answer.read())


def test_a_client_cut_half_way_goes_on_with_the_same_union(key, today):
    people = {gave(NOBODY, now=today - DAY).reference for _number in range(10)}
    with served(0.1) as (port, _kill):
        whole = whole_of(port, key)
        with ask(port, key) as answer:
            half = [json.loads(answer.readline()) for _line in range(5)]
        rest = whole_of(port, key, half[-1]["cursor"])
    assert half + rest == whole and whole[-1]["end"]
    assert {line["reference"] for line in whole[:-1]} == people


def test_killed_between_refresh_and_stream_nothing_is_lost(key, today):
    people = {gave(NOBODY, now=today - DAY).reference for _number in range(4)}
    with served(30) as (port, kill):
        reader = start(whole_of, port, key)
        wait_until(lambda: AudienceEntry.objects.count() == 4)
        kill()
        with pytest.raises((OSError, http.client.HTTPException)):
            reader.finish(60)
    assert not Transfer.objects.exists()
    assert {line["reference"] for line in told(key)} == people


def test_killed_in_the_middle_the_rest_is_still_there(key, today):
    people = {gave(NOBODY, now=today - DAY).reference for _number in range(8)}
    with served(0.5) as (port, kill), ask(port, key) as answer:
        half = [json.loads(answer.readline()) for _line in range(2)]
        kill()
    row = Transfer.objects.get()
    assert row.state == "sending" and row.people == row.lines.count() >= 2
    rest = told(key, half[-1]["cursor"])
    assert {line["reference"] for line in half + rest} == people
    assert audience.close_abandoned(row.expires_at) == 1
    row.refresh_from_db()
    assert (row.state, row.people) == ("taken", row.lines.count())


def test_what_cannot_be_recorded_is_not_given(key, today):
    gave(NOBODY, now=today - DAY, email="hidden.canary@example.kz")
    client, headers = Client(raise_request_exception=False), {"authorization": f"Bearer {key.text}"}
    before = contents({"consent_attempt"})
    with audit_down():
        for address in ("audience/site-news/", "suppression/site-news/"):
            answer = client.get(f"/api/v1/{address}", headers=headers)
            assert answer.status_code == 503 and b"canary" not in answer.content
        body = json.dumps({"addresses": ["hidden.canary@example.kz"]})
        check = "/api/v1/suppression/site-news/check"
        assert client.post(check, body, "application/json", headers=headers).status_code == 503
    assert contents({"consent_attempt"}) == before
    assert connection.ensure_connection() is None and len(told(key)) == 1
