"""The file a recipient gets: CSV, XLSX or JSON, written while it is read, the same bytes for the same lines.

For people, so that a spreadsheet computes nothing: in CSV what it would compute begins with an apostrophe (OWASP: CSV
injection), in XLSX every cell is a text cell and keeps its plus. For programs, JSON has the values as they are.

XLSX is written here and not by a library: those we looked at (openpyxl, XlsxWriter) write the sheet to a temporary file
in the clear before they zip it.
"""

import csv
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from io import RawIOBase, StringIO
from itertools import islice
from typing import Any
from xml.sax.saxutils import escape

from django.utils import timezone
from django.utils.translation import gettext as _

from registry.lists import COMPUTED, END, MARK, SEPARATOR
from registry.models import DataCategory, Transfer

Lines = Iterable[list[Any]]
Cells = list[str]
CHUNK = 64 * 1024  # bytes
TOGETHER = 500  # lines: turned into bytes by one call
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
FIXED = {
    "[Content_Types].xml": f'{HEAD}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType='
    '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName='
    '"/xl/worksheets/sheet1.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type='
    f'"{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="1" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type='
    f'"{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}
UNSAYABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, 2.2
LETTER_CODE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")  # ISO 29500-1, 22.9.2.19
SPECIAL = re.compile("[&<>_\x00-\x1f\ud800-\udfff\ufffe\uffff]")
SHEET = f'{HEAD}<worksheet xmlns="{MAIN}"><sheetData>', "</sheetData></worksheet>"


def document(transfer: Transfer, columns: list[DataCategory], lines: Lines) -> Iterator[bytes]:
    """The bytes of the file, its words in the language of this call. `lines`: reference, language, a list of values for
    each of `columns`."""
    return WRITERS[transfer.format](transfer, columns, _heading(transfer, columns), lines)


def _csv(transfer: Transfer, columns: list[DataCategory], heading: list[Cells], lines: Lines) -> Iterator[bytes]:
    yield MARK.encode() + _csv_lines(heading)
    cells = _cells(lines)
    while some := list(islice(cells, TOGETHER)):
        yield _csv_lines(some)


def _csv_lines(several: list[Cells]) -> bytes:
    text = StringIO()
    writer = csv.writer(text, delimiter=SEPARATOR, lineterminator=END)
    writer.writerows([["'" + cell if cell.startswith(COMPUTED) else cell for cell in cells] for cells in several])
    return text.getvalue().encode()


def _json(transfer: Transfer, columns: list[DataCategory], heading: list[Cells], lines: Lines) -> Iterator[bytes]:
    head = {
        "transfer": transfer.number,
        "recipient": transfer.recipient.code,
        "ground": transfer.ground,
        "purpose": transfer.purpose and transfer.purpose.code,
        "asked_at": transfer.requested_at.isoformat(),
    }
    as_json = json.JSONEncoder(ensure_ascii=False).encode
    names = ["reference", "language", *(column.code for column in columns)]
    people = (as_json(dict(zip(names, one, strict=True))) for one in lines)
    yield as_json(head)[:-1].encode() + b', "people": ['
    between = "\n"
    while some := list(islice(people, TOGETHER)):
        yield (between + ",\n".join(some)).encode()
        between = ",\n"
    yield b"\n]}\n"


class _Sink(RawIOBase):
    """What the zip writer writes into, drained while it writes. It can't be wound back, and is not."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.parts.append(bytes(content))
        self.size += len(content)
        return len(content)

    def drained(self) -> bytes:
        content, self.parts, self.size = b"".join(self.parts), [], 0
        return content


def _xlsx(transfer: Transfer, columns: list[DataCategory], heading: list[Cells], lines: Lines) -> Iterator[bytes]:
    sink, cells = _Sink(), _cells(lines)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FIXED.items():
            archive.writestr(_entry(name, transfer.requested_at), content)
        entry = _entry("xl/worksheets/sheet1.xml", transfer.requested_at)
        with archive.open(entry, "w", force_zip64=True) as sheet:
            sheet.write(SHEET[0].encode() + _rows(heading))
            while some := list(islice(cells, TOGETHER)):
                sheet.write(_rows(some))
                if sink.size > CHUNK:
                    yield sink.drained()
            sheet.write(SHEET[1].encode())
    yield sink.drained()


def _entry(name: str, moment: datetime) -> zipfile.ZipInfo:
    """Its moment is that of the transfer, so that the same lines make the same file."""
    entry = zipfile.ZipInfo(name, timezone.localtime(moment).timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _rows(several: list[Cells]) -> bytes:
    return "".join(f"<row>{''.join(map(_cell, cells))}</row>" for cells in several).encode()


def _cell(text: str) -> str:
    """What XML cannot say becomes a mark; what a spreadsheet would read as an escaped letter (_x0041_) stays itself."""
    if SPECIAL.search(text):
        text = escape(LETTER_CODE.sub("_x005F_", UNSAYABLE.sub("\ufffd", text)))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _cells(lines: Lines) -> Iterator[Cells]:
    for reference, language, *values in lines:
        yield [reference, language, *map(", ".join, values)]


def _heading(transfer: Transfer, columns: list[DataCategory]) -> list[Cells]:
    """What this file is, and the names of the columns."""
    facts = [
        [_("Transfer"), transfer.number],
        [_("Recipient"), str(transfer.recipient)],
        [_("Ground"), transfer.get_ground_display()],
        [_("Processing purpose"), str(transfer.purpose)],
        [_("What it is for"), transfer.reason],
        [_("Asked for at"), f"{timezone.localtime(transfer.requested_at):%d.%m.%Y %H:%M}"],
    ]
    return [*facts, [], [_("Reference"), _("Language"), *(str(column) for column in columns)]]


WRITERS: dict[str, Callable[[Transfer, list[DataCategory], list[Cells], Lines], Iterator[bytes]]] = {
    Transfer.Format.CSV: _csv,
    Transfer.Format.XLSX: _xlsx,
    Transfer.Format.JSON: _json,
}
