"""The contact mailbox: what people write there opens a request, and nothing more.

`reading` goes through the mailbox, message by message; `connecting` speaks to the server; `parsing` takes a message
apart and `guessing` says what it asks (both pure); `filing` decides and writes; `settling` ends a quarantine; `looking`
goes through it for what is left of an erased value.
"""

from consent.mailbox import looking  # noqa: F401 (it tells the residual scan)
from consent.mailbox.filing import forget_closed
from consent.mailbox.reading import read
from consent.mailbox.settling import resolve

__all__ = ["forget_closed", "read", "resolve"]
