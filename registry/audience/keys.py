"""Keys of recipients' programs: made, looked at, revoked.

Dangerous because whoever has a key is given a mailing list, without a second factor and without a person. The rules:

- `prefix.secret`: eight letters to tell keys apart, and 32 random bytes. Only the digest of the secret is kept (no slow
  hash: nobody guesses 256 bits). The whole key is returned once, by `make`.
- Unknown, wrong, expired and revoked are one answer, None, after the same work; the digests are compared in constant
  time.
- A key ends at the end of its last day, at most a year from now; revoked it ends at once, in the middle of a stream.
- Making and revoking want the right and an appointment in force. They are recorded, and so is the first use of a day;
  what a key was given is a transfer anyway.

Called by: consent.api.door, registry.audience.feed; the console. Sources: policy clauses 14, 28, 29.
"""

import hashlib
import hmac
import re
import secrets
from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from registry import auditing
from registry.deadlines import add_months
from registry.models import AuditEntry, Recipient, RecipientKey, StaffMember
from registry.transfers.rows import check

MAKE = "registry.make_recipientkey"
LONGEST = 12  # months
LETTERS = "abcdefghjkmnpqrstuvwxyz"  # no digits: nobody takes it for a telephone number
SECRET = 32  # bytes
FORM = re.compile(r"[a-z]{8}\.[A-Za-z0-9_-]{43}", re.ASCII)
NOBODYS = hashlib.sha256(b"no key").hexdigest()
SYSTEM = "audience"
USED = timedelta(minutes=1)  # how exact the moment of the last use is
Operation = AuditEntry.Operation


def make(recipient: Recipient, *, last_day: date, by: StaffMember, now: datetime) -> tuple[RecipientKey, str]:
    """A new key, and its text, which is said never again. PermissionDenied, ValidationError (day, recipient)."""
    check(by.has_perm(MAKE), by, recipient, now)
    today = timezone.localdate(now)
    if not today <= last_day <= add_months(today, LONGEST):
        raise ValidationError(_("Choose a last day within a year from today."), code="last_day")
    if recipient.kind == Recipient.Kind.STATE_BODY:
        raise ValidationError(_("A state body is given data one request at a time: it gets no key."), code="state_body")
    secret = secrets.token_urlsafe(SECRET)
    expires_at = timezone.make_aware(datetime.combine(last_day + timedelta(days=1), datetime.min.time()))
    with transaction.atomic():
        key = RecipientKey.objects.create(
            recipient=recipient,
            prefix="".join(secrets.choice(LETTERS) for _place in range(8)),
            digest=_digest(secret),
            made_at=now,
            made_by=by,
            expires_at=expires_at,
        )
        auditing.record(Operation.CONFIGURE, now=now, actor=by, about=key, reason=f"key made for {recipient.code}")
    return key, f"{key.prefix}.{secret}"


def revoke(key: RecipientKey, *, by: StaffMember, now: datetime) -> None:
    """It opens nothing from now on. PermissionDenied, ValidationError (revoked already)."""
    check(by.has_perm(MAKE), by, key.recipient, now)
    with transaction.atomic():
        row = RecipientKey.objects.select_for_update().get(pk=key.pk)
        if row.revoked_at is not None:
            raise ValidationError(_("This key was revoked already."), code="revoked")
        row.revoked_at = now
        row.save(update_fields=["revoked_at"])
        auditing.record(Operation.CONFIGURE, now=now, actor=by, about=row, reason="key revoked")


def holder(text: str, now: datetime) -> RecipientKey | None:
    """The key somebody shows, with its recipient; None if it is none, or none any more."""
    shown = text if FORM.fullmatch(text) else "a" * 8 + "." + "a" * 43
    prefix, _dot, secret = shown.partition(".")
    found = _with_recipient().filter(prefix=prefix).first()
    is_right = hmac.compare_digest(_digest(secret), found.digest if found else NOBODYS)
    return found if found and is_right and text == shown and _is_good(found, now) else None


def still(key: RecipientKey, now: datetime) -> RecipientKey | None:
    """The key as it is now, with its recipient; None if it opens nothing any more."""
    fresh = _with_recipient().get(pk=key.pk)
    return fresh if _is_good(fresh, now) else None


def _with_recipient() -> QuerySet[RecipientKey]:
    return RecipientKey.objects.select_related("recipient__country")


def _is_good(key: RecipientKey, now: datetime) -> bool:
    return key.revoked_at is None and key.made_at <= now < key.expires_at


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def note_use(key: RecipientKey, now: datetime) -> None:
    """When it was used last, to the minute; the first use of a local day is an entry of the audit."""
    before = key.used_at
    if before is not None and now - before < USED:
        return
    is_noted = RecipientKey.objects.filter(pk=key.pk, used_at=before, revoked_at=None).update(used_at=now)
    if is_noted and (before is None or timezone.localdate(before) < timezone.localdate(now)):
        auditing.record(Operation.USE, now=now, system=SYSTEM, about=key, reason="first use of the day")
