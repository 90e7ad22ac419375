"""The letters consent sends, written at the moment they go out. The outbox calls them by name."""

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from consent import links
from consent.models import Confirmation, ConsentRecord
from registry.disclosure import masked
from registry.mail import Letter, written_by
from registry.models import Operator, OutgoingMessage, PersonalDatum, Processing


@written_by("confirm")
def confirm(message: OutgoingMessage, address: str) -> Letter | None:
    """ "Did you ask for this?", with the link; None once it was answered or is too late."""
    confirmation = Confirmation.objects.get(pk=message.about_id)
    if confirmation.answer != Confirmation.Answer.WAITING:
        return None
    context = {
        "operator": Operator.objects.get(),
        "records": list(confirmation.records.asked()),
        "stated": _stated(message),
        "url": links.confirm_url(confirmation.pk, message.language),
        "confirmation": confirmation,
    }
    return Letter(_("Confirm your consent"), render_to_string("letters/confirm.txt", context))


def _stated(message: OutgoingMessage) -> list[str]:
    """What was entered beside the address, masked: the reader must see if it is somebody else's."""
    stated = message.subject.data.live().filter(standing=PersonalDatum.Standing.STATED)
    return list(masked(stated.select_related("category", "key")).values())


@written_by("receipt")
def receipt(message: OutgoingMessage, address: str) -> Letter | None:
    """What was agreed to and how to stop it; None if all of it was withdrawn before the letter went."""
    now_open = Processing.objects.filter(subject=message.subject, state=Processing.State.OPEN, purpose__ground=None)
    confirmed = ConsentRecord.objects.filter(
        confirmation=message.about_id, act=ConsentRecord.Act.CONFIRMED, purpose__in=now_open.values("purpose")
    ).select_related("purpose", "wording")
    records = list(confirmed.order_by("purpose__position"))
    if not records:
        return None
    context = {
        "operator": Operator.objects.get(),
        "person": message.subject,
        "at": records[0].at,
        "items": [(record, links.unsubscribe_url(message.subject_id, record.purpose_id)) for record in records],
        "everything": links.unsubscribe_url(message.subject_id),
    }
    text = render_to_string("letters/receipt.txt", context)
    return Letter(_("Your consent is recorded"), text, _one_click(records, message))


def _one_click(records: list[ConsentRecord], message: OutgoingMessage) -> dict[str, str]:
    """RFC 8058: the mail program's own unsubscribe button. One consent: that one; several: all of them."""
    purpose = records[0].purpose_id if len(records) == 1 else links.EVERY_PURPOSE
    url = links.unsubscribe_url(message.subject_id, purpose)
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
