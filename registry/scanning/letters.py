"""Letters kept as files: `.eml` in the mail folder, decoded, so that base64 and quoted-printable hide nothing, and
`.sms` in the folder of messages to phones, which are the same: a header with the number, an empty line, the text.
"""

from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32  # the newer policy parses addresses and can be made to recurse without end
from pathlib import Path

from django.conf import settings

from registry.scanning.needles import Needles
from registry.scanning.results import Scan


def look(needles: Needles) -> Scan:
    seen = Scan({"letters": 0})
    for place, path in _paths():
        seen.look("letters")
        try:
            seen.found(place, _holds(path, needles))
        except OSError:
            seen.unseen.append(place)
    return seen


def carrying(needles: Needles) -> Iterator[Path]:
    """The files of the letters in which one of the values stands."""
    return (path for _place, path in _paths() if _holds(path, needles))


def _paths() -> Iterator[tuple[str, Path]]:
    """Each file with the place it is told by: a name of its own could hold a value."""
    for place, folder in (("files: mail", settings.MAIL_FOLDER), ("files: sms", settings.SMS_FOLDER)):
        yield from ((place, path) for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _holds(path: Path, needles: Needles) -> bool:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:  # renamed or removed meanwhile
        return False
    return any(needles.search(text) for text in (path.name, *texts(raw)))


def texts(raw: bytes) -> Iterator[str]:
    """All of a letter, and only decoded: in base64 an address is also found inside a longer one of somebody else."""
    message = BytesParser(policy=compat32).parsebytes(raw)
    for part in message.walk():
        yield from (_header(str(value)) for value in part.values())
        yield from (part.preamble or "", _body(part), part.epilogue or "")


def _header(value: str) -> str:
    try:
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError, HeaderParseError):
        return value


def _body(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):  # a part that holds other parts
        return ""
    try:
        return content.decode(part.get_content_charset("utf-8"), errors="replace")
    except LookupError:
        return content.decode(errors="replace")
