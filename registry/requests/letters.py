"""Letters about a request: where they go, what they cite, and the draft of the answer: the reply template of its kind
and outcome, or of what is so already, in the language of the person, filled in."""

from datetime import datetime

from django.utils import timezone, translation
from django.utils.formats import localize

from registry import mail
from registry.models import LegalGround, Operator, ReplyTemplate, RequestStep, SubjectRequest
from registry.requests import already, papers

Outcome = SubjectRequest.Outcome
ANY = "request"  # stands in where a kind has no template of its own


def queue(letter: str, request: SubjectRequest, now: datetime) -> bool:
    """To the contact of the request and to nobody else; False, and nothing queued, where there is none any more."""
    contact = papers.contact_of(request)
    if contact is None:
        return False
    mail.queue(letter, about=request, datum=contact, purpose=papers.purpose(), language=request.language, now=now)
    return True


def cited(ground: LegalGround) -> str:
    """Act, article and what it says, in the active language."""
    return f"{ground.text('act')}, {ground}"


def ground_of(request: SubjectRequest) -> str:
    """What a refusal rests on, in the active language; empty where there is none. Select `ground`."""
    return cited(request.ground) if request.ground else ""


def extended(ground: LegalGround, reason: str) -> str:
    """The reason of the step that extends a term: the code of its ground, and why in words."""
    return f"{ground.code}: {reason}"


def extension_of(step: RequestStep) -> tuple[str, str]:
    """What an extension rests on, in the active language, and why; of a step without a code no ground."""
    code, _colon, words = step.reason.partition(": ")
    ground = LegalGround.objects.filter(code=code).first()
    return (cited(ground), words) if ground else ("", step.reason)


def draft(request: SubjectRequest, outcome: Outcome) -> str:
    """Text to be looked over before it is sent; empty where the operator has no template. In the request's language."""
    why = already.why(request) if outcome == Outcome.GRANTED else ""
    wanted = [*([f"already-{why}"] if why else []), f"{request.kind}-{outcome}", f"{ANY}-{outcome}"]
    found = {one.code: one for one in ReplyTemplate.objects.filter(code__in=wanted)}
    template = next((found[code] for code in wanted if code in found), None)
    return _filled(template.text("text", request.language), request) if template else ""


def _filled(text: str, request: SubjectRequest) -> str:
    """Names in braces; what is no name of ours stays as the operator wrote it."""
    with translation.override(request.language):
        operator = Operator.objects.get()
        values = {
            "number": request.number,
            "received": localize(timezone.localdate(request.received_at)),
            "operator": operator.text("legal_name"),
            "contact": operator.contact_email,
        }
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text
