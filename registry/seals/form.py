"""What a seal is over. Whoever has the rows can do the same with any program (docs/audit.md).

The digest of an entry is the SHA-256 of its columns as one JSON array, in this order, as PostgreSQL spells jsonb and
Python's json does, too: ", " between the values, what is beyond ASCII as it is, the moment in microseconds since 1970
(UTC). The head of a series is SHA-256(head before ‖ digest), entry by entry in the order of their numbers, from 32
zero bytes on: it does not depend on how the entries were cut into seals. Rows that were changed, added, taken out or
swapped give another head from there on; which entry was the first is told by the lines: number and tag of each.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
from typing import Any

from django.db import connection

START = bytes(32)
BEFORE_ALL = -(2**63)  # an entry slipped in with a number below 1 is looked at, too
BATCH = 10_000  # entries under one seal
MOST_NAMED = 100_000  # entries in the lines of one seal, or they are damaged
PORTION = 10_000  # numbers looked at together: entries in memory
TAG = 4  # bytes of the digest: enough to tell which entry it was; that one was is told by the head
LINE = struct.Struct(f">q{TAG}s")

ENTRIES = """
    SELECT id, sha256(convert_to(jsonb_build_array(
        id, trunc(extract(epoch FROM at) * 1000000), actor_id, system, operation, subject_id, object_type, object_id,
        reason, request_id
    )::text, 'UTF8'))
    FROM registry_auditentry WHERE id BETWEEN %s AND %s ORDER BY id
"""
NEXT = "SELECT min(id) FROM registry_auditentry WHERE id > %s AND id <= %s"  # after a restore, numbers jump
Entry = tuple[int, bytes]


def entries(after: int, upto: int) -> Iterator[Entry]:
    """Number and digest of every entry behind `after` up to `upto`, in constant memory.

    Portions are bounded by numbers, not by LIMIT: without statistics PostgreSQL would digest everything for each.
    """
    while (first := _ask(NEXT, after, upto)[0][0]) is not None:
        after = min(first + PORTION - 1, upto)
        yield from _ask(ENTRIES, first, after)


def _ask(statement: str, first: int, last: int) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [first, last])
        return cursor.fetchall()


def behind(head: bytes, digest: bytes) -> bytes:
    """The head once this entry is in the series."""
    return sha256(head + digest).digest()


def pack(sealed: Sequence[Entry]) -> bytes:
    """The lines of a seal: the distance from the number before and the tag of each entry, compressed."""
    numbers = [0, *(number for number, _ in sealed)]
    lines = (LINE.pack(number - numbers[place], digest[:TAG]) for place, (number, digest) in enumerate(sealed))
    return zlib.compress(b"".join(lines))


def unpack(lines: bytes) -> list[Entry] | None:
    """Number and tag of each entry a seal names, in order; None where the lines are damaged."""
    try:
        unpacked = zlib.decompressobj().decompress(lines, MOST_NAMED * LINE.size)  # whatever stands there
        pairs = list(LINE.iter_unpack(unpacked))
    except (zlib.error, struct.error):
        return None
    numbers = accumulate(distance for distance, _tag in pairs)
    return [(number, tag) for number, (_distance, tag) in zip(numbers, pairs, strict=True)]
