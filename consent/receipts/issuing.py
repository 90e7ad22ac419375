"""Issuing a receipt: right after the acts it is for, in their transaction."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from django.db import IntegrityError, transaction
from django.utils.translation import override

from consent.models import ConsentRecord, Receipt
from consent.receipts.document import Document, Json
from consent.receipts.signing import sign
from registry.chain import canonical
from registry.models import DataSubject

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I L O U, for reading out on the phone


def issue(person: DataSubject, records: Sequence[ConsentRecord], *, language: str, now: datetime) -> Receipt:
    """Signs and keeps a receipt for these consents, just appended and opened. The person is locked by the caller.

    A constant number of queries, whatever the number of purposes.
    """
    with override(language):
        content = Document(person, records, language, now).content()
    while True:
        numbered = content | {"dct:identifier": new_number()}
        try:
            with transaction.atomic():
                return _keep(person, records, numbered, language=language, now=now)
        except IntegrityError:
            if not Receipt.objects.filter(number=numbered["dct:identifier"]).exists():
                raise


def new_number() -> str:
    """A random number such as `CR-7K3F-9Q2M` (40 bits)."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"CR-{letters[:4]}-{letters[4:]}"


def _keep(
    person: DataSubject, records: Sequence[ConsentRecord], content: Json, *, language: str, now: datetime
) -> Receipt:
    document = canonical(content)
    return Receipt.objects.create(
        number=content["dct:identifier"],
        subject=person,
        language=language,
        issued_at=now,
        document=document.decode("ascii"),
        digest=sha256(document).hexdigest(),
        signature=sign(document),
        records=[record.pk for record in records],
    )
