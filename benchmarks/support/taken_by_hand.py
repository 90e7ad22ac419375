"""The limit: the same sealed rows by one COPY and bare AES-GCM, no gate, no lines, no file at rest, no digest.

Who goes is one plain condition; a line a value goes nowhere. The master's cipher is made once, and nothing is caught.
"""

import base64
import os
import struct
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.support.databases import connect

ROWS = """
COPY (
    SELECT subject.reference, subject.language, datum.category_id, subject.id, datum.id, datum.sealed, key.wrapped
    FROM registry_processing processing
    JOIN registry_processingpurpose purpose ON purpose.id = processing.purpose_id AND purpose.code = 'site-news'
    JOIN registry_datasubject subject ON subject.id = processing.subject_id
    JOIN registry_personaldatum datum ON datum.subject_id = subject.id
    JOIN registry_datacategory category ON category.id = datum.category_id AND category.kind IN ('email', 'phone')
    JOIN registry_datumkey key ON key.datum_id = datum.id
    WHERE processing.state = 'open' AND processing.third_parties AND processing.cross_border
        AND datum.superseded_at IS NULL
) TO STDOUT (FORMAT binary)
"""
TYPES = ["text", "text", "int8", "int8", "int8", "bytea", "bytea"]


def measure() -> dict[str, float]:
    """Seconds and values."""
    name, _, encoded = os.environ["MASTER_KEYS"].partition(":")
    opened, bound = AESGCM(base64.b64decode(encoded)).decrypt, b"\0" + name.encode()
    after, values, start = 2 + len(name), 0, time.perf_counter()
    with (
        connect(os.environ["DATABASE_APP_URL"]) as connection,
        connection.cursor().copy(ROWS) as rows,
        open("/dev/null", "w") as nowhere,
    ):
        rows.set_types(TYPES)
        for reference, language, category, person, datum, sealed, wrapped in rows.rows():
            key = opened(wrapped[after : after + 12], wrapped[after + 12 :], struct.pack(">q", datum) + bound)
            binding = struct.pack(">Bqqq", 1, category, person, datum)
            value = AESGCM(key).decrypt(sealed[1:13], sealed[13:], binding)
            nowhere.write(f"{reference};{language};{value.decode()}\r\n")
            values += 1
    return {"seconds": time.perf_counter() - start, "values": values}
