"""What static/console/passkeys.js asks and answers: JSON, by POST, with the token of the form in a header.

A challenge is kept in the session, for one answer to one question.
"""

import json
from base64 import b64decode, b64encode
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from config.sign_in import enrolling, entering, state
from config.sign_in.gate import stepping
from config.sign_in.origin import browser
from registry.admin.base import staff_member
from registry.sign_in import factors, passkeys
from registry.sign_in.passkeys import PasskeyError, Question
from registry.sign_in.steps import Step

LARGEST = 16 * 1024  # bytes of an answer


@stepping(Step.FACTOR)
@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """For the second step."""
    return _asked(request, "show", passkeys.ask(staff_member(request)))


@stepping(Step.FACTOR)
@require_POST
def check(request: HttpRequest) -> HttpResponse:
    return _answer(request, state.proceed(request).url) if _is_shown(request) else _failed(request)


@require_POST
def ask_again(request: HttpRequest) -> HttpResponse:
    """Before a dangerous act. Behind the gate of the console, like the next one."""
    return _asked(request, "show", passkeys.ask(staff_member(request)))


@require_POST
def check_again(request: HttpRequest) -> HttpResponse:
    way = state.own_path(request.session.get("way", ""))
    return _answer(request, way) if _is_shown(request) else _failed(request)


@stepping(Step.ENROL, inside=True)
@require_POST
def ask_to_add(request: HttpRequest) -> HttpResponse:
    return _asked(request, "add", passkeys.ask_to_add(staff_member(request)))


@stepping(Step.ENROL, inside=True)
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    challenge, answer = _challenge(request, "add"), _read(request)
    try:
        name = browser(request) or _("Passkey")
        factors.add_passkey(staff_member(request), answer, challenge, name=name, now=timezone.now())
    except PasskeyError:
        messages.error(request, _("The passkey was not added. Try again, or use the app."))
        return _failed(request)
    return _answer(request, enrolling.added(request, "passkey").url)


def _is_shown(request: HttpRequest) -> bool:
    if not entering.may_try(request):
        return False
    try:
        passkeys.check(staff_member(request), _read(request), _challenge(request, "show"), timezone.now())
    except PasskeyError:
        entering.wrong(request, "passkey")
        return False
    entering.right(request, "passkey")
    return True


def _asked(request: HttpRequest, what: str, question: Question) -> HttpResponse:
    request.session["challenge"] = {"what": what, "text": b64encode(question.challenge).decode()}
    return HttpResponse(question.options, content_type="application/json")


def _challenge(request: HttpRequest, what: str) -> bytes:
    """Used up by the first answer, a wrong one too. Without one, what no device has signed."""
    kept = request.session.pop("challenge", {})
    if kept.get("what") != what:
        raise BadRequest("nothing was asked")
    return b64decode(kept["text"])


def _read(request: HttpRequest) -> dict[str, Any]:
    if len(request.body) > LARGEST:
        raise BadRequest("too long")
    try:
        answer = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BadRequest("not JSON") from None
    if not isinstance(answer, dict):
        raise BadRequest("not an answer")
    return answer


def _answer(request: HttpRequest, way: str) -> HttpResponse:
    return JsonResponse({"way": way})


def _failed(request: HttpRequest) -> HttpResponse:
    """The page says why when it is loaded anew."""
    return JsonResponse({}, status=409)
