"""The letter that tells a person of a transfer they made it a condition to be told of.

It says to whom, what for, which kinds of data, when, on what ground and under which number; no value stands in it. The
link leads to the page where the condition is ended as easily as it was made.
"""

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from consent import links
from registry import transfer_letters
from registry.mail import Letter, written_by
from registry.models import DataCategory, Operator, OutgoingMessage, PersonNotice


@written_by(transfer_letters.LETTER, is_service=True, after=transfer_letters.note_sent)
def transfer_told(message: OutgoingMessage, _address: str) -> Letter | None:
    """None once somebody told it."""
    told = PersonNotice.objects.select_related("transfer__recipient__country", "transfer__purpose")
    notice = told.defer("transfer__wrapped").filter(pk=message.about_id, told_at=None).first()
    if notice is None:
        return None
    given, at = notice.transfer, message.queued_at
    context = {
        "operator": Operator.objects.get(),
        "given": given,
        "when": notice.opened_at,
        "data": [str(one) for one in DataCategory.objects.filter(code__in=given.categories).order_by("pk")],
        "url": links.mine_url(message.subject_id, message.language, at),
        "until": at + links.MINE_IS_GOOD_FOR,
    }
    return Letter(_("Your data were given to a recipient"), render_to_string("letters/transfer_told.txt", context))
