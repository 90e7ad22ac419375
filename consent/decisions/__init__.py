"""Asking, confirming, giving, withdrawing: the only writers of ConsentRecord.

Each is one transaction: the person is locked, the act appended to the person's chain, the processing opened or ended,
the moment of the next purge recomputed, the audit written. Withdrawing takes effect at once; the last act by number
stands.
"""

from consent.decisions.answering import Outcome, confirm, expire_unconfirmed, refuse, represent, state_of
from consent.decisions.asking import CLAIM, MOST_LETTERS, MOST_TRIES, NUMBER, ask, send_again
from consent.decisions.choosing import Unseen, choose, is_minor
from consent.decisions.giving import give, is_known, withdraw

__all__ = [
    "CLAIM",
    "MOST_LETTERS",
    "MOST_TRIES",
    "NUMBER",
    "Outcome",
    "Unseen",
    "ask",
    "choose",
    "confirm",
    "expire_unconfirmed",
    "give",
    "is_known",
    "is_minor",
    "refuse",
    "represent",
    "send_again",
    "state_of",
    "withdraw",
]
