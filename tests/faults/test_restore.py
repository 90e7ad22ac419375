"""A backup that brings erased people back: the whole story with pg_dump and pg_restore, and what may go wrong in it.

Broken and seen to fail: the check in the middleware, in run_job, in healthz and in prepare; each question of
recovery.compare (gone, shorter, the database's number, erasures, withdrawals, marks); person and began_at in the statements
of the replay, REPLAYED and its release of holds, raise_sequences, checking the chain first, LedgerState at the end only; the
order of file and queue in ledger.write, the lock of chain.alone.
"""

import os
import subprocess
import sys
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client

from config.embedded.binaries import find_postgres
from consent import decisions, links
from consent import recovery as replaying
from consent import tasks as consent_tasks
from consent.models import Confirmation
from registry import chain, erasure, ledger, mail, recovery, tasks
from registry.keyring import keyring
from registry.models import (
    AuditEntry,
    DataSubject,
    DatumKey,
    ErasureRecord,
    JobRun,
    LedgerQueue,
    LedgerState,
    LegalHold,
    OutgoingMessage,
    PersonalDatum,
    Processing,
)
from registry.recovery import Recovering
from tests.conftest import APPLICATION, OWNER, connect_as, owner_connection, remove_people
from tests.factories import DAY, MOMENT, hold, person, purpose, question
from tests.faults.parallel import all_at_once
from tests.faults.tables import row_counts
from tests.faults.test_purge_killed import ROOT, in_test_database, wait_for_its_connection_to_end

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
MINUTE = timedelta(minutes=1)
RESTORED = f"test_restored_{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"


@pytest.fixture(autouse=True)
def _look_at_once():
    recovery.forget()
    yield
    recovery.forget()


@pytest.fixture
def path(settings):
    return settings.LEDGER_FILE


# --- backups ------------------------------------------------------------------------------------------------------
def postgres(program, *arguments, database, **options):
    address = ["-h", OWNER["HOST"], "-U", OWNER["USER"], *(["-p", str(OWNER["PORT"])] if OWNER["PORT"] else [])]
    environment = {**os.environ, "PGPASSWORD": OWNER["PASSWORD"] or ""}
    command = [str(find_postgres().folder / program), *address, "-d", database, *arguments]
    return subprocess.run(command, capture_output=True, check=True, env=environment, **options).stdout


def backup():
    return postgres("pg_dump", "-Fc", database=connections.settings["default"]["NAME"])


def use(database):
    connections["default"].close()
    connections.settings["default"]["NAME"] = connection.settings_dict["NAME"] = database
    recovery.forget()


@pytest.fixture
def restore():
    """Puts a dump into a database of its own and works in that from then on, until the test is over."""
    original = connections.settings["default"]["NAME"]
    made = []

    def into_another(dump):
        with owner_connection() as owner:
            owner.execute(f"DROP DATABASE IF EXISTS {RESTORED} WITH (FORCE)")
            owner.execute(f"CREATE DATABASE {RESTORED}")
        made.append(RESTORED)
        postgres("pg_restore", "--no-owner", "--exit-on-error", database=RESTORED, input=dump)
        use(RESTORED)

    yield into_another
    use(original)
    if made:
        with owner_connection() as owner:
            owner.execute(f"DROP DATABASE {RESTORED} WITH (FORCE)")


@pytest.fixture
def restore_here():
    """Puts a dump over the database that is in use."""

    def over(dump):
        name = connections.settings["default"]["NAME"]
        connections["default"].close()
        with owner_connection() as owner:  # what stands in an empty database: none; they come back with the dump
            owner.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM registry_app")
        postgres("pg_restore", "--no-owner", "--clean", "--if-exists", "--exit-on-error", database=name, input=dump)
        recovery.forget()

    return over


def replay():
    """The command, as the owner like `./run manage replay_erasures`."""
    out = StringIO()
    connect_as(OWNER)
    try:
        call_command("replay_erasures", stdout=out, stderr=StringIO())
    finally:
        connect_as(APPLICATION)
    return out.getvalue().strip()


