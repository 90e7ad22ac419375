"""The benchmark's server: migrated databases, identical copies of them, and what a piece of work cost the server."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import environ
import psycopg

MAINTENANCE = "postgres"
COST = """
SELECT pg_current_wal_lsn() - '0/0'::pg_lsn, blks_hit + blks_read FROM pg_stat_database WHERE datname = %s
"""


@dataclass(frozen=True)
class Cost:
    wal: int  # bytes
    buffers: int  # pages touched

    def since(self, earlier: "Cost") -> "Cost":
        return Cost(self.wal - earlier.wal, self.buffers - earlier.buffers)


class Server:
    """A throwaway PostgreSQL named by DATABASE_URL (a superuser's) and DATABASE_APP_URL."""

    def __init__(self) -> None:
        self.empty = environ.Env.db_url_config(os.environ["DATABASE_URL"])["NAME"]

    def environment(self, database: str) -> dict[str, str]:
        """For a child process that uses `database`."""
        urls = {name: _renamed(os.environ[name], database) for name in ("DATABASE_URL", "DATABASE_APP_URL")}
        return os.environ | urls

    def as_owner(self, database: str = MAINTENANCE) -> psycopg.Connection:
        return connect(_renamed(os.environ["DATABASE_URL"], database))

    def as_application(self, database: str) -> psycopg.Connection:
        return connect(_renamed(os.environ["DATABASE_APP_URL"], database))

    def migrate(self) -> None:
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], check=True, env=self.environment(self.empty))

    @contextmanager
    def database(self, name: str, template: str) -> Iterator[str]:
        """A copy of `template`, file by file, on disk before it is handed out; gone afterwards."""
        with self.as_owner() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name}")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
            connection.execute("CHECKPOINT")
            try:
                yield name
            finally:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def process(self) -> int:
        """The number of the server's first process, the parent of the others."""
        with self.as_owner() as connection:
            backend = connection.info.backend_pid
            return int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])

    def cost(self, database: str) -> Cost:
        time.sleep(0.5)  # a session leaves its statistics when it goes
        with self.as_owner() as connection:
            wal, buffers = connection.execute(COST, [database]).fetchone() or (0, 0)
        return Cost(int(wal), int(buffers))


def _renamed(url: str, database: str) -> str:
    address, mark, options = url.partition("?")
    return f"{address.rpartition('/')[0]}/{database}{mark}{options}"


def connect(url: str) -> psycopg.Connection:
    parts = environ.Env.db_url_config(url)
    return psycopg.connect(
        host=parts["HOST"] or None,
        port=parts["PORT"] or None,
        user=parts["USER"],
        password=parts["PASSWORD"] or None,
        dbname=parts["NAME"],
        autocommit=True,
    )
