"""Previews: exactly what a purge would destroy, read from the same queue and the same view, and nothing changed.

The list is a text of its own, the same byte for byte wherever it is written: one line per datum, by person and number,
without values. Its SHA-256 is the digest an approval is bound to, and that of the exported file.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, QuerySet

from registry import auditing
from registry.models import AuditEntry, ErasureRecord, PreviewLine, PurgePreview, RetentionDue, StaffMember

HEADER = "datum,person,category,purpose,rule,ground\n"
PEOPLE_AT_ONCE = 2000
FIELDS = ("datum_id", "subject__reference", "category__code", "purpose__code", "rule_version", "ground")
# The view is asked about these people first; joined in one go, the planner may ask it about everybody.
LIST = """
    WITH term AS MATERIALIZED (
        SELECT subject_id, datum_id, category_id, purpose_id, rule_version, ground
        FROM registry_datumterm WHERE subject_id = ANY(%s) AND until <= %s
    )
    SELECT term.datum_id, subject.reference, category.code, purpose.code, term.rule_version, term.ground
    FROM term JOIN registry_datasubject subject ON subject.id = term.subject_id
    JOIN registry_datacategory category ON category.id = term.category_id
    LEFT JOIN registry_processingpurpose purpose ON purpose.id = term.purpose_id
    ORDER BY term.subject_id, term.datum_id
"""
KEEP = """
    INSERT INTO registry_previewline (preview_id, subject_id, datum_id, category_id, purpose_id, rule_version, ground)
    SELECT %s, subject_id, datum_id, category_id, purpose_id, rule_version, ground
    FROM registry_datumterm WHERE subject_id = ANY(%s) AND until <= %s
"""


@dataclass(frozen=True)
class Summary:
    """A preview in figures: data by purpose code (empty: none) and ground, people, and the digest of the list."""

    counts: Counter[tuple[str, str]]
    subjects: int
    digest: str

    @property
    def data(self) -> int:
        return self.counts.total()


def lines(now: datetime) -> Iterator[tuple[Any, ...]]:
    """What would go at `now`: datum, person, category, purpose, rule version, ground. Constant memory."""
    for subject_ids in due_people(now):
        with connection.cursor() as cursor:
            cursor.execute(LIST, [subject_ids, now])
            yield from cursor.fetchall()


def kept_lines(preview: PurgePreview) -> Iterator[tuple[Any, ...]]:
    """The lines of a kept preview, in the same order and form."""
    ordered = preview.lines.order_by("subject_id", "datum_id")
    return ordered.values_list(*FIELDS).iterator(chunk_size=PEOPLE_AT_ONCE)


def due_people(now: datetime) -> Iterator[list[int]]:
    """Those whose turn has come, in portions, by number."""
    queue = RetentionDue.objects.filter(due_at__lte=now).order_by("pk").values_list("pk", flat=True)
    portion: list[int] = []
    for subject_id in queue.iterator(chunk_size=PEOPLE_AT_ONCE):
        portion.append(subject_id)
        if len(portion) == PEOPLE_AT_ONCE:
            yield portion
            portion = []
    if portion:
        yield portion


def as_text(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """The list as it is exported and digested: CSV of codes and numbers, nothing to quote."""
    yield HEADER
    yield from map(_line, rows)


def _line(row: tuple[Any, ...]) -> str:
    return ",".join("" if cell is None else str(cell) for cell in row) + "\n"


def summarise(rows: Iterable[tuple[Any, ...]]) -> Summary:
    """Counts and digest of a list, in one pass."""
    counts: Counter[tuple[str, str]] = Counter()
    digest, subjects, last = sha256(HEADER.encode()), 0, None
    for row in rows:
        digest.update(_line(row).encode())
        counts[row[3] or "", row[5]] += 1
        subjects += row[1] != last
        last = row[1]
    return Summary(counts, subjects, digest.hexdigest())


@transaction.atomic
def keep(now: datetime, *, taken_at: datetime, by: StaffMember | None = None) -> PurgePreview:
    """Keeps the preview of `now` with its lines, for looking at, comparing and approving."""
    preview = PurgePreview.objects.create(taken_at=taken_at, as_of=now, requested_by=by)
    with connection.cursor() as cursor:
        for subject_ids in due_people(now):
            cursor.execute(KEEP, [preview.pk, subject_ids, now])
    summary = summarise(kept_lines(preview))
    preview.digest, preview.data, preview.subjects = summary.digest, summary.data, summary.subjects
    preview.save()
    auditing.record(
        AuditEntry.Operation.APPROVE, now=taken_at, actor=by, system="" if by else "purge", about=preview, reason="kept"
    )
    return preview


def is_intact(preview: PurgePreview) -> bool:
    """Whether the lines are still those the digest was made of; old previews have lost them."""
    return summarise(kept_lines(preview)).digest == preview.digest


def counts(preview: PurgePreview) -> Any:
    """How many data of a kept preview, by purpose and ground."""
    return (
        preview.lines.values("purpose__code", "ground").annotate(data=Count("pk")).order_by("purpose__code", "ground")
    )


def only_in(one: PurgePreview, other: PurgePreview) -> QuerySet[PreviewLine]:
    """Lines of `one` whose datum is not in `other`: what came, or what left, between two days."""
    return one.lines.exclude(datum_id__in=other.lines.values("datum_id")).order_by("subject_id", "datum_id")


def dropped(preview: PurgePreview) -> QuerySet[PreviewLine]:
    """Lines of a carried-out preview that did not go: they changed between approval and run."""
    gone = ErasureRecord.objects.filter(run=preview.run_id)
    return preview.lines.exclude(datum_id__in=gone.values("datum_id")).order_by("subject_id", "datum_id")
