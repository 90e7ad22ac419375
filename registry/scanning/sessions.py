"""Looks into sessions. They lie in their table encoded and perhaps compressed, where the tables' look can't see."""

import zlib
from itertools import chain

from django.contrib.sessions.models import Session
from django.core.signing import b64_decode

from registry.scanning.needles import Needles
from registry.scanning.results import Scan


def look(needles: Needles) -> Scan:
    seen = Scan({"sessions": 0})
    for data in Session.objects.values_list("session_data", flat=True).iterator():
        seen.look("sessions")
        seen.found("sessions", any(needles.search(text) for text in chain([data], _content(data))))
    return seen


def _content(data: str) -> list[str]:
    """What was signed, read without looking at the signature: a session signed with an older key holds it as well."""
    encoded = data.partition(":")[0].encode()
    try:
        content = b64_decode(encoded.removeprefix(b"."))
        return [(zlib.decompress(content) if encoded.startswith(b".") else content).decode(errors="replace")]
    except (ValueError, zlib.error):
        return []
