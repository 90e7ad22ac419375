"""What consent leaves behind, told to self-retention: proof is kept."""

from django.utils.translation import gettext_lazy as _

from consent.models import Confirmation, ConsentRecord
from registry.stores import evidence
from registry.traces import add

add(evidence("proof-of-consent", _("proof of consent"), ConsentRecord, "at"))
add(evidence("questions", _("questions sent for confirmation, and their answers"), Confirmation, "asked_at"))
