"""One message of the mailbox, taken apart. Pure functions: no database, no settings.

A message comes from anybody and may be anything. The rules:

- What cannot be read for certain raises (Unreadable, or what the standard library raises): the caller puts it aside.
  Nothing is guessed about who wrote: no sender, two senders and a sender that is no address are unreadable.
- Depth, number and length of parts are bounded before the standard library looks closer; the caller bounds the size.
- Of the parts only the text is read: the plain one, else the words of the HTML. The others are counted.
- No exception here says anything of what was written.

Called by: consent.mailbox.filing. Sources: RFC 5322, RFC 2045-2047, RFC 3834 (automatic replies), RFC 3462 (reports).
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses
from typing import cast

from consent.mailbox.pages import words

DEEPEST, MOST_PARTS = 20, 200
LONGEST_TEXT = 20_000  # characters
LONGEST_PAGE = 400_000  # of HTML
LONGEST_HEAD = 5_000  # of one line of the head
MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)*<([^>\s]{1,500})>", re.IGNORECASE | re.MULTILINE)
NESTED = re.compile(rb"^content-type:[ \t]*(?:\r?\n[ \t]+)*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
REPORT = re.compile(rb"^content-type:[ \t]*(?:\n[ \t]+)*multipart/report\b", re.IGNORECASE | re.MULTILINE)
SAYS = re.compile(rb"^content-[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)
REFERENCE = re.compile(r"<([^<>\s]{1,500})>")
MASS_MAIL = {"bulk", "junk", "list", "auto_reply"}
GUESSED = ("utf-8", "cp1251")  # where a message does not say how it is written


class Unreadable(Exception):
    """The message cannot be read for certain. Says nothing of it."""


@dataclass(frozen=True, repr=False)
class Letter:
    """What a message says. `text` at most LONGEST_TEXT characters, `attached` in bytes."""

    sender: str
    subject: str
    text: str
    references: tuple[str, ...]
    attachments: int
    attached: int


@dataclass(frozen=True, repr=False)
class Head:
    """What is read of a message first, and can be read of any. `automatic`: why nobody wrote it, a code of
    ReceivedMail.Why, or empty. `subject` is empty where it cannot be read."""

    message_id: str
    subject: str
    automatic: str


def fingerprint(raw: bytes, size: int) -> str:
    """What tells a message from all others, wherever it lies: its Message-ID and its content.

    Both, because careless programs give two letters one Message-ID. `raw` may be the head alone; `size` in bytes.
    """
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    named = MESSAGE_ID.search(head)
    if named is None:
        return f"content {hashlib.sha256(raw).hexdigest()}"
    content = hashlib.sha256(body).hexdigest() if body else str(size)
    return f"id {named[1].decode('ascii', 'replace')} {content}"


def head(raw: bytes) -> Head:
    """Of the whole message, or of its head alone. What a part says of itself is left out: see `check_before`."""
    lines, _, _body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    message = message_from_bytes(SAYS.sub(b"", lines) + b"\n\n")
    try:
        subject = _subject(message)
    except Unreadable:
        subject = ""
    named = MESSAGE_ID.search(lines)
    why = "report" if REPORT.search(lines) else _why_automatic(message)
    return Head(named[1].decode("ascii", "replace") if named else "", subject, why)


def check_before(raw: bytes) -> None:
    """Unreadable: what the standard library would take very long for: nesting, lines about a part that never end."""
    said = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if len(NESTED.findall(said)) > DEEPEST or any(len(line[0]) > LONGEST_HEAD for line in SAYS.finditer(said)):
        raise Unreadable


def read(raw: bytes) -> Letter:
    """Unreadable, RecursionError and others."""
    check_before(raw)
    message = message_from_bytes(raw)
    leaves = list(_leaves(message, 0))
    if len(leaves) > MOST_PARTS:
        raise Unreadable
    text_part = _text_part(leaves)
    others = [part for part in leaves if part is not text_part and not _is_alternative(part, text_part)]
    return Letter(
        sender=_sender(message),
        subject=_subject(message),
        text=_text(text_part)[:LONGEST_TEXT] if text_part is not None else "",
        references=tuple(_references(message, "In-Reply-To", "References")),
        attachments=len(others),
        attached=sum(len(_content(part)) for part in others),
    )


# --- parts ------------------------------------------------------------------------------------------------------------
def _leaves(part: Message, depth: int) -> Iterator[Message]:
    """Parts that are no containers; a message within the message is an attachment and is not looked into."""
    if depth > DEEPEST:
        raise Unreadable
    inner = part.get_payload()
    if part.get_content_maintype() == "multipart" and isinstance(inner, list):
        for one in inner:
            yield from _leaves(cast("Message", one), depth + 1)
    else:
        yield part


def _text_part(leaves: list[Message]) -> Message | None:
    shown = [part for part in leaves if part.get_content_disposition() != "attachment" and not part.get_filename()]
    for kind in ("text/plain", "text/html"):
        for part in shown:
            if part.get_content_type() == kind:
                return part
    return None


def _is_alternative(part: Message, text_part: Message | None) -> bool:
    """The HTML beside the plain text says the same."""
    is_attached = part.get_content_disposition() == "attachment" or part.get_filename()
    return text_part is not None and part.get_content_type() == "text/html" and not is_attached


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


# --- text -------------------------------------------------------------------------------------------------------------
def _text(part: Message) -> str:
    charset = part.get_content_charset()
    text = _readable(_content(part), charset)[:LONGEST_PAGE]
    return _clean(words(text) if part.get_content_type() == "text/html" else text).strip()


def _readable(content: bytes, charset: str | None) -> str:
    """Unreadable where it is not written as it says, or has a NUL in it: that is no text."""
    for name in GUESSED if charset in {None, "us-ascii"} else (charset,):
        try:
            text = content.decode(str(name))
        except (LookupError, UnicodeError):
            continue
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            break
        return text
    raise Unreadable


def _clean(text: str) -> str:
    """Spaces of all kinds are spaces; what cannot be seen goes."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char if char == "\n" or char.isprintable() else " " * char.isspace() for char in lines)


