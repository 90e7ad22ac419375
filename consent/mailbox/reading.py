"""Goes through the contact mailbox: what is new is taken, what was taken is marked or deleted there.

- A message is marked only after its transaction is committed. Killed in between, the next run finds its row and marks.
- A message that cannot be read is tried three times, a run each, then put into quarantine; the others do not wait.
- Filed and unsubscribed messages are marked as read and stay for MAILBOX_DAYS: a database restored from last night
  finds again what came since. A filed one whose sealed message is destroyed goes at once. Ignored ones are marked as
  read and deleted a month later. Quarantined ones are flagged and stay until settled.
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
from registry.models import PersonalDatum

logger = logging.getLogger(__name__)
TRIES = 3
MOST = 200  # messages a run
IGNORED_STAYS = timedelta(days=30)
AT_ONCE = timedelta(0)
NOT_ITS_FAULT = (OperationalError, InterfaceError, NotRecorded, Sealed, MemoryError)
State, Why = ReceivedMail.State, ReceivedMail.Why


def read(now: datetime) -> str:
    """Reads the mailbox once; what became of the messages, for the list of jobs."""
    if not settings.MAILBOX_URL:
        ReceivedMail.objects.filter(left_at=None).update(left_at=now)
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
        unseen, unflagged = set(box.uids("UNSEEN")), set(box.uids("UNFLAGGED"))
        self.unmarked = {**dict.fromkeys(ReceivedMail.DECIDED, unseen), State.QUARANTINED: unflagged}
        self.sealed: set[int] = set()

    def run(self) -> Counter[str]:
        known = ReceivedMail.objects.filter(uid_validity=self.box.uid_validity, uid__in=self.uids)
        known.filter(left_at__isnull=False).update(left_at=None)
        decided = {row.uid: row for row in known.exclude(state=State.TRIED)}
        numbers = [row.datum_id for row in decided.values() if row.datum_id]
        self.sealed = set(PersonalDatum.objects.filter(pk__in=numbers).values_list("pk", flat=True))
        for row in decided.values():
            self._mark(row, row.uid)
        new = [uid for uid in self.uids if uid not in decided]
        counts = Counter(state for found in self.box.look(new[:MOST]) if (state := self._take(found)))
        gone = ReceivedMail.objects.filter(left_at=None).exclude(uid_validity=self.box.uid_validity, uid__in=self.uids)
        gone.update(left_at=self.now)  # taken out by somebody else, or numbered anew and not there any more
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
            row.uid, row.uid_validity, row.left_at = uid, validity, None
            row.save(update_fields=["uid", "uid_validity", "left_at"])
            self._mark(row, uid)

    def _mark(self, row: ReceivedMail, uid: int) -> None:
        if row.may_leave(self._stays(row), self.now):
            self.box.delete(uid)
            ReceivedMail.objects.filter(pk=row.pk).update(left_at=self.now)
        elif uid in self.unmarked.get(State(row.state), ()):
            self.box.mark(uid, FLAGGED if row.state == State.QUARANTINED else SEEN)

    def _stays(self, row: ReceivedMail) -> timedelta | None:
        """How long it stays in the mailbox; None: until it is settled."""
        if row.state == State.FILED and not self._is_sealed(row):
            return AT_ONCE
        kept = timedelta(days=settings.MAILBOX_DAYS)
        return {State.IGNORED: IGNORED_STAYS, State.FILED: kept, State.UNSUBSCRIBED: kept}.get(State(row.state))

    def _is_sealed(self, row: ReceivedMail) -> bool:
        """Whether the message lies here under seal; it may be destroyed since."""
        return row.datum_id in self.sealed or PersonalDatum.objects.filter(pk=row.datum_id or 0).exists()
