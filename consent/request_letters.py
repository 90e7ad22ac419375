"""The letters about requests, written at the moment they go out: the question, the last day, the answer; and whether a
new address is right.

A contact may be a mailbox or a telephone: to a number goes the short text of the same name. A blocked person may ask,
and is answered, too. Nothing goes to a contact that is not the one of the request any more: it may be in doubt.
"""

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from consent import links
from registry.disclosure import masked
from registry.mail import Letter, written_by
from registry.models import CopyPackage, Operator, OutgoingMessage, PersonalDatum, RequestStep, SubjectRequest
from registry.requests import answering, handling, letters, opening, papers, rectifying, verifying

State = SubjectRequest.State


def _text(name: str, contact: str, context: dict[str, object]) -> str:
    ending = "" if "@" in contact else "_short"
    return render_to_string(f"letters/{name}{ending}.txt", {"operator": Operator.objects.get(), **context})


def _request(message: OutgoingMessage) -> SubjectRequest | None:
    """What the letter is about, if it still goes where letters about that go."""
    rows = SubjectRequest.objects.select_related("ground")
    return rows.filter(pk=message.about_id, contact_id=message.datum_id).first()


@written_by(opening.CONFIRM, is_service=True, reaches_blocked=True)
def request(message: OutgoingMessage, contact: str) -> Letter | None:
    """ "Did you ask for this?", with the link; None once that is known, or the request is over."""
    asked = _request(message)
    if asked is None or verifying.state_of(asked) != verifying.Outcome.OPEN:
        return None
    context = {
        "asked": asked,
        "contact": _hint(message),
        "url": links.request_url(asked.pk, message.language, len(asked.doubted)),
        "until": verifying.waits_until(asked) if asked.state == State.UNVERIFIED else None,
    }
    return Letter(_("Did you ask this about your data?"), _text("request", contact, context))


def _hint(message: OutgoingMessage) -> str:
    """The contact the letter goes to, masked: the reader of a shared mailbox sees whose it is."""
    data = PersonalDatum.objects.filter(pk=message.datum_id).select_related("category", "key")
    return "".join(masked(data).values())


@written_by(opening.OPENED, is_service=True, reaches_blocked=True)
def request_open(message: OutgoingMessage, contact: str) -> Letter | None:
    """Number, last day and why it is that one; None if the request is not in work any more."""
    asked = _request(message)
    if asked is None or asked.state != State.OPEN:
        return None
    context = {
        "asked": asked,
        "explained": asked.explained(message.language),
        "url": links.request_state_url(asked.pk, message.language, len(asked.doubted)),
    }
    return Letter(_("Your request is in work"), _text("request_open", contact, context))


@written_by(handling.EXTENDED, is_service=True, reaches_blocked=True)
def request_extended(message: OutgoingMessage, contact: str) -> Letter | None:
    """Another last day, on what ground and why; None if the request is not in work any more."""
    asked = _request(message)
    step = asked.steps.filter(step=RequestStep.Step.EXTENDED).last() if asked and asked.state == State.OPEN else None
    if asked is None or step is None:
        return None
    ground, reason = letters.extension_of(step)
    context = {
        "asked": asked,
        "ground": ground,
        "reason": reason,
        "explained": asked.explained(message.language),
        "url": links.request_state_url(asked.pk, message.language, len(asked.doubted)),
    }
    return Letter(_("Your request has another last day"), _text("request_extended", contact, context))


@written_by(answering.LETTER, is_service=True, reaches_blocked=True)
def request_answer(message: OutgoingMessage, contact: str) -> Letter | None:
    """The answer; with a refusal its ground and how to complain, with a copy where to fetch it. None: no text left."""
    asked = _request(message)
    text = papers.read(asked.answer_id) if asked and asked.state == State.ANSWERED else ""
    if asked is None or not text:
        return None
    context = {
        "asked": asked,
        "text": text,
        "is_refused": asked.outcome == SubjectRequest.Outcome.REFUSED,
        "ground": letters.ground_of(asked),
        "copy": CopyPackage.objects.filter(request=asked, state=CopyPackage.State.READY).first(),
        "url": links.request_state_url(asked.pk, message.language, len(asked.doubted)),
    }
    return Letter(_("The answer to your request"), _text("request_answer", contact, context))


@written_by(rectifying.LETTER, is_service=True, reaches_blocked=True)
def new_address(message: OutgoingMessage, contact: str) -> Letter | None:
    """To an address that shall take the place of another; None once it has, or one of them is gone."""
    if not PersonalDatum.objects.live().filter(pk=message.about_id, subject=message.subject_id).exists():
        return None
    url = links.new_address_url(message.about_id, message.datum_id, message.language)
    return Letter(_("Is this your new address?"), _text("new_address", contact, {"url": url}))
