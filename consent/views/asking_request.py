"""Asking about one's own data: the form, the answers once more before they go, "check your mail".

The page does the same for known and unknown addresses and says the same.
"""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from consent import asking_requests, links
from consent.request_forms import RequestForm
from consent.views.limiting import limited, limited_target
from consent.views.page import cut_link, page
from registry.disclosure import masked
from registry.models import PersonalDatum, SubjectRequest
from registry.requests.opening import TooMany
from registry.requests.verifying import LAPSES_AFTER
from registry.tasks import wake_mail

WORKS_FOR = LAPSES_AFTER[SubjectRequest.Channel.PAGE]
DAY = timedelta(days=1)


@csrf_exempt
@limited("request")
def ask_request(request: HttpRequest) -> HttpResponse:
    """The last button sends; the first shows what would be sent, and the one beside the last goes back to the form."""
    form = RequestForm(request.POST if request.method == "POST" else None, now=timezone.now())
    pressed = request.POST.get("answer", "")
    if not form.is_bound or pressed == "change":
        return page(request, "request.html", {"form": form})
    if form.is_trap_sprung:
        return _sent(request, "", "")
    if not form.is_valid():
        return page(request, "request.html", {"form": form}, 422)
    if pressed != "send":
        return page(request, "request_check.html", {"form": form, "contact": form.cleaned_data["contact"][1].kept})
    return _send(request, form)


def _send(request: HttpRequest, form: RequestForm) -> HttpResponse:
    contact = form.cleaned_data["contact"][1]
    too_often = limited_target(request, "request", contact.canonical)
    if too_often:
        return too_often
    try:
        asked = form.ask(get_language() or "kk")
    except TooMany:
        return _too_many_today(request)
    except ValidationError:  # a contact of this kind is needed for answering no more
        form.add_error("contact", _("Enter an e-mail address, like name@example.kz"))
        return page(request, "request.html", {"form": form}, 422)
    wake_mail()
    return _sent(request, contact.masked, links.token(links.REQUEST_AGAIN, asked.pk))


def _too_many_today(request: HttpRequest) -> HttpResponse:
    """As after too many tries: what is counted are requests of whoever typed this address, known or not."""
    typed = [(name, value) for name, values in request.POST.lists() for value in values]
    response = page(request, "too_many.html", {"minutes": DAY // timedelta(minutes=1), "typed": typed}, 429)
    response["Retry-After"] = str(DAY // timedelta(seconds=1))
    return response


def _sent(request: HttpRequest, address: str, token: str, *, again: bool = False) -> HttpResponse:
    context: dict[str, object] = {
        "address": address,
        "token": token,
        "again": again,
        "days": WORKS_FOR.days,
        "is_number": bool(address) and "@" not in address,
    }
    return page(request, "request_sent.html", context)


@csrf_exempt
@limited("again")
def ask_request_again(request: HttpRequest, token: str) -> HttpResponse:
    """The question once more. The answer is the same whether it went or not."""
    try:
        asked = SubjectRequest.objects.get(pk=links.request_of(token, links.REQUEST_AGAIN))
    except (links.InvalidLink, SubjectRequest.DoesNotExist):
        return cut_link(request)
    is_post = request.method == "POST"
    if is_post:
        asking_requests.ask_again(asked.pk, now=timezone.now())
        wake_mail()
    contact = PersonalDatum.objects.filter(pk=asked.contact_id or 0, standing=PersonalDatum.Standing.CLAIMED)
    address = "".join(masked(contact.select_related("category", "key")).values())
    return _sent(request, address, token, again=is_post)
