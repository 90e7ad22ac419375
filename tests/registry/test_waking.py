"""Workers are woken in passing: nobody waits for it, a burst is one call, none is lost.

Broken and seen to fail: a burst told more than once, a thread that ends of an error, one that ends with a call in hand.
"""

import random
import subprocess
import sys
import threading
import time

import pytest

from registry import waking

PATIENCE = 10  # seconds
IN_A_PROGRAM = """
import time
from registry import waking
class Task:
    name = "task"
    def apply_async(self, ids, **_options):
        print("told", *ids, flush=True)
waking.wake(Task(), 1)
waking.wake(Task(), 2)
"""


class Task:
    """Notes the calls; `broken`: how many of them fail."""

    name = "task"

    def __init__(self, broken=0):
        self.told, self.broken, self.gate = [], broken, threading.Event()
        self.gate.set()

    def apply_async(self, ids, *, retry):
        assert retry is False
        self.told.append(ids)
        self.gate.wait(PATIENCE)
        if len(self.told) <= self.broken:
            raise RuntimeError("no broker")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(waking, "PAUSE", 0.05)


def finish():
    """Waits until everything is told."""
    for thread in threading.enumerate():
        if thread.name == "waking":
            thread.join(PATIENCE)


def wait_until(holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "never told"
        time.sleep(0.001)


def test_the_first_call_is_told_at_once_and_nobody_waits_for_it():
    task = Task()
    task.gate.clear()
    begin = time.monotonic()
    waking.wake(task)
    assert time.monotonic() - begin < 1
    wait_until(lambda: task.told == [()])
    task.gate.set()
    finish()


def test_a_burst_is_told_once_more_and_not_call_by_call():
    task = Task()
    task.gate.clear()
    waking.wake(task)
    wait_until(lambda: task.told)
    for _ in range(100):
        waking.wake(task)
    waking.wake(task, 7)
    task.gate.set()
    finish()
    assert task.told == [(), (), (7,)]


def test_a_call_that_comes_while_the_last_one_is_told_is_told_too(monkeypatch):
    """At whatever moment: while it is told, or when whoever told it goes."""
    monkeypatch.setattr(waking, "PAUSE", 0)
    task, chance = Task(), random.Random(7)
    for number in range(300):
        waking.wake(task, number)
        wait_until(lambda number=number: (number,) in task.told)
        time.sleep(chance.choice([0, 0.0001, 0.001]))
    assert len(task.told) == 300
    finish()


def test_an_error_costs_that_call_only(caplog):
    task = Task(broken=1)
    waking.wake(task, 1)
    waking.wake(task, 2)
    finish()
    waking.wake(task, 3)
    finish()
    assert [ids for (ids,) in task.told] == [1, 2, 3]
    assert "broker not reached (RuntimeError); task waits for its time" in caplog.text


def test_a_program_that_ends_has_told_everything():
    ended = subprocess.run([sys.executable, "-c", IN_A_PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == ["told", "1", "told", "2"]
