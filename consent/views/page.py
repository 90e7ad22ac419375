"""What all public pages share.

They set no cookie and carry no authority of a browser, so they need no CSRF token: a form holds only what is typed into
it, and links hold a signed token. GET changes nothing.
"""

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils.translation import get_language

from registry import statements
from registry.models import Operator

KEPT_BY_ANYBODY = {"policy.html", "policy_versions.html", "policy_comparison.html"}


def page(request: HttpRequest, template: str, context: dict[str, object], status: int = 200) -> HttpResponse:
    """A public page. Pages behind a token and answers to forms are kept by nobody."""
    if request.method not in {"GET", "HEAD", "POST"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    language = get_language()
    others = {code: f"/{code}{request.path[3:]}" for code in ("kk", "ru", "en") if request.path[3:4] == "/"}
    operator = context.get("operator") or statements.select(Operator, "true")[0]
    shown = {**context, "operator": operator, "language": language, "languages": others}
    response = render(request, template, shown, status=status)
    response["Content-Language"] = language or "kk"
    if template not in KEPT_BY_ANYBODY:
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex"
    return response


def cut_link(request: HttpRequest) -> HttpResponse:
    return page(request, "cut_link.html", {}, 404)
