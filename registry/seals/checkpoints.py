"""What goes outside: each seal as a signed line, in a file the database does not reach.

Who owns the database can change a row, and bind everything behind it anew. Then only somebody who kept a line from
before can tell. One JSON line a seal, in the canonical spelling of the erasure ledger (registry.chain):

- the statement: number of the seal, entries it reaches from and to, how many it holds and how many are sealed in all,
  the heads before and behind it, the SHA-256 of its lines, the moment, the operator's BIN;
- `lines` (base64 of zlib): number and tag of every entry, so that the first wrong one can be named;
- `signature`: Ed25519 (RFC 8032) over everything else but the lines, by a key that lies wrapped in the database.

A line without `lines`, as the auditors get it by mail, is signed by the same signature. The file only grows; each line
is forced to disk; a last line that was cut off is removed. Which lines it lacks is read from its last one, so a writer
that was killed between database and file is caught up with. A file that goes on otherwise than this database is left
alone: a restored backup must not write over what it has forgotten. No value stands here.

Called by: registry.tasks, the `audit` command, registry.seals.verifying.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db.models import Sum

from registry import chain
from registry.models import AuditSeal
from registry.seals.statements import CheckpointError, Mark, document, parse, public_key


def marks(after: AuditSeal | None = None, total: int = 0) -> Iterator[Mark]:
    """The seals of the database behind one, in order, as they were when the first is asked for."""
    every = AuditSeal.objects.order_by("pk")
    for seal in (every.filter(pk__gt=after.pk) if after else every).iterator(chunk_size=20):
        total += seal.count
        yield Mark.of(seal, total)


def latest() -> Mark | None:
    """The last seal as a checkpoint without its lines would state it."""
    seal = AuditSeal.objects.first()
    total = AuditSeal.objects.aggregate(total=Sum("count"))["total"]
    return Mark.of(seal, total) if seal else None


def read(path: Path, size: int, key: Ed25519PublicKey) -> Iterator[Mark]:
    """The checkpoints in the first `size` bytes of a file, in order. CheckpointError names the line."""
    last = 0
    try:
        with open(path, "rb") as file:
            for number, raw in enumerate(iter(lambda: file.readline(chain.LONGEST), b""), start=1):
                if file.tell() > size or not raw.endswith(b"\n"):
                    return  # not written whole yet
                mark = _parsed(raw, key, f"line {number} of {path}")
                if mark.last <= last:
                    raise CheckpointError(f"line {number} of {path} is not behind the line before it")
                last = mark.last
                yield mark
    except OSError as error:
        raise CheckpointError(f"{path} can't be read ({error.strerror})") from None


def _parsed(raw: bytes, key: Ed25519PublicKey, where: str) -> Mark:
    try:
        return parse(raw, key)
    except CheckpointError as error:
        raise CheckpointError(f"{where} {error}") from None


def write(path: Path) -> int:
    """Adds every seal the file lacks; how many. CheckpointError: nothing was lost, the seals stand in the database."""
    try:
        with chain.alone(path):
            return _continue(path)
    except chain.LedgerError:
        raise CheckpointError(f"the checkpoints {path} can't be written: no way to the folder") from None
    except OSError as error:
        raise CheckpointError(f"the checkpoints {path} can't be written ({error.strerror})") from None


def begin_anew(path: Path, now: datetime) -> int:
    """Puts the file aside, under a name with the moment, and writes a new one from all seals; how many."""
    try:
        if path.exists():
            path.rename(path.with_name(f"{path.name}.{now.astimezone(UTC):%Y%m%dT%H%M%S}.old"))
    except OSError as error:
        raise CheckpointError(f"the checkpoints {path} can't be put aside ({error.strerror})") from None
    return write(path)


def _continue(path: Path) -> int:
    size, last = _end_of(path)
    seal = _known(path, last) if last else None
    written = 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", buffering=0) as file:
        file.truncate(size)  # takes away a line that a kill or a full disk has cut off
        for mark in marks(seal, last.total if last else 0):
            _add(file, document(mark, with_lines=True))
            written += 1
    if not size:
        chain.sync_folder(path.parent)
    return written


def _add(file: Any, line: bytes) -> None:
    while line:
        line = line[file.write(line) :]
    os.fsync(file.fileno())


def _end_of(path: Path) -> tuple[int, Mark | None]:
    """Where the last whole line ends (bytes), and what it says."""
    size = path.stat().st_size if path.exists() else 0
    if not size:
        return 0, None
    with open(path, "rb") as file:
        file.seek(max(0, size - chain.TAIL))
        whole, newline, _torn = file.read(size).rpartition(b"\n")
        end = max(0, size - chain.TAIL) + len(whole) + len(newline)
    if not end:
        return 0, None
    return end, _parsed(whole.rpartition(b"\n")[2], public_key(), f"the last line of {path}")


def _known(path: Path, last: Mark) -> AuditSeal:
    """The seal the file ends with."""
    seal = AuditSeal.objects.filter(pk=last.seal, last_entry=last.last, head=last.head).first()
    if seal is None:
        raise CheckpointError(
            f"the checkpoints {path} go on otherwise than this database. From which entry on says `./run manage audit "
            "verify --checkpoint FILE`. If the database was restored: `./run manage audit checkpoint --anew`."
        )
    return seal
