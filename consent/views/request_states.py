"""What became of a request, by link; and the copy of one's data, handed over once."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt

from consent import links
from consent.views.page import cut_link, page
from registry.disclosure import masked
from registry.models import CopyPackage, PersonalDatum, RequestStep, SubjectRequest
from registry.requests import anew, copying, letters

Step, State = RequestStep.Step, SubjectRequest.State
SHOWN_AFTERWARDS = timedelta(days=90)
SHOWN = (
    Step.RECEIVED,
    Step.CONFIRMED,
    Step.DOUBTED,
    Step.RESUMED,
    Step.EXTENDED,
    Step.RECOUNTED,
    Step.ANSWERED,
    Step.JOINED,
    Step.LAPSED,
    Step.DISOWNED,
)
WITH_DAY = {Step.EXTENDED, Step.RECOUNTED, Step.RESUMED}


@csrf_exempt
def request_state(request: HttpRequest, token: str) -> HttpResponseBase:
    """GET shows; POST `answer=fetch` hands the copy over. Nothing here holds a value but a masked contact.

    A link older than a doubt about who asks still shows how far the request is, and nothing else; it fetches nothing.
    """
    now = timezone.now()
    asked, is_trusted = _asked(token)
    if asked is None:
        return cut_link(request)
    steps = list(asked.steps.all())
    if _is_too_late(asked, steps, now):
        return page(request, "request_expired.html", {"days": SHOWN_AFTERWARDS.days}, 410)
    if request.method != "POST":
        return _state_page(request, asked, steps, now, is_trusted=is_trusted)
    if request.POST.get("answer") != "fetch":
        raise BadRequest("no answer")
    if not is_trusted:
        return _state_page(request, asked, steps, now, 410, is_trusted=False)
    return _fetch(request, asked, steps, now)


def _asked(token: str) -> tuple[SubjectRequest | None, bool]:
    """The request, and whether nobody has doubted who asks since the link was made."""
    try:
        number, doubts = links.request_and_doubts_of(token, links.STATE)
    except links.InvalidLink:
        return None, False
    asked = SubjectRequest.objects.select_related("ground", "joined_to").filter(pk=number).first()
    return asked, asked is not None and len(asked.doubted) == doubts


def _is_too_late(asked: SubjectRequest, steps: list[RequestStep], now: datetime) -> bool:
    """A request that is over is shown for a while after its last step."""
    if asked.state in SubjectRequest.WAITING:
        return False
    ended_at = asked.answered_at or max((step.at for step in steps), default=asked.received_at)
    return now >= ended_at + SHOWN_AFTERWARDS


def _state_page(
    request: HttpRequest,
    asked: SubjectRequest,
    steps: Iterable[RequestStep],
    now: datetime,
    status: int = 200,
    *,
    is_trusted: bool = True,
) -> HttpResponse:
    copy = _copy_of(asked) if is_trusted else None
    context: dict[str, object] = {
        "asked": asked,
        "explained": asked.explained(get_language() or "kk"),
        "steps": [(step, step.due_on if step.step in WITH_DAY else None) for step in steps if step.step in SHOWN],
        "ground": letters.ground_of(asked),
        "is_anew": anew.is_asked(asked),
        "contact": _contact_of(asked) if asked.answer_id and is_trusted else "",
        "other": _other_of(asked) if is_trusted else "",
        "copy": copy,
        "may_fetch": copy is not None and copying.fetchable(asked, now=now) == copy,
        "is_gone": status == 410,
    }
    return page(request, "request_state.html", context, status)


def _other_of(asked: SubjectRequest) -> str:
    """The token of the one this was joined to. Joined while it was in doubt who asks, it leads nowhere."""
    other = asked.joined_to
    is_known = asked.identity != SubjectRequest.Identity.NONE
    return links.request_token(links.STATE, other.pk, len(other.doubted)) if other and is_known else ""


def _contact_of(asked: SubjectRequest) -> str:
    data = PersonalDatum.objects.live().filter(pk=asked.contact_id or 0, subject=asked.subject_id)
    return "".join(masked(data.select_related("category", "key")).values())


def _copy_of(asked: SubjectRequest) -> CopyPackage | None:
    """The newest one that was ready once, when the answer has said so."""
    if asked.state != State.ANSWERED:
        return None
    return CopyPackage.objects.filter(request=asked, built_at__isnull=False).first()


def _fetch(request: HttpRequest, asked: SubjectRequest, steps: list[RequestStep], now: datetime) -> HttpResponseBase:
    if asked.state != State.ANSWERED:
        return _state_page(request, asked, steps, now, 409)
    try:
        taken = copying.take(asked, now=now)
    except ValidationError:
        return _state_page(request, asked, steps, now, 410)
    headers = {
        "Content-Disposition": f'attachment; filename="{taken.name}"',
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex",
    }
    return StreamingHttpResponse(taken, content_type="application/zip", headers=headers)
