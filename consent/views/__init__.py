"""The public pages, a file for each subject."""

from consent.views.asking import consent
from consent.views.confirming import confirm
from consent.views.policy import policy
from consent.views.start import healthz, home
from consent.views.unsubscribing import unsubscribe

__all__ = ["confirm", "consent", "healthz", "home", "policy", "unsubscribe"]
