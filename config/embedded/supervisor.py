"""`./run`: one parent for the servers, web, worker and beat. `python -m config.embedded.supervisor`.

The order of starting is the order of needing; the order of stopping is beat, web, worker, broker, database, so that
nothing is sent to a process that is gone. Killed outright, the parent takes everything with it (processes.py), and the
next start goes on where the database stands.
"""

import http.client
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Protocol

from . import addresses, children
from .accounts import service_account
from .environment import application_account, product_environment, published
from .home import DataFolder, choose_home
from .services import Services
from .setup import Readiness, Setup
from .terminal import LaunchError, last_lines, say, write_line

RESTARTS_PER_MINUTE = 5
READY_TIMEOUT = 60.0  # seconds after which a silent web process is worth a word
LOOK_EVERY = 0.2
LOOKS_PER_QUESTION = 10  # in recovery mode
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Raised in the main thread, wherever it is, by the first signal to stop."""


class Supervised(Protocol):
    name: str
    log: Path

    def start(self) -> None: ...
    def is_dead(self) -> bool: ...
    def stop(self) -> None: ...


class Product:
    """Everything that runs, and the loop that watches it."""

    def __init__(self, folder: DataFolder, services: Services) -> None:
        self.folder = folder
        self.services = services
        self.bind, wanted = addresses.wanted_address(os.environ)
        self.listening = addresses.reserve_port(self.bind, wanted)
        self.account = application_account(folder.account)
        self.environment = product_environment(folder, self.account, services.environment(), self.bind, self.port)
        self.running: list[Supervised] = []
        self.starts: dict[str, list[float]] = defaultdict(list)
        self.logs = children.LogView()

    @property
    def port(self) -> int:
        port: int = self.listening.getsockname()[1]
        return port

    @property
    def address(self) -> str:
        return f"http://{addresses.bracketed(self.bind)}:{self.port}/"

    def run(self) -> None:
        for service in self.services.owned:
            self._start(service)
        with self.folder.runtime(published(self.environment)):
            self.folder.hand_over(self.account)
            setup = Setup(self.folder, self.account, self.environment)
            readiness = setup.run()
            self._start_application(readiness)
            self._wait_until_answering(readiness)
            self._announce(readiness)
            if readiness is Readiness.RECOVERING:
                self._wait_for_replay(setup)
            while True:
                self._look_after()

    def _start_application(self, readiness: Readiness) -> None:
        logs, environment = self.folder.logs, self.environment
        self._start(children.web(self.account, logs, environment, self.listening.fileno()))
        if readiness is not Readiness.SEALED:
            self._start(children.worker(self.account, logs, environment))
            self._start(children.beat(self.account, logs, environment, self.folder.path / "beat-schedule"))

    def _start(self, part: Supervised) -> None:
        self.logs.follow(part.log)
        self.starts[part.name].append(time.monotonic())
        self.running.append(part)
        part.start()

    def _wait_until_answering(self, readiness: Readiness) -> None:
        complaint_at = time.monotonic() + READY_TIMEOUT
        while (status := self._health()) != 200 and not (readiness is not Readiness.READY and status == 503):
            if time.monotonic() > complaint_at:
                say(
                    f"web does not answer with 200 yet (last answer: {status}); its log: {self.folder.logs / 'web.log'}"
                )
                complaint_at += READY_TIMEOUT
            self._look_after()

    def _wait_for_replay(self, setup: Setup) -> None:
        """The web notices by itself that the ledger was replayed; what was not prepared then, is now."""
        while self._health() != 200:
            for _ in range(LOOKS_PER_QUESTION):
                self._look_after()
        self._announce(setup.prepare())

    def _health(self) -> int | None:
        host = addresses.first_allowed_host(self.environment["ALLOWED_HOSTS"])
        connection = http.client.HTTPConnection(addresses.probe_host(self.bind), self.port, timeout=5)
        try:
            connection.request("GET", "/healthz", headers={"Host": host})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _announce(self, readiness: Readiness) -> None:
        if readiness is Readiness.RECOVERING:
            write_line(
                f"RECOVERY {self.address}  the database is older than the erasure ledger: run "
                "./run manage replay_erasures"
            )
            write_line("       Until then every page answers 503 and no job runs (docs/operations.md).")
            return
        if readiness is Readiness.SEALED:
            write_line(
                f"SEALED {self.address}  the master key is wrong or missing: every page answers 503, no job runs."
            )
            write_line("       Put the right key in place (docs/operations.md), then start again.")
            return
        write_line(f"READY {self.address}")
        write_line(f"      console: {self.address}admin/")
        if (letter := self.folder.path / "first-login.txt").exists():
            write_line(f"      first administrator: name and one-time password in {letter}")
        write_line("      stop with Ctrl-C")

    def _look_after(self) -> None:
        self.logs.show_new()
        for part in self.running:
            if part.is_dead():
                self._restart(part)
        time.sleep(LOOK_EVERY)

    def _restart(self, part: Supervised) -> None:
        now = time.monotonic()
        recent = [start for start in self.starts[part.name] if start > now - 60]
        if len(recent) > RESTARTS_PER_MINUTE:
            tail = last_lines(part.log)
            raise LaunchError(
                f"{part.name} died {len(recent)} times within a minute. Its log: {part.log}. The last lines:\n{tail}"
            )
        say(f"{part.name} died, starting it again (log: {part.log})")
        self.starts[part.name] = [*recent, now]
        part.stop()
        part.start()

    def stop(self) -> None:
        order = ("beat", "web", "worker", "broker", "postgres")
        started = time.monotonic()
        for part in sorted(self.running, key=lambda part: order.index(part.name)):
            part.stop()
        self.listening.close()
        self.logs.show_new()
        say(f"stopped in {time.monotonic() - started:.1f} s")


def main() -> int:
    try:
        _on_stop_signals(_request_stop)
        _run()
    except LaunchError as failure:
        say(str(failure))
        return 1
    except StopRequested:
        pass
    return 0


def _run() -> None:
    account = service_account()
    folder = DataFolder(choose_home(account), account)
    folder.prepare()
    say(f"data folder {folder.path}")
    with folder.lock("./run"):
        services = Services(folder.path, folder.logs, account)
        if services.postgres:
            say(
                f"PostgreSQL {services.postgres.binaries.major}{', a new database' if services.postgres.is_new else ''}"
            )
        product = Product(folder, services)
        try:
            product.run()
        finally:
            _on_stop_signals(_already_stopping)
            product.stop()


def _request_stop(_signal: int, _frame: FrameType | None) -> None:
    _on_stop_signals(_already_stopping)
    raise StopRequested


def _already_stopping(_signal: int, _frame: FrameType | None) -> None:
    say("stopping, please wait")


def _on_stop_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for name in STOP_SIGNALS:
        if name is not signal.SIGHUP or signal.getsignal(name) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(name, handler)


if __name__ == "__main__":
    sys.exit(main())
