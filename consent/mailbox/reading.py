"""Goes through the contact mailbox: what is new is taken, what was taken is marked or deleted there.

- A message is marked only after its transaction is committed. Killed in between, the next run finds its row and marks.
- A message that cannot be read is tried three times, a run each, then put into quarantine; the others do not wait.
- Filed and unsubscribed messages are deleted from the mailbox at once: the registry holds the only copy, under seal.
  Ignored ones are marked as read and deleted a month later. Quarantined ones are flagged and stay until settled.
- The server numbers its messages anew (UIDVALIDITY): all are looked at again, and known by their key.
- The mailbox fails: that is noted by its type, and Today says since when it was not read. The database fails: the run
  ends, and no message is blamed.

Called by: consent.tasks (every minute; two at once are one, registry.jobs).
"""

import logging
from collections import Counter
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from consent.mailbox import connecting, filing
from consent.mailbox.connecting import FLAGGED, SEEN, Box, Found
from consent.models import MailboxState, ReceivedMail
from registry.auditing import NotRecorded
from registry.keyring import Sealed

logger = logging.getLogger(__name__)
TRIES = 3
MOST = 200  # messages a run
IGNORED_STAYS = timedelta(days=30)
NOT_ITS_FAULT = (OperationalError, InterfaceError, NotRecorded, Sealed, MemoryError)
State, Why = ReceivedMail.State, ReceivedMail.Why


def read(now: datetime) -> str:
    """Reads the mailbox once; what became of the messages, for the list of jobs."""
    if not settings.MAILBOX_URL:
        return "no mailbox"
    try:
        with connecting.opened(settings.MAILBOX_URL) as box:
            counts = _Reading(box, now).run()
    except connecting.FAILURES as error:
        name = type(error).__name__
        logger.warning("mailbox not read: %s", name)
        _note(now, last_error=name)
        return f"not read: {name}"
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nothing new"


def _note(now: datetime, **values: object) -> None:
    MailboxState.objects.update_or_create(pk=1, defaults={"tried_at": now, **values})


class _Reading:
    """One run through an opened mailbox."""

    def __init__(self, box: Box, now: datetime) -> None:
        self.box, self.now = box, now
        self.uids = box.uids()
        self.present = set(self.uids)
        self.unmarked = {State.IGNORED: set(box.uids("UNSEEN")), State.QUARANTINED: set(box.uids("UNFLAGGED"))}

    def run(self) -> Counter[str]:
        known = ReceivedMail.objects.filter(uid_validity=self.box.uid_validity, uid__in=self.uids)
        decided = {row.uid: row for row in known.exclude(state=State.TRIED)}
        for row in decided.values():
            self._mark(row, row.uid)
        new = [uid for uid in self.uids if uid not in decided]
        counts = Counter(state for found in self.box.look(new[:MOST]) if (state := self._take(found)))
        last = self.uids[-1] if self.uids else 0
        _note(self.now, uid_validity=self.box.uid_validity, last_uid=last, checked_at=self.now, last_error="")
        return counts

    def _take(self, found: Found) -> str:
        """What became of one message; empty if it is gone."""
        is_large = found.size > connecting.LARGEST
        raw = self.box.head(found.uid) if is_large else self.box.fetch(found.uid)
        if raw is None:
            return ""
        key, validity = filing.key_of(raw, found.size), self.box.uid_validity
        try:
            row = filing.take(key, raw, found, uid_validity=validity, now=self.now)
        except NOT_ITS_FAULT:
            raise
        except Exception as error:
            row = self._note_try(key, found, error)
        self._follow(row, found.uid)
        return str(row.state)

    @transaction.atomic
    def _note_try(self, key: bytes, found: Found, error: Exception) -> ReceivedMail:
        row = filing.row_of(key, found, uid_validity=self.box.uid_validity, now=self.now)
        row.attempts += 1
        logger.warning("message %s not read: %s, attempt %s", row.pk, type(error).__name__, row.attempts)
        if row.attempts >= TRIES:
            row.state, row.why = State.QUARANTINED, Why.UNREADABLE
        row.save()
        return row

    def _follow(self, row: ReceivedMail, uid: int) -> None:
        """A second copy of a message that lies here already is deleted; one that got another number is followed."""
        validity = self.box.uid_validity
        if row.is_at(validity, uid):
            self._mark(row, uid)
        elif row.uid_validity == validity and row.uid in self.present:
            self.box.delete(uid)
        else:
            row.uid, row.uid_validity = uid, validity
            row.save(update_fields=["uid", "uid_validity"])
            self._mark(row, uid)

    def _mark(self, row: ReceivedMail, uid: int) -> None:
        if row.may_leave(self.now - IGNORED_STAYS):
            self.box.delete(uid)
        elif uid in self.unmarked.get(State(row.state), ()):
            self.box.mark(uid, SEEN if row.state == State.IGNORED else FLAGGED)
