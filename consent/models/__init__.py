"""What was asked, answered and published. Consent holds no personal value: it refers to a subject."""

from consent.models.campaigns import Campaign, CampaignMember
from consent.models.confirmations import Confirmation
from consent.models.limits import Attempt, LinkRequest
from consent.models.mail import MailboxState, ReceivedMail
from consent.models.policies import PolicyVersion
from consent.models.records import ConsentRecord, Receipt
from consent.models.wordings import Wording

__all__ = [
    "Attempt",
    "Campaign",
    "CampaignMember",
    "Confirmation",
    "ConsentRecord",
    "LinkRequest",
    "MailboxState",
    "PolicyVersion",
    "Receipt",
    "ReceivedMail",
    "Wording",
]
