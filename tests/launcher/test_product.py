"""The whole product as a person starts it: real processes, a data folder and a port of its own."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.embedded.home import CHECKOUT

OURS = re.compile(
    "^(DATABASE|REDIS_URL|MASTER_KEYS|SECRET_KEY|SITE_URL|ALLOWED_HOSTS|REGISTRY_|STATIC_ROOT|PG|PORT|BIND|HOME$)"
)
START_TIMEOUT = 60
Start = Callable[[], "Running"]


class Running:
    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        environment = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        if pgbin := os.environ.get("REGISTRY_PGBIN"):
            environment["REGISTRY_PGBIN"] = pgbin
        self.environment = {**environment, "REGISTRY_HOME": str(home), "PORT": str(port), "PLAIN_STATIC": "1"}
        self.output = home.with_suffix(".out")
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.embedded.supervisor"],
                cwd=CHECKOUT,
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    def wait_for(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and self.process.poll() is None:
            if match := re.search(pattern, self.output.read_text(), re.M):
                return match
            time.sleep(0.05)
        raise AssertionError(self.output.read_text())

    def health(self, port: int) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "config.embedded.commands", "manage", *arguments]
        return subprocess.run(
            command, cwd=CHECKOUT, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def start() -> Iterator[Start]:
    folder, port = Path(tempfile.mkdtemp(prefix="registry-run-")), free_port()
    started: list[Running] = []

    def start_one() -> Running:
        started.append(Running(folder / "home", port))
        return started[-1]

    yield start_one
    for running in started:
        if running.process.poll() is None:
            running.end(signal.SIGTERM)
    shutil.rmtree(folder, ignore_errors=True)


def processes_of(home: Path) -> list[str]:
    """Command lines of everything whose command or environment names the data folder, zombies left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(home).encode() in text:
            found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found


def wait_until_gone(home: Path, seconds: float) -> list[str]:
    deadline = time.monotonic() + seconds
    while (left := processes_of(home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_product_leaves_nothing_behind_and_starts_again_without_loss(start: Start) -> None:
    first = start()
    port = int(first.wait_for(r"^READY http://127\.0\.0\.1:(\d+)/$").group(1))
    assert first.health(port) == (200, b"ok")
    names = " ".join(processes_of(first.home))
    assert all(part in names for part in ("postgres", "valkey", "gunicorn", "worker", "beat"))
    login = (first.home / "first-login.txt").read_text()

    first.end(signal.SIGKILL)
    assert wait_until_gone(first.home, seconds=20) == []

    second = start()
    assert int(second.wait_for(r"^READY http://127\.0\.0\.1:(\d+)/$").group(1)) == port
    assert (second.home / "first-login.txt").read_text() == login
    done = second.manage("migrate", "--check")
    assert done.returncode == 0, done.stderr

    assert second.end(signal.SIGINT) == 0
    assert processes_of(second.home) == []
    assert not (second.home / "runtime.env").exists()
