"""Ten codes on paper for the day the telephone is lost. The registry keeps digests; each code works once."""

import hashlib
import secrets
from datetime import datetime

from django.db import transaction

from registry.models import RecoveryCode, StaffMember
from registry.models.subjects import ALPHABET

COUNT, GROUPS, LETTERS = 10, 3, 4  # 12 letters of 5 bits: 60 bits, too many to guess, so a plain digest is enough


@transaction.atomic
def make(person: StaffMember, now: datetime) -> list[str]:
    """New codes such as 7K3F-9Q2M-X4TP, to be shown once; the old ones are worth nothing any more."""
    StaffMember.objects.select_for_update().get(pk=person.pk)  # two at once would leave twenty
    person.recovery_codes.all().delete()
    codes = [_new() for _ in range(COUNT)]
    RecoveryCode.objects.bulk_create(RecoveryCode(person=person, digest=_digest(code), made_at=now) for code in codes)
    return codes


def take(person: StaffMember, code: str, now: datetime) -> bool:
    """Whether this is an unused code of the person's. Uses it up: one statement, so only one of two succeeds."""
    unused = person.recovery_codes.filter(digest=_digest(code), used_at=None)
    return unused.update(used_at=now) == 1


def left(person: StaffMember) -> int:
    return person.recovery_codes.filter(used_at=None).count()


def _new() -> str:
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(LETTERS)) for _ in range(GROUPS))


def _digest(code: str) -> bytes:
    """Of the letters alone: hyphens, spaces and small letters are no mistake."""
    letters = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(letters.encode()).digest()
