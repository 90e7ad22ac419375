"""What consent adds to requests: withdrawing, as it is asked on the page, by e-mail or at the desk."""

from datetime import datetime

from consent import decisions
from consent.models import ConsentRecord
from registry.models import StaffMember, SubjectRequest
from registry.requests.answering import Details, carried_out_by

Asked, Channel = SubjectRequest.Channel, ConsentRecord.Channel
CHANNELS = {Asked.PAGE: Channel.LINK, Asked.MAIL: Channel.LINK, Asked.DESK: Channel.DESK}


@carried_out_by(SubjectRequest.Kind.WITHDRAWAL)
def withdraw(request: SubjectRequest, by: StaffMember | None, details: Details, now: datetime) -> None:
    """All consents end at once; somebody without one has nothing to withdraw, and the answer is the same."""
    decisions.withdraw(request.subject, None, now=now, channel=CHANNELS[Asked(request.channel)], actor=by)
