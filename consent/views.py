"""The public pages. They set no cookie and carry no authority of a browser, so they need no CSRF token: the form holds
only what is typed into it, and the links hold a signed token. GET changes nothing."""

from django.core.exceptions import BadRequest
from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, get_language_from_request, override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from consent import decisions, links, wording
from consent.decisions import Outcome
from consent.forms import ConsentForm
from consent.models import Confirmation, ConsentRecord, PolicyVersion
from consent.policy import blocks
from registry.keyring import Sealed
from registry.models import DataSubject, Operator, ProcessingPurpose
from registry.normalise import normalise
from registry.recovery import Recovering, must_be_ready
from registry.tasks import wake_mail

STATUS = {Outcome.EXPIRED: 410, Outcome.CHANGED: 409, Outcome.BLOCKED: 409}


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 `ok` if the database answers, is up to date and its keys open, else 503; nothing else."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        must_be_ready()
    except (DatabaseFailure, Sealed, Recovering):
        return HttpResponse("unavailable", status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    with override(get_language_from_request(request)):
        response = redirect("consent")
    response["Vary"] = "Accept-Language"
    return response


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    version = PolicyVersion.objects.in_force(now)
    language = get_language() or "kk"
    purposes = ProcessingPurpose.objects.open(now).filter(is_public=True).prefetch_related("categories")
    context = {
        "version": version,
        "blocks": blocks(version.text("text", language)),
        "digest": getattr(version, f"digest_{language}"),
        "purposes": [(purpose, wording.term(purpose)) for purpose in purposes],
    }
    return _page(request, "policy.html", context)


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
    return _page(request, "sent.html", {"address": address, "expires_at": confirmation.expires_at})


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
    return _page(request, "consent.html", {"form": form, "purposes": purposes, "version": version}, status)


@csrf_exempt
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    try:
        confirmation = Confirmation.objects.get(pk=links.confirmation_of(token))
    except (links.InvalidLink, Confirmation.DoesNotExist):
        return _page(request, "cut_link.html", {}, 404)
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
    context = {
        "confirmation": confirmation,
        "outcome": outcome.value,
        "records": list(confirmation.records.asked()),
        "given": confirmation.records.filter(act=ConsentRecord.Act.CONFIRMED).select_related("subject").first(),
    }
    return _page(request, "confirm.html", context, STATUS.get(outcome, 200))


@csrf_exempt
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """A link of any age works. POST acts, for people and for mail programs alike (RFC 8058): no redirect, no cookie."""
    try:
        subject_id, purpose_id = links.subscription_of(token)
        person = DataSubject.objects.get(pk=subject_id)
    except (links.InvalidLink, DataSubject.DoesNotExist):
        return _page(request, "cut_link.html", {}, 404)
    purpose = ProcessingPurpose.objects.filter(pk=purpose_id).first()
    with override(person.language):
        if request.method != "POST":
            return _page(request, "unsubscribe.html", {"purpose": purpose, "done": False})
        is_one_click = request.POST.get("List-Unsubscribe") == "One-Click"
        channel = ConsentRecord.Channel.ONE_CLICK if is_one_click else ConsentRecord.Channel.LINK
        ended = decisions.withdraw(person, purpose, now=timezone.now(), channel=channel)
        return _page(request, "unsubscribe.html", {"purpose": purpose, "done": True, "ended": ended})


def _page(request: HttpRequest, template: str, context: dict[str, object], status: int = 200) -> HttpResponse:
    """A public page. Pages behind a token and answers to forms are kept by nobody."""
    if request.method not in {"GET", "HEAD", "POST"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    language = get_language()
    others = {code: f"/{code}{request.path[3:]}" for code in ("kk", "ru", "en") if request.path[3:4] == "/"}
    page = {"operator": Operator.objects.get(), "language": language, "languages": others, **context}
    response = render(request, template, page, status=status)
    response["Content-Language"] = language or "kk"
    if template != "policy.html":
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex"
    return response
