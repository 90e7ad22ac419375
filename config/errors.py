"""The error pages: in the language of the address, with a way on, without a word about software."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _


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


def _later(request: HttpRequest, text: str) -> HttpResponse:
    response = _page(request, 503, _("Temporarily unavailable"), text)
    response["Retry-After"] = "300"
    return response


def _page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    """Asks nothing of the database: it may be the reason for the page."""
    response = render(request, "error.html", {"title": title, "text": text}, status=status, using=None)
    response["Cache-Control"] = "no-store"
    return response
