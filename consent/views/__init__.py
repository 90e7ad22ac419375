"""The public pages, a file for each subject."""

from consent.views.asking import again, consent
from consent.views.asking_request import ask_request, ask_request_again
from consent.views.confirming import code, confirm, represent
from consent.views.confirming_request import confirm_request, new_address
from consent.views.mine import mine, send_link
from consent.views.policy import policy, policy_comparison, policy_version, policy_versions
from consent.views.receipts import (
    receipt,
    receipt_document,
    receipt_evidence,
    receipt_key,
    receipt_signature,
)
from consent.views.request_states import request_state
from consent.views.start import healthz, home
from consent.views.unsubscribing import unsubscribe

__all__ = [
    "again",
    "ask_request",
    "ask_request_again",
    "code",
    "confirm",
    "confirm_request",
    "consent",
    "healthz",
    "home",
    "mine",
    "new_address",
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
    "request_state",
    "send_link",
    "unsubscribe",
]
