"""Mailing lists out: a recipient's program fetches by itself who may be written to now, and what changed since.

Dangerous because a program asks without a person looking on, and what it got is out of reach. The rules:

- A program shows a key (`keys`): made by the responsible person for one recipient, said once, held as its digest, with
  an end, revoked at once. Everything a key opens is what the gate of transfers lets through to its recipient: ground o
  for the operator's own program, ground a for everybody else, e-mail addresses only, the same refusals.
- The list of a recipient and purpose is a table (`AudienceEntry`): what the program was last told of each person.
  `refreshing` compares it with who may go now in one statement, under a lock of that list, and gives each difference
  the next cursor. So cursors come in the order of commits, and what lapses by time is seen as well as what people do.
- `feed` gives what has a cursor beyond the one read last, portion by portion, as it opens it. Each portion is one
  transaction: the people are locked against their own acts, asked about once more, written down as lines of the call's
  transfer (`handing`), and only then given. Who is lost meanwhile is told as "out", and looked at anew the next time.
- A call killed at any moment leaves true lines and a list that is right: the program goes on from its last cursor.
- Addresses nobody may write to (`suppressing`) go only to whoever has them already: the operator, or a recipient that
  was given the person. What was erased is asked one by one (`checking`); the answer says nothing of who is known.

Called by: consent.api; the console (keys); registry.tasks (close_abandoned, every minute).
Sources: policy clauses 8, 13-16; Law 94-V art. 8, 15; RFC 2369, RFC 8058. Why it is so:
docs/decisions/0026-mailing-lists-out.md.
"""

from registry.audience.checking import may_be_written_to
from registry.audience.feed import opened
from registry.audience.handing import Busy, close_abandoned
from registry.audience.lists import Refused, purpose_of
from registry.audience.refreshing import StartAgain
from registry.audience.suppressing import suppressed

__all__ = [
    "Busy",
    "Refused",
    "StartAgain",
    "close_abandoned",
    "may_be_written_to",
    "opened",
    "purpose_of",
    "suppressed",
]
