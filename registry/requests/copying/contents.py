"""The zip file: index.html for people, data.json for programs, csv/ for spreadsheets, files/ as they came.

Written to a stream that cannot go back, so nothing of it lies anywhere unsealed and no more of it than a portion is in
memory.
"""

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, cast

from django.utils import timezone

from registry.requests.copying import held, page, programs
from registry.requests.copying.parts import Whose, in_order

PART = 256 * 1024  # bytes sealed together


@dataclass(frozen=True)
class Written:
    """The zip file as a whole: bytes, and their SHA-256."""

    size: int
    digest: str


class _Sealed:
    """Gathers what is written into parts of the sealed file."""

    def __init__(self, add: Callable[[bytes], None]) -> None:
        self.add, self.gathered, self.size, self.digest = add, bytearray(), 0, sha256()

    def write(self, content: bytes) -> int:
        self.gathered += content
        self.digest.update(content)
        self.size += len(content)
        while len(self.gathered) >= PART:
            self._seal(PART)
        return len(content)

    def flush(self) -> None:
        """Parts are sealed when they are full: zipfile would make one of every file."""

    def end(self) -> Written:
        self._seal(len(self.gathered))
        return Written(self.size, self.digest.hexdigest())

    def _seal(self, length: int) -> None:
        if length:
            self.add(bytes(self.gathered[:length]))
            del self.gathered[:length]


def write(whose: Whose, add: Callable[[bytes], None]) -> Written:
    """Everything about this person, in the active language. The files come first: the other forms name them."""
    stream = _Sealed(add)
    with zipfile.ZipFile(cast(IO[bytes], stream), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, number, content in held.files(whose):
            _put(archive, whose, name, [content])
            whose.files[number] = name
        _put(archive, whose, "index.html", _encoded(page.pieces(whose, in_order())))
        _put(archive, whose, "data.json", _encoded(programs.as_json(whose, in_order())))
        for part in in_order():
            _put(archive, whose, f"csv/{part.code}.csv", _encoded(programs.as_csv(whose, part)))
    return stream.end()


def _encoded(pieces: Iterable[str]) -> Iterable[bytes]:
    return (piece.encode() for piece in pieces)


def _put(archive: zipfile.ZipFile, whose: Whose, name: str, pieces: Iterable[bytes]) -> None:
    entry = zipfile.ZipInfo(name, timezone.localtime(whose.now).timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    with archive.open(entry, "w") as file:
        for piece in pieces:
            file.write(piece)
