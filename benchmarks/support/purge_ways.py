"""The ways to purge that are compared, each on a copy of its own of the same people, and checked afterwards."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.support.children import Child
from benchmarks.support.databases import Cost, Server
from benchmarks.support.giant_purge import purge_at_once
from benchmarks.support.purge_checks import check

COPY = "bench_copy"


@dataclass(frozen=True)
class Measured:
    """One purge of everything due."""

    seconds: float
    longest: float  # of the transactions
    people: int
    cost: Cost

    @property
    def rate(self) -> float:
        return self.people / self.seconds


Work = Callable[[Server, str], tuple[float, float, int]]  # seconds, longest transaction, people


def giant(server: Server, database: str) -> tuple[float, float, int]:
    with server.as_application(database) as connection:
        start = time.perf_counter()
        people = purge_at_once(connection)
        seconds = time.perf_counter() - start
    return seconds, seconds, people


def workers(count: int, *arguments: str) -> Work:
    def work(server: Server, database: str) -> tuple[float, float, int]:
        environment = server.environment(database)
        children = [Child("benchmarks.support.purge_worker", environment, *arguments) for _ in range(count)]
        start = time.perf_counter()
        answers = told_and_done(children)
        seconds = time.perf_counter() - start
        return seconds, max(answer["longest"] for answer in answers), sum(answer["subjects"] for answer in answers)

    return work


def told_and_done(children: list[Child]) -> list[dict[str, Any]]:
    for child in children:
        child.tell("go")
    return [child.answer() for child in children]


WAYS: dict[str, Work] = {
    "giant statement": giant,
    "1 worker": workers(1),
    "2 workers": workers(2),
    "1 worker, approved": workers(1, "approved"),
}


def measure(server: Server, template: str, work: Work) -> Measured:
    with server.database(COPY, template) as database:
        before = server.cost(database)
        seconds, longest, people = work(server, database)
        cost = server.cost(database).since(before)
        with server.as_owner(database) as connection:
            check(connection)
    return Measured(seconds, longest, people, cost)


@dataclass(frozen=True)
class Waits:
    """How long somebody's consent took, in seconds."""

    acts: int
    median: float
    p99: float
    max: float


def measure_writer(server: Server, template: str, idle: float) -> tuple[Waits, Waits]:
    """A writer alone for `idle` seconds, then while one worker purges."""
    with server.database(COPY, template) as database:
        quiet = _writer(server, database, lambda: time.sleep(idle))
        worker = Child("benchmarks.support.purge_worker", server.environment(database))
        busy = _writer(server, database, lambda: told_and_done([worker]))
    return quiet, busy


def _writer(server: Server, database: str, meanwhile: Callable[[], object]) -> Waits:
    child = Child("benchmarks.support.consent_writer", server.environment(database))
    child.tell("go")
    meanwhile()
    child.tell("stop")
    return Waits(**child.answer())
