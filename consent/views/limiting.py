"""The limits of consent.limits at the doors. Only a POST is counted: reading a page costs nobody anything."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from ipaddress import IPv6Address, ip_address
from math import ceil

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from consent import limits
from consent.views.page import page

View = Callable[..., HttpResponse]


def limited(action: str) -> Callable[[View], View]:
    """The view is not called for one try too many from the same network."""

    def decorate(view: View) -> View:
        @wraps(view)
        def counting(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            too_many = _limited_network(request, action) if request.method == "POST" else None
            return too_many or view(request, *args, **kwargs)

        return counting

    return decorate


def _limited_network(request: HttpRequest, action: str) -> HttpResponse | None:
    """Who comes from nowhere is not counted: one count for all of them would close the page to everybody."""
    address = client_address(request)
    return _too_many(request, limits.count_network(action, address, now=timezone.now()) if address else None)


def limited_target(request: HttpRequest, action: str, canonical: str) -> HttpResponse | None:
    """The answer to one try too many at the same address or number, in canonical form. None: go on."""
    return _too_many(request, limits.count_target(action, canonical, now=timezone.now()))


def client_address(request: HttpRequest) -> str:
    """The IP address a request came from; empty if nobody can tell (a Unix socket has none).

    Behind a proxy it is the last entry of X-Forwarded-For, which the proxy wrote; the visitor may write all the others.
    """
    said = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_PROXY:
        said = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    try:
        ip = ip_address(said)
    except ValueError:
        return ""
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None  # a visitor of ours by IPv4, listened to by IPv6
    return str(mapped or ip)


def _too_many(request: HttpRequest, wait: timedelta | None) -> HttpResponse | None:
    """What was typed stays on the page: a browser that goes back may have dropped it (the form is kept by nobody)."""
    if wait is None:
        return None
    seconds = ceil(wait.total_seconds())
    typed = [(name, value) for name, values in request.POST.lists() for value in values]
    response = page(request, "too_many.html", {"minutes": ceil(seconds / 60), "typed": typed}, 429)
    response["Retry-After"] = str(seconds)
    return response