def erase(subject, now):
    data = list(subject.data.values_list("pk", flat=True))
    assert erasure.erase(data, ground="on_demand", now=now, actor_id=None, system="test")
    return data


def withdraw(subject, now):
    assert decisions.withdraw(subject, None, now=now, channel="link")


# --- the whole story ----------------------------------------------------------------------------------------------
@pytest.fixture
def story(today):
    """Twenty are erased and twenty withdraw after the backup; twenty more stay. The ledger holds it all."""
    people = [person(email=f"p{n}.canary@example.kz", now=today - DAY) for n in range(60)]
    ledger.write(today)
    dump = backup()
    erased = [datum for subject in people[:20] for datum in erase(subject, today - MINUTE)]
    for subject in people[20:40]:
        withdraw(subject, today - MINUTE)
    assert ledger.write(today) == 40
    return {"dump": dump, "people": people, "erased": erased}


def check_serves_nothing():
    client = Client(raise_request_exception=False)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (503, b"unavailable")
    for page in ("/kk/consent/", "/ru/policy/", "/en/consent/", "/admin/", "/admin/login/", "/u/x/", "/"):
        for method in (client.get, client.post):
            assert method(page).status_code == 503, page
    assert "after a restore" in client.get("/en/consent/").content.decode()


def check_jobs_take_nothing(caplog):
    before = row_counts()
    runs = list(JobRun.objects.values())
    for job in (tasks.purge, tasks.send_mail, tasks.write_ledger, tasks.watchdog, consent_tasks.expire_unconfirmed):
        caplog.clear()
        job()
        assert [record.message for record in caplog.records if "RECOVERY" in record.message], job
    for name in ("purge", "load_demo"):
        with pytest.raises(CommandError, match="replay_erasures"):
            call_command(name, stdout=StringIO(), stderr=StringIO())
    with pytest.raises(SystemExit) as end:
        call_command("prepare", stdout=StringIO(), stderr=StringIO())
    assert end.value.code == 4
    assert row_counts() == before
    assert list(JobRun.objects.values()) == runs


def check_is_up_to_date(story):
    people = story["people"]
    assert not PersonalDatum.objects.filter(pk__in=story["erased"]).exists()
    assert not DatumKey.objects.filter(pk__in=story["erased"]).exists()
    assert ErasureRecord.objects.filter(datum_id__in=story["erased"]).count() == 20
    withdrawn = Processing.objects.filter(subject__in=people[20:40], purpose=purpose())
    assert [processing.state for processing in withdrawn] == ["withdrawn"] * 20
    stays = Processing.objects.filter(subject__in=people[40:], purpose=purpose())
    assert [processing.state for processing in stays] == ["open"] * 20
    assert PersonalDatum.objects.filter(subject__in=people[20:]).count() == 40


def test_a_restored_backup_serves_nothing_until_the_ledger_is_replayed(story, restore, caplog):
    restore(story["dump"])
    assert PersonalDatum.objects.filter(pk__in=story["erased"]).count() == 20, "the backup brings them back"
    assert Processing.objects.filter(state="open", purpose=purpose()).count() == 60
    check_serves_nothing()
    check_jobs_take_nothing(caplog)
    assert replay() == "20 data erased, 20 consents withdrawn, 41 lines read"
    check_is_up_to_date(story)
    client = Client()
    assert client.get("/healthz").status_code == client.get("/en/consent/").status_code == 200
    before = row_counts()
    assert replay() == "0 data erased, 0 consents withdrawn, 41 lines read"
    assert row_counts() == before


def test_values_are_unreadable_after_the_replay(story, restore):
    restore(story["dump"])
    opened = PersonalDatum.objects.select_related("key").get(pk=story["erased"][0])
    assert opened.unseal(keyring().masters) == "p0.canary@example.kz", "the backup can be read"
    wrapped, sealed = bytes(opened.key.wrapped).hex().encode(), bytes(opened.sealed).hex().encode()
    left = postgres("pg_dump", database=RESTORED)
    assert wrapped in left and sealed in left
    replay()
    left = postgres("pg_dump", database=RESTORED)
    assert wrapped not in left and sealed not in left
    assert DataSubject.objects.get(pk=story["people"][0].pk).status == "erased"


