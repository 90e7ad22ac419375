"""Links in letters: opaque, signed, nothing stored.

A token is AES-SIV over the ids it stands for (RFC 5297), bound to its use: 128 bits of authenticity, the same token for
the same letter, no number of ours to read in it. It dies with the state it was made for (a confirmation answered or
expired), or never (unsubscribing). The key lies wrapped in the database, so a link survives a new SECRET_KEY.
"""

import base64
import binascii
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings
from django.urls import reverse
from django.utils.translation import override

from registry.keyring import keyring

CONFIRM, UNSUBSCRIBE = b"confirm", b"unsubscribe"
EVERY_PURPOSE = 0


class InvalidLink(Exception):
    """Not a token of this registry for this use: cut off, changed or made up."""


def confirm_url(confirmation_id: int, language: str) -> str:
    token = _token(CONFIRM, struct.pack(">q", confirmation_id))
    with override(language):
        return settings.SITE_URL + reverse("confirm", args=[token])


def confirmation_of(token: str) -> int:
    """The confirmation's id. Raises InvalidLink."""
    return int(struct.unpack(">q", _content(CONFIRM, token, 8))[0])


def unsubscribe_url(subject_id: int, purpose_id: int = EVERY_PURPOSE) -> str:
    token = _token(UNSUBSCRIBE, struct.pack(">qq", subject_id, purpose_id))
    return settings.SITE_URL + reverse("unsubscribe", args=[token])


def subscription_of(token: str) -> tuple[int, int]:
    """Subject id and purpose id (EVERY_PURPOSE: all of them). Raises InvalidLink."""
    subject_id, purpose_id = struct.unpack(">qq", _content(UNSUBSCRIBE, token, 16))
    return subject_id, purpose_id


def _token(use: bytes, content: bytes) -> str:
    return base64.urlsafe_b64encode(AESSIV(keyring().links).encrypt(content, [use])).rstrip(b"=").decode()


def _content(use: bytes, token: str, length: int) -> bytes:
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars="-_", validate=True)
        content = AESSIV(keyring().links).decrypt(sealed, [use])
    except (binascii.Error, InvalidTag, ValueError):
        raise InvalidLink from None
    if len(content) != length or _token(use, content) != token:
        raise InvalidLink
    return content
