"""The application's processes: what is started, how each is stopped, and what the terminal shows of their logs."""

import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .accounts import Account
from .home import CHECKOUT
from .processes import rotate, spawn, stop
from .terminal import write_line


@dataclass
class Child:
    name: str
    arguments: list[str]
    account: Account
    log: Path
    environment: Mapping[str, str]
    death_signal: (
        signal.Signals
    )  # when the launcher itself is killed: leave at once, the rows in the database are the truth
    grace: float
    pass_fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        rotate(self.log)
        command = [sys.executable, "-m", *self.arguments]
        self.process = spawn(
            command, self.account, self.log, self.environment, self.death_signal, CHECKOUT, self.pass_fds
        )

    def is_dead(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, signal.SIGTERM, self.grace)


def web(account: Account, logs: Path, environment: Mapping[str, str], listening: int) -> Child:
    """No access log: a path can hold a token."""
    arguments = [
        "gunicorn",
        "config.wsgi",
        "--config",
        "python:config.gunicorn",
        "--bind",
        f"fd://{listening}",
        "--workers",
        "2",
        "--worker-class",
        "gthread",
    ]
    arguments += ["--threads", "4", "--graceful-timeout", "15", "--preload", "--no-control-socket"]
    arguments += ["--log-level", "warning"]
    return Child("web", arguments, account, logs / "web.log", environment, signal.SIGQUIT, 20, (listening,))


def worker(account: Account, logs: Path, environment: Mapping[str, str]) -> Child:
    """Threads in one process: a killed pool child of the prefork pool can lose a message."""
    arguments = ["celery", "-A", "config", "-q", "worker", "-P", "threads", "-c", "4", "-l", "WARNING"]
    arguments += ["--without-gossip", "--without-mingle"]
    return Child("worker", arguments, account, logs / "worker.log", environment, signal.SIGKILL, 60)


def beat(account: Account, logs: Path, environment: Mapping[str, str], schedule: Path) -> Child:
    """On its own: beat inside a worker leaves an orphan that keeps sending. It can miss a signal while it starts."""
    arguments = ["celery", "-A", "config", "-q", "beat", "-s", str(schedule), "--pidfile=", "-l", "WARNING"]
    return Child("beat", arguments, account, logs / "beat.log", environment, signal.SIGKILL, 4)


class LogView:
    """Shows what is new in the logs; notices stay in their files."""

    WORTH_SHOWING = {"postgres": re.compile("WARNING|ERROR|FATAL|PANIC"), "broker": re.compile("(?i)fatal|error|can't")}
    NOTICE = " INFO "

    def __init__(self) -> None:
        self.offsets: dict[Path, int] = {}

    def follow(self, log: Path) -> None:
        self.offsets[log] = log.stat().st_size if log.exists() else 0

    def show_new(self) -> None:
        for log in self.offsets:
            for line in self._new_lines(log):
                self._show(log.stem, line)

    def _show(self, name: str, line: str) -> None:
        pattern = self.WORTH_SHOWING.get(name)
        is_worth_it = pattern.search(line) if pattern else self.NOTICE not in line
        if line.strip() and is_worth_it:
            write_line(f"{name:8} | {line}")

    def _new_lines(self, log: Path) -> list[str]:
        if not log.exists():
            return []
        if log.stat().st_size < self.offsets[log]:  # rotated
            self.offsets[log] = 0
        with open(log, "rb") as file:
            file.seek(self.offsets[log])
            whole, _, _ = file.read().rpartition(b"\n")
        self.offsets[log] += len(whole) + 1 if whole else 0
        return whole.decode(errors="replace").splitlines()
