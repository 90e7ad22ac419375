"""Sealing while many write, and killed at any moment: every entry under one seal, none forgotten, none called forged.

Broken and seen to fail: the waiting for writers, the waiting for those alone that were seen, writers looked at after the
number was read, the lock of `_seal_next`.
"""

import os
import random
import subprocess
import sys
import time
from threading import Event

import pytest
from django.db import transaction
from django.utils import timezone

from registry import auditing, seals, tasks
from registry.models import AuditEntry, AuditSeal, AuditVerification
from registry.seals import form, writing
from tests.faults.parallel import start
from tests.faults.test_purge_killed import ROOT, in_test_database, wait_for_its_connection_to_end

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
WRITERS, ROWS = 50, 200
PATIENCE = 300  # seconds


def write(number=1):
    for _ in range(number):
        auditing.record("hold", now=timezone.now(), system="test")


def check_all_sealed(entries, path=None):
    named = [number for seal in AuditSeal.objects.order_by("pk") for number, _ in form.unpack(bytes(seal.lines))]
    assert named == sorted(AuditEntry.objects.values_list("pk", flat=True))
    assert len(named) == entries
    result = seals.verify(path)
    assert (result.outcome, result.entries, result.unsealed) == (AuditVerification.Outcome.INTACT, entries, 0)


# --- many writers ---------------------------------------------------------------------------------------------------
def write_in_transactions(seed):
    """ROWS entries that stay, and some that don't, in transactions of one to five, held open for a while."""
    chance, left = random.Random(seed), ROWS
    while left:
        number, stays = min(left, chance.randint(1, 5)), chance.random() < 0.9
        with transaction.atomic():
            write(number)
            time.sleep(chance.choice([0, 0, 0.01]))
            transaction.set_rollback(not stays)
        left -= number if stays else 0


def seal_until(over):
    """How often something was sealed."""
    times = 0
    while not over.is_set():
        times += bool(seals.seal(timezone.now()))
    return times


def test_fifty_writers_and_a_sealer_lose_nothing_and_wait_for_nobody():
    over = Event()
    sealer = start(seal_until, over)
    writers = [start(write_in_transactions, seed) for seed in range(WRITERS)]
    for writer in writers:
        writer.finish(PATIENCE)
    over.set()
    times = sealer.finish(PATIENCE)
    seals.seal(timezone.now())
    print(f"sealed {times} times while they wrote")
    assert times > 1, "nothing was sealed while others wrote"
    check_all_sealed(WRITERS * ROWS)


class HeldWriter:
    """Has written one entry and does not commit it yet."""

    def __init__(self):
        self.may_commit, has_written = Event(), Event()

        def act():
            with transaction.atomic():
                write()
                has_written.set()
                assert self.may_commit.wait(30)

        self.worker = start(act)
        assert has_written.wait(30)

    def commit(self):
        self.may_commit.set()
        self.worker.finish()


def test_a_lower_number_that_commits_late_is_waited_for():
    late = HeldWriter()
    write(2)  # higher numbers, committed first
    sealing = start(seals.seal, timezone.now())
    time.sleep(0.5)
    assert sealing.is_alive() and not AuditSeal.objects.exists()
    late.commit()
    assert sealing.finish() == 3
    check_all_sealed(3)


def test_who_begins_to_write_later_is_not_waited_for():
    early = HeldWriter()
    sealing = start(seals.seal, timezone.now())
    time.sleep(0.5)
    later = HeldWriter()
    early.commit()
    assert sealing.finish() == 1
    later.commit()
    assert seals.seal(timezone.now()) == 1
    check_all_sealed(2)


def test_a_writer_that_does_not_end_lets_nothing_be_sealed(monkeypatch):
    monkeypatch.setattr(writing, "PATIENCE", 0.2)
    held = HeldWriter()
    with pytest.raises(seals.Unsettled):
        seals.seal(timezone.now())
    held.commit()
    assert not AuditSeal.objects.exists()
    assert seals.seal(timezone.now()) == 1


def test_two_sealers_share_the_work(monkeypatch):
    monkeypatch.setattr(form, "BATCH", 5)
    write(100)
    sealers = [start(seals.seal, timezone.now()) for _ in range(4)]
    assert sum(sealer.finish() for sealer in sealers) == 100
    check_all_sealed(100)


# --- kill -9 --------------------------------------------------------------------------------------------------------
def sealer(how, path):
    given = [name for name in ("DATABASE_URL", "DATABASE_APP_URL") if name in os.environ]
    addresses = {name: in_test_database(os.environ[name]) for name in given}
    command = [sys.executable, "-m", "tests.faults.sealer", how, str(path)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **addresses}, text=True, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process):
    process.kill()
    process.wait(30)
    process.stdout.close()
    wait_for_its_connection_to_end()


def test_killed_between_seal_and_file_the_next_run_writes_the_file(settings):
    path = settings.CHECKPOINTS_FILE
    write(25)
    process = sealer("between", path)
    assert process.stdout.readline() == "sealed\n"
    kill(process)
    assert AuditSeal.objects.count() == 3 and not path.exists()
    write(2)
    tasks.seal_audit()
    assert path.read_bytes().count(b"\n") == 4
    check_all_sealed(27, path)
    assert seals.write(path) == 0


def test_killed_while_it_seals_the_next_one_goes_on(settings):
    path = settings.CHECKPOINTS_FILE
    write(300)
    progress = [0]
    for _ in range(4):
        process = sealer("on", path)
        while AuditSeal.objects.count() < progress[-1] + 20:
            time.sleep(0.001)
        kill(process)
        progress.append(AuditSeal.objects.count())
    print(f"seals after each kill: {progress}")
    assert progress[-1] < 300, "the kills must hit a sealer at work"
    tasks.seal_audit()
    check_all_sealed(300, path)
