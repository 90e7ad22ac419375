"""Anonymous statistics for others (ground d, policy clauses 13c, 16d): counts only, and no way to choose people.

Dangerous because two harmless tables can be subtracted from each other. So:

- Only months that are over, in the local calendar: what happens today changes nothing that was given out.
- A count below the smallest cell is hidden: it has no row, like one of nobody, so that the first and the last person of
  a cell are not seen to come and go. The others are rounded down to a multiple of it. One person more or less is then
  seen in no table, except where a multiple is reached, and there it says "at least so many".
- There are no totals, of rows or of columns, so nothing hidden comes back by subtraction.
- People whose data were destroyed count on: rows without values, and the counts depersonalising kept (KeptCount).

Called by: the console. Sources: Law 94-V art. 17; policy clauses 13c, 16d.
"""

import csv
import hashlib
import json
from datetime import date, datetime
from io import StringIO
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.lists import END, MARK
from registry.models import Recipient, RetentionSettings, StaffMember, Transfer
from registry.normalise import check_given
from registry.transfers import rows
from registry.transfers.rows import Operation

Format = Transfer.Format
CELLS = """
    SELECT purpose.code, month, language, channel, sum(people)::bigint FROM (
        SELECT processing.purpose_id, date_trunc('month', processing.began_at AT TIME ZONE %(zone)s)::date AS month,
            subject.language, processing.channel, count(*) AS people
        FROM registry_processing processing JOIN registry_datasubject subject ON subject.id = processing.subject_id
        WHERE processing.counted_at IS NULL GROUP BY 1, 2, 3, 4
        UNION ALL
        SELECT purpose_id, month, language, channel, people FROM registry_keptcount
    ) counted JOIN registry_processingpurpose purpose ON purpose.id = counted.purpose_id AND purpose.is_public
    WHERE month < %(this)s GROUP BY 1, 2, 3, 4 HAVING sum(people) >= %(smallest)s ORDER BY 1, 2, 3, 4
"""


class Cell(NamedTuple):
    """`people`: "at least so many", a multiple of the smallest cell."""

    purpose: str
    month: date
    language: str
    channel: str
    people: int


def table(now: datetime) -> list[Cell]:
    """By purpose, month in which processing began, language and channel. What is not there is fewer than the smallest
    cell, or nobody. Two queries."""
    smallest = RetentionSettings.objects.get().smallest_cell
    this = timezone.localdate(now).replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute(CELLS, {"zone": settings.TIME_ZONE, "this": this, "smallest": smallest})
        found = cursor.fetchall()
    return [Cell._make((*row[:4], coarse(row[4], smallest))) for row in found]


def coarse(people: int, smallest: int) -> int:
    return people // smallest * smallest


class Handed(NamedTuple):
    """The file, and the row of the journal that says it was given."""

    transfer: Transfer
    content: bytes


def hand_over(
    recipient: Recipient, *, file_format: Transfer.Format, reason: str, by: StaffMember, now: datetime
) -> Handed:
    """Makes the table and notes it as a transfer on ground d, of nobody. PermissionDenied, ValidationError."""
    rows.check(by.has_perm(rows.ASK), by, recipient, now)
    check_given(reason)
    if file_format == Format.XLSX:
        raise ValidationError(_("Statistics are given as CSV or JSON."))
    content = WRITERS[file_format](table(now))
    with transaction.atomic():  # not around the check: a refusal stays recorded
        transfer = Transfer.objects.create(
            recipient=recipient,
            country=recipient.country_id,
            ground=Transfer.Ground.STATISTICS,
            is_cross_border=recipient.is_abroad,
            reason=reason.strip(),
            format=file_format,
            state=Transfer.State.TAKEN,
            people=0,
            requested_by=by,
            requested_at=now,
            taken_at=now,
            digest=hashlib.sha256(content).hexdigest(),
        )
        rows.note(Operation.TRANSFER, transfer, by, now, "d")
    return Handed(transfer, content)


def _csv(cells: list[Cell]) -> bytes:
    text = StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator=END)
    writer.writerow(["purpose", "month", "language", "channel", "people_at_least"])
    writer.writerows([one.purpose, f"{one.month:%Y-%m}", one.language, one.channel, one.people] for one in cells)
    return (MARK + text.getvalue()).encode()


def _json(cells: list[Cell]) -> bytes:
    found = [one._asdict() | {"month": f"{one.month:%Y-%m}"} for one in cells]
    return json.dumps({"cells": found}, ensure_ascii=False, indent=1).encode() + b"\n"


WRITERS = {Format.CSV: _csv, Format.JSON: _json}
