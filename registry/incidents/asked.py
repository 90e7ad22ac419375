"""The questions that find whose data an incident concerns: to the audit, about a list, about a purpose, by references.

A question is a kind and parameters that fit into a row of JSON: numbers, moments and references, nobody's value. The
same parameters are what the statement is run with, so whoever reads them later can ask again.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from registry.models import (
    AuditEntry,
    DataExport,
    DataSubject,
    Incident,
    IncidentSource,
    ProcessingPurpose,
    StaffMember,
)

Kind = IncidentSource.Kind
Operation = AuditEntry.Operation
SEEN = (Operation.REVEAL, Operation.SEARCH, Operation.EXPORT)  # what lets somebody know of a person
MOST_REFERENCES = 1000
REFERENCE = re.compile(r"DS-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}")


@dataclass(frozen=True)
class Question:
    """One way to find people. `parameters` go into the row and into the statement."""

    kind: Kind
    parameters: Mapping[str, Any]


def of_audit(
    since: datetime, until: datetime, operations: Collection[str], *, now: datetime, member: StaffMember | None = None
) -> Question:
    """Whose data this member of the staff (or anybody) touched in [since, until) by these operations.

    With "list taken out" among them: everybody on the lists they fetched in that time. ValidationError.
    """
    if not since < until <= now:
        raise ValidationError(_("Give a time that has begun and is over."), code="period")
    if not operations:
        raise ValidationError(_("Choose at least one operation."), code="operations")
    given = {"since": since.isoformat(), "until": until.isoformat(), "operations": sorted(operations)}
    return Question(Kind.AUDIT, given | {"member": member.pk if member else None})


def of_list(export: DataExport) -> Question:
    """Everybody who was on the list when it was written. ValidationError: it never was."""
    if export.built_at is None:
        raise ValidationError(_("This list was never written: nobody's data left with it."), code="list")
    return Question(Kind.LIST, {"list": export.number})


def of_purpose(purpose: ProcessingPurpose, incident: Incident) -> Question:
    """Everybody whose data were kept for this purpose when the incident was discovered."""
    return Question(Kind.PURPOSE, {"purpose": purpose.pk, "at": incident.discovered_at.isoformat()})


def of_references(text: str) -> Question:
    """The people with these references, however they are separated.

    ValidationError: too many, or one is no reference or nobody's. What was typed is not repeated: it may be a value.
    """
    words = re.split(r"[\s,;]+", text.strip().upper())
    wanted = sorted({word for word in words if word})
    if not 0 < len(wanted) <= MOST_REFERENCES:
        raise ValidationError(
            _("Give 1 to %(most)d references, such as DS-7K3F-9Q2M.") % {"most": MOST_REFERENCES}, code="references"
        )
    known = [word for word in wanted if REFERENCE.fullmatch(word)]
    lost = len(wanted) - DataSubject.objects.filter(reference__in=known).count()
    if lost:
        raise ValidationError(_("Not found or not a reference: %(number)d.") % {"number": lost}, code="references")
    return Question(Kind.REFERENCES, {"references": wanted})
