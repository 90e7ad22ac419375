"""Looks through the files of the registry's own folder: logs, the broker's file, whatever else was left there."""

import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from registry.scanning.needles import Needles
from registry.scanning.results import Scan

PART = 1024 * 1024
OVERLAP = 4 * 1024  # longer than any form of a value


def look(needles: Needles) -> Scan:
    seen = Scan({"files": 0})
    for path in _paths(settings.HOME, seen):
        try:
            seen.found(_place(path), needles.search(path.name) or _holds(path, needles))
            seen.look("files")
        except FileNotFoundError:  # removed meanwhile
            continue
        except OSError:
            seen.unseen.append(_place(path))
    return seen


def _place(path: Path) -> str:
    """A folder at the top, never the name of a file: it could hold a value."""
    return "files: log" if settings.HOME / "log" in path.parents else "files: home"


def _paths(home: Path, seen: Scan) -> Iterator[Path]:
    def is_shut(error: OSError) -> None:
        seen.unseen.append(_place(Path(error.filename)))

    for folder, below, names in os.walk(home, onerror=is_shut):
        below[:] = [name for name in below if not _is_elsewhere(Path(folder, name))]
        paths = (os.path.join(folder, name) for name in names)
        yield from (Path(path) for path in paths if os.path.isfile(path) and not os.path.islink(path))


def _is_elsewhere(folder: Path) -> bool:
    """Letters are looked through decoded, the database as tables; files of pages and programs hold no data."""
    known = {settings.MAIL_FOLDER, settings.SMS_FOLDER, settings.STATIC_ROOT, settings.HOME / "sockets"}
    is_program = folder.parent == settings.HOME and folder.name.startswith("bin-")
    return folder in known or is_program or os.path.exists(folder / "PG_VERSION") or folder.name.startswith("postgres-")


def _holds(path: Path, needles: Needles) -> bool:
    """Read in parts that overlap: a log may be longer than the memory."""
    tail = b""
    with path.open("rb") as file:
        while part := file.read(PART):
            if needles.search((tail + part).replace(b"\0", b"").decode(errors="replace")):
                return True
            tail = (tail + part)[-OVERLAP:]
    return False
