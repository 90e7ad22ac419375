"""The form of the erasure ledger: a file of lines, each bound to the line before it.

JSON lines in one canonical spelling: sorted keys, no spaces, ASCII. `n` counts from 1, `before` is the digest of the
line before ("" for the first), `digest` the SHA-256 (hex) over the canonical spelling of everything else in the line.
A line that was changed, added or taken out does not fit its neighbours. A last line without its newline was cut off by
a kill or a full disk and counts as not written.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST = 16 * 1024 * 1024  # bytes; what has no newline for so long is no ledger
TAIL = 256 * 1024  # bytes; the last line lies within
SPELLING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
BINDING = ("n", "before", "digest")
Act = dict[str, Any]


class LedgerError(Exception):
    """The ledger can't be read, written or continued. The message says what to do; it holds no value."""


@dataclass(frozen=True)
class Head:
    """How far a ledger goes: lines, bytes, and the digest of the last line."""

    lines: int = 0
    size: int = 0
    digest: str = ""


START = Head()


def canonical(content: Mapping[str, Any]) -> bytes:
    return SPELLING.encode(content).encode("ascii")


def bind(act: Mapping[str, Any], head: Head) -> tuple[bytes, Head]:
    """The line that continues `head` with this act, and the head behind it."""
    content = {**act, "n": head.lines + 1, "before": head.digest}
    digest = hashlib.sha256(canonical(content)).hexdigest()
    raw = canonical({**content, "digest": digest}) + b"\n"
    return raw, Head(head.lines + 1, head.size + len(raw), digest)


def follow(raw: bytes, head: Head) -> tuple[Act, Head]:
    """The act in a line that continues `head`, and the head behind it. LedgerError names the line."""
    act = {name: value for name, value in _parsed(raw).items() if name not in BINDING}
    expected, behind = bind(act, head) if act else (b"", head)
    if raw != expected:
        raise LedgerError(f"line {head.lines + 1} does not continue the chain")
    return act, behind


def _parsed(raw: bytes) -> Act:
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def read(path: Path, head: Head = START) -> Iterator[tuple[Act, Head]]:
    """Every act behind `head` with the head behind it, in constant memory. LedgerError at the first bad line."""
    try:
        with open(path, "rb") as file:
            file.seek(head.size)
            while (raw := file.readline(LONGEST)).endswith(b"\n"):
                act, head = follow(raw, head)
                yield act, head
    except OSError as error:
        raise LedgerError(f"the ledger {path} can't be read ({error.strerror})") from None
    if len(raw) == LONGEST:
        raise LedgerError(f"line {head.lines + 1} has no end")


def verify(path: Path) -> Head:
    """Where the ledger ends, read from its start. LedgerError at the first bad line."""
    head = START
    for _, behind in read(path):
        head = behind
    return head


def ends_with(path: Path, head: Head) -> bool:
    """Whether the line that ends at `head`, not the start, is the one it names."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, head.size - TAIL))
            tail = file.read(min(head.size, TAIL))
    except OSError as error:
        raise LedgerError(f"the ledger {path} can't be read ({error.strerror})") from None
    raw = tail[tail.rfind(b"\n", 0, -1) + 1 :]
    before = Head(head.lines - 1, head.size - len(raw), str(_parsed(raw).get("before")))
    try:
        return follow(raw, before)[1] == head
    except LedgerError:
        return False


def size_of(path: Path) -> int | None:
    """Bytes, None where there is no file. LedgerError where nobody can tell."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"the ledger {path} can't be read ({error.strerror})") from None


def append(path: Path, acts: Iterable[Act], head: Head) -> Head:
    """Writes these acts behind `head` and returns when they are on disk. LedgerError; then nothing was added."""
    start = head
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            for act in acts:
                raw, head = bind(act, head)
                file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        if start == START:
            sync_folder(path.parent)
    except OSError as error:
        cut(path, start.size)
        raise LedgerError(f"the ledger {path} can't be written ({error.strerror})") from None
    return head


def cut(path: Path, size: int) -> None:
    """Takes away what stands behind `size`, as far as that is possible now: the next writer looks again."""
    with suppress(OSError):
        os.truncate(path, size)


def sync_folder(folder: Path) -> None:
    """A file that is new or has a new name is there after a power cut, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One writer at a time among all processes that see the folder; makes the folder. Waits for the other."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LedgerError(f"the ledger {path} can't be written ({error.strerror})") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
