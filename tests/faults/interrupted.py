"""Building a file, interrupted: the process killed half way, held at one place, out of disk."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from tests.faults.parallel import start
from tests.faults.test_purge_killed import ROOT, in_test_database


def killed_half_way(what: str, home: Path, is_half_way: Callable[[], object]) -> None:
    """Starts a builder (tests.faults.builder), waits until it has written something, and kills it."""
    given = [name for name in ("DATABASE_URL", "DATABASE_APP_URL") if name in os.environ]
    addresses = {name: in_test_database(os.environ[name]) for name in given}
    command = [sys.executable, "-m", "tests.faults.builder", what, str(home), "0.5"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **addresses})
    for _ in range(6000):
        if is_half_way():
            break
        assert process.poll() is None
        Event().wait(0.01)
    process.kill()
    assert process.wait(60) == -9


class Held:
    """Work of another thread that stops where it calls `here`, until it may go on."""

    def __init__(self) -> None:
        self.is_there, self.may_go_on = Event(), Event()

    def here(self) -> None:
        self.is_there.set()
        assert self.may_go_on.wait(60)

    def begin(self, act: Callable[[], Any]) -> "Held":
        self.worker = start(act)
        assert self.is_there.wait(60)
        return self

    def go_on(self) -> Any:
        self.may_go_on.set()
        return self.worker.finish(60)


@contextmanager
def small_disk() -> Iterator[Callable[[int | None], None]]:
    """Yields what sets how many bytes a file may have (None: any number)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda limit: resource.setrlimit(resource.RLIMIT_FSIZE, (soft if limit is None else limit, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
