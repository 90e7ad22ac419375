"""Whose list it is: what a key asks for of a purpose, in the words of the gate of transfers, and when it is refused."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from registry import auditing
from registry.audience import keys
from registry.audience.keys import SYSTEM
from registry.models import AuditEntry, DataCategory, ProcessingPurpose, Recipient, RecipientKey
from registry.transfers import refusing
from registry.transfers.refusing import Asked, Ground


class Refused(Exception):
    """This recipient can't be given this at all. `code`: why, for programs; it is recorded."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def purpose_of(code: str) -> ProcessingPurpose:
    """ProcessingPurpose.DoesNotExist if there is none of this code."""
    return ProcessingPurpose.objects.get(code=code)


def asked_with(key: RecipientKey, purpose: ProcessingPurpose, *, with_links: bool = False) -> Asked:
    """The e-mail addresses of a purpose, for the recipient of a key. Two queries when it is looked at."""
    emails = tuple(purpose.categories.filter(kind=DataCategory.Kind.EMAIL).order_by("pk"))
    ground = ground_of(key.recipient)
    return Asked(key.recipient, ground, purpose, emails, with_links=with_links, by_program=True)


def ground_of(recipient: Recipient) -> Ground:
    """Nothing leaves the operator with its own program; everybody else is a third party."""
    return Ground.OWN if recipient.kind == Recipient.Kind.OWN else Ground.PARTNER


def check(key: RecipientKey, asked: Asked, now: datetime) -> None:
    """Refused, and the attempt recorded, if it can't be at all."""
    if codes := refusing.codes(asked, now):
        refuse(key, asked, codes[0], now)


def check_again(key: RecipientKey, asked: Asked, now: datetime) -> None:
    """In the middle of an answer: whether the key, the contract and the purpose still stand. Refused, and recorded."""
    fresh = keys.still(key, now)
    if fresh is None:
        refuse(key, asked, "key", now)
    else:
        check(fresh, replace(asked, recipient=fresh.recipient), now)


def refuse(key: RecipientKey, asked: Asked, code: str, now: datetime) -> None:
    """Records the attempt. Refused."""
    purpose = asked.purpose.code if asked.purpose else ""
    with transaction.atomic():
        told = f"{purpose}: {code}"
        auditing.record(AuditEntry.Operation.REFUSED, now=now, system=SYSTEM, about=key, reason=told)
    raise Refused(code)
