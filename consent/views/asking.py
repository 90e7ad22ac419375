"""The consent form, and what follows right after it."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt

from consent import decisions, wording
from consent.forms import ConsentForm
from consent.models import PolicyVersion
from consent.views.page import page
from registry.models import Operator
from registry.normalise import normalise
from registry.tasks import wake_mail


@csrf_exempt
def consent(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _ask(request)
    return _consent_form(request, ConsentForm(now=timezone.now()))


def _ask(request: HttpRequest) -> HttpResponse:
    form = ConsentForm(request.POST, now=timezone.now())
    confirmation = form.ask(get_language() or "kk")
    if confirmation is None:
        return _consent_form(request, form, status=422)
    wake_mail()
    address = normalise("email", form.cleaned_data[decisions.CLAIM]).masked
    return page(request, "sent.html", {"address": address, "expires_at": confirmation.expires_at})


def _consent_form(request: HttpRequest, form: ConsentForm, status: int = 200) -> HttpResponse:
    operator = Operator.objects.get()
    language = get_language() or "kk"
    ticked = set(form.data.getlist("purposes")) if form.is_bound else set()  # type: ignore[attr-defined]
    purposes = [
        {
            "purpose": purpose,
            "description": purpose.text("description"),
            "wording": wording.compose(purpose, operator, language),
            "ticked": purpose.code in ticked,
        }
        for purpose in form.fields["purposes"].queryset  # type: ignore[attr-defined]
    ]
    version = PolicyVersion.objects.in_force(timezone.now())
    return page(request, "consent.html", {"form": form, "purposes": purposes, "version": version}, status)
