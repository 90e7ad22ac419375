"""One code, two processes of the web server: whoever comes second finds it used.

Broken and seen to fail: `select_for_update` of codes._take; `step > last_step` of the same.
"""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from registry.sign_in import codes
from tests.factories import staff, telephone
from tests.faults.test_purge_killed import ROOT, in_test_database

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES, ROUNDS = 4, 25


class Taker:
    """tests/faults/code_taker.py in a process of its own."""

    def __init__(self):
        given = [name for name in ("DATABASE_URL", "DATABASE_APP_URL") if name in os.environ]
        addresses = {name: in_test_database(os.environ[name]) for name in given}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.code_taker"], cwd=ROOT, env={**os.environ, **addresses}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self):
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)


@pytest.fixture
def takers():
    made = [Taker() for _ in range(PROCESSES)]
    assert [taker.answer() for taker in made] == ["ready"] * PROCESSES
    yield made
    for taker in made:
        taker.close()


def test_the_same_code_in_several_processes_is_taken_once(takers):
    phone, now = telephone(staff()), timezone.now()
    for turn in range(ROUNDS):
        moment = now + turn * timedelta(seconds=codes.STEP)
        line = f"{phone.person_id} {codes.code_at(phone, moment)} {moment.isoformat()}"
        for taker in takers:
            taker.say(line)
        assert sorted(taker.answer() for taker in takers) == ["no"] * (PROCESSES - 1) + ["yes"]
        takers[0].say(line)
        assert takers[0].answer() == "no"