# --- head -------------------------------------------------------------------------------------------------------------
def _sender(message: Message) -> str:
    named = message.get_all("From", [])
    if len(named) != 1 or len(str(named[0])) > LONGEST_HEAD:
        raise Unreadable
    addresses = [address for _name, address in getaddresses([str(named[0])]) if address]
    if len(addresses) != 1:
        raise Unreadable
    return addresses[0]


def _subject(message: Message) -> str:
    """On one line. Unreadable."""
    written = message.get("Subject", "")
    if len(str(written)) > LONGEST_HEAD:
        raise Unreadable
    try:
        parts = decode_header(written)
    except HeaderParseError:
        raise Unreadable from None
    text = "".join(_piece(piece, charset) for piece, charset in parts)
    return " ".join(_clean(text).split())


def _piece(piece: bytes | str, charset: str | None) -> str:
    """Letters that a careless program left as bytes are read as the text would be."""
    if isinstance(piece, str):
        piece = piece.encode("utf-8", "surrogateescape")
    is_named = charset not in {None, "unknown-8bit"}
    return _readable(piece, charset if is_named else None)


def _references(message: Message, *names: str) -> Iterator[str]:
    for name in names:
        yield from REFERENCE.findall(str(message.get(name, "")))


def _why_automatic(message: Message) -> str:
    if str(message.get("Return-Path", "x")).strip() == "<>":
        return "report"
    if message.get("List-Id") is not None or _says(message, "Precedence") == "list":
        return "list"
    is_answered = _says(message, "Auto-Submitted") not in {"", "no"}
    is_answered |= any(message.get(name) is not None for name in ("X-Autoreply", "X-Autorespond"))
    return "automatic" if is_answered or _says(message, "Precedence") in MASS_MAIL else ""


def _says(message: Message, name: str) -> str:
    """The first word of a header, in small letters."""
    return str(message.get(name, "")).partition(";")[0].strip().lower()
