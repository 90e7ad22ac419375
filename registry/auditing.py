"""The audit: every act leaves an entry in its own transaction. If it can't be written, the act does not happen."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, models

from registry.models import AuditEntry, StaffMember

logger = logging.getLogger(__name__)


class NotRecorded(Exception):
    """The audit took no entry. The transaction around is lost, and with it the act; the console answers 503.

    Nobody catches it to go on: what cannot be recorded does not happen. It says nothing of the act.
    """


def record(
    operation: AuditEntry.Operation,
    *,
    now: datetime,
    actor: StaffMember | None = None,
    system: str = "",
    subject_id: int | None = None,
    about: models.Model | None = None,
    reason: str = "",
    request_id: UUID | None = None,
) -> AuditEntry:
    """Appends one entry: who (a staff member, or the job or page `system`), what, on whose data, about which row.

    A row known by a code has no number: the caller gives the code as reason. NotRecorded if the database refuses.
    """
    entry = AuditEntry(
        at=now,
        actor=actor,
        system=system,
        operation=operation,
        subject_id=subject_id,
        object_type=about._meta.label_lower if about is not None else "",
        object_id=about.pk if about is not None and isinstance(about.pk, int) else None,
        reason=reason,
        request_id=request_id,
    )
    try:
        entry.save(force_insert=True)
    except DatabaseError as error:
        logger.error("the audit took no entry: %s", type(error).__name__)
        raise NotRecorded from error
    return entry
