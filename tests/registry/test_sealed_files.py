"""A sealed file opens whole, in order and for its own row, or not at all.

Broken and seen to fail: place, file and "last" taken out of sealing.part_binding, one at a time; the mode of the file;
the unlink of an unfinished file.
"""

import os
import resource
import tracemalloc

import pytest

from registry.sealed_files import LENGTH, reading, writing
from registry.sealing import SealError, new_key

PARTS = [b"Aigul.Canary@example.kz\r\n" * 3, b"second", b"", b"fourth"]


@pytest.fixture
def key():
    return new_key()


@pytest.fixture
def path(tmp_path, key):
    path = tmp_path / "exports" / "EX-1.sealed"
    with writing(path, key, 7) as add:
        for part in PARTS:
            add(part)
    return path


def opened(path, key, file_id=7):
    with path.open("rb") as file:
        return list(reading(file, key, file_id))


def sealed_parts(path):
    content, found = path.read_bytes(), []
    while content:
        end = LENGTH.size + LENGTH.unpack(content[: LENGTH.size])[0]
        found.append(content[:end])
        content = content[end:]
    return found


def test_it_comes_back_as_it_was_and_shows_nothing(path, key):
    assert opened(path, key) == [*PARTS, b""]
    assert b"Canary" not in path.read_bytes()


def test_only_we_may_read_it(path):
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(path.parent).st_mode & 0o777 == 0o700
    assert os.listdir(path.parent) == [path.name]


def test_another_key_or_another_row_does_not_open_it(path, key):
    with pytest.raises(SealError):
        opened(path, new_key())
    with pytest.raises(SealError):
        opened(path, key, file_id=8)


@pytest.mark.parametrize(
    "damage",
    [
        lambda parts: parts[:-1],
        lambda parts: parts[:2],
        lambda parts: [],
        lambda parts: [*parts, parts[-1]],
        lambda parts: [*parts, parts[1]],
        lambda parts: [parts[1], parts[0], *parts[2:]],
        lambda parts: [parts[0], parts[0], *parts[2:]],
        lambda parts: [*parts[:-1], parts[-1][:-1]],
        lambda parts: [*parts, b"\0"],
        lambda parts: [b"\xff" * 8, *parts],
    ],
    ids=["last gone", "half", "empty", "last twice", "more", "swapped", "doubled", "cut", "one byte more", "length"],
)
def test_cut_lengthened_or_reordered_it_does_not_open(path, key, damage):
    path.write_bytes(b"".join(damage(sealed_parts(path))))
    with pytest.raises(SealError):
        opened(path, key)


def test_no_byte_of_it_can_be_changed(path, key):
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(SealError):
            opened(path, key)


def test_what_fails_half_way_leaves_no_file(tmp_path, key):
    path = tmp_path / "exports" / "EX-2.sealed"
    with pytest.raises(ZeroDivisionError), writing(path, key, 1) as add:
        add(b"first")
        assert os.listdir(path.parent) == ["EX-2.part"]
        raise ZeroDivisionError
    assert os.listdir(path.parent) == []


def test_a_full_disk_leaves_no_file(tmp_path, key):
    path = tmp_path / "exports" / "EX-3.sealed"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError), writing(path, key, 1) as add:
            for _ in range(100):
                add(b"x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(path.parent) == []


def test_neither_writing_nor_reading_holds_it_in_memory(tmp_path, key):
    path, part, many = tmp_path / "large.sealed", b"x" * 100_000, 300
    tracemalloc.start()
    with writing(path, key, 1) as add:
        for _ in range(many):
            add(part)
    with path.open("rb") as file:
        assert sum(len(one) for one in reading(file, key, 1)) == many * len(part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * len(part)
