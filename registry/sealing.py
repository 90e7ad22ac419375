"""Sealing: the only cipher code. Pure functions over bytes; no ORM, no settings, no state.

Dangerous because a mistake here is silent: a value sealed under the wrong key is lost, a value opened without its
binding is somebody else's. The rules:

- Every function raises SealError on any failure. None returns its input, an empty text or None instead of a value.
- A random 32-byte key per datum seals its value (AES-256-GCM, 96-bit random nonce). The additional data bind the
  ciphertext to version, category, subject and datum, so a ciphertext moved to another row does not open.
- A master key wraps the datum's key; its additional data are the datum's id (or the key's name) and the master's id.
- The blind index is HMAC-SHA-256 over category and canonical form: equal values meet, nothing can be read back.
- A file is sealed in parts under a key of its own; each part is bound to its place, the last one to being the last.
- Sealed and wrapped bytes carry a version; wrapped bytes carry the master key's id as well.

Called by: registry.keyring (which keys are in force), registry.models.subjects, registry.disclosure and
registry.sealed_files.
Sources: NIST SP 800-38D (GCM), RFC 2104 (HMAC), Rules of Order 179 (encryption at rest).
"""

import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
KEY_BYTES = 32
NONCE_BYTES = 12
AFTER_NONCE = 1 + NONCE_BYTES  # in a sealed value, behind its version
CLOSED = "a sealed value does not open: wrong key, changed bytes or moved to another place"


Opener = Callable[[int, int, int, bytes, bytes], str]
OF_DATUM, OF_KEY = struct.Struct(">Bqqq"), struct.Struct(">q")


class SealError(Exception):
    """A key or a sealed value is wrong. The message never holds a value or key material."""


@dataclass(frozen=True, repr=False)
class MasterKeys:
    """Master keys by id, the first one active. Text form: one `id:base64` per line or comma."""

    active: str
    by_id: dict[str, bytes]

    @classmethod
    def parse(cls, text: str) -> "MasterKeys":
        lines = [part.strip() for part in text.replace(",", "\n").splitlines() if part.strip()]
        keys = dict(_parse_master(line) for line in lines)
        if not keys:
            raise SealError("no master key is given")
        return cls(active=next(iter(keys)), by_id=keys)

    def get(self, key_id: str) -> bytes:
        try:
            return self.by_id[key_id]
        except KeyError:
            raise SealError(f"master key '{key_id}' is wanted and is not among those given") from None

    def __repr__(self) -> str:
        return f"<MasterKeys {', '.join(self.by_id)}>"


def _parse_master(line: str) -> tuple[str, bytes]:
    key_id, _, encoded = line.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:  # binascii.Error, and text that is not ASCII
        key = b""
    if not key_id.isascii() or not key_id.isalnum() or len(key_id) > 16 or len(key) != KEY_BYTES:
        raise SealError("a master key is written id:base64, id of 1-16 letters and digits, key of 32 bytes")
    return key_id, key


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def new_master(key_id: str) -> str:
    """A fresh master key in its text form."""
    return f"{key_id}:{base64.b64encode(new_key()).decode()}"


def wrap(masters: MasterKeys, key: bytes, bound_to: bytes) -> bytes:
    """The key under the active master: version, length of id, id, nonce, ciphertext."""
    key_id = masters.active.encode()
    nonce = secrets.token_bytes(NONCE_BYTES)
    wrapped = AESGCM(masters.get(masters.active)).encrypt(nonce, key, _bind(bound_to, key_id))
    return bytes([VERSION, len(key_id)]) + key_id + nonce + wrapped


def unwrap(masters: MasterKeys, wrapped: bytes, bound_to: bytes) -> bytes:
    key_id, rest = _split_wrapped(wrapped)
    return _decrypt(masters.get(key_id.decode("ascii")), rest, _bind(bound_to, key_id))


def master_of(wrapped: bytes) -> str:
    """The id of the master key a wrapped key needs."""
    return _split_wrapped(wrapped)[0].decode("ascii")


