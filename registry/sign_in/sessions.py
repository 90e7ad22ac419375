"""Where members of the staff are signed in, how long, and how it ends."""

from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.crypto import salted_hmac

from registry import auditing
from registry.models import AuditEntry, StaffMember, StaffSession

IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=8)
HALF_IN = timedelta(minutes=15)  # from the password to the last step: time to set up a telephone
FRESH = timedelta(minutes=5)
SEEN_EVERY = timedelta(minutes=1)  # a page of the console is not worth a write each


class Ended(StrEnum):
    """Why a session may not go on."""

    IDLE = "idle"
    LONGEST = "longest"
    HALF_IN = "half_in"


@transaction.atomic
def begin(key: str, person: StaffMember, *, by: str, address: str | None, browser: str, now: datetime) -> StaffSession:
    """All the way in with the session `key`; `by` says which factor was shown."""
    auditing.record(AuditEntry.Operation.SIGN_IN, now=now, actor=person, system="sign-in", reason=by)
    return StaffSession.objects.create(
        session_id=key, person=person, began_at=now, seen_at=now, verified_at=now, address=address, browser=browser
    )


def ended(session: StaffSession, now: datetime) -> Ended | None:
    """Why this session is over at `now`; None: it goes on. From the minute named on, not after it."""
    if now - session.began_at >= LONGEST:
        return Ended.LONGEST
    return Ended.IDLE if now - session.seen_at >= IDLE else None


def touch(session: StaffSession, now: datetime) -> None:
    """Somebody works here."""
    if now - session.seen_at >= SEEN_EVERY:
        session.seen_at = now
        session.save(update_fields=["seen_at"])


def is_fresh(session: StaffSession | None, now: datetime) -> bool:
    """Whether the second factor was shown a moment ago."""
    return session is not None and session.verified_at is not None and now - session.verified_at < FRESH


def verify(session: StaffSession, *, by: str, now: datetime) -> None:
    """The second factor was shown again (step-up)."""
    with transaction.atomic():
        auditing.record(AuditEntry.Operation.SIGN_IN, now=now, actor=session.person, system="step-up", reason=by)
        session.verified_at = now
        session.save(update_fields=["verified_at"])


def move(session: StaffSession, key: str) -> StaffSession:
    """The same session under a new key: the row of the old one has gone with it."""
    session.session_id = key
    session.save(force_insert=True)
    return session


def mark(session: StaffSession) -> str:
    """What a page calls a session by: its key is the cookie itself and stays out of pages."""
    return salted_hmac("registry.sign_in.sessions", session.pk).hexdigest()


def end_all(person: StaffMember) -> None:
    """Everywhere, recorded by the caller."""
    Session.objects.filter(staff_session__person=person).delete()


@transaction.atomic
def end(person: StaffMember, chosen: list[StaffSession], *, by: StaffMember, now: datetime) -> int:
    """Ends these sessions of one person; how many."""
    keys = [session.pk for session in chosen if session.person_id == person.pk]
    if keys:
        auditing.record(
            AuditEntry.Operation.CONFIGURE, now=now, actor=by, system="sign-in", about=person, reason="sessions ended"
        )
        Session.objects.filter(pk__in=keys).delete()
    return len(keys)
