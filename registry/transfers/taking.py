"""Handing a transfer over: asked once more who may go, recorded, and only then given, once.

Where the recipient has a public key the file leaves encrypted to it (age, X25519). The digest is that of the file the
recipient reads.

The gate is asked and the file read through before the row is locked, so that nobody who withdraws waits for it. Whoever
withdraws meanwhile drops their own line under the lock of the row (`notices.open_for`): before the file is given they
are left out of it, after it their recipient is told.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from io import RawIOBase
from typing import Any, BinaryIO

import pyrage
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from registry import sealed_files
from registry.models import StaffMember, Transfer, TransferLine
from registry.sealing import SealError
from registry.transfers import formats, gate, packing, refusing, rows, telling
from registry.transfers.building import columns
from registry.transfers.formats import Column
from registry.transfers.rows import Operation, State


@dataclass(frozen=True, repr=False)
class Taken:
    """A file on its way out: its bytes, once. It has no name any more and no key but this one; `close` it.

    `language`: of its words, whoever reads it when; or the digest would be another file's.
    """

    transfer: Transfer
    dropped: frozenset[int]
    file: BinaryIO
    key: bytes
    columns: list[Column]
    language: str

    @property
    def name(self) -> str:
        ending = ".age" if self.transfer.recipient.public_key else ""
        return f"{self.transfer.number}.{self.transfer.format}{ending}"

    def __iter__(self) -> Iterator[bytes]:
        yield from self._encrypted() if self.transfer.recipient.public_key else self.plain()

    def plain(self) -> Iterator[bytes]:
        self.file.seek(0)
        parts = sealed_files.reading(self.file, self.key, self.transfer.pk)
        kept = (packing.kept(part, self.dropped) for part in parts)
        with translation.override(self.language):
            document = formats.document(self.transfer, self.columns, kept)
        yield from document

    def _encrypted(self) -> Iterator[bytes]:
        """Through a file without a name that holds ciphertext only."""
        recipient = _public_key(self.transfer)
        with tempfile.TemporaryFile(dir=rows.FILES.folder()) as encrypted:
            pyrage.encrypt_io(_Reader(self.plain()), encrypted, [recipient])
            encrypted.seek(0)
            while part := encrypted.read(formats.CHUNK):
                yield part

    def digest(self) -> str:
        """Reads all of it: a file that is damaged or cut is found out before the first byte is given."""
        digest = hashlib.sha256()
        for part in self.plain():
            digest.update(part)
        return digest.hexdigest()

    def close(self) -> None:
        self.file.close()


class _Reader(RawIOBase):
    """Bytes that come one after the other, as a file to read from."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts, self.rest = parts, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.rest:
            part = next(self.parts, None)
            if part is None:
                return 0
            self.rest = part
        count = min(len(buffer), len(self.rest))
        buffer[:count], self.rest = self.rest[:count], self.rest[count:]
        return count


def take(transfer: Transfer, *, by: StaffMember, now: datetime) -> Taken:
    """The file, for the person who asked. Cut off on its way it is gone all the same: it is asked for anew.

    PermissionDenied, ValidationError (not ready, over its time, not allowed any more, damaged, nobody left).
    """
    is_theirs = transfer.requested_by_id == by.pk
    rows.check(is_theirs and by.has_perm(rows.ASK), by, transfer, now)
    _check_still_possible(transfer, by, now)
    try:
        taken = _taken(transfer, by, now)
    except (OSError, SealError) as error:
        rows.give_up(transfer, error, now)
        raise ValidationError(_("The file of this transfer is damaged or gone. Ask for it anew.")) from None
    rows.remove(transfer)
    return taken


def _check_still_possible(transfer: Transfer, by: StaffMember, now: datetime) -> None:
    """Between asking and fetching a second person decides: a contract may have ended meanwhile."""
    fresh = _fresh(transfer)
    if told := refusing.refusals(gate.as_asked(fresh), now):
        rows.record_refused(by, transfer, now, "not allowed any more")
        raise ValidationError([str(one) for one in told])
    if fresh.recipient.public_key:
        _public_key(fresh)


def _fresh(transfer: Transfer) -> Transfer:
    return Transfer.objects.select_related("recipient__country", "purpose", "incident").get(pk=transfer.pk)


def _public_key(transfer: Transfer) -> Any:
    """Its check sum is looked at here only: before the file is given, or it would be lost half given."""
    try:
        return pyrage.x25519.Recipient.from_str(transfer.recipient.public_key)
    except pyrage.RecipientError:
        raise ValidationError(_("The public key of this recipient is damaged. Enter it again.")) from None


def _taken(transfer: Transfer, by: StaffMember, now: datetime) -> Taken:
    taken = _opened(_checked(_fresh(transfer), now), now)
    try:
        digest = taken.digest()
        with transaction.atomic():
            row = _checked(rows.locked(transfer, State.READY), now)
            if row.wrapped is None or bytes(row.wrapped) != bytes(taken.transfer.wrapped or b""):
                raise ValidationError(_("Somebody else has decided about this meanwhile."))
            taken, digest = _without_lost(taken, digest, row)
            _give(taken, digest, by, now)
    except BaseException:
        taken.close()
        raise
    return taken


def _checked(row: Transfer, now: datetime) -> Transfer:
    if row.state != State.READY or row.expires_at is None or row.expires_at <= now:
        raise ValidationError(_("This file cannot be fetched any more. Ask for it anew."))
    return row


def _opened(row: Transfer, now: datetime) -> Taken:
    gate.drop_lost(row, now)
    dropped, key = _lost(row), rows.FILES.key_of(row)
    language = translation.get_language() or settings.LANGUAGE_CODE
    return Taken(row, dropped, rows.path_of(row).open("rb"), key, columns(row), language)


def _lost(row: Transfer) -> frozenset[int]:
    """The places of who may not go any more; ValidationError if that is everybody."""
    dropped = frozenset(TransferLine.objects.filter(transfer=row).exclude(dropped="").values_list("place", flat=True))
    if len(dropped) == row.people:
        raise ValidationError(_("Nobody may go to this recipient now."), code="nobody")
    return dropped


def _without_lost(taken: Taken, digest: str, row: Transfer) -> tuple[Taken, str]:
    dropped = _lost(row)
    if dropped == taken.dropped:
        return replace(taken, transfer=row), digest
    taken = replace(taken, transfer=row, dropped=dropped)
    return taken, taken.digest()


def _give(taken: Taken, digest: str, by: StaffMember, now: datetime) -> None:
    row, people = taken.transfer, taken.transfer.people - len(taken.dropped)
    rows.turn(row, State.TAKEN, taken_at=now, destroyed_at=now, written=people, digest=digest)
    telling.open_notices(row, now)
    rows.note(Operation.TRANSFER, row, by, now, f"{row.ground}, {people} people")
