"""How often something may be tried: from one network, and at one address or number.

- Limited is what costs others something: letters, messages, guesses at a code. Confirming by link and unsubscribing
  never are.
- Kept is a count under a keyed digest, from which neither a network nor a person can be read. It goes with its window.
- Known and unknown addresses are counted alike: a refusal tells of tries, not of people.
- A try counts whatever comes of it. It is one statement of its own: call outside a transaction, which could undo it.
- No broker and no cache is asked. If the database does not answer, neither does the page (503): the limiter itself
  neither stands open nor closes.

- Staff are slowed down more the longer it goes on: every try counts in several windows. A right answer clears them.

Called by: consent.views.limiting, consent.api.door, consent.tasks, config.sign_in.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from django.db import connection

from registry import statements
from registry.keyring import keyring

PORTION = 1000  # rows
HOUSEHOLD = 8  # bytes of an IPv6 address that name the line; behind them everybody chooses freely (RFC 6177)


@dataclass(frozen=True)
class Limit:
    """At most `count` tries in a `window`, which begins with the first of them."""

    count: int
    window: timedelta


# A whole village may come from one address of the network.
BY_NETWORK = {
    "consent": Limit(60, timedelta(minutes=10)),
    "code": Limit(60, timedelta(minutes=10)),
    "again": Limit(30, timedelta(minutes=10)),
    "link": Limit(30, timedelta(minutes=10)),
    "request": Limit(60, timedelta(minutes=10)),  # two for each: the answers are shown first
    "sign_in": Limit(60, timedelta(minutes=10)),
    "api": Limit(300, timedelta(minutes=10)),  # several programs, and whoever guesses keys
}
BY_TARGET = {
    "consent": Limit(10, timedelta(hours=1)),
    "link": Limit(5, timedelta(hours=1)),
    "request": Limit(5, timedelta(hours=1)),
    "api": Limit(60, timedelta(minutes=10)),  # calls with one key
    "api_whole": Limit(24, timedelta(days=1)),  # whole lists with one key: each leaves a line a person
}
GROWING = (Limit(5, timedelta(minutes=5)), Limit(15, timedelta(hours=1)), Limit(40, timedelta(days=1)))
# At a name from one network, and from everywhere: so high that nobody shuts a colleague out from one place.
STAFF = {"sign_in": GROWING, "sign_in_anywhere": (Limit(200, timedelta(days=1)),), "factor": GROWING}
LONGEST = max(limit.window for limit in (*BY_NETWORK.values(), *BY_TARGET.values(), *GROWING))

# A window that ends later than a right clock can have said is over too: a wrong one must not close a page for years.
COUNT = """
    INSERT INTO consent_attempt AS attempt (key, count, expires_at) VALUES (%(key)s, 1, %(end)s)
    ON CONFLICT (key) DO UPDATE SET (count, expires_at) = (
        SELECT CASE WHEN is_open THEN attempt.count + 1 ELSE 1 END,
            CASE WHEN is_open THEN attempt.expires_at ELSE excluded.expires_at END
        FROM (SELECT attempt.expires_at > %(now)s AND attempt.expires_at <= %(latest)s AS is_open) AS standing
    )
    RETURNING count, expires_at
"""
FORGET = """
    DELETE FROM consent_attempt WHERE key IN (
        SELECT key FROM consent_attempt WHERE expires_at <= %(now)s OR expires_at > %(latest)s
        LIMIT %(portion)s FOR UPDATE SKIP LOCKED
    )
"""


def count_network(action: str, address: str, *, now: datetime) -> timedelta | None:
    """Counts one try from an IP address; how long to wait if it is one too many. ValueError if it is no address."""
    return _count(f"network {action}", network_of(address), BY_NETWORK[action], now)


def count_target(action: str, canonical: str, *, now: datetime) -> timedelta | None:
    """Counts one try at an e-mail address or number, or with a key; how long to wait if it is one too many."""
    return _count(f"target {action}", canonical.encode(), BY_TARGET[action], now)


def count_staff(action: str, who: str, *, now: datetime) -> timedelta | None:
    """Counts one try of a member of the staff, in every window; how long to wait if it is one too many."""
    waits = [_count(_window(action, limit), who.encode(), limit, now) for limit in STAFF[action]]
    return max(filter(None, waits), default=None)


def forgive_staff(action: str, who: str) -> None:
    """The answer was right: tries before it were mistakes, not guesses."""
    keys = [_key(_window(action, limit), who.encode()) for limit in STAFF[action]]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM consent_attempt WHERE key = ANY(%s)", [keys])


def _window(action: str, limit: Limit) -> str:
    return f"staff {action} {limit.window}"


def network_of(address: str) -> bytes:
    """An IPv4 address, or the network of an IPv6 address."""
    return ip_address(address).packed[:HOUSEHOLD]


def _count(what: str, who: bytes, limit: Limit, now: datetime) -> timedelta | None:
    values: dict[str, Any] = {"key": _key(what, who), "now": now}
    values |= {"end": now + limit.window, "latest": now + 2 * limit.window}
    count, ends_at = statements.run(COUNT, values).fetchone()
    return ends_at - now if count > limit.count else None


def _key(what: str, who: bytes) -> bytes:
    return hmac.digest(keyring().links, b"attempt\0" + what.encode() + b"\0" + who, hashlib.sha256)


def forget(now: datetime) -> int:
    """Deletes the counts whose window is over; how many."""
    values: dict[str, Any] = {"now": now, "latest": now + 2 * LONGEST, "portion": PORTION}
    forgotten = 0
    with connection.cursor() as cursor:
        cursor.execute(FORGET, values)
        while cursor.rowcount:
            forgotten += cursor.rowcount
            cursor.execute(FORGET, values)
    return forgotten
