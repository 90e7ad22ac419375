"""The mailbox on its server, over TLS. Knows nothing of what a message means.

A message is fetched without changing it, and never more of it than LARGEST. What the server says is told to nobody: its
words may quote an address.
"""

import imaplib
import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import SplitResult, unquote, urlsplit

from imap_tools.errors import ImapToolsError
from imap_tools.mailbox import MailBox

TIMEOUT = 20  # seconds for one answer of the server
LARGEST = 10 * 1024 * 1024  # bytes
LARGEST_HEAD = 64 * 1024
PORTION = 100
SEEN, FLAGGED, DELETED = r"(\Seen)", r"(\Flagged)", r"(\Deleted)"
FAILURES = (OSError, imaplib.IMAP4.error, ImapToolsError)  # what the mailbox may do to us


class WrongAddress(OSError):
    """MAILBOX_URL is not imaps://user:password@host:993/INBOX."""


@dataclass(frozen=True)
class Found:
    """A message as the server tells of it. `size` in bytes."""

    uid: int
    size: int
    arrived_at: datetime


@contextmanager
def opened(url: str, timeout: int | None = None) -> Iterator["Box"]:
    """The mailbox at this address; each answer within `timeout` seconds (TIMEOUT). Raises one of FAILURES."""
    address = _address(url)
    context = ssl.create_default_context()
    server = MailBox(str(address.hostname), address.port or 993, timeout=timeout or TIMEOUT, ssl_context=context)
    try:
        server.login(unquote(address.username or ""), unquote(address.password or ""), initial_folder=None)
        server.folder.set(unquote(address.path.strip("/")) or "INBOX")
        yield Box(server.client)
    finally:
        with suppress(*FAILURES):
            server.client.logout()


def _address(url: str) -> SplitResult:
    try:
        address = urlsplit(url)
        is_right = address.scheme == "imaps" and address.hostname and address.username and (address.port or 993)
    except ValueError:
        is_right = False
    if not is_right:
        raise WrongAddress
    return address


class Box:
    """The folder that was opened. Every method raises one of FAILURES."""

    def __init__(self, client: imaplib.IMAP4) -> None:
        self.client = client
        self.uid_validity = int(client.response("UIDVALIDITY")[1][0] or 0)
        self._expunges_one = b"UIDPLUS" in client.capability()[1][-1]  # told after the login only

    def uids(self, criteria: str = "ALL") -> list[int]:
        """The numbers of the messages, oldest first."""
        found = self._ask("SEARCH", criteria)
        return sorted(int(uid) for line in found if isinstance(line, bytes) for uid in line.split())

    def look(self, uids: list[int]) -> Iterator[Found]:
        """What the server tells of these; one that is gone meanwhile is left out."""
        for start in range(0, len(uids), PORTION):
            chosen = ",".join(str(uid) for uid in uids[start : start + PORTION])
            yield from _told(self._ask("FETCH", chosen, "(UID RFC822.SIZE INTERNALDATE)"))

    def fetch(self, uid: int) -> bytes | None:
        """The whole message, or a byte more than LARGEST; None: it is gone."""
        return self._part(uid, f"BODY.PEEK[]<0.{LARGEST + 1}>")

    def head(self, uid: int) -> bytes | None:
        return self._part(uid, f"BODY.PEEK[HEADER]<0.{LARGEST_HEAD}>")

    def mark(self, uid: int, flag: str) -> None:
        self._ask("STORE", str(uid), "+FLAGS.SILENT", flag)

    def delete(self, uid: int) -> None:
        """Nothing else is removed, unless the server can only remove all that is marked so."""
        self.mark(uid, DELETED)
        if self._expunges_one:
            self._ask("EXPUNGE", str(uid))
        else:
            self.client.expunge()

    def _part(self, uid: int, part: str) -> bytes | None:
        told = self._ask("FETCH", str(uid), f"({part})")
        return next((bytes(one[1]) for one in told if isinstance(one, tuple)), None)

    def _ask(self, *command: str) -> list[bytes | tuple[bytes, bytes] | None]:
        verdict, told = self.client.uid(*command)
        if verdict != "OK":
            raise imaplib.IMAP4.error
        return told


def _told(lines: Iterable[object]) -> Iterator[Found]:
    for line in lines:
        text = line.decode("ascii", "replace") if isinstance(line, bytes) else ""
        uid, size, at = (re.search(rf"{name} {form}", text) for name, form in TOLD)
        if uid and size and at:
            yield Found(int(uid[1]), int(size[1]), datetime.strptime(at[1].strip(), "%d-%b-%Y %H:%M:%S %z"))


TOLD = (("UID", r"(\d+)"), ("RFC822.SIZE", r"(\d+)"), ("INTERNALDATE", r'"([^"]+)"'))
