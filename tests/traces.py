"""Looks for a value everywhere it could have been left: a dump of the database, the broker, the files of a folder."""

import base64
import os
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import redis
from django.db import connection, connections

from config.embedded.binaries import find_postgres
from registry.normalise import normalise


def spellings(kind: str, typed: str) -> set[bytes]:
    """A value as typed, in its canonical form, in pieces that identify, and each in hex and base64."""
    value = normalise(kind, typed)
    texts = {typed, value.kept, value.canonical, typed.lower()}
    if kind == "phone":
        digits = value.kept.lstrip("+")
        texts |= {digits, "8" + digits[1:], digits[1:], f"{digits[4:7]}-{digits[7:9]}-{digits[9:]}", digits[4:]}
    else:
        texts |= {value.canonical.split("@")[0], typed.partition("@")[0]}
    raw = {text.encode() for text in texts}
    return raw | {one.hex().encode() for one in raw} | {base64.b64encode(one).rstrip(b"=")[:-1] for one in raw}


def found(needles: set[bytes], folders: list[Path]) -> list[str]:
    """Where any of the needles is. The index and the ciphertext hold none of them by design."""
    places = {"database": dump(), "broker": b"".join(broker())}
    places |= {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    return [
        f"{place}: {needle!r}"
        for place, content in places.items()
        for needle in needles
        if needle.lower() in content.lower()
    ]


def dump() -> bytes:
    """The whole database as its owner dumps it: schema, data, large objects."""
    from tests.conftest import OWNER  # noqa: PLC0415 (conftest is read by pytest first)

    program = find_postgres().folder / "pg_dump"
    command = [str(program), "-h", OWNER["HOST"], "-U", OWNER["USER"], connections.settings["default"]["NAME"]]
    if OWNER["PORT"]:
        command += ["-p", str(OWNER["PORT"])]
    environment = {**os.environ, "PGPASSWORD": OWNER["PASSWORD"] or ""}
    return subprocess.run(command, capture_output=True, check=True, env=environment).stdout


def database_digest() -> str:
    """One digest over every row of every table: two equal ones mean that nothing was changed in between."""
    digest = sha256()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT md5(string_agg(row::text, ',' ORDER BY row::text)) FROM {table} AS row")
            digest.update(f"{table} {cursor.fetchone()[0]}\n".encode())
    return digest.hexdigest()


def broker() -> Iterator[bytes]:
    """Every key of the broker with its content."""
    address = os.environ["REDIS_URL"]
    socket, _, database = address.removeprefix("redis+socket://").partition("?virtual_host=")
    client = (
        redis.Redis(unix_socket_path=socket, db=int(database or 0))
        if address.startswith("redis+socket:")
        else redis.Redis.from_url(address)
    )
    for key in client.scan_iter():
        yield key + (client.dump(key) or b"")