def _split_wrapped(wrapped: bytes) -> tuple[bytes, bytes]:
    if len(wrapped) < 2 or wrapped[0] != VERSION or not wrapped[2 : 2 + wrapped[1]].isalnum():
        raise SealError("a wrapped key is damaged")
    end = 2 + wrapped[1]
    return wrapped[2:end], wrapped[end:]


def seal(key: bytes, value: str, bound_to: bytes) -> bytes:
    return seal_part(key, value.encode(), bound_to)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> str:
    if sealed[:1] != bytes([VERSION]):
        raise SealError("a sealed value is damaged")
    return _decrypt(key, sealed[1:], bound_to).decode()


def seal_part(key: bytes, content: bytes, bound_to: bytes) -> bytes:
    """One part of a file: bytes, where `seal` takes a text."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return bytes([VERSION]) + nonce + AESGCM(key).encrypt(nonce, content, bound_to)


def unseal_part(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    if sealed[:1] != bytes([VERSION]):
        raise SealError("a part of a sealed file is damaged")
    return _decrypt(key, sealed[1:], bound_to)


def part_binding(file_id: int, number: int, is_last: bool) -> bytes:
    """What a part is bound to: version, file, its place, and whether the file ends with it: a file that was cut,
    lengthened or put together anew does not open."""
    return struct.pack(">Bqq?", VERSION, file_id, number, is_last)


def datum_binding(category_id: int, subject_id: int, datum_id: int) -> bytes:
    """What a sealed value is bound to: version, category, subject, datum."""
    return OF_DATUM.pack(VERSION, category_id, subject_id, datum_id)


def key_binding(datum_id: int) -> bytes:
    """What a datum's wrapped key is bound to."""
    return OF_KEY.pack(datum_id)


def blind_index(index_key: bytes, category: str, canonical: str) -> bytes:
    return hmac.digest(index_key, category.encode() + b"\0" + canonical.encode(), hashlib.sha256)


def opener(masters: MasterKeys) -> Opener:
    """Opens the values of a million people: `open(category_id, subject_id, datum_id, sealed, wrapped)`.

    What `unwrap` and `unseal` check, in one call, and the cipher of each master key made once. SealError.
    """
    ciphers: dict[bytes, tuple[AESGCM, bytes]] = {}  # by version, length of id and id, as they stand before the nonce

    def opened(category_id: int, subject_id: int, datum_id: int, sealed: bytes, wrapped: bytes) -> str:
        try:
            if sealed[0] != VERSION:
                raise SealError("a sealed value is damaged")
            at = 2 + wrapped[1]
            if (known := ciphers.get(wrapped[:at])) is None:
                known = ciphers[wrapped[:at]] = _cipher(masters, wrapped)
            master, key_id = known
            text = at + NONCE_BYTES
            key = master.decrypt(wrapped[at:text], wrapped[text:], OF_KEY.pack(datum_id) + key_id)
            bound_to = OF_DATUM.pack(VERSION, category_id, subject_id, datum_id)
            return AESGCM(key).decrypt(sealed[1:AFTER_NONCE], sealed[AFTER_NONCE:], bound_to).decode()
        except (InvalidTag, ValueError, IndexError):
            raise SealError(CLOSED) from None

    return opened


def _cipher(masters: MasterKeys, wrapped: bytes) -> tuple[AESGCM, bytes]:
    """That of the master key a wrapped key names, and what the binding ends with."""
    key_id, _rest = _split_wrapped(wrapped)
    return AESGCM(masters.get(key_id.decode("ascii"))), _bind(b"", key_id)


def _bind(bound_to: bytes, key_id: bytes) -> bytes:
    return bound_to + b"\0" + key_id


def _decrypt(key: bytes, nonce_and_text: bytes, bound_to: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce_and_text[:NONCE_BYTES], nonce_and_text[NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError):
        raise SealError(CLOSED) from None
