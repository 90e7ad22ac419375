"""The chain of one person's acts: each consent record is bound to the one before, so none can be changed or taken out
without breaking it. Pure functions.

A line is canonical JSON (registry.chain): who by reference, for what, which act, when, in which language, through which
channel, the digest of the exact wording, the ticks, `n` from 1, the digest of the line before, and its own SHA-256. No
value stands in it. The same lines go into an evidence bundle, where verify_receipt.py checks them.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from consent.models import ConsentRecord, Wording
from registry.chain import Act, Head, bind


def content(record: ConsentRecord, person: str) -> Act:
    """What the chain binds of one act. `person` and the representative are public references."""
    return {
        "person": person,
        "purpose": record.purpose.code,
        "act": record.act,
        "at": moment(record.at),
        "language": record.language,
        "channel": record.channel,
        "site": record.site,
        "wording": record.wording.digest if record.wording else "",
        "confirmation": record.confirmation_id,
        "represented_by": record.represented_by.reference if record.represented_by else "",
        "entered_by": record.entered_by_id,
        "checked_by": record.checked_by_id,
        "document": record.document_digest,
        **{tick: getattr(record, tick) for tick in Wording.TICKS},
    }


def continue_chain(records: Iterable[ConsentRecord], person: str, head: Head) -> None:
    """Gives new records their place and digest behind `head`."""
    for record in records:
        _, head = bind(content(record, person), head)
        record.place, record.digest = head.lines, head.digest


def lines(records: Iterable[ConsentRecord], person: str) -> list[str]:
    """The chain of a person's acts in their order, a line each, as the records say now."""
    head, found = Head(), []
    for record in records:
        raw, head = bind(content(record, person), head)
        found.append(raw.decode("ascii").rstrip("\n"))
    return found


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
