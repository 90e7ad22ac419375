"""The policy's text: read into blocks for the page, and published."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from django.db import transaction

from consent.models import PolicyVersion
from registry import auditing
from registry.models import AuditEntry, StaffMember
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


@transaction.atomic
def publish(version: PolicyVersion, *, by: StaffMember | None, now: datetime) -> PolicyVersion:
    """Freezes a draft with the digest (SHA-256) of each language's text. A published one stays as it is."""
    version = PolicyVersion.objects.select_for_update().get(pk=version.pk)
    if version.state == PolicyVersion.State.PUBLISHED:
        return version
    for language in LANGUAGES:
        text = getattr(version, f"text_{language}").replace("\r\n", "\n").strip() + "\n"
        setattr(version, f"text_{language}", text)
        setattr(version, f"digest_{language}", sha256(text.encode()).hexdigest())
    version.state, version.published_at, version.published_by = PolicyVersion.State.PUBLISHED, now, by
    version.save()
    auditing.record(AuditEntry.Operation.CONFIGURE, now=now, actor=by, system="" if by else "prepare", about=version)
    return version


def load_first(now: datetime) -> bool:
    """Publishes the policy that ships as version 1, unless there is a policy already."""
    if PolicyVersion.objects.exists():
        return False
    texts = {f"text_{language}": (CONTENT / f"policy-1.{language}.txt").read_text("utf-8") for language in LANGUAGES}
    publish(PolicyVersion.objects.create(number=1, effective_at=now, **texts), by=None, now=now)
    return True
