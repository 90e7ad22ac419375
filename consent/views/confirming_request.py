"""Links of letters about requests: "did you ask for this?" and "is this your new address?". GET shows, POST answers."""

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt

from consent import links
from consent.views.page import cut_link, page
from registry.disclosure import masked
from registry.models import PersonalDatum, SubjectRequest
from registry.requests import papers, rectifying, verifying
from registry.requests.verifying import Outcome
from registry.tasks import wake_mail

Standing = PersonalDatum.Standing


@csrf_exempt
def confirm_request(request: HttpRequest, token: str) -> HttpResponse:
    """Only the pressed button counts: an empty POST confirms nothing."""
    try:
        request_id, doubts = links.request_and_doubts_of(token)
        asked = SubjectRequest.objects.get(pk=request_id)
    except (links.InvalidLink, SubjectRequest.DoesNotExist):
        return cut_link(request)
    if request.method != "POST":
        return _question(request, asked.pk, verifying.outcome_of(asked, doubts))
    outcome = _answered(request, asked.pk, doubts)
    if outcome in {Outcome.DONE, Outcome.JOINED}:
        wake_mail()
    return _question(request, asked.pk, outcome)


def _answered(request: HttpRequest, request_id: int, doubts: int) -> Outcome:
    """What is confirmed is the kind that the page showed."""
    answer, now = request.POST.get("answer", ""), timezone.now()
    if answer == "confirm":
        return verifying.confirm(request_id, now=now, doubts=doubts, kind=request.POST.get("kind", ""))
    if answer == "disown":
        return verifying.disown(request_id, now=now, doubts=doubts)
    raise BadRequest("no answer")


def _question(request: HttpRequest, request_id: int, outcome: Outcome) -> HttpResponse:
    """What stands now; whoever holds this link holds the mailbox and may go on to the state of the request, unless
    the link is older than a doubt."""
    asked = SubjectRequest.objects.select_related("joined_to").get(pk=request_id)
    counts = asked.joined_to or asked
    is_known = asked.verified_at is not None and outcome != Outcome.DOUBTED
    context: dict[str, object] = {
        "asked": asked,
        "counts": counts,
        "outcome": outcome.value,
        "is_corrected": request.method == "POST" and outcome == Outcome.OPEN,
        "explained": counts.explained(get_language() or "kk"),
        "text": papers.read(asked.text_id) if outcome == Outcome.OPEN else "",  # what is confirmed is seen
        "state": links.request_token(links.STATE, counts.pk, len(counts.doubted)) if is_known else "",
    }
    is_dead = outcome in {Outcome.GONE, Outcome.DOUBTED}
    return page(request, "request_confirm.html", context, 410 if is_dead else 200)


@csrf_exempt
def new_address(request: HttpRequest, token: str) -> HttpResponse:
    """The new address takes the place of the old one when whoever reads its letter says so."""
    try:
        old_id, new_id = links.addresses_of(token)
    except links.InvalidLink:
        return cut_link(request)
    if request.method != "POST":
        return _new_address(request, new_id, _state_of(old_id, new_id))
    if request.POST.get("answer") != "confirm":
        raise BadRequest("no answer")
    is_confirmed = rectifying.confirm_new(old_id, new_id, now=timezone.now())
    return _new_address(request, new_id, "done" if is_confirmed else "gone")


def _state_of(old_id: int, new_id: int) -> str:
    """open, done or gone. That another person has the address is told to nobody who only looks."""
    fresh = PersonalDatum.objects.live().filter(pk=new_id).first()
    if fresh is None:
        return "gone"
    if fresh.standing == Standing.CONFIRMED:
        return "done"
    return "open" if PersonalDatum.objects.live().filter(pk=old_id, subject=fresh.subject_id).exists() else "gone"


def _new_address(request: HttpRequest, new_id: int, state: str) -> HttpResponse:
    data = PersonalDatum.objects.live().filter(pk=new_id).select_related("category", "key")
    address = "".join(masked(data).values())
    return page(request, "new_address.html", {"state": state, "address": address}, 410 if state == "gone" else 200)