def test_letters_queued_in_the_backup_go_only_to_who_stays(story, restore, settings, today):
    restore(story["dump"])
    assert OutgoingMessage.objects.filter(state="queued", letter="receipt").count() == 60
    replay()
    mail.send_due(today, clock=lambda: today)
    sent = OutgoingMessage.objects.filter(state="sent", letter="receipt").values_list("subject_id", flat=True)
    assert set(sent) == {subject.pk for subject in story["people"][40:]}


# --- over the same database: only the lines tell ------------------------------------------------------------------
def test_a_backup_put_over_the_same_database_is_noticed_by_its_lines(story, restore_here):
    restore_here(story["dump"])
    with pytest.raises(Recovering, match="older than the erasure ledger"):
        recovery.check()
    assert replay() == "20 data erased, 20 consents withdrawn, 41 lines read"
    check_is_up_to_date(story)
    recovery.check()
    assert ledger.write(MOMENT) > 0  # the replay's own acts, with their own proof
    assert replay().startswith("0 data erased, 0 consents withdrawn")


@pytest.mark.parametrize("act", [erase, withdraw])
def test_one_act_since_the_backup_is_enough(act, restore_here, today):
    subject, other = person(now=today - DAY), person(now=today - DAY)
    ledger.write(today)
    dump = backup()
    act(subject, today)
    ledger.write(today)
    recovery.check()
    restore_here(dump)
    with pytest.raises(Recovering):
        recovery.check()
    assert sorted(replay().split()[::3][:2]) == ["0", "1"]
    assert Processing.objects.get(subject=other, purpose=purpose()).state == "open"
    assert other.data.count() == 1


def test_somebody_who_came_and_left_after_the_backup_is_noticed(restore_here, today):
    person(now=today - DAY)
    ledger.write(today)
    dump = backup()
    withdraw(person(now=today - MINUTE), today)
    ledger.write(today)
    restore_here(dump)
    with pytest.raises(Recovering):
        recovery.check()
    assert replay().startswith("0 data erased, 0 consents withdrawn")
    recovery.check()


def test_a_backup_taken_between_act_and_ledger_has_nothing_to_replay(restore_here, today):
    subject = person(now=today - DAY)
    ledger.write(today)
    erase(subject, today)
    dump = backup()
    ledger.write(today)
    restore_here(dump)
    recovery.check()  # the database confirms the line
    assert ledger.write(today) == 1  # at least once
    assert chain.verify(ledger.settings.LEDGER_FILE).lines == 3


def test_numbers_that_moved_since_the_backup_are_noticed_by_the_next_mark(restore_here, today):
    ledger.write(today)
    dump = backup()
    person(now=today)
    ledger.write(today + DAY)
    restore_here(dump)
    with pytest.raises(Recovering):
        recovery.check()


# --- what a replay leaves and what it takes -----------------------------------------------------------------------
def test_a_restored_database_is_noticed_even_if_nothing_was_erased_since(restore, today):
    person(now=today - DAY)
    ledger.write(today)
    restore(backup())
    with pytest.raises(Recovering, match="restored or moved"):
        recovery.check()
    before = row_counts()
    assert replay() == "0 data erased, 0 consents withdrawn, 1 lines read"
    assert row_counts() == before
    recovery.check()


def test_numbers_of_the_lost_days_are_not_given_out_again(restore, today):
    person(now=today - DAY)
    ledger.write(today)
    dump = backup()
    lost = person(now=today)
    link = links.unsubscribe_url(lost.pk).removeprefix("http://testserver")
    asked = question(email="lost@example.kz", now=today)
    restore(dump)
    replay()
    newcomers = [person(now=today) for _ in range(3)]
    assert min(subject.pk for subject in newcomers) > lost.pk
    assert Confirmation.objects.latest("pk").pk > asked.pk + 3
    assert PersonalDatum.objects.latest("pk").pk > recovery.MARGIN
    assert Client().post(link).status_code == 404, "the letter out there points to nobody"


