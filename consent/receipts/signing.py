"""The signature under receipts: Ed25519 (RFC 8032), by a key that lies wrapped in the database."""

import base64
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consent.models import Receipt
from registry.chain import canonical
from registry.keyring import keyring

ALGORITHM = "Ed25519"


def public_key() -> bytes:
    """The 32 bytes of the key that checks receipts."""
    return _private_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_pem() -> str:
    """The same key in the form of SubjectPublicKeyInfo (RFC 8410), as most programs read it."""
    pem = _private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode("ascii")


def key_id() -> str:
    """16 hexadecimal digits: enough to tell one key from another by eye."""
    return sha256(public_key()).hexdigest()[:16]


def sign(content: bytes) -> str:
    """The signature in base64."""
    return base64.b64encode(_private_key().sign(content)).decode("ascii")


def is_signed(content: bytes, signature: str) -> bool:
    try:
        _private_key().public_key().verify(base64.b64decode(signature), content)
    except InvalidSignature:
        return False
    return True


def signed_by() -> dict[str, str]:
    """What stands beside every signature."""
    return {"algorithm": ALGORITHM, "key": key_id()}


def signature_file(receipt: Receipt) -> bytes:
    """The signature beside a document, for a checker who has only these two files and the key."""
    return canonical({**signed_by(), "sha256": receipt.digest, "signature": receipt.signature})


def _private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(keyring().receipts)
