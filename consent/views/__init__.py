"""The public pages, a file for each subject."""

from consent.views.asking import again, consent
from consent.views.confirming import code, confirm, represent
from consent.views.mine import mine, send_link
from consent.views.policy import policy, policy_comparison, policy_version, policy_versions
from consent.views.receipts import (
    receipt,
    receipt_document,
    receipt_evidence,
    receipt_key,
    receipt_signature,
)
from consent.views.start import healthz, home
from consent.views.unsubscribing import unsubscribe

__all__ = [
    "again",
    "code",
    "confirm",
    "consent",
    "healthz",
    "home",
    "mine",
    "policy",
    "policy_comparison",
    "policy_version",
    "policy_versions",
    "receipt",
    "receipt_document",
    "receipt_evidence",
    "receipt_key",
    "receipt_signature",
    "represent",
    "send_link",
    "unsubscribe",
]
