"""What a copy is made of: parts, each with its rows, read for one person at one moment.

A part is read three times, for people, for programs and for spreadsheets, so it reads the database anew each time: a
constant number of queries, the rows one after the other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from registry.models import DataSubject, ProcessingPurpose, SubjectRequest

PORTION = 500  # rows in memory
Text = str | Promise
Row = dict[str, Any]  # of None, bool, int, str, Word, Link, datetime, date, and lists and dicts of them
Item = TypeVar("Item")


class Word(NamedTuple):
    """A value with a code for programs and a word for people, in the language of the copy."""

    code: str
    name: str


class Link(str):
    """A file of the copy, or a page of ours."""


@dataclass(frozen=True, repr=False)
class Whose:
    """Whose copy it is, for which request, of which moment. `files`: the name in the copy of what is a file, by number
    of the datum."""

    subject: DataSubject
    request: SubjectRequest
    now: datetime
    files: dict[int, str] = field(default_factory=dict)


Reader = Callable[[Whose], Iterable[Row]]


@dataclass(frozen=True)
class Part:
    """One section. `headings` names the columns by key, in order; `details` the keys of what is nested in them.

    `is_table`: short rows, one line each. `unshown`: columns for programs, too long for the page.
    """

    code: str
    position: int
    title: Text
    about: Text
    headings: Mapping[str, Text]
    details: Mapping[str, Text]
    is_table: bool
    unshown: frozenset[str]
    read: Reader

    @property
    def shown(self) -> dict[str, Text]:
        return {key: heading for key, heading in self.headings.items() if key not in self.unshown}


parts: dict[str, Part] = {}
FileMaker = Callable[[str], tuple[str, bytes]]
file_makers: dict[str, FileMaker] = {}  # by kind of the data category
letter_names: dict[str, Text] = {}  # by the outbox's name of the letter; who writes a letter names it here
way_names: dict[str, Text] = {}  # jobs, pages and channels, by their name in the audit


def add(
    code: str,
    *,
    position: int,
    title: Text,
    headings: Mapping[str, Text],
    about: Text = "",
    details: Mapping[str, Text] | None = None,
    is_table: bool = False,
    unshown: Iterable[str] = (),
) -> Callable[[Reader], Reader]:
    """Says what stands in the part of this code. `code` and the keys are part of the form of data.json: they stay."""

    def remember(read: Reader) -> Reader:
        parts[code] = Part(code, position, title, about, headings, details or {}, is_table, frozenset(unshown), read)
        return read

    return remember


def kept_as_file(kind: str) -> Callable[[FileMaker], FileMaker]:
    """Says how what is sealed of a datum of this kind becomes a file of the copy: ending of its name, and content."""

    def remember(make: FileMaker) -> FileMaker:
        file_makers[kind] = make
        return make

    return remember


def in_order() -> list[Part]:
    return sorted(parts.values(), key=lambda part: part.position)


def word(row: models.Model, name: str) -> Word | None:
    """The value of a field with choices; None where it is empty."""
    code = getattr(row, name)
    return Word(code, str(getattr(row, f"get_{name}_display")())) if code else None


def named(code: str, names: Mapping[str, Text]) -> Word | None:
    return Word(code, str(names.get(code, code))) if code else None


def purpose_word(purpose: ProcessingPurpose | None) -> Word | None:
    return Word(purpose.code, str(purpose)) if purpose else None


def staff(member_id: int | None) -> Word | None:
    """Somebody on the staff did it. Who, tells the audit entry to whoever must know."""
    return Word("staff", _("staff of the operator")) if member_id else None


def portions(items: Iterable[Item], size: int = PORTION) -> Iterator[list[Item]]:
    remaining = iter(items)
    while portion := list(islice(remaining, size)):
        yield portion
