"""Who is on a list that is taken out of the registry, and how it is written.

A list is always everybody whose data may be used for one purpose at that moment: it can't be cut into small ones to
pass under a limit. The gate is asked in the statement that reads a portion, after these people were locked, so what is
withdrawn or erased before that is not on the list; and once more when the list is handed over (`still_allowed`).

Written for the spreadsheet programs of Kazakhstan: UTF-8 with a mark, semicolons, CRLF; what a spreadsheet would
compute begins with an apostrophe, so formulas stay text and `'+77015551234` keeps its plus (OWASP: CSV injection).

Called by: registry.exporting.
Sources: policy clauses 13, 14, 28; Law 94-V art. 8.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.disclosure import masked, readable
from registry.models import DataCategory, DataExport, DataSubject, PersonalDatum, Processing, ProcessingPurpose
from registry.processing import lock_subjects

PORTION = 500  # people: locked for a few hundredths of a second
MARK, SEPARATOR, END = "\ufeff", ";", "\r\n"
COMPUTED = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, repr=False)
class Portion:
    """The lines of some people in the order of their ids, and the last id looked at."""

    lines: list[str]
    last: int


def people(purpose: ProcessingPurpose, now: datetime) -> QuerySet[Processing]:
    """Everybody on the list of this purpose at `now`: let through by the gate and confirmed."""
    return Processing.objects.live(now).filter(purpose=purpose, subject__status=DataSubject.Status.ACTIVE)


def categories(purpose: ProcessingPurpose) -> list[DataCategory]:
    """The columns: contacts the purpose needs."""
    return list(purpose.categories.filter(kind__in=DataCategory.CONTACTS).order_by("pk"))


@transaction.atomic
def portion(export: DataExport, columns: Sequence[DataCategory], after: int, now: datetime) -> Portion | None:
    """The next people after this id; None if there are no more. They are locked first, then the gate is asked.

    Who is next is read from one table alone: joined to the people, each portion would go through those before it.
    """
    opened = Processing.objects.filter(purpose=export.purpose, state=Processing.State.OPEN, subject__gt=after)
    subject_ids = list(opened.order_by("subject_id").values_list("subject_id", flat=True)[:PORTION])
    if not subject_ids:
        return None
    lock_subjects(subject_ids)
    allowed = (
        people(export.purpose, now).filter(subject__in=subject_ids).select_related("subject").order_by("subject_id")
    )
    values = _values(export.kind, columns, subject_ids)
    return Portion([line(_cells(one, columns, values)) for one in allowed], subject_ids[-1])


def _values(kind: str, columns: Sequence[DataCategory], subject_ids: Sequence[int]) -> dict[tuple[int, int], list[str]]:
    """The confirmed and stated values by person and category, as the list shows them."""
    data = list(
        PersonalDatum.objects.live()
        .filter(subject__in=subject_ids, category__in=columns)
        .exclude(standing=PersonalDatum.Standing.CLAIMED)
        .select_related("category", "key")
        .order_by("pk")
    )
    shown = readable(data) if kind == DataExport.Kind.PLAIN else masked(data)
    found = defaultdict(list)
    for datum in data:
        found[datum.subject_id, datum.category_id].append(shown[datum.pk])
    return found


def _cells(
    processing: Processing, columns: Sequence[DataCategory], values: dict[tuple[int, int], list[str]]
) -> list[str]:
    subject = processing.subject
    contacts = (", ".join(values.get((subject.pk, category.pk), [])) for category in columns)
    return [subject.reference, subject.language, *contacts, _day(processing.began_at), _day(processing.lapses_at)]


def _day(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%d.%m.%Y}" if moment else ""


def heading(export: DataExport, columns: Iterable[DataCategory], now: datetime) -> str:
    """The first lines, in the reader's language: what this file is, and the names of the columns."""
    facts = [
        (_("List"), export.number),
        (_("Processing purpose"), str(export.purpose)),
        (_("Contents"), export.get_kind_display()),
        (_("What it is for"), export.reason),
        (_("Taken out by"), export.requested_by.get_username()),
        (_("Taken out at"), f"{timezone.localtime(now):%d.%m.%Y %H:%M}"),
    ]
    names = [_("Reference"), _("Language"), *(str(category) for category in columns), _("Since"), _("Until")]
    return MARK + "".join(line(cells) for cells in [*facts, [], names])


def line(cells: Iterable[str]) -> str:
    """One line of a CSV file; no cell of it is computed by a spreadsheet."""
    text = StringIO()
    csv.writer(text, delimiter=SEPARATOR, lineterminator=END).writerow(_safe(cell) for cell in cells)
    return text.getvalue()


def _safe(cell: str) -> str:
    return "'" + cell if cell.startswith(COMPUTED) else cell


def still_allowed(purpose: ProcessingPurpose, references: Iterable[bytes], now: datetime) -> set[bytes]:
    """Those of these people whom the gate still lets through."""
    wanted = [reference.decode() for reference in references]
    allowed = people(purpose, now).filter(subject__reference__in=wanted)
    return {reference.encode() for reference in allowed.values_list("subject__reference", flat=True)}


def reference_of(line: bytes) -> bytes:
    """The first cell: a reference is never quoted."""
    return line.partition(SEPARATOR.encode())[0]
