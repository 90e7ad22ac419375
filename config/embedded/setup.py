"""What happens between "the servers run" and "the pages answer": migrate, prepare, collectstatic."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

from .accounts import Account
from .home import CHECKOUT, DataFolder, write_private
from .processes import INHERITED, die_with_parent, stop
from .terminal import LaunchError, last_lines, say, write_line


class Readiness(Enum):
    """What `manage.py prepare` says by its exit code."""

    READY = 0
    SEALED = 3  # the master key is wrong or missing
    RECOVERING = 4  # the database is older than the erasure ledger


class Setup:
    def __init__(self, folder: DataFolder, account: Account, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.account = account
        self.environment = environment
        self.log = folder.logs / "setup.log"

    def run(self) -> Readiness:
        self._must("migrate", "--noinput", "-v0")
        readiness = self.prepare()
        self._collect_static()
        return readiness

    def prepare(self) -> Readiness:
        try:
            return Readiness(self._manage("prepare"))
        except ValueError:
            raise self._failure("prepare") from None

    def _collect_static(self) -> None:
        stamp_file = self.folder.path / "static.stamp"
        stamp = static_stamp(self.environment)
        if not stamp_file.exists() or stamp_file.read_text() != stamp:
            self._must("collectstatic", "--noinput", "-v0")
            write_private(stamp_file, stamp)

    def _must(self, command: str, *arguments: str) -> None:
        if self._manage(command, *arguments):
            raise self._failure(command)

    def _manage(self, *arguments: str) -> int:
        """Run one command, its output to the terminal and the log; a request to stop ends it too."""
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  we have one thread
            pass_fds=tuple(INHERITED),
            **self.account.spawn_options(),
        )
        try:
            self._show(arguments[0], process)
            return process.wait()
        finally:
            stop(process, signal.SIGTERM, grace=10)

    def _show(self, name: str, process: subprocess.Popen[bytes]) -> None:
        say(name)
        with open(self.log, "ab") as log, process.stdout or open(os.devnull, "rb") as output:
            for line in output:
                log.write(line)
                write_line(f"{name:8} | {line.decode(errors='replace').rstrip()}")

    def _failure(self, command: str) -> LaunchError:
        return LaunchError(
            f"'{command}' failed; nothing was started. Its log: {self.log}. The last lines:\n{last_lines(self.log)}"
        )


def static_stamp(environment: Mapping[str, str]) -> str:
    """Changes with every file that collectstatic would read, and with the place it writes to."""
    digest = hashlib.sha256((CHECKOUT / "requirements.txt").read_bytes())
    digest.update(environment["STATIC_ROOT"].encode() + environment.get("PLAIN_STATIC", "").encode())
    for path in sorted(_static_files()):
        state = path.stat()
        digest.update(f"{path.relative_to(CHECKOUT)} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _static_files() -> Iterator[Path]:
    packages = (path.parent for path in CHECKOUT.glob("*/__init__.py"))
    for folder in (CHECKOUT / "static", *(package / "static" for package in packages)):
        yield from (path for path in folder.rglob("*") if path.is_file())
