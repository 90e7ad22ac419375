"""Scans of signed papers: which files are taken, and the text they are sealed as. Pure functions."""

import base64

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

LARGEST = 2 * 1024 * 1024  # bytes
FIRST_BYTES = {b"%PDF-": "pdf", b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}


def ending(content: bytes) -> str:
    """How the name of such a file ends, told by its first bytes alone; empty if it is none that is taken."""
    return next((name for first, name in FIRST_BYTES.items() if content.startswith(first)), "")


def check(content: bytes) -> None:
    """Raises ValidationError unless this is a PDF, PNG or JPEG that is not too large."""
    if len(content) > LARGEST or not ending(content):
        raise ValidationError(_("Attach the scan: PDF, PNG or JPEG, at most 2 MB."), code="scan")


def to_text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def from_text(text: str) -> bytes:
    return base64.b64decode(text)
