"""The file a recipient gets: CSV, XLSX or JSON, the same bytes for the same people.

People are written when the file is built (`people`), each for themselves, so that somebody can still be left out; what
stands around them is put there while the file is handed over (`document`).

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
from io import RawIOBase
from types import SimpleNamespace
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from django.utils import timezone
from django.utils.translation import gettext as _

from registry.lists import COMPUTED, END, MARK, SEPARATOR
from registry.models import Transfer

Line = list[Any]  # reference, language, a list of values for each column
Cells = list[str]
CHUNK = 64 * 1024  # bytes
as_json = json.JSONEncoder(ensure_ascii=False).encode
MOST_ROWS = 1_048_576  # of a sheet (ISO 29500-1, 18.3.1.73, and every program that reads one)
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


class Column(NamedTuple):
    """What programs call it, and what people do, in their language."""

    code: str
    title: object


def people(file_format: str, columns: list[Column], lines: Iterable[Line]) -> list[bytes]:
    """The bytes of each of these people, as `document` wants them."""
    return PEOPLE[file_format](columns, lines)


def document(transfer: Transfer, columns: list[Column], written: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of the file, its words in the language of this call. `written`: what `people` made, any number of them
    in one piece."""
    return WRITERS[transfer.format](transfer, _heading(transfer, columns), written)


def most_people(transfer: Transfer) -> int | None:
    """How many people a file of its format holds; None: any number."""
    return MOST_ROWS - len(_heading(transfer, [])) if transfer.format == Transfer.Format.XLSX else None


def _csv_people(columns: list[Column], lines: Iterable[Line]) -> list[bytes]:
    return _csv_lines(_cells(lines))


def _csv_lines(several: Iterable[Cells]) -> list[bytes]:
    found: list[str] = []
    writer = csv.writer(SimpleNamespace(write=found.append), delimiter=SEPARATOR, lineterminator=END)
    writer.writerows([["'" + cell if cell.startswith(COMPUTED) else cell for cell in cells] for cells in several])
    return [line.encode() for line in found]


def _csv(transfer: Transfer, heading: list[Cells], written: Iterable[bytes]) -> Iterator[bytes]:
    yield MARK.encode() + b"".join(_csv_lines(heading))
    yield from written


def _json_people(columns: list[Column], lines: Iterable[Line]) -> list[bytes]:
    names = ["reference", "language", *(column.code for column in columns)]
    return [(",\n" + as_json(dict(zip(names, line, strict=True)))).encode() for line in lines]


def _json(transfer: Transfer, heading: list[Cells], written: Iterable[bytes]) -> Iterator[bytes]:
    head = {
        "transfer": transfer.number,
        "recipient": transfer.recipient.code,
        "ground": transfer.ground,
        "purpose": transfer.purpose and transfer.purpose.code,
        "asked_at": transfer.requested_at.isoformat(),
    }
    yield as_json(head)[:-1].encode() + b', "people": ['
    comma = 1  # byte: before the first there is none
    for piece in written:
        yield piece[comma:]
        comma = 0 if piece else comma
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


def _xlsx_people(columns: list[Column], lines: Iterable[Line]) -> list[bytes]:
    return [_row(cells) for cells in _cells(lines)]


def _xlsx(transfer: Transfer, heading: list[Cells], written: Iterable[bytes]) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FIXED.items():
            archive.writestr(_entry(name, transfer.requested_at), content)
        entry = _entry("xl/worksheets/sheet1.xml", transfer.requested_at)
        with archive.open(entry, "w", force_zip64=True) as sheet:
            sheet.write(SHEET[0].encode() + b"".join(map(_row, heading)))
            for piece in written:
                sheet.write(piece)
                if sink.size > CHUNK:
                    yield sink.drained()
            sheet.write(SHEET[1].encode())
    yield sink.drained()


def _entry(name: str, moment: datetime) -> zipfile.ZipInfo:
    """Its moment is that of the transfer, so that the same lines make the same file."""
    entry = zipfile.ZipInfo(name, timezone.localtime(moment).timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _row(cells: Cells) -> bytes:
    return f"<row>{''.join(map(_cell, cells))}</row>".encode()


def _cell(text: str) -> str:
    """What XML cannot say becomes a mark; what a spreadsheet would read as an escaped letter (_x0041_) stays itself."""
    if SPECIAL.search(text):
        text = escape(LETTER_CODE.sub("_x005F_", UNSAYABLE.sub("\ufffd", text)))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _cells(lines: Iterable[Line]) -> Iterator[Cells]:
    for reference, language, *values in lines:
        yield [reference, language, *map(", ".join, values)]


def _heading(transfer: Transfer, columns: list[Column]) -> list[Cells]:
    """What this file is, and the names of the columns."""
    facts = [
        [_("Transfer"), transfer.number],
        [_("Recipient"), str(transfer.recipient)],
        [_("Ground"), transfer.get_ground_display()],
        [_("Processing purpose"), str(transfer.purpose)],
        [_("What it is for"), transfer.reason],
        [_("Asked for at"), f"{timezone.localtime(transfer.requested_at):%d.%m.%Y %H:%M}"],
    ]
    return [*facts, [], [_("Reference"), _("Language"), *(str(column.title) for column in columns)]]


PEOPLE: dict[str, Callable[[list[Column], Iterable[Line]], list[bytes]]] = {
    Transfer.Format.CSV: _csv_people,
    Transfer.Format.XLSX: _xlsx_people,
    Transfer.Format.JSON: _json_people,
}
WRITERS: dict[str, Callable[[Transfer, list[Cells], Iterable[bytes]], Iterator[bytes]]] = {
    Transfer.Format.CSV: _csv,
    Transfer.Format.XLSX: _xlsx,
    Transfer.Format.JSON: _json,
}
