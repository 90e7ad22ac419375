"""Looks through the broker: every key with all it holds, each message body decoded."""

import base64
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.conf import settings
from kombu import Connection
from kombu.exceptions import OperationalError

from registry.scanning.needles import Needles
from registry.scanning.results import Scan

PART = 1000
ENCODED = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")


def look(needles: Needles) -> Scan:
    """A broker that does not answer is said to be unseen. It wakes workers; it holds nothing that must be kept."""
    connection = Connection(
        settings.CELERY_BROKER_URL, transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS, connect_timeout=2
    )
    seen = Scan({"messages": 0})
    try:
        with connection:
            channel: Any = connection.default_channel
            _look(channel.client, needles, seen)
    except (OSError, AttributeError, OperationalError, *connection.connection_errors, *connection.channel_errors):
        seen.unseen.append("broker")
    return seen


def _look(client: Any, needles: Needles, seen: Scan) -> None:
    for key in client.scan_iter(count=PART):
        for piece in [key, *_content(client, key)]:
            seen.look("messages")
            seen.found("broker", needles.search(_readable(piece)))


def _content(client: Any, key: bytes) -> Iterator[bytes]:
    """Every piece a key holds, by its type: a dump would be compressed."""
    match client.type(key):
        case b"string":
            yield client.get(key) or b""
        case b"list":
            for start in range(0, client.llen(key), PART):
                yield from client.lrange(key, start, start + PART - 1)
        case b"hash":
            yield from (b" ".join(pair) for pair in client.hscan_iter(key))
        case b"set":
            yield from client.sscan_iter(key)
        case b"zset":
            yield from (member for member, _ in client.zscan_iter(key))
        case b"stream":
            yield from (repr(entry).encode() for entry in islice(client.xrange(key), PART))


def _readable(piece: bytes) -> str:
    """The text and what stands in it in base64: bodies of messages do."""
    text = piece.decode(errors="replace")
    return "\n".join([text, *(_decoded(match.group()) for match in ENCODED.finditer(text))])


def _decoded(encoded: str) -> str:
    whole = encoded.rstrip("=").translate(str.maketrans("-_", "+/"))
    whole = whole[: len(whole) - (len(whole) % 4 == 1)]
    return base64.b64decode(whole + "=" * (-len(whole) % 4)).decode(errors="replace")
