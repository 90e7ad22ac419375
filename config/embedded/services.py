"""The two servers behind the application, ours or the operator's, and the addresses they answer at."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .accounts import Account, service_account
from .broker import Broker
from .postgres import APPLICATION, OWNER, Postgres


class Services:
    """PostgreSQL unless DATABASE_URL names one, a broker unless REDIS_URL names one."""

    def __init__(self, home: Path, logs: Path, account: Account, settings: Mapping[str, str] | None = None) -> None:
        self.postgres = (
            None if os.environ.get("DATABASE_URL") else Postgres(home, logs / "postgres.log", account, settings)
        )
        self.broker = None if os.environ.get("REDIS_URL") else Broker(home, logs / "broker.log", account)

    @property
    def owned(self) -> list[Postgres | Broker]:
        return [service for service in (self.postgres, self.broker) if service is not None]

    def start(self) -> None:
        for service in self.owned:
            service.start()

    def stop(self) -> None:
        for service in reversed(self.owned):
            service.stop()

    def environment(self) -> dict[str, str]:
        """The addresses of our own servers; the operator's are in the environment already."""
        found: dict[str, str] = {}
        if self.postgres:
            found |= {"DATABASE_URL": self.postgres.url(OWNER), "DATABASE_APP_URL": self.postgres.url(APPLICATION)}
            found |= self.postgres.client_environment()
            found["PATH"] = f"{self.postgres.binaries.folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        if self.broker:
            found["REDIS_URL"] = self.broker.url
        return found


@contextmanager
def running(services: Services) -> Iterator[Services]:
    try:
        services.start()
        yield services
    finally:
        services.stop()


@contextmanager
def throwaway_services(settings: Mapping[str, str]) -> Iterator[Services]:
    """Servers in a temporary folder that goes with them: for tests and benchmarks."""
    account = service_account()
    folder = account.make_private_folder(Path(tempfile.mkdtemp(prefix="registry-")))
    try:
        with running(Services(folder, folder, account, settings)) as services:
            yield services
    finally:
        shutil.rmtree(folder, ignore_errors=True)
