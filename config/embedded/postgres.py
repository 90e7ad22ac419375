"""A private PostgreSQL server: Unix socket only, peer authentication, one data folder per major version."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from .accounts import Account, current_account
from .binaries import find_postgres, reachable_postgres
from .processes import INHERITED, die_with_parent, rotate, spawn, stop
from .sockets import socket_folder
from .terminal import LaunchError, last_lines

OWNER = "registry"
APPLICATION = "registry_app"
DATABASE = "registry"
PORT = 5432  # only names the socket file
START_TIMEOUT = 300.0  # seconds; a crash recovery can take minutes
PREDECESSOR_SIGNS = ("shared memory block", "lock file")  # said while a killed server's processes are leaving
# Terse and without statements: an error's DETAIL and its SQL can hold a person's data.
DEFAULTS = {
    "listen_addresses": "",
    "max_connections": "100",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "unix_socket_permissions": "0700",
}


class Postgres:
    name = "postgres"

    def __init__(self, home: Path, log: Path, account: Account, settings: Mapping[str, str] | None = None) -> None:
        self.account = account
        self.log = log
        self.settings = {**DEFAULTS, **(settings or {})}
        self.binaries = reachable_postgres(find_postgres(_existing_major(home)), account, home)
        self.data = home / f"postgres-{self.binaries.major}"
        self.sockets = socket_folder(home, account)
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = _clean_environment()

    def url(self, role: str) -> str:
        """django-environ's form for a server behind a socket."""
        return f"postgres://{role}@:{PORT}/{self.sockets}/{DATABASE}"

    def client_environment(self) -> dict[str, str]:
        """For psql, pg_dump and pg_restore."""
        return {"PGHOST": str(self.sockets), "PGPORT": str(PORT), "PGUSER": OWNER, "PGDATABASE": DATABASE}

    @property
    def is_new(self) -> bool:
        return not self.data.exists()

    def start(self) -> None:
        rotate(self.log)
        if self.is_new:
            self._create_cluster()
        self._write_access_rules()
        deadline = time.monotonic() + START_TIMEOUT
        while not self._start_once(deadline):
            tail = last_lines(self.log)
            if time.monotonic() > deadline or not any(sign in tail for sign in PREDECESSOR_SIGNS):
                raise LaunchError(f"PostgreSQL did not start. Its log: {self.log}. The last lines:\n{tail}")
            time.sleep(0.3)  # processes of a killed predecessor are still leaving
        self._create_roles_and_database()

    def is_dead(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, signal.SIGINT, grace=60)

    def _create_cluster(self) -> None:
        """Make the data folder under a temporary name, so that a killed initdb never leaves half a cluster."""
        partial = self.data.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        done = self._initdb(partial)
        if done.returncode:
            raise LaunchError(
                f"PostgreSQL could not make {self.data} (disk full? not writable?):\n{done.stderr.strip()}"
            )
        partial.rename(self.data)

    def _start_once(self, deadline: float) -> bool:
        arguments = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        program = str(self.binaries.folder / "postgres")
        command = [program, "-D", str(self.data), "-k", str(self.sockets), "-p", str(PORT), *arguments]
        self.process = spawn(command, self.account, self.log, self.environment, signal.SIGINT)
        while self.process.poll() is None and time.monotonic() < deadline:
            if self._is_ready(self.process.pid):
                return True
            time.sleep(0.02)
        self.stop()
        return False

    def _is_ready(self, pid: int) -> bool:
        """The server writes `ready` into line 8 of its pid file once it takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return int(lines[0]) == pid and lines[7].strip() == "ready"
        except (OSError, IndexError, ValueError):
            return False

    def _initdb(self, data: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.binaries.folder / "initdb", "-D", data, *initdb_options(self.binaries.major)],
            check=False,
            env=self.environment,
            cwd="/",
            text=True,
            capture_output=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
            pass_fds=tuple(INHERITED),
            **self.account.spawn_options(),
        )

    def _write_access_rules(self) -> None:
        """Nobody but our own accounts, told by the kernel; written at each start, because the accounts can change."""
        accounts = sorted({current_account().name, self.account.name})
        roles = (OWNER, APPLICATION)
        rules = {
            "pg_hba.conf": "local all all peer map=registry\n",
            "pg_ident.conf": "".join(f'registry "{name}" {role}\n' for name in accounts for role in roles),
        }
        for name, text in rules.items():
            path = self.data / name
            path.write_text(text)
            self.account.own(path)

    def _create_roles_and_database(self) -> None:
        where = f"host={self.sockets} port={PORT} user={OWNER} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APPLICATION]).fetchone():
                connection.execute(f"CREATE ROLE {APPLICATION} LOGIN")
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")


def initdb_options(major: int) -> list[str]:
    """One collation everywhere: by code point, with Unicode case rules. Sort keys are the application's."""
    if major >= 17:
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    else:
        locale = ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=en_US.UTF-8"]
    return [
        f"--username={OWNER}",
        "--encoding=UTF8",
        "--data-checksums",
        "--auth-local=peer",
        "--no-instructions",
        *locale,
    ]


def _existing_major(home: Path) -> int | None:
    """A database that is already there decides the version; a new one beside it would look like lost data."""
    matches = (re.fullmatch(r"postgres-(\d+)", path.name) for path in home.glob("postgres-*"))
    return max((int(match.group(1)) for match in matches if match), default=None)


def _clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
