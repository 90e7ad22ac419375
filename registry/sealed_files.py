"""A file sealed at rest, in parts, so that neither writing nor reading holds it in memory.

Each part stands behind its length. The parts are bound to their file and place (registry.sealing.part_binding): cut,
lengthened, reordered or changed, the file does not open. The key lies elsewhere, wrapped, in the row that the file
belongs to (`new_key`, `key_of`); without it the file is noise.

Called by: registry.exporting, registry.requests.copying.
"""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

from registry import sealing
from registry.keyring import keyring
from registry.sealing import SealError, part_binding, seal_part, unseal_part

LENGTH = struct.Struct(">I")
LARGEST = 16 * 1024 * 1024  # bytes of a part: a damaged length must not ask for all the memory
UNFINISHED = ".part"


def new_key(kind: bytes, file_id: int) -> tuple[bytes, bytes]:
    """A key for one file of this kind, plain and wrapped."""
    key = sealing.new_key()
    return key, sealing.wrap(keyring().masters, key, _key_binding(kind, file_id))


def key_of(wrapped: bytes | memoryview | None, kind: bytes, file_id: int) -> bytes:
    """SealError if there is none, or it is another file's."""
    return sealing.unwrap(keyring().masters, bytes(wrapped or b""), _key_binding(kind, file_id))


def _key_binding(kind: bytes, file_id: int) -> bytes:
    return kind + struct.pack(">q", file_id)


@contextmanager
def writing(path: Path, key: bytes, file_id: int) -> Iterator[Callable[[bytes], None]]:
    """Yields what adds a part. Left without an error the file is whole, on the disk and readable by us only; with one
    there is no file."""
    unfinished = path.with_suffix(UNFINISHED)
    numbers = count()

    def sealed(content: bytes, is_last: bool = False) -> bytes:
        part = seal_part(key, content, part_binding(file_id, next(numbers), is_last))
        return LENGTH.pack(len(part)) + part

    try:
        with _new(unfinished) as file:
            yield lambda content: _add(file, sealed(content))
            _add(file, sealed(b"", is_last=True))
            os.fsync(file.fileno())
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _new(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _add(file: BinaryIO, part: bytes) -> None:
    """Past our own buffer: a full disk says so here and not when the file is closed."""
    file.write(part)
    file.flush()


def reading(file: BinaryIO, key: bytes, file_id: int) -> Iterator[bytes]:
    """The parts in order. SealError at the first that is not what was written there, also when the end is missing."""
    part = _next(file)
    for number in count():
        if part is None:
            raise SealError("a sealed file has no end")
        following = _next(file)
        yield unseal_part(key, part, part_binding(file_id, number, is_last=following is None))
        if following is None:
            return
        part = following


def _next(file: BinaryIO) -> bytes | None:
    head = file.read(LENGTH.size)
    if not head:
        return None
    length = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else LARGEST + 1
    part = file.read(length) if length <= LARGEST else b""
    if len(part) != length:
        raise SealError("a sealed file is cut or damaged")
    return part
