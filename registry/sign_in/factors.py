"""Second factors are added, removed and taken away; each act is recorded."""

import secrets
from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import auditing
from registry.models import AuditEntry, Authenticator, Passkey, StaffMember
from registry.roles import may_manage
from registry.sign_in import codes, passkeys, recovery_codes, sessions
from registry.sign_in.steps import has_second_factor


@transaction.atomic
def add_authenticator(person: StaffMember, code: str, now: datetime) -> bool:
    """Takes the prepared authenticator into use; False: this is not its code."""
    if not codes.confirm(person, code, now):
        return False
    _record(person, person, "authenticator added", now)
    return True


@transaction.atomic
def add_passkey(person: StaffMember, answer: dict[str, object], challenge: bytes, *, name: str, now: datetime) -> None:
    """PasskeyError: the device's answer proves nothing."""
    passkeys.add(person, answer, challenge, name=name, now=now)
    _record(person, person, "passkey added", now)


@transaction.atomic
def remove(factor: Authenticator | Passkey, now: datetime) -> None:
    """Removes one of several. ValidationError: the last one stays, or nobody could sign in."""
    person = StaffMember.objects.select_for_update().get(pk=factor.person_id)  # two at once would remove the last two
    factor.delete()
    if not has_second_factor(person):
        raise ValidationError(_("This is your last way to confirm that it is you. Add another one first."))
    _record(person, person, f"{factor._meta.model_name} removed", now)


@transaction.atomic
def make_recovery_codes(person: StaffMember, now: datetime) -> list[str]:
    """New codes, shown once; the old ones are worth nothing."""
    _record(person, person, "recovery codes made", now)
    return recovery_codes.make(person, now)


def let_in_anew(person: StaffMember, *, by: StaffMember | None, now: datetime) -> str:
    """Takes away password, factors and sessions; the one-time password to hand over, shown once.

    `by` None: from the shell of the machine. PermissionDenied: without the right, for oneself, or for a superuser by
    somebody who is none (it would be a way up).
    """
    if by is not None and not may_manage(by, person):
        auditing.record(
            AuditEntry.Operation.REFUSED, now=now, actor=by, system="sign-in", about=person, reason="sign-in anew"
        )
        raise PermissionDenied
    with transaction.atomic():
        _record(person, by, "sign-in anew", now)
        return _begin_anew(person)


def _begin_anew(person: StaffMember) -> str:
    person = StaffMember.objects.select_for_update().get(pk=person.pk)
    password = secrets.token_urlsafe(12)
    person.set_password(password)
    person.has_one_time_password = True
    person.save(update_fields=["password", "has_one_time_password"])
    for held in (person.authenticators, person.passkeys, person.recovery_codes):
        held.all().delete()
    sessions.end_all(person)
    return password


def _record(person: StaffMember, by: StaffMember | None, what: str, now: datetime) -> None:
    auditing.record(AuditEntry.Operation.CONFIGURE, now=now, actor=by, system="sign-in", about=person, reason=what)
