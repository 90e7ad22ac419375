"""Links of confirmation letters. GET shows, POST answers."""

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from consent import decisions, links
from consent.decisions import Outcome
from consent.models import Confirmation, ConsentRecord
from consent.views.page import cut_link, page
from registry.tasks import wake_mail

STATUS = {Outcome.EXPIRED: 410, Outcome.CHANGED: 409, Outcome.BLOCKED: 409}


@csrf_exempt
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    try:
        confirmation = Confirmation.objects.get(pk=links.confirmation_of(token))
    except (links.InvalidLink, Confirmation.DoesNotExist):
        return cut_link(request)
    if request.method == "POST":
        return _answer(request, confirmation)
    return _confirm_page(request, confirmation, decisions.state_of(confirmation, timezone.now()))


def _answer(request: HttpRequest, confirmation: Confirmation) -> HttpResponse:
    """Only the pressed button counts: an empty POST is no consent."""
    answers = {"confirm": decisions.confirm, "refuse": decisions.refuse}
    answer = answers.get(request.POST.get("answer", ""))
    if answer is None:
        raise BadRequest("no answer")
    outcome = answer(confirmation.pk, now=timezone.now())
    if outcome == Outcome.DONE:
        wake_mail()
    return _confirm_page(request, confirmation, outcome)


def _confirm_page(request: HttpRequest, confirmation: Confirmation, outcome: Outcome) -> HttpResponse:
    context: dict[str, object] = {
        "confirmation": confirmation,
        "outcome": outcome.value,
        "records": list(confirmation.records.asked()),
        "given": confirmation.records.filter(act=ConsentRecord.Act.CONFIRMED).select_related("subject").first(),
    }
    return page(request, "confirm.html", context, STATUS.get(outcome, 200))
