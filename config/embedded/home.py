"""The data folder: where it is, whose it is, and that one product at a time uses it."""

import fcntl
import os
import pwd
import secrets
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from .access import let_pass
from .accounts import Account
from .processes import INHERITED
from .terminal import LaunchError, say

CHECKOUT = Path(__file__).resolve().parents[2]
SYSTEM_HOME = Path("/var/lib/registry")
SMALLEST_FREE_SPACE = 300_000_000  # bytes; an empty database takes 40 MB, its journal up to 100 MB in the first hours
LEAVING_TIMEOUT = 90.0  # seconds; the database may have to write its memory out
MARKER = ".lock"
IN_USE_ADVICE = "Stop that first, or set REGISTRY_HOME and PORT for a second registry."
EXPECTED_BEFORE_FIRST_START = {"master.keys", "secret_key", "ledger", "checkpoints", "mail", "sms", "log", "static"}
OWNED_BY_SERVICES = ("postgres-", "broker", "bin-", "sockets", "bench")


class InUseError(LaunchError):
    pass


class DataFolder:
    def __init__(self, path: Path, account: Account) -> None:
        self.path = path
        self.account = account
        self.logs = path / "log"
        self.runtime_file = path / "runtime.env"

    def prepare(self) -> None:
        try:
            _refuse_foreign(self.path, self.account)
            self._make()
        except OSError as error:
            reason = f"The data folder {self.path} cannot be used: {error.strerror}."
            raise LaunchError(f"{reason} Set REGISTRY_HOME to another.") from error
        free = shutil.disk_usage(self.path).free
        if free < SMALLEST_FREE_SPACE:
            raise LaunchError(f"The disk is nearly full: {free // 1_000_000} MB free at {self.path}. Make room first.")
        let_pass(self.account, self.path)
        self.account.make_private_folder(self.logs)

    def _make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.account.make_private_folder(self.path)
        (self.path / MARKER).touch(mode=0o600)

    def hand_over(self, account: Account) -> None:
        """Give the application's files to the account it now runs as; the servers' folders are theirs already."""
        for path in self.path.iterdir():
            if not path.name.startswith(OWNED_BY_SERVICES):
                account.own_tree(path)

    @contextmanager
    def lock(self, purpose: str) -> Iterator[None]:
        """Hold the folder while our servers run on it. They inherit the lock: free once all are gone."""
        with open(self.path / MARKER, "r+") as file:
            self._wait_for_lock(file)
            self.runtime_file.unlink(missing_ok=True)
            file.truncate(0)
            file.write(f"{os.getpid()} {purpose}")
            file.flush()
            INHERITED.add(file.fileno())
            try:
                yield
            finally:
                INHERITED.discard(file.fileno())

    def _wait_for_lock(self, file: TextIO) -> None:
        deadline = time.monotonic() + LEAVING_TIMEOUT
        while not _try_lock(file):
            if self.holder_is_alive():
                raise InUseError(f"Already in use: {self.path} (process {self.holder()}).\n{IN_USE_ADVICE}")
            if time.monotonic() > deadline:
                raise InUseError(
                    f"Processes of an earlier start still use {self.path}: see 'ps -ef', end them, then start again."
                )
            time.sleep(0.1)

    def is_locked(self) -> bool:
        with open(self.path / MARKER) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def holder(self) -> str:
        return (self.path / MARKER).read_text().strip()

    def holder_is_alive(self) -> bool:
        pid = self.holder().partition(" ")[0]
        try:
            os.kill(int(pid), 0)
        except (ProcessLookupError, ValueError):
            return False
        except PermissionError:
            pass
        return True

    @contextmanager
    def use(self) -> Iterator[None]:
        """Held by each command while it uses servers that another command has started."""
        with self._users_file() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    def wait_for_users(self) -> None:
        with self._users_file() as file:
            fcntl.flock(file, fcntl.LOCK_EX)

    @contextmanager
    def _users_file(self) -> Iterator[int]:
        descriptor = os.open(self.path / ".users", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def runtime(self, values: Mapping[str, str]) -> Iterator[None]:
        """Publish how to reach the running product, for `./run manage` and for a shell (`set -a; . runtime.env`)."""
        text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(values.items()))
        write_private(self.runtime_file, text)
        try:
            yield
        finally:
            self.runtime_file.unlink(missing_ok=True)

    def read_runtime(self) -> dict[str, str]:
        words = shlex.split(self.runtime_file.read_text())
        return dict(word.split("=", 1) for word in words)

    def secret_key_file(self) -> Path:
        path = self.path / "secret_key"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(50))
        self.account.own(path)
        return path


def choose_home(account: Account) -> Path:
    if named := os.environ.get("REGISTRY_HOME"):
        return Path(named).absolute()
    if account.can_reach(CHECKOUT):
        return CHECKOUT / "var"
    say(f"the account '{account.name}' cannot reach {CHECKOUT}, so the data are kept in {SYSTEM_HOME}")
    return SYSTEM_HOME


def write_private(path: Path, text: str) -> None:
    """All or nothing, and never readable by others, not even for a moment."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def _refuse_foreign(path: Path, account: Account) -> None:
    """Folders are made private and handed over below: not one that holds something else."""
    if not path.exists():
        return
    owner = path.stat().st_uid
    if owner not in (os.geteuid(), account.uid):
        raise LaunchError(
            f"The data folder {path} belongs to {_name(owner)}. "
            "Run this as that user, or set REGISTRY_HOME to another folder."
        )
    names = {entry.name for entry in path.iterdir()}
    if MARKER not in names and names - EXPECTED_BEFORE_FIRST_START:
        raise LaunchError(
            f"{path} holds other files and is not a data folder of the registry."
            " Set REGISTRY_HOME to an empty or new folder."
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _try_lock(file: TextIO) -> bool:
    """Twice: the first try may meet a command that only looks whether the folder is in use."""
    for pause in (0.05, 0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            return True
    return False
