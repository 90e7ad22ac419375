"""Handing a list over: looked through first, recorded, and only then given, once."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import lists
from registry.exporting import rows
from registry.exporting.asking import PERMISSIONS
from registry.exporting.rows import Kind, Operation, State
from registry.models import DataExport, ProcessingPurpose, StaffMember
from registry.sealed_files import reading
from registry.sealing import SealError


@dataclass(frozen=True, repr=False)
class Taken:
    """A list on its way out: its bytes, once. The file has no name any more and no key but this one; `close` it."""

    name: str
    heading: bytes
    pass_over: frozenset[bytes]
    file: BinaryIO
    key: bytes
    file_id: int

    def __iter__(self) -> Iterator[bytes]:
        yield self.heading
        self.file.seek(0)
        for part in reading(self.file, self.key, self.file_id):
            yield b"".join(line for line in _lines(part) if lists.reference_of(line) not in self.pass_over)

    def close(self) -> None:
        self.file.close()


def take(export: DataExport, *, by: StaffMember, now: datetime) -> Taken:
    """The list, for the person who asked. Cut off on its way it is gone all the same: it is asked for anew.

    PermissionDenied, ValidationError (not ready, over its time, damaged).
    """
    is_theirs = export.requested_by_id == by.pk
    rows.check(is_theirs and by.has_perm(PERMISSIONS[Kind(export.kind)]), by, export, now)
    taken = _opened(export, now)
    try:
        people, digest = _count(taken)
        with transaction.atomic():
            row = rows.locked(export, State.READY)
            rows.turn(row, State.TAKEN, taken_at=now, destroyed_at=now, written=people, digest=digest)
            rows.note(Operation.EXPORT, row, by, now, f"{row.kind}, {people} people")
    except BaseException:
        taken.close()
        raise
    rows.remove(row)
    return taken


def _opened(export: DataExport, now: datetime) -> Taken:
    """Everything of it was looked at: what does not open is refused before a byte is given."""
    row = DataExport.objects.select_related("purpose", "requested_by").get(pk=export.pk)
    if row.state != State.READY or row.expires_at is None or row.expires_at <= now:
        raise ValidationError(_("This list cannot be fetched any more. Ask for it anew."))
    try:
        return _looked_through(row, now)
    except (OSError, SealError) as error:
        rows.give_up(row, error, now)
        raise ValidationError(_("The file of this list is damaged or gone. Ask for it anew.")) from None


def _looked_through(row: DataExport, now: datetime) -> Taken:
    key = rows.key_of(row)
    heading = lists.heading(row, lists.categories(row.purpose), now).encode()
    file = rows.path_of(row).open("rb")
    try:
        parts = reading(file, key, row.pk)
        lost = frozenset(reference for part in parts for reference in _lost(row.purpose, part, now))
    except BaseException:
        file.close()
        raise
    return Taken(f"{row.number}.csv", heading, lost, file, key, row.pk)


def _lost(purpose: ProcessingPurpose, part: bytes, now: datetime) -> set[bytes]:
    """Who on this part of the list has lost the ground since it was built."""
    references = {lists.reference_of(line) for line in _lines(part)}
    return references - lists.still_allowed(purpose, references, now)


def _count(taken: Taken) -> tuple[int, str]:
    """How many people are given, and the SHA-256 of what is given."""
    parts = iter(taken)
    digest, people = hashlib.sha256(next(parts)), 0
    for part in parts:
        digest.update(part)
        people += len(_lines(part))
    return people, digest.hexdigest()


def _lines(part: bytes) -> list[bytes]:
    return part.splitlines(keepends=True)
