"""What changed between two texts of the policy: clause by clause, word by word inside a changed one. Pure functions.

Paragraphs meet by what they say, not by their number: a clause put in between renumbers the rest and changes nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import groupby, zip_longest

from consent.policy import Block, blocks

NUMBER = re.compile(r"(\d+|[IVX]+)\.\s+")
WORD = re.compile(r"\S+\s*")
ALIKE = 0.5  # share of words in common from which a paragraph counts as changed, not as another one


@dataclass(frozen=True)
class Piece:
    """Some words: `same`, `removed` or `added`."""

    kind: str
    text: str


@dataclass(frozen=True)
class Change:
    """One paragraph `removed`, `added` or `changed` (then in pieces), or a run of paragraphs that are the `same`."""

    kind: str
    blocks: list[Block]
    pieces: list[Piece] = field(default_factory=list)


def compare(old: str, new: str) -> list[Change]:
    """Everything in both texts, in the order of the new one."""
    found: list[Change] = []
    for kind, group in groupby(_changes(list(blocks(old)), list(blocks(new))), key=lambda change: change.kind):
        changes = list(group)
        found += [Change(kind, [change.blocks[0] for change in changes])] if kind == "same" else changes
    return found


def _changes(before: list[Block], after: list[Block]) -> Iterator[Change]:
    matcher = SequenceMatcher(None, [_content(one) for one in before], [_content(one) for one in after], autojunk=False)
    for _, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        for old, new in zip_longest(before[from_old:to_old], after[from_new:to_new]):
            yield from _between(old, new)


def _content(block: Block) -> str:
    """A paragraph without its number."""
    return NUMBER.sub("", _text(block), count=1) if block.kind in {"clause", "section"} else _text(block)


def _text(block: Block) -> str:
    return "\n".join(block.lines)


def _between(old: Block | None, new: Block | None) -> Iterator[Change]:
    if old and new:
        if old == new:
            yield Change("same", [new])
            return
        words, others = WORD.findall(_text(old)), WORD.findall(_text(new))
        matcher = SequenceMatcher(None, words, others, autojunk=False)
        if matcher.ratio() >= ALIKE:
            yield Change("changed", [new], list(_pieces(matcher, words, others)))
            return
    if old:
        yield Change("removed", [old])
    if new:
        yield Change("added", [new])


def _pieces(matcher: "SequenceMatcher[str]", words: list[str], others: list[str]) -> Iterator[Piece]:
    for tag, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        if tag == "equal":
            yield Piece("same", "".join(others[from_new:to_new]))
            continue
        if to_old > from_old:
            yield Piece("removed", "".join(words[from_old:to_old]))
        if to_new > from_new:
            yield Piece("added", "".join(others[from_new:to_new]))
