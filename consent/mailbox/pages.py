"""The words of an HTML page, for a letter that has no plain text. Pure functions."""

import re
from html import unescape

TAG = re.compile(r"!--|/?[a-z][a-z0-9]*", re.IGNORECASE)
BLOCKS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "table", "blockquote"})
UNSEEN = frozenset({"script", "style", "head", "title"})


def words(page: str) -> str:
    """The words of a page, each block on its own lines.

    Once through the page, tag by tag: the standard library's reader takes minutes for a few kilobytes made for it.
    """
    first, *pieces = page.split("<")
    shown, hidden_by = [first], ""
    for piece in pieces:
        name = _tag(piece)
        is_comment = "!--" in (hidden_by, name)
        hidden_by = _hidden_by(hidden_by, name, piece)
        if not hidden_by:
            _tag_itself, closes, text = piece.partition("-->" if is_comment else ">")
            shown.append("\n" if name.lstrip("/") in BLOCKS else "")
            shown.append(text if closes else f"<{piece}")
    lines = (" ".join(line.split()) for line in unescape("".join(shown)).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _tag(piece: str) -> str:
    """The name of the tag that begins here, with the slash of a closing one; empty: it is none."""
    named = TAG.match(piece)
    return named[0].lower() if named else ""


def _hidden_by(before: str, name: str, piece: str) -> str:
    """The tag that hides what follows, until it is closed; empty: it is shown. A body is never hidden by a head."""
    if before == "!--" or (not before and name == "!--"):
        return "" if "-->" in piece else "!--"
    if before:
        return "" if name in {f"/{before}", "body"} else before
    return name if name in UNSEEN else ""
