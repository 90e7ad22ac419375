"""The copy for people: one page that needs nothing else, reads without colour and prints."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.template.loader import get_template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from registry.models import Operator
from registry.requests.copying.parts import Link, Part, Row, Text, Whose, Word, portions

EMPTY = "—"
NOTHING: tuple[Any, ...] = (None, "", [])


def pieces(whose: Whose, parts: list[Part]) -> Iterator[str]:
    """The page from its head to its end, in the active language, a portion of rows at a time."""
    yield _render("head", {**_about(whose), "parts": parts, "files": sorted(whose.files.values())})
    for part in parts:
        yield from _part(part, whose)
    yield _render("tail", {})


def _about(whose: Whose) -> dict[str, Any]:
    return {
        "asked": whose.request,
        "language": whose.request.language,
        "reference": whose.subject.reference,
        "operator": Operator.objects.get(),
        "made": whose.now,
        "zone": f"{settings.TIME_ZONE}, UTC{timezone.localtime(whose.now).isoformat()[-6:]}",
    }


def _part(part: Part, whose: Whose) -> Iterator[str]:
    filled = portions(part.read(whose))
    first = next(filled, [])
    yield _render("part", {"part": part, "is_empty": not first})
    if first:
        yield _rows(part, first)
    for rows in filled:
        yield _rows(part, rows)
    yield _render("part_end", {"part": part, "is_empty": not first})


def _rows(part: Part, rows: Iterable[Row]) -> str:
    return _render("rows", {"part": part, "rows": [list(_cells(part, row)) for row in rows]})


def _cells(part: Part, row: Row) -> Iterator[tuple[Text, SafeString]]:
    """Heading and value; what is empty is left out where no column needs it."""
    for key, heading in part.shown.items():
        if part.is_table or row[key] not in NOTHING:
            yield heading, cell(row[key], part.details)


def _render(name: str, context: dict[str, Any]) -> str:
    return get_template(f"copy/{name}.html").render(context)


def cell(value: Any, details: Mapping[str, Text]) -> SafeString:
    """A value as it is read; what is nested as a list. Everything is escaped."""
    if isinstance(value, Mapping):
        pairs = ((details.get(key, key), cell(one, details)) for key, one in value.items() if one is not None)
        return format_html_join("; ", "{}: {}", pairs)
    if isinstance(value, list) and value:
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((cell(one, details),) for one in value)))
    if isinstance(value, Link):
        return format_html('<a href="{}" rel="noopener noreferrer">{}</a>', value, value)
    return conditional_escape(_written(value))


def _written(value: Any) -> str:
    if isinstance(value, Word):
        return value.name
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value, "DATE_FORMAT")
    return EMPTY if value in NOTHING else str(value)
