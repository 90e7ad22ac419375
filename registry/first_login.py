"""The first administrator: an account with a one-time password, and the appointment without which it sees nothing."""

import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from registry import auditing
from registry.models import Appointment, AuditEntry, StaffMember

NAME = "admin"
FIRST_APPOINTMENT = timedelta(days=30)


@transaction.atomic
def create_first_administrator(now: datetime) -> Path | None:
    """Makes the account, its one-time password in first-login.txt (0600); None if anybody works here already."""
    if StaffMember.objects.exists():
        return None
    password = secrets.token_urlsafe(12)
    person = StaffMember.objects.create_superuser(NAME, password=password)
    today = timezone.localdate(now)
    Appointment.objects.create(
        person=person,
        order_number="0",
        ordered_on=today,
        scope="Setting up; replace by an order of the operator",
        valid_from=today,
        valid_until=today + FIRST_APPOINTMENT,
    )
    auditing.record(AuditEntry.Operation.CONFIGURE, now=now, system="prepare", about=person)
    return _write(password)


def _write(password: str) -> Path:
    path = Path(settings.HOME) / "first-login.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    text = f"""address:  {settings.SITE_URL}/admin/
name:     {NAME}
password: {password}

The password works once: you choose your own at the first sign-in. Have a telephone with an authenticator app at hand:
the registry asks for a code from it at every sign-in. Then delete this file.
"""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path
