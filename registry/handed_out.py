"""What is asked for, built as a sealed file, fetched once and destroyed: lists, transfers, copies. One rule for three.

Each is a row with a state and the wrapped key of its file. The file is worth nothing without the key, so the key goes
in the statement that turns the state, and the file may follow a minute later. Every step is an audit entry.

Called by: registry.exporting, registry.transfers, registry.requests.copying. Who may do what, and what is in the file,
stands there. Why it is so: docs/decisions/0022-access-brake.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import models, transaction

from registry import auditing, sealed_files
from registry.disclosure import may_see_people
from registry.models import AuditEntry, CopyPackage, DataExport, StaffMember, Transfer

Operation = AuditEntry.Operation
Row = DataExport | Transfer | CopyPackage
WITH_FILE = ("building", "ready")


@dataclass(frozen=True)
class Files:
    """The files of one kind. `name`: of their folder, and what the audit calls the job. `kind`: what their keys are
    bound to."""

    name: str
    kind: bytes

    def check(self, is_allowed: bool, by: StaffMember, about: models.Model, now: datetime) -> None:
        """PermissionDenied, and the attempt recorded, unless it is allowed and an appointment is in force (policy
        clause 29)."""
        if not (is_allowed and may_see_people(by, now)):
            record_refused(by, about, now, self.name)
            raise PermissionDenied

    def note(
        self,
        operation: Operation,
        row: Row,
        by: StaffMember | None,
        now: datetime,
        reason: str,
        *,
        subject_id: int | None = None,
    ) -> None:
        """One entry about the row, of a member of the staff or of the job."""
        system = "" if by else self.name
        auditing.record(operation, now=now, actor=by, system=system, subject_id=subject_id, about=row, reason=reason)

    def fail(self, row: Row, error: Exception, now: datetime, subject_id: int | None = None) -> None:
        """Ends a locked row that still had a file. The error is noted by its type."""
        if row.state not in WITH_FILE:
            return
        name = type(error).__name__
        noted = {} if isinstance(row, DataExport) else {"failure": name}
        turn(row, "failed", destroyed_at=now, **noted)
        self.note(Operation.DESTROY, row, None, now, f"failed: {name}", subject_id=subject_id)

    def folder(self) -> Path:
        return settings.HOME / self.name

    def path_of(self, row: Row) -> Path:
        label = row.pk if isinstance(row, CopyPackage) else row.number
        return self.folder() / f"{label}.sealed"

    def remove(self, row: Row) -> None:
        """Takes the file away. Its key is gone already: if this fails, noise stays until the next run."""
        self.path_of(row).unlink(missing_ok=True)

    def sweep(self, ready: Iterable[Row]) -> None:
        """Takes away every file but those of these rows: what a killed process, an erasure or a restored database left.

        Nothing is being built at the time: the same job does both, and runs once.
        """
        kept = {self.path_of(row) for row in ready}
        for path in self.folder().glob("*"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def new_key(self, row: Row) -> tuple[bytes, bytes]:
        """A key for the file, plain and wrapped."""
        return sealed_files.new_key(self.kind, row.pk)

    def key_of(self, row: Row) -> bytes:
        """SealError if there is none, or it is another file's."""
        return sealed_files.key_of(row.wrapped, self.kind, row.pk)


def record_refused(by: StaffMember, about: models.Model, now: datetime, reason: str) -> None:
    with transaction.atomic():
        auditing.record(Operation.REFUSED, now=now, actor=by, about=about, reason=reason)


def turn(row: Row, state: str, **also: object) -> None:
    """The next state of a locked row; the key goes with the last one that has a file."""
    if state not in WITH_FILE:
        also["wrapped"] = None
    for field, value in also.items():
        setattr(row, field, value)
    row.state = state
    row.save(update_fields=["state", *also])
