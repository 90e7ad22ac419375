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

ACTS = {"confirm": verifying.confirm, "disown": verifying.disown}
Standing = PersonalDatum.Standing


@csrf_exempt
def confirm_request(request: HttpRequest, token: str) -> HttpResponse:
    """Only the pressed button counts: an empty POST confirms nothing."""
    try:
        asked = SubjectRequest.objects.get(pk=links.request_of(token))
    except (links.InvalidLink, SubjectRequest.DoesNotExist):
        return cut_link(request)
    if request.method != "POST":
        return _question(request, asked.pk, verifying.state_of(asked))
    act = ACTS.get(request.POST.get("answer", ""))
    if act is None:
        raise BadRequest("no answer")
    outcome = act(asked.pk, now=timezone.now())
    if outcome in {Outcome.DONE, Outcome.JOINED}:
        wake_mail()
    return _question(request, asked.pk, outcome)


def _question(request: HttpRequest, request_id: int, outcome: Outcome) -> HttpResponse:
    """What stands now; whoever holds this link holds the mailbox and may go on to the state of the request."""
    asked = SubjectRequest.objects.select_related("joined_to").get(pk=request_id)
    counts = asked.joined_to or asked
    is_known = asked.verified_at is not None
    context: dict[str, object] = {
        "asked": asked,
        "counts": counts,
        "outcome": outcome.value,
        "explained": counts.explained(get_language() or "kk"),
        "text": papers.read(asked.text_id) if outcome == Outcome.OPEN else "",  # what is confirmed is seen
        "state": links.token(links.STATE, counts.pk) if is_known else "",
    }
    return page(request, "request_confirm.html", context, 410 if outcome == Outcome.GONE else 200)


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
