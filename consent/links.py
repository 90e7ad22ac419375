"""Links in letters and hidden fields of forms: opaque, signed, nothing stored.

A token is AES-SIV over the numbers it stands for (RFC 5297), bound to its use: 128 bits of authenticity, the same token
for the same letter, no number of ours to read in it. It dies with the state it was made for (a confirmation answered or
expired), with its day (the link to one's own consents), or never (unsubscribing, receipts). The key lies wrapped in the
database, so a link survives a new SECRET_KEY.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings
from django.urls import reverse
from django.utils.translation import override

from registry.keyring import keyring

CONFIRM, UNSUBSCRIBE, REPRESENT = b"confirm", b"unsubscribe", b"represent"
ENTER_CODE, SEND_AGAIN, MINE, RECEIPT, FORM = b"code", b"again", b"mine", b"receipt", b"form"
REQUEST, REQUEST_AGAIN, STATE, NEW_ADDRESS = b"request", b"request_again", b"state", b"new_address"
EVERY_PURPOSE = 0
MINE_IS_GOOD_FOR = timedelta(days=30)


class InvalidLink(Exception):
    """Not a token of this registry for this use: cut off, changed or made up."""


class ExpiredLink(Exception):
    """A token of ours whose time is over."""


def confirm_url(confirmation_id: int, language: str) -> str:
    return _page("confirm", language, token(CONFIRM, confirmation_id))


def represent_url(confirmation_id: int, language: str) -> str:
    return _page("represent", language, token(REPRESENT, confirmation_id))


def receipt_url(receipt_id: int, language: str) -> str:
    return _page("receipt", language, token(RECEIPT, receipt_id))


def mine_url(subject_id: int, language: str, now: datetime) -> str:
    """The link to a person's own consents. Good to the day, so that one letter holds one link however often it goes."""
    until = (now + MINE_IS_GOOD_FOR).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _page("mine", language, token(MINE, subject_id, int(until.timestamp())))


def request_url(request_id: int, language: str, doubts: int = 0) -> str:
    """The question whether somebody asked for this. Dies with the state of the request, and with the next doubt."""
    return _page("request_confirm", language, request_token(REQUEST, request_id, doubts))


def request_state_url(request_id: int, language: str, doubts: int = 0) -> str:
    """What became of a request. Its page knows when it is too late to look."""
    return _page("request_state", language, request_token(STATE, request_id, doubts))


def request_token(use: bytes, request_id: int, doubts: int) -> str:
    """Made after so many doubts about who asks; without any it is one number, as it was before doubts were counted."""
    return token(use, request_id, doubts) if doubts else token(use, request_id)


def new_address_url(old_id: int, new_id: int, language: str) -> str:
    """By the numbers of two data: the address in force and the one to take its place."""
    return _page("new_address", language, token(NEW_ADDRESS, old_id, new_id))


def unsubscribe_url(subject_id: int, purpose_id: int = EVERY_PURPOSE) -> str:
    return settings.SITE_URL + reverse("unsubscribe", args=[token(UNSUBSCRIBE, subject_id, purpose_id)])


def confirmation_of(text: str, use: bytes = CONFIRM) -> int:
    """The confirmation's id. Raises InvalidLink."""
    return numbers_of(use, text, 1)[0]


def subscription_of(text: str) -> tuple[int, int]:
    """Subject id and purpose id (EVERY_PURPOSE: all of them). Raises InvalidLink."""
    subject_id, purpose_id = numbers_of(UNSUBSCRIBE, text, 2)
    return subject_id, purpose_id


def receipt_of(text: str) -> int:
    return numbers_of(RECEIPT, text, 1)[0]


def request_of(text: str, use: bytes = REQUEST) -> int:
    """The request's id. Raises InvalidLink."""
    return numbers_of(use, text, 1)[0]


def request_and_doubts_of(text: str, use: bytes = REQUEST) -> tuple[int, int]:
    """The request's id, and after how many doubts the link was made. Raises InvalidLink."""
    with suppress(InvalidLink):
        return request_of(text, use), 0
    request_id, doubts = numbers_of(use, text, 2)
    return request_id, doubts


def addresses_of(text: str) -> tuple[int, int]:
    """The datum in force and the one to take its place. Raises InvalidLink."""
    old_id, new_id = numbers_of(NEW_ADDRESS, text, 2)
    return old_id, new_id


def person_of(text: str, now: datetime) -> int:
    """The subject id in a link to one's own consents. Raises InvalidLink, ExpiredLink."""
    subject_id, until = numbers_of(MINE, text, 2)
    if until <= now.timestamp():
        raise ExpiredLink
    return subject_id


def form_token(now: datetime) -> str:
    """The moment a form was shown, for its hidden field."""
    return token(FORM, int(now.timestamp() * 1000))


def form_shown_at(text: str) -> datetime:
    """When the form was shown. Raises InvalidLink."""
    return datetime.fromtimestamp(numbers_of(FORM, text, 1)[0] / 1000, UTC)


def code(confirmation_id: int, asked_at: datetime) -> str:
    """The six digits sent by message: the same for every attempt to send it, kept nowhere."""
    content = struct.pack(">qq", confirmation_id, int(asked_at.timestamp() * 1_000_000))
    mixed = hmac.digest(keyring().links, b"six digits\0" + content, hashlib.sha256)
    return f"{int.from_bytes(mixed[:8]) % 1_000_000:06}"


def _page(name: str, language: str, text: str) -> str:
    with override(language):
        return settings.SITE_URL + reverse(name, args=[text])


def token(use: bytes, *numbers: int) -> str:
    content = struct.pack(f">{len(numbers)}q", *numbers)
    return base64.urlsafe_b64encode(AESSIV(keyring().links).encrypt(content, [use])).rstrip(b"=").decode()


def numbers_of(use: bytes, text: str, count: int) -> tuple[int, ...]:
    """The numbers in a token of this use. Raises InvalidLink."""
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
        content = AESSIV(keyring().links).decrypt(sealed, [use])
    except (binascii.Error, InvalidTag, ValueError):
        raise InvalidLink from None
    if len(content) != 8 * count:
        raise InvalidLink
    numbers = struct.unpack(f">{count}q", content)
    if token(use, *numbers) != text:
        raise InvalidLink
    return numbers