def test_a_consent_given_again_after_the_withdrawal_stays(restore, today):
    subject, other = person(now=today - DAY), person(now=today - DAY)
    ledger.write(today)
    for each in (subject, other):
        withdraw(each, today - 2 * MINUTE)
    decisions.give(subject, [purpose()], now=today - MINUTE)
    ledger.write(today)
    restore(backup())
    assert replay().startswith("0 data erased, 0 consents withdrawn")
    assert Processing.objects.get(subject=subject, purpose=purpose()).state == "open"
    assert Processing.objects.get(subject=other, purpose=purpose()).state == "withdrawn"


def test_a_replayed_withdrawal_stands_at_its_own_moment(restore, today):
    subject = person(now=today - DAY)
    ledger.write(today)
    dump = backup()
    withdraw(subject, today - MINUTE)
    ledger.write(today)
    restore(dump)
    replay()
    assert subject.consents.get(act="withdrawn").at == today - MINUTE
    assert subject.consents.get(act="withdrawn").channel == "job"


def test_a_hold_of_the_backup_does_not_keep_what_was_erased_later(restore, today):
    """The hold was released after the backup, then the data went."""
    whole, single = person(now=today - DAY), person("feedback", phone="8 701 555 00 01", now=today - DAY)
    email, phone = (single.data.get(category__code=code) for code in ("email", "phone"))
    holds = [hold(whole), hold(single, datum=email)]
    ledger.write(today)
    dump = backup()
    LegalHold.objects.update(released_at=today - 2 * MINUTE)
    erase(whole, today - MINUTE)
    erasure.erase([email.pk], ground="on_demand", now=today, actor_id=None)
    ledger.write(today)
    restore(dump)
    assert LegalHold.objects.filter(released_at=None).count() == 2
    assert replay().startswith("2 data erased")
    assert list(PersonalDatum.objects.values_list("pk", flat=True)) == [phone.pk]
    assert LegalHold.objects.get(pk=holds[0].pk).released_at is None  # of the person: it may keep what is to come
    assert LegalHold.objects.get(pk=holds[1].pk).released_at is not None
    assert single.data.get().term.until is not None, "the hold on one datum must not become one on the person"


def test_a_datum_of_somebody_else_under_the_same_number_stays(path, today):
    subject = person(now=today - DAY)
    ledger.write(today)
    datum = subject.data.get()
    line = {"kind": "erased", "at": today.isoformat(), "person": "DS-2222-2222", "datum": datum.pk, "category": "email",
            "purpose": None, "rule": None, "ground": "term_over"}  # fmt: skip
    chain.append(path, [line], chain.verify(path))
    assert replay().startswith("0 data erased")
    assert subject.data.get() == datum
    chain.append(path, [line | {"person": subject.reference}], chain.verify(path))
    assert replay().startswith("1 data erased")
    assert ErasureRecord.objects.get().ground == "term_over"
    assert AuditEntry.objects.get(operation="destroy").system == "replay"


def test_an_interrupted_replay_goes_on_next_time(story, restore, monkeypatch):
    restore(story["dump"])
    monkeypatch.setattr(recovery.chunks, "__defaults__", (10,))

    def interrupt(done):
        if done.lines >= 20:
            raise KeyboardInterrupt

    connect_as(OWNER)
    with pytest.raises(KeyboardInterrupt):
        replaying.replay(MOMENT, report=interrupt)
    connect_as(APPLICATION)
    assert 0 < ErasureRecord.objects.count() < 20
    recovery.forget()
    with pytest.raises(Recovering):
        recovery.check()
    replay()
    check_is_up_to_date(story)
    recovery.check()


