"""The consent form, and what follows right after it: the letter or the code, and sending it again."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt

from consent import decisions, links
from consent.forms import ConsentForm
from consent.models import Confirmation
from consent.views.circumstances import circumstances
from consent.views.limiting import limited, limited_target
from consent.views.page import cut_link, page
from registry.disclosure import masked
from registry.models import Operator, PersonalDatum
from registry.tasks import wake_mail


@csrf_exempt
@limited("consent")
def consent(request: HttpRequest) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form = ConsentForm(data, now=timezone.now(), language=get_language() or "kk")
    return _ask(request, form) if form.is_bound else _consent_form(request, form)


def _ask(request: HttpRequest, form: ConsentForm) -> HttpResponse:
    if form.is_trap_sprung:
        return page(request, "sent.html", {"address": "", "token": "", "expires_at": form.now, "is_code": False})
    if form.is_valid():
        too_often = limited_target(request, "consent", form.claimed.canonical)
        if too_often:
            return too_often
    confirmation = form.ask(circumstances(request))
    if confirmation is None:
        return _consent_form(request, form, status=422)
    wake_mail()
    return _sent(request, confirmation, form.claimed.masked, operator=form.offer.operator)


def _consent_form(request: HttpRequest, form: ConsentForm, status: int = 200) -> HttpResponse:
    context = {"form": form, "version": form.offer.policy, "operator": form.offer.operator}
    return page(request, "consent.html", context, status)


def _sent(
    request: HttpRequest,
    confirmation: Confirmation,
    address: str,
    *,
    operator: Operator | None = None,
    again: bool = False,
) -> HttpResponse:
    is_code = confirmation.way == Confirmation.Way.CODE
    context: dict[str, object] = {
        "address": address,
        "expires_at": confirmation.expires_at,
        "token": links.token(links.SEND_AGAIN, confirmation.pk),
        "is_code": is_code,
        "code_token": links.token(links.ENTER_CODE, confirmation.pk) if is_code else "",
        "again": again,
        "operator": operator,
    }
    return page(request, "sent.html", context)


@csrf_exempt
@limited("again")
def again(request: HttpRequest, token: str) -> HttpResponse:
    """The letter once more. The answer is the same whether it went or not."""
    try:
        confirmation = Confirmation.objects.get(pk=links.confirmation_of(token, links.SEND_AGAIN))
    except (links.InvalidLink, Confirmation.DoesNotExist):
        return cut_link(request)
    is_post = request.method == "POST"
    if is_post:
        decisions.send_again(confirmation.pk, now=timezone.now())
        wake_mail()
    claims = confirmation.subject.data.live().filter(standing=PersonalDatum.Standing.CLAIMED)
    address = "".join(masked(claims.select_related("category", "key")[:1]).values())
    return _sent(request, confirmation, address, again=is_post)
