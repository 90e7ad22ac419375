"""Consent receipts: what was agreed to, signed, for the person and for whoever asks (Law 94-V art. 25(2)(5)).

A receipt is written once, in canonical JSON, signed, and never changed; it names the person by their public reference
and holds no value. What has become of its consents since is read from the database. An evidence bundle holds all that
verify_receipt.py needs to check a receipt without us; that script states the same rules on its own.
"""

from consent.models import Receipt
from consent.receipts.bundling import HistoryChanged, bundle
from consent.receipts.document import read
from consent.receipts.issuing import issue
from consent.receipts.signing import key_id, public_key, public_pem, signature_file
from consent.receipts.standing import Item, State, items_of, state_of, together
from registry.keyring import added_later
from registry.models import SealingKey

added_later[SealingKey.Name.RECEIPTS] = Receipt.objects.exists

__all__ = [
    "HistoryChanged",
    "Item",
    "State",
    "bundle",
    "issue",
    "items_of",
    "key_id",
    "public_key",
    "public_pem",
    "read",
    "signature_file",
    "state_of",
    "together",
]