# --- what is refused ----------------------------------------------------------------------------------------------
def test_a_broken_chain_is_not_replayed_at_all(story, restore, path, monkeypatch):
    monkeypatch.setattr(recovery.chunks, "__defaults__", (10,))
    restore(story["dump"])
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:30] + whole[31:]))
    before = row_counts()
    with pytest.raises(CommandError, match="line 31 "):
        replay()
    assert row_counts() == before
    with pytest.raises(Recovering):
        recovery.check()


def test_a_restored_database_without_its_ledger_asks_for_the_ledger(restore, path, today):
    erase(person(now=today - DAY), today)
    ledger.write(today)
    restore(backup())
    path.unlink()
    with pytest.raises(Recovering, match="is gone"):
        recovery.check()


@pytest.mark.parametrize("fault", ["gone", "shorter"])
def test_a_ledger_that_lost_something_is_not_replayed_and_nothing_is_served(path, today, fault):
    erase(person(now=today - DAY), today)
    ledger.write(today)
    recovery.check()
    recovery.forget()
    path.unlink() if fault == "gone" else path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(Recovering, match="ledger --rebuild"):
        recovery.check()
    assert Client(raise_request_exception=False).get("/healthz").status_code == 503
    with pytest.raises(CommandError, match="ledger --rebuild"):
        replay()
    call_command("ledger", "--rebuild", stdout=StringIO())
    recovery.forget()
    recovery.check()


def test_an_empty_database_beside_a_ledger_serves_nothing(path, today):
    erase(person(now=today - DAY), today)
    ledger.write(today)
    remove_people()
    recovery.forget()
    with pytest.raises(Recovering, match="restore the backup"):
        recovery.check()
    with pytest.raises(CommandError, match="restore the backup"):
        replay()
    with pytest.raises(SystemExit):
        call_command("prepare", stdout=StringIO(), stderr=StringIO())
    path.unlink()  # a new place
    recovery.forget()
    recovery.check()


def test_only_the_owner_replays_over_older_numbers(story, restore):
    restore(story["dump"])
    before = row_counts()
    with pytest.raises(CommandError, match="DATABASE_URL"):
        call_command("replay_erasures", stdout=StringIO(), stderr=StringIO())
    assert row_counts() == before


def test_a_fresh_database_without_a_ledger_is_fine(path):
    assert not path.exists() and not LedgerState.objects.exists()
    recovery.check()
    with pytest.raises(CommandError, match="can't be read"):  # whoever types this expects one
        replay()


# --- writers that are killed or meet ------------------------------------------------------------------------------
def test_a_writer_killed_between_file_and_database_loses_nothing(path, today):
    erase(person(now=today - DAY), today)
    ledger.write(today)
    for _ in range(3):
        erase(person(now=today - DAY), today)
    writer = start_writer(path)
    assert writer.stdout.readline() == "written\n"
    writer.kill()
    assert writer.wait(10) == -9
    writer.stdout.close()
    wait_for_its_connection_to_end()
    assert chain.verify(path).lines == 5 and LedgerState.objects.get().lines == 2
    assert LedgerQueue.objects.count() == 3
    recovery.forget()
    recovery.check()  # no older database: it confirms every line
    ledger.write(today)
    written = [act["datum"] for act, _ in chain.read(path) if act["kind"] == "erased"]
    assert set(written) == set(ErasureRecord.objects.values_list("datum_id", flat=True))
    assert (len(written), LedgerQueue.objects.count()) == (4 + 3, 0)  # at least once
    recovery.check()


def start_writer(path):
    given = [name for name in ("DATABASE_URL", "DATABASE_APP_URL") if name in os.environ]
    addresses = {name: in_test_database(os.environ[name]) for name in given}
    command = [sys.executable, "-m", "tests.faults.ledger_writer", str(path)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **addresses}, text=True, stdout=subprocess.PIPE)


def test_two_writers_at_once_write_each_act_once(path, today):
    people = [person(now=today - DAY) for _ in range(12)]
    ledger.write(today)
    for subject in people:
        erase(subject, today)
    assert sorted(all_at_once([lambda: ledger.write(today)] * 2)) == [0, 12]
    assert chain.verify(path).lines == 13
    assert not LedgerQueue.objects.exists()
