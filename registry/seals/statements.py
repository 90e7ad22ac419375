"""What is said of a seal outside the database, and the signature under it: Ed25519 (RFC 8032).

The key lies wrapped in the database; it opens with the master key alone, which the database's owner does not have.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from registry.chain import canonical
from registry.keyring import keyring
from registry.models import AuditSeal, Operator

KIND = "audit-checkpoint"
ALGORITHM = "Ed25519"


class CheckpointError(Exception):
    """The file can't be read, written or trusted. The message says what to do; it holds no value."""


@dataclass(frozen=True)
class Mark:
    """One seal, as the database or a checkpoint tells it."""

    seal: int
    first: int
    last: int
    count: int
    total: int
    previous: bytes
    head: bytes
    at: str
    lines_digest: str
    lines: bytes | None

    @classmethod
    def of(cls, seal: AuditSeal, total: int) -> Self:
        """`total`: entries sealed up to and with this one."""
        lines = bytes(seal.lines)
        return cls(
            seal=seal.pk,
            first=seal.first_entry,
            last=seal.last_entry,
            count=seal.count,
            total=total,
            previous=bytes(seal.previous),
            head=bytes(seal.head),
            at=seal.sealed_at.astimezone(UTC).isoformat(timespec="microseconds"),
            lines_digest=sha256(lines).hexdigest(),
            lines=lines,
        )

    def statement(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "seal": self.seal,
            "first": self.first,
            "last": self.last,
            "count": self.count,
            "total": self.total,
            "previous": self.previous.hex(),
            "head": self.head.hex(),
            "at": self.at,
            "lines_sha256": self.lines_digest,
        }


def document(mark: Mark, *, with_lines: bool) -> bytes:
    """The signed line, with its newline."""
    content = {**mark.statement(), "operator": Operator.objects.get().bin, "algorithm": ALGORITHM, "key": key_id()}
    signed = {**content, "signature": base64.b64encode(_private_key().sign(canonical(content))).decode("ascii")}
    if with_lines and mark.lines is not None:
        signed["lines"] = base64.b64encode(mark.lines).decode("ascii")
    return canonical(signed) + b"\n"


def parse(raw: bytes, key: Ed25519PublicKey) -> Mark:
    """What a line says, once its signature is checked. CheckpointError."""
    try:
        content = json.loads(raw)
        lines, signature = content.pop("lines", None), base64.b64decode(content.pop("signature"))
        key.verify(signature, canonical(content))
        return _mark(content, None if lines is None else base64.b64decode(lines))
    except InvalidSignature:
        raise CheckpointError("is not signed by this key") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise CheckpointError("is no checkpoint") from None


def _mark(content: dict[str, Any], lines: bytes | None) -> Mark:
    if content["kind"] != KIND or (lines is not None and sha256(lines).hexdigest() != content["lines_sha256"]):
        raise ValueError
    return Mark(
        **{name: content[name] for name in ("seal", "first", "last", "count", "total", "at")},
        previous=bytes.fromhex(content["previous"]),
        head=bytes.fromhex(content["head"]),
        lines_digest=content["lines_sha256"],
        lines=lines,
    )


def public_key() -> Ed25519PublicKey:
    return _private_key().public_key()


def public_pem() -> str:
    """The key that checks the signatures, in the form of SubjectPublicKeyInfo (RFC 8410)."""
    return public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def key_id() -> str:
    """16 hexadecimal digits: enough to tell one key from another by eye."""
    return sha256(public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(keyring().checkpoints)


def key_from_pem(path: Path) -> Ed25519PublicKey:
    """The public key somebody kept in this file. CheckpointError if none is there."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path} can't be read ({error.strerror})") from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise CheckpointError(f"{path} is no public key of this kind")
    return key
