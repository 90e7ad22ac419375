"""The error pages: in the language of the address, with a way on, without a word about software.

They ask nothing of the database, which may be the reason for the page. The contact is what `remember_operator` read
last; none, if the database has not answered this process yet.
"""

import time
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import get_language_from_request, override
from django.utils.translation import gettext_lazy as _

from registry.models import Operator

LOOK_AGAIN = 60  # seconds


@dataclass
class _Known:
    """The operator as this process read it last, and until when (monotonic, seconds) that is good enough."""

    operator: Operator | None = None
    until: float = 0


_known = _Known()


def remember_operator() -> None:
    """For the pages below. Looks again after a minute; in between it costs nothing."""
    if time.monotonic() > _known.until:
        _known.operator = Operator.objects.first()
        _known.until = time.monotonic() + LOOK_AGAIN


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    text = _("Go back, check what you entered and send it again.")
    return _page(request, 400, _("This request cannot be read"), text)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 403, _("You may not do this"), _("Your account has no right to this page."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return forbidden(request)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    text = _("Check the address, or copy the whole of it from the message.")
    return _page(request, 404, _("There is no such page"), text)


def too_large(request: HttpRequest) -> HttpResponse:
    return _page(request, 413, _("This text is too long"), _("Go back and send less text."))


def server_error(request: HttpRequest) -> HttpResponse:
    return _page(request, 500, _("Something went wrong on our side"), _("Nothing was saved. Try again later."))


def unavailable(request: HttpRequest) -> HttpResponse:
    return _later(request, _("Nothing was saved. Try again later."))


def recovering(request: HttpRequest) -> HttpResponse:
    return _later(request, _("The registry is being brought up to date after a restore. Try again later."))


def _later(request: HttpRequest, text: Promise) -> HttpResponse:
    response = _page(request, 503, _("Temporarily unavailable"), text)
    response["Retry-After"] = "300"
    return response


def _page(request: HttpRequest, status: int, title: Promise, text: Promise) -> HttpResponse:
    """The language is found here: what is refused before LocaleMiddleware would get that of the request before."""
    language = get_language_from_request(request, check_path=True)
    shown = {"title": title, "text": text, "operator": _known.operator}
    with override(language):
        response = render(request, "error.html", shown, status=status, using=None)
    response["Content-Language"] = language
    response["Cache-Control"] = "no-store"
    return response
