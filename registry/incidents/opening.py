"""A breach is entered; the clock of the notice starts with its discovery."""

from collections.abc import Collection
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry.incidents import clock, rows, texts
from registry.models import DataCategory, Incident, StaffMember

Kind = Incident.Kind


def open_incident(
    kind: Kind,
    happened: str,
    categories: Collection[DataCategory],
    *,
    discovered_at: datetime,
    by: StaffMember,
    now: datetime,
) -> Incident:
    """Enters a breach discovered at `discovered_at`. PermissionDenied; ValidationError, and then nothing is written."""
    rows.check_may(by, None, now=now)
    incident = Incident(
        kind=kind, happened=texts.cleaned(happened), discovered_at=discovered_at, entered_at=now, entered_by=by
    )
    if discovered_at > now:
        raise ValidationError(_("A breach is entered after it was discovered."), code="discovered_at")
    if not categories:
        raise ValidationError(_("Choose the data concerned."), code="categories")
    clock.start(incident)
    with transaction.atomic():
        incident.save(force_insert=True)
        incident.categories.set(categories)
        rows.note(incident, f"opened: {kind}", by=by, now=now)
    return incident
