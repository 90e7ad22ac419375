"""Codes of an authenticator, a program on the telephone (RFC 6238: SHA-1, 30 seconds, 6 digits). Each works once."""

import base64
import hmac
import secrets
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.db import transaction

from registry import sealing
from registry.keyring import keyring
from registry.models import Authenticator, StaffMember

STEP, DIGITS = 30, 6
SECRET_BYTES = 20  # as long as the digest (RFC 4226, section 4)
DRIFT = (1, 0, -1)  # steps a telephone's clock may be wrong; the newest that fits


@transaction.atomic
def prepare(person: StaffMember, now: datetime) -> Authenticator:
    """A new authenticator that counts for nothing until its first code is confirmed; earlier unfinished ones go."""
    person.authenticators.filter(confirmed_at=None).delete()
    wrapped = sealing.wrap(keyring().masters, secrets.token_bytes(SECRET_BYTES), _binding(person.pk))
    return Authenticator.objects.create(person=person, wrapped=wrapped, added_at=now)


def confirm(person: StaffMember, code: str, now: datetime) -> bool:
    """Takes the prepared authenticator into use if this is its code."""
    return _take(person, code, now, confirmed_at__isnull=True)


def take(person: StaffMember, code: str, now: datetime) -> bool:
    """Whether this is a code of one of the person's authenticators that nobody has used. Uses it up."""
    return _take(person, code, now, confirmed_at__isnull=False)


def address(authenticator: Authenticator, issuer: str) -> str:
    """The otpauth:// address in the picture that a telephone reads. It holds the secret."""
    name = authenticator.person.get_username()
    return _totp(authenticator).get_provisioning_uri(name, issuer)


def typed_secret(authenticator: Authenticator) -> str:
    """The secret in groups of four, for who cannot point a camera at the picture."""
    text = base64.b32encode(_secret(authenticator)).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def code_at(authenticator: Authenticator, moment: datetime) -> str:
    """What the telephone shows at that moment."""
    return _totp(authenticator).generate(int(moment.timestamp())).decode()


@transaction.atomic
def _take(person: StaffMember, code: str, now: datetime, **state: bool) -> bool:
    """Under a lock on the rows: of two who bring the same code at once the second finds it used."""
    digits = "".join(code.split())
    for authenticator in person.authenticators.select_for_update().filter(**state).order_by("pk"):
        step = _step_of(authenticator, digits, now)
        if step is not None and step > authenticator.last_step:
            _use(authenticator, step, now)
            return True
    return False


def _use(authenticator: Authenticator, step: int, now: datetime) -> None:
    authenticator.last_step, authenticator.used_at = step, now
    authenticator.confirmed_at = authenticator.confirmed_at or now
    authenticator.save(update_fields=["last_step", "used_at", "confirmed_at"])


def _step_of(authenticator: Authenticator, digits: str, now: datetime) -> int | None:
    """Which of the steps around `now` these are the digits of."""
    totp, present = _totp(authenticator), int(now.timestamp()) // STEP
    steps = [present + drift for drift in DRIFT]
    fitting = [step for step in steps if hmac.compare_digest(totp.generate(step * STEP), digits.encode())]
    return fitting[0] if fitting else None


def _totp(authenticator: Authenticator) -> TOTP:
    return TOTP(_secret(authenticator), DIGITS, SHA1(), STEP)  # noqa: S303 (what the telephones' programs know)


def _secret(authenticator: Authenticator) -> bytes:
    return sealing.unwrap(keyring().masters, bytes(authenticator.wrapped), _binding(authenticator.person_id))


def _binding(person_id: int) -> bytes:
    """A secret moved to another person's row does not open."""
    return f"authenticator {person_id}".encode()
