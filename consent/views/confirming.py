"""Links of confirmation letters, and codes of messages. GET shows, POST answers."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from consent import decisions, links
from consent.decisions import Outcome
from consent.models import Confirmation, ConsentRecord, Receipt
from consent.views.circumstances import circumstances
from consent.views.limiting import limited
from consent.views.page import cut_link, page
from registry.disclosure import masked
from registry.tasks import wake_mail

STATUS = {
    Outcome.EXPIRED: 410,
    Outcome.CHANGED: 409,
    Outcome.SUPERSEDED: 409,
    Outcome.BLOCKED: 409,
    Outcome.WRONG_CODE: 422,
    Outcome.LOCKED: 410,
}
Act = Callable[[HttpRequest, Confirmation], Outcome]


def _confirm(request: HttpRequest, asked: Confirmation) -> Outcome:
    typed = request.POST.get("code", "")
    return decisions.confirm(asked.pk, now=timezone.now(), code=typed, circumstances=circumstances(request))


def _represent(request: HttpRequest, asked: Confirmation) -> Outcome:
    return decisions.represent(asked.pk, now=timezone.now(), circumstances=circumstances(request))


def _refuse(_request: HttpRequest, asked: Confirmation) -> Outcome:
    return decisions.refuse(asked.pk, now=timezone.now())


@csrf_exempt
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    asked = _asked(token, links.CONFIRM)
    if asked is None or asked.way != Confirmation.Way.LINK:
        return cut_link(request)
    return _question(request, asked, {"confirm": _confirm, "refuse": _refuse}, "confirm.html")


@csrf_exempt
@limited("code")
def code(request: HttpRequest, token: str) -> HttpResponse:
    asked = _asked(token, links.ENTER_CODE)
    if asked is None or asked.way != Confirmation.Way.CODE:
        return cut_link(request)
    return _question(request, asked, {"confirm": _confirm}, "code.html")


@csrf_exempt
def represent(request: HttpRequest, token: str) -> HttpResponse:
    """The question to the legal representative of a minor. It is asked once the minor's own address is confirmed."""
    asked = _asked(token, links.REPRESENT)
    if asked is None or asked.representative_id is None:
        return cut_link(request)
    return _question(request, asked, {"confirm": _represent, "refuse": _refuse}, "represent.html")


def _asked(token: str, use: bytes) -> Confirmation | None:
    try:
        number = links.confirmation_of(token, use)
    except links.InvalidLink:
        return None
    return Confirmation.objects.select_related("subject").filter(pk=number).first()


def _question(request: HttpRequest, asked: Confirmation, acts: dict[str, Act], template: str) -> HttpResponse:
    """Only the pressed button counts: an empty POST is no consent."""
    if request.method != "POST":
        return _page(request, asked, decisions.state_of(asked, timezone.now()), template)
    act = acts.get(request.POST.get("answer", ""))
    if act is None:
        raise BadRequest("no answer")
    outcome = act(request, asked)
    if outcome in {Outcome.DONE, Outcome.PASSED_ON}:
        wake_mail()
    return _page(request, asked, outcome, template)


def _receipt_of(given: ConsentRecord) -> Receipt | None:
    """Looked for among the person's own: the lists of records have no index."""
    return Receipt.objects.filter(subject=given.subject_id, records__contains=[given.pk]).first()


def _page(request: HttpRequest, asked: Confirmation, outcome: Outcome, template: str) -> HttpResponse:
    """Whoever holds the link holds the mailbox and may go on from here; a page for codes is anybody's."""
    given = asked.records.filter(act=ConsentRecord.Act.CONFIRMED).select_related("subject").first()
    receipt = _receipt_of(given) if given else None
    may_go_on = given is not None and (outcome == Outcome.DONE or template == "confirm.html")
    subject = asked.subject.data.live().contacts().select_related("category", "key")
    context: dict[str, object] = {
        "confirmation": asked,
        "outcome": outcome.value,
        "records": list(asked.records.asked()),
        "given": given,
        "receipt": receipt,
        "receipt_token": links.token(links.RECEIPT, receipt.pk) if receipt and may_go_on else "",
        "mine": links.mine_url(given.subject_id, given.language, timezone.now()) if given and may_go_on else "",
        "minor": list(masked(subject).values()) if template == "represent.html" else [],
    }
    return page(request, template, context, STATUS.get(outcome, 200))
