"""The policy: its text read into blocks, what it comes to in short, and its publishing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from consent import wording
from consent.models import PolicyVersion
from registry import auditing
from registry.models import AuditEntry, Operator, ProcessingPurpose, Recipient, StaffMember
from registry.models.texts import LANGUAGES

CONTENT = Path(__file__).parent / "content"
GAP = re.compile(r"\n\s*\n")
CLAUSE = re.compile(r"(\d+)\.\s")
SECTION = re.compile(r"[IVX]+\.\s")


@dataclass(frozen=True)
class Block:
    """A title, a section's heading, a clause with its number, or a plain paragraph; lines as they stand."""

    kind: str
    lines: list[str]
    number: str = ""


def blocks(text: str) -> Iterator[Block]:
    """Paragraphs stand apart by an empty line; the first one is the title."""
    for position, paragraph in enumerate(GAP.split(text.strip())):
        lines = paragraph.splitlines()
        clause = CLAUSE.match(lines[0])
        if position == 0:
            yield Block("title", lines)
        elif SECTION.match(lines[0]):
            yield Block("section", lines)
        elif clause:
            yield Block("clause", lines, clause[1])
        else:
            yield Block("note", lines)


@dataclass(frozen=True)
class Fact:
    """One purpose in short, in the active language. `recipients`: who data may go to, with a tick of its own."""

    purpose: ProcessingPurpose
    description: str
    ground: str
    term: str
    recipients: list[Recipient]


def in_short(now: datetime) -> list[Fact]:
    """What data are held for at `now`, whatever the basis. A constant number of queries."""
    purposes = ProcessingPurpose.objects.open(now).select_related("ground")
    return [_fact(purpose) for purpose in purposes.prefetch_related("categories", "recipients__country")]


def _fact(purpose: ProcessingPurpose) -> Fact:
    law = purpose.ground
    ground = ", ".join(filter(None, [law.text("act"), law.article])) if law else _("your consent")
    is_timeless = not purpose.term_value and purpose.clock == ProcessingPurpose.Clock.CLOSED
    is_asked = purpose.third_parties == ProcessingPurpose.Disclosure.ASKED
    return Fact(
        purpose,
        purpose.text("description"),
        ground,
        term="" if is_timeless else wording.term(purpose),
        recipients=list(purpose.recipients.all()) if is_asked else [],
    )


@transaction.atomic
def publish(version: PolicyVersion, *, by: StaffMember | None, now: datetime) -> PolicyVersion:
    """Freezes a draft with the digest (SHA-256) of each language's text. A published one stays as it is.

    ValidationError names everything that stands against it, in the active language; then nothing is done.
    """
    version = PolicyVersion.objects.select_for_update().get(pk=version.pk)
    if version.state == PolicyVersion.State.PUBLISHED:
        return version
    if problems := [*_missing_texts(version), *_wrong_day(version), *_left_open(now)]:
        raise ValidationError(problems)
    for language in LANGUAGES:
        text = getattr(version, f"text_{language}").replace("\r\n", "\n").strip() + "\n"
        setattr(version, f"text_{language}", text)
        setattr(version, f"digest_{language}", sha256(text.encode()).hexdigest())
    version.state, version.published_at, version.published_by = PolicyVersion.State.PUBLISHED, now, by
    version.save()
    auditing.record(AuditEntry.Operation.CONFIGURE, now=now, actor=by, system="" if by else "prepare", about=version)
    return version


def _missing_texts(version: PolicyVersion) -> Iterator[str]:
    for language, name in settings.LANGUAGES:
        if not getattr(version, f"text_{language}").strip():
            yield _("The text is missing: %(language)s.") % {"language": name}


def _wrong_day(version: PolicyVersion) -> Iterator[str]:
    """A version in force before an earlier one would hide what people were shown."""
    newest = PolicyVersion.objects.published().order_by("effective_at").last()
    if newest and version.effective_at < newest.effective_at:
        day = date_format(localtime(newest.effective_at), "SHORT_DATETIME_FORMAT")
        yield _("The version before it is in force from: %(day)s. This one cannot be earlier.") % {"day": day}


def _left_open(now: datetime) -> Iterator[str]:
    """Whatever is asked under this policy must say everything (Law 94-V art. 8(4))."""
    operator = Operator.objects.get()
    for purpose in ProcessingPurpose.objects.asked_of_people(now):
        if items := wording.missing(purpose, operator):
            named = {"purpose": purpose, "items": ", ".join(items)}
            yield _("Purpose: %(purpose)s. Left open: %(items)s.") % named


def load_first(now: datetime) -> bool:
    """Publishes the policy that ships as version 1, unless there is a policy already."""
    if PolicyVersion.objects.exists():
        return False
    texts = {f"text_{language}": (CONTENT / f"policy-1.{language}.txt").read_text("utf-8") for language in LANGUAGES}
    publish(PolicyVersion.objects.create(number=1, effective_at=now, **texts), by=None, now=now)
    return True
