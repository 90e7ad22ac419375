"""The form in which a message is sealed: as it came, or where it is too large for that, its text. Pure functions."""

import base64
import binascii
from email.errors import MessageError

from consent.mailbox import parsing
from consent.mailbox.parsing import Letter

LARGEST = 1024 * 1024  # bytes of a message that is kept as it came


def to_text(raw: bytes, told: str) -> str:
    """`told`: what is kept of a larger one."""
    return base64.b64encode(raw).decode("ascii") if len(raw) <= LARGEST else told


def from_text(kept: str) -> bytes | None:
    """The message as it came; None where only its text was kept: that has spaces, and base64 none."""
    try:
        return base64.b64decode(kept, validate=True)
    except (binascii.Error, ValueError):
        return None


def read(kept: str) -> Letter | None:
    raw = from_text(kept)
    try:
        return parsing.read(raw) if raw else None
    except (parsing.Unreadable, MessageError, RecursionError):
        return None
