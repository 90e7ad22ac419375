"""People in all states, made by the operations themselves: a factory that wrote rows would test another product."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count

from django.contrib.auth.hashers import get_hasher, make_password
from django.test import Client
from django.utils import timezone

from consent import decisions, links
from consent.models import Confirmation
from registry import blocking
from registry.models import (
    Appointment,
    Authenticator,
    DataSubject,
    LegalGround,
    LegalHold,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
    RetentionDue,
    StaffMember,
    StaffSession,
)
from registry.processing import refresh_due
from registry.sign_in import codes

MOMENT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
EMAIL, PHONE = "Aigul.Canary@example.kz", "8 (701) 555-12-34"
_numbers = count(1)


def purpose(code: str = "site-news") -> ProcessingPurpose:
    return ProcessingPurpose.objects.get(code=code)


def question(
    *codes: str, email: str = EMAIL, phone: str | None = None, now: datetime = MOMENT, language: str = "kk"
) -> Confirmation:
    """Somebody filled in the form."""
    values = {"email": email} | ({"phone": phone} if phone else {})
    purposes = [purpose(code) for code in codes or ("site-news",)]
    return decisions.ask(values, purposes, language=language, now=now)


def person(*codes: str, email: str | None = None, phone: str | None = None, now: datetime = MOMENT) -> DataSubject:
    """Somebody who asked and confirmed."""
    email = email or f"person{next(_numbers)}@example.kz"
    asked = question(*codes, email=email, phone=phone, now=now)
    assert decisions.confirm(asked.pk, now=now) == decisions.Outcome.DONE
    record = asked.records.filter(act="confirmed").first()
    assert record is not None
    return record.subject


def nobody_yet(status: str = DataSubject.Status.PENDING) -> DataSubject:
    """Somebody of whom nothing is held."""
    subject = DataSubject.objects.create(language="kk", status=status, created_at=MOMENT)
    RetentionDue.objects.create(subject=subject)
    return subject


def shown_form() -> str:
    """The hidden moment of a form that was opened a minute ago."""
    return links.form_token(timezone.now() - timedelta(minutes=1))


def keep_until(subject: DataSubject, moment: datetime | None, code: str = "site-news") -> None:
    """Moves the end of a processing, as a shorter or longer rule would."""
    Processing.objects.filter(subject=subject, purpose__code=code).update(lapses_at=moment)
    refresh_due([subject.pk])


def hold(subject: DataSubject, *, until: datetime | None = None, datum: PersonalDatum | None = None) -> LegalHold:
    placed = LegalHold.objects.create(
        subject=subject,
        datum=datum,
        ground=LegalGround.objects.first(),
        reason="court",
        placed_at=MOMENT - DAY,
        until=until,
    )
    refresh_due([subject.pk])
    return placed


def block(subject: DataSubject) -> None:
    assert blocking.block(subject, by=None, reason="asked", now=MOMENT)


@cache
def _hashed(password: str, _algorithm: str) -> str:
    """Hashing is slow on purpose: once for all."""
    return make_password(password)


def staff(name: str = "officer", *, appointed: bool = True, superuser: bool = True) -> StaffMember:
    rights = {"is_staff": True, "is_superuser": superuser}
    hashed = _hashed("a long pass phrase", get_hasher().algorithm)
    member = StaffMember.objects.create(username=name, password=hashed, has_one_time_password=False, **rights)
    if appointed:
        Appointment.objects.create(
            person=member, order_number="7", ordered_on=date(2026, 1, 5), scope="all", valid_from=date(2026, 1, 5)
        )
    return member


def telephone(member: StaffMember) -> Authenticator:
    """An app that shows codes (`codes.code_at`), connected an hour ago."""
    prepared, then = codes.prepare(member, timezone.now()), timezone.now() - timedelta(hours=1)
    assert codes.confirm(member, codes.code_at(prepared, then), then)
    return prepared


def enter(client: Client, member: StaffMember) -> None:
    """Signed in, with the second factor shown just now. Rights given afterwards end the session."""
    member.refresh_from_db()  # the database counts the rights given meanwhile
    client.force_login(member)
    now = timezone.now()
    StaffSession.objects.create(
        session_id=client.session.session_key, person=member, began_at=now, seen_at=now, verified_at=now
    )
