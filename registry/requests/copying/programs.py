"""The copy for programs: data.json, and one CSV file a part with the same keys.

Keys and codes are English and stay; moments are ISO 8601 with the zone. CSV is RFC 4180: commas, UTF-8 with a mark,
CRLF; what a spreadsheet would compute begins with an apostrophe (OWASP: CSV injection).
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from io import StringIO
from typing import Any

from django.utils import timezone

from registry.lists import COMPUTED, MARK
from registry.models import Operator
from registry.requests.copying.parts import Part, Whose, Word

FORM = 1  # of data.json; a key that changes its meaning makes another
NOT_A_CELL = (*COMPUTED, "\n")


def as_json(whose: Whose, parts: Iterable[Part]) -> Iterator[str]:
    """One object; each part is a list of objects under its code, one a line."""
    about = {"form": FORM, "request": whose.request.number, "language": whose.request.language, **_made(whose)}
    yield json.dumps(about, ensure_ascii=False, indent=1).removesuffix("\n}")
    for part in parts:
        yield f',\n "{part.code}": ['
        separator = "\n  "
        for row in part.read(whose):
            yield separator + json.dumps(plain(row), ensure_ascii=False)
            separator = ",\n  "
        yield "\n ]"
    yield "\n}\n"


def _made(whose: Whose) -> dict[str, Any]:
    operator = Operator.objects.get()
    named = {"name": operator.text("legal_name"), "bin": operator.bin, "contact": operator.contact_email}
    return {"made_at": plain(whose.now), "operator": named}


def plain(value: Any) -> Any:
    """The value in terms of JSON."""
    if isinstance(value, Word):
        return value._asdict()
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def as_csv(whose: Whose, part: Part) -> Iterator[str]:
    yield MARK + _line(part.headings)
    for row in part.read(whose):
        yield _line(_flat(row[key]) for key in part.headings)


def _line(cells: Iterable[str]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(_safe(cell) for cell in cells)
    return text.getvalue()


def _safe(cell: str) -> str:
    return "'" + cell if cell.startswith(NOT_A_CELL) else cell


def _flat(value: Any) -> str:
    """The value in one cell."""
    if value is None:
        return ""
    if isinstance(value, Word):
        return value.code
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_flat(one)}" for key, one in value.items() if one is not None)
    return "; ".join(map(_flat, value)) if isinstance(value, list) else str(plain(value))
