"""The contact mailbox as a place of the residual scan: is there anything left of an erased value?

Dangerous because it holds values in the clear while it looks, and inside the transaction that erased. The rules:

- Every message is read, decoded, and nothing of it is kept, told or logged.
- A message we filed, whose sealed copy is destroyed by now, is deleted from the mailbox and counted as removed.
- What stands in another one is told as found: staff settle it. Nobody but them deletes what may be a request.
- Short times: SECONDS in all, TIMEOUT for an answer. A mailbox that is down, too slow, or holds a message that is too
  large or cannot be decoded was not looked through, and the act says so.

Called by: registry.scanning. Sources: Law 94-V art. 18, policy clause 19.
"""

import time
from email.errors import MessageError

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from consent.mailbox import connecting, filing, parsing
from consent.mailbox.connecting import Box, Found
from consent.models import ReceivedMail
from registry import scanning
from registry.models import PersonalDatum
from registry.scanning import Needles, Scan
from registry.scanning.results import place_names

PLACE = "contact mailbox"
MESSAGES, REMOVED = "mailbox", "mailbox_removed"  # what is counted
TIMEOUT, SECONDS = 5, 60
UNREADABLE = (parsing.Unreadable, MessageError, RecursionError, ValueError, LookupError)
place_names[PLACE] = _("the contact mailbox")


@scanning.also_looks
def look(needles: Needles) -> Scan:
    """Nothing where there is no mailbox."""
    seen = Scan({MESSAGES: 0} if settings.MAILBOX_URL else {})
    if not settings.MAILBOX_URL:
        return seen
    try:
        with connecting.opened(settings.MAILBOX_URL, TIMEOUT) as box:
            _look_through(box, needles, seen)
    except connecting.FAILURES:
        seen.unseen.append(PLACE)
    return seen


def _look_through(box: Box, needles: Needles, seen: Scan) -> None:
    end = time.monotonic() + SECONDS
    for found in box.look(box.uids()):
        if time.monotonic() > end:
            raise TimeoutError
        raw = box.fetch(found.uid)
        if raw is None:
            continue
        seen.look(MESSAGES)
        if _holds(raw, needles, seen):
            _tell(box, found, raw, seen)


def _holds(raw: bytes, needles: Needles, seen: Scan) -> bool:
    """Decoded; what cannot be decoded as it lies there, and that is said."""
    try:
        parsing.check_before(raw)
        is_there = any(needles.search(text) for text in scanning.texts_of_letter(raw))
    except UNREADABLE:
        is_there, is_whole = needles.search(raw.decode(errors="replace")), False
    else:
        is_whole = len(raw) <= connecting.LARGEST
    if not is_whole:
        seen.unseen.append(PLACE)
    return is_there


def _tell(box: Box, found: Found, raw: bytes, seen: Scan) -> None:
    if _is_destroyed_here(filing.key_of(raw, found.size)):
        box.delete(found.uid)
        seen.look(REMOVED)
    else:
        seen.found(PLACE)


def _is_destroyed_here(key: bytes) -> bool:
    """Whether it was filed and what was sealed of it is destroyed, in this very transaction perhaps."""
    row = ReceivedMail.objects.filter(key=key, state=ReceivedMail.State.FILED).first()
    return row is not None and not PersonalDatum.objects.filter(pk=row.datum_id or 0).exists()
