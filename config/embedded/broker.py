"""A private Valkey (or Redis) server behind a Unix socket. It only wakes workers: the truth is in PostgreSQL."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from .accounts import Account
from .binaries import find_broker
from .processes import rotate, spawn, stop
from .sockets import socket_folder
from .terminal import LaunchError, last_lines

DATABASES = 64  # one for each parallel test process
START_TIMEOUT = 30.0


class Broker:
    name = "broker"

    def __init__(self, home: Path, log: Path, account: Account) -> None:
        self.account = account
        self.log = log
        self.data = account.make_private_folder(home / "broker")
        self.program = find_broker(account, home)
        self.socket = socket_folder(home, account) / "broker.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def start(self) -> None:
        rotate(self.log)
        self.socket.unlink(missing_ok=True)
        self.process = spawn(self._command(), self.account, self.log, os.environ, signal.SIGTERM)
        deadline = time.monotonic() + START_TIMEOUT
        while self.process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.02)
        self.stop()
        raise LaunchError(
            f"The broker did not start. Its log: {self.log}. The last lines:\n{last_lines(self.log)}\n"
            f"Its folder {self.data} holds no records: it may be removed, the jobs are found again in the database."
        )

    def is_dead(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, signal.SIGTERM, grace=20)

    def _command(self) -> list[str | Path]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "databases": str(DATABASES),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [self.program, *(part for name, value in options.items() for part in (f"--{name}", value))]

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
