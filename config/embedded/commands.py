"""`./run manage`, `./run bench` and `./run pg`: one command in the product's environment.

When the product runs, its servers are used; otherwise they are started for the time of the command.
"""

import base64
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from . import addresses
from .accounts import Account, service_account
from .environment import application_account, product_environment, published
from .home import CHECKOUT, DataFolder, InUseError, choose_home
from .processes import die_with_parent
from .services import Services, running
from .terminal import LaunchError, say

START_OF_ANOTHER = 60.0  # seconds a product may take from its lock to its addresses
BENCHMARK_SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "max_connections": "100"}

Run = Callable[[Mapping[str, str], Account], int]

# What names a place of the product: a benchmark has its own.
OUTSIDE = ("DATABASE_URL", "DATABASE_APP_URL", "REDIS_URL", "MASTER_KEYS_FILE", "LEDGER_FILE", "CHECKPOINTS_FILE")


def manage(arguments: Sequence[str]) -> int:
    return _with_product(
        lambda environment, account: _call([sys.executable, "manage.py", *arguments], environment, account)
    )


def pg(arguments: Sequence[str]) -> int:
    """psql, pg_dump, pg_restore: the server's own tools, connected to the registry's database as its owner."""
    return _with_product(lambda environment, account: _call(list(arguments) or ["psql"], environment, account))


def bench(arguments: Sequence[str]) -> int:
    """A benchmark on a server of its own that keeps every promise (fsync on) and is removed afterwards."""
    known = sorted(path.stem for path in (CHECKOUT / "benchmarks").glob("[a-z]*.py"))
    if not arguments or arguments[0] not in known:
        raise LaunchError(f"usage: ./run bench NAME [--size small|full]   NAME is one of: {', '.join(known)}")
    name, *options = arguments
    with _benchmark_environment() as (environment, account):
        return _call([sys.executable, "-m", f"benchmarks.{name}", *options], environment, account)


@contextmanager
def _benchmark_environment() -> Iterator[tuple[dict[str, str], Account]]:
    service = service_account()
    folder = DataFolder(choose_home(service), service)
    folder.prepare()
    with _empty_folder(folder.path / "bench", service) as home:
        for name in OUTSIDE:
            os.environ.pop(name, None)
        services = Services(home, home, service, BENCHMARK_SETTINGS)
        with running(services):
            account = application_account(service)
            bench_folder = DataFolder(home, account)
            environment = product_environment(
                bench_folder, account, services.environment(), *addresses.wanted_address({})
            )
            key = base64.b64encode(secrets.token_bytes(32)).decode()
            yield environment | {"MASTER_KEYS": f"bench:{key}", "PLAIN_STATIC": "1"}, account


@contextmanager
def _empty_folder(path: Path, account: Account) -> Iterator[Path]:
    """One benchmark at a time; what a killed one left behind goes first."""
    account.make_private_folder(path)
    with open(path.with_name("bench.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LaunchError(
                f"Another benchmark is running in {path}. Two at once would measure each other."
            ) from None
        shutil.rmtree(path)
        try:
            yield account.make_private_folder(path)
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _with_product(run: Run) -> int:
    account = service_account()
    folder = DataFolder(choose_home(account), account)
    folder.prepare()
    while True:
        with folder.use():
            if environment := _running_product(folder):
                os.environ.update(environment)
                return _run_application(run, folder, Services(folder.path, folder.logs, account))
        try:
            return _with_own_services(run, folder)
        except InUseError:
            continue  # somebody was faster; use theirs


def _running_product(folder: DataFolder) -> dict[str, str] | None:
    """The addresses of a running product, waiting for one that has just begun to start."""
    deadline = time.monotonic() + START_OF_ANOTHER
    while time.monotonic() < deadline:
        if not folder.is_locked() or not folder.holder_is_alive():
            return None
        with suppress(FileNotFoundError):
            return folder.read_runtime()
        time.sleep(0.2)
    raise LaunchError(f"Process {folder.holder()} has been starting or stopping for a minute; look at {folder.logs}.")


def _with_own_services(run: Run, folder: DataFolder) -> int:
    with folder.lock("./run manage"):
        services = Services(folder.path, folder.logs, folder.account)
        with running(services):
            environment = _environment(folder, services)
            with folder.runtime(published(environment)):
                try:
                    return _run_application(run, folder, services)
                finally:
                    folder.wait_for_users()


def _run_application(run: Run, folder: DataFolder, services: Services) -> int:
    account = application_account(folder.account)
    folder.hand_over(account)
    return run(_environment(folder, services), account)


def _environment(folder: DataFolder, services: Services) -> dict[str, str]:
    return product_environment(folder, folder.account, services.environment(), *addresses.wanted_address(os.environ))


def _call(command: Sequence[str], environment: Mapping[str, str], account: Account) -> int:
    """In the foreground, with our terminal. A kill of the launcher kills the command in the same way."""
    try:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=dict(environment),
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509  we have one thread
            **account.spawn_options(),
        )
    except FileNotFoundError:
        raise LaunchError(f"There is no program '{command[0]}' here.") from None
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal sends it to the command as well
    for forwarded in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(forwarded, lambda number, _: process.send_signal(number))
    status = process.wait()
    return status if status >= 0 else 128 - status


COMMANDS = {"manage": manage, "bench": bench, "pg": pg}


def main() -> int:
    name, *arguments = sys.argv[1:]
    try:
        return COMMANDS[name](arguments)
    except LaunchError as failure:
        say(str(failure))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
