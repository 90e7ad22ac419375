"""The letters consent sends, written at the moment they go out. The outbox calls them by name.

A contact may be a mailbox or a telephone: to a number goes the short text of the same name.
"""

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from consent import campaigns, links, mailing_links
from consent.decisions import MOST_TRIES
from consent.models import Campaign, CampaignMember, Confirmation, ConsentRecord, PolicyVersion, Receipt
from registry.disclosure import masked
from registry.mail import Letter, written_by
from registry.models import DataSubject, Operator, OutgoingMessage, PersonalDatum, Processing


def _text(name: str, context: dict[str, object]) -> str:
    return render_to_string(f"letters/{name}.txt", {"operator": Operator.objects.get(), **context})


def _is_number(contact: str) -> bool:
    return "@" not in contact


def _asked(message: OutgoingMessage) -> Confirmation | None:
    """The question, while it waits for its answer."""
    asked = Confirmation.objects.select_related("subject").get(pk=message.about_id)
    return asked if asked.answer == Confirmation.Answer.WAITING else None


@written_by("confirm")
def confirm(message: OutgoingMessage, _address: str) -> Letter | None:
    """ "Did you ask for this?", with the link; None once it was answered or is too late."""
    asked = _asked(message)
    if asked is None:
        return None
    context = {
        "records": list(asked.records.asked()),
        "stated": _stated(message.subject),
        "url": links.confirm_url(asked.pk, message.language),
        "confirmation": asked,
    }
    return Letter(_("Confirm your consent"), _text("confirm", context))


def _stated(person: DataSubject) -> list[str]:
    """What was entered beside the address, masked: the reader must see if it is somebody else's."""
    stated = person.data.live().contacts().filter(standing=PersonalDatum.Standing.STATED)
    return list(masked(stated.select_related("category", "key")).values())


@written_by("code")
def code(message: OutgoingMessage, _number: str) -> Letter | None:
    """Six digits for the page that is open in front of the person."""
    asked = _asked(message)
    if asked is None or asked.attempts >= MOST_TRIES:
        return None
    return Letter(_("Confirm your consent"), _text("code", {"code": links.code(asked.pk, asked.asked_at)}))


@written_by("represent")
def represent(message: OutgoingMessage, contact: str) -> Letter | None:
    """To the legal representative of a minor who confirmed their own address."""
    asked = _asked(message)
    if asked is None or asked.owned_at is None:
        return None
    minor = asked.subject.data.live().contacts().select_related("category", "key")
    context = {
        "records": list(asked.records.asked()),
        "minor": list(masked(minor).values()),
        "url": links.represent_url(asked.pk, message.language),
        "confirmation": asked,
    }
    name = "represent_short" if _is_number(contact) else "represent"
    return Letter(_("Do you agree for your child?"), _text(name, context))


@written_by("receipt")
def receipt(message: OutgoingMessage, contact: str) -> Letter | None:
    """What was agreed to and how to stop it; None if all of it was withdrawn before the letter went."""
    given = Receipt.objects.filter(pk=message.about_id, subject=message.subject_id).first()
    if given is None:
        return None
    now_open = Processing.objects.filter(subject=message.subject, state=Processing.State.OPEN, purpose__ground=None)
    agreed = ConsentRecord.objects.filter(pk__in=given.records, purpose__in=now_open.values("purpose"))
    records = list(agreed.select_related("purpose", "wording").order_by("purpose__position", "pk"))
    if not records:
        return None
    context = {
        "receipt": given,
        "url": links.receipt_url(given.pk, message.language),
        "items": [(record, links.unsubscribe_url(message.subject_id, record.purpose_id)) for record in records],
        "everything": links.unsubscribe_url(message.subject_id),
        "mine": links.mine_url(message.subject_id, message.language, message.queued_at),
    }
    text = _text("receipt_short" if _is_number(contact) else "receipt", context)
    return Letter(_("Your consent is recorded"), text, _one_click(records, message))


def _one_click(records: list[ConsentRecord], message: OutgoingMessage) -> dict[str, str]:
    """RFC 8058: the mail program's own unsubscribe button. One consent: that one; several: all of them."""
    purpose = records[0].purpose_id if len(records) == 1 else links.EVERY_PURPOSE
    told = mailing_links.links_for(purpose)(message.subject_id)
    return {"List-Unsubscribe": told.list_unsubscribe, "List-Unsubscribe-Post": told.list_unsubscribe_post}


@written_by("link", is_service=True)
def link(message: OutgoingMessage, contact: str) -> Letter:
    """The link to one's own consents, asked for on the page."""
    name = "link_short" if _is_number(contact) else "link"
    url = links.mine_url(message.subject_id, message.language, message.queued_at)
    context = {"url": url, "until": message.queued_at + links.MINE_IS_GOOD_FOR}
    return Letter(_("The link to your consents"), _text(name, context))


@written_by(campaigns.LETTER, is_service=True, after=campaigns.note_shown)
def reconsent(message: OutgoingMessage, contact: str) -> Letter | None:
    """What became wider, and the link to answer; None once the person has answered or withdrawn, or it was stopped."""
    member = CampaignMember.objects.select_related("campaign__policy").get(pk=message.about_id)
    campaign, at = member.campaign, message.queued_at
    items = campaigns.asked_of(message.subject_id, campaign, at)
    if campaign.state == Campaign.State.STOPPED or not items:
        return None
    context = {
        "items": [(one.purpose, campaigns.told(one.lack)) for one in items],
        "added": campaigns.added(campaign.policy, at),
        "waits": campaign.mode == Campaign.Mode.HARD,
        "changes": _changes_url(campaign.policy, [one.agreed.policy_id for one in items]),
        "url": links.mine_url(message.subject_id, message.language, at),
        "until": at + links.MINE_IS_GOOD_FOR,
        "everything": links.unsubscribe_url(message.subject_id),
    }
    name = "reconsent_short" if _is_number(contact) else "reconsent"
    return Letter(_("We ask for your consent anew"), _text(name, context))


def _changes_url(policy: PolicyVersion, agreed: list[int]) -> str:
    """What changed since the person agreed, in the active language; the policy itself if no version came between."""
    earlier = PolicyVersion.objects.filter(pk__in=agreed).exclude(pk=policy.pk).order_by("effective_at", "number")
    oldest = earlier.values_list("number", flat=True).first()
    path = reverse("policy_comparison", args=[oldest, policy.number]) if oldest else reverse("policy")
    return f"{settings.SITE_URL}{path}"
