"""How people lie in a part of a sealed file: how many, at which places, how long each is, and then their bytes.

So that one of them can be left out when the file is handed over, and nothing of the others is read, let alone written
anew. Numbers are of four bytes, the first byte the highest. Pure functions.

Called by: registry.transfers.building, registry.transfers.taking.
"""

import struct
from collections.abc import Collection, Iterator, Sequence, Set
from itertools import accumulate, pairwise

NUMBER = struct.Struct(">I")


def pack(places: Collection[int], people: Sequence[bytes]) -> bytes:
    """One part. `places`: of the lines of these people, in the same order."""
    numbers = struct.pack(f">{1 + 2 * len(people)}I", len(people), *places, *map(len, people))
    return b"".join((numbers, *people))


def kept(part: bytes, dropped: Set[int]) -> bytes:
    """The bytes of the people of this part who are not at one of these places."""
    places, lengths, begin = _numbers(part)
    if dropped.isdisjoint(places):
        return part[begin:]
    ends = pairwise(accumulate(lengths, initial=begin))
    return b"".join(part[start:end] for place, (start, end) in zip(places, ends, strict=True) if place not in dropped)


def places_in(parts: Iterator[bytes]) -> list[int]:
    return [place for part in parts for place in _numbers(part)[0]]


def _numbers(part: bytes) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Places, lengths, and where the first person begins. The last part of a file is empty."""
    if not part:
        return (), (), 0
    (people,) = NUMBER.unpack_from(part)
    after = NUMBER.size * (1 + people)
    row = struct.Struct(f">{people}I")
    return row.unpack_from(part, NUMBER.size), row.unpack_from(part, after), after + row.size
