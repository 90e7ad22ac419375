"""What stands around every view. Public pages get no session, no sign-in and no message: they set no cookie."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import BadRequest
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from simple_history.middleware import HistoryRequestMiddleware

from config.errors import recovering, remember_operator, too_large, unavailable
from registry.auditing import NotRecorded
from registry.keyring import Sealed
from registry.recovery import Recovering, must_be_ready

CONSOLE, UNSUBSCRIBING, PROGRAMS = "/admin/", "/u/", "/api/"
LARGEST_FORM = 64 * 1024  # bytes, on a public page
GetResponse = Callable[[HttpRequest], HttpResponseBase]


class ConsoleOnly:
    """Mixed into a middleware: it works under /admin/ and does not exist elsewhere."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(CONSOLE):
            return super().__call__(request)  # type: ignore[misc]
        return self.get_response(request)


class ConsoleSessionMiddleware(ConsoleOnly, SessionMiddleware):
    pass


class ConsoleAuthenticationMiddleware(ConsoleOnly, AuthenticationMiddleware):
    pass


class ConsoleMessageMiddleware(ConsoleOnly, MessageMiddleware):
    pass


def ConsoleHistoryMiddleware(get_response: GetResponse) -> GetResponse:  # noqa: N802 (named like the others in MIDDLEWARE)
    """Tells simple-history who changes a setting."""
    with_history = HistoryRequestMiddleware(get_response)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return with_history(request) if request.path.startswith(CONSOLE) else get_response(request)

    return middleware


class SealedStateMiddleware:
    """Without the right master key, or with a database older than the erasure ledger, nothing is served but 503 and
    /healthz, and nothing is written."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path != "/healthz":
            try:
                remember_operator()
                must_be_ready()
            except Recovering:
                return recovering(request)
            except (Sealed, OperationalError, InterfaceError):
                return unavailable(request)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A database that does not answer, or an audit that takes no entry, is no fault of the request."""
        if isinstance(exception, OperationalError | InterfaceError | NotRecorded):
            return unavailable(request)
        return None


class ReadableTextMiddleware:
    """Refuses what no page of ours sends: text that is not UTF-8, NUL, another code page, more than a form can hold.

    Django would replace the first, PostgreSQL fail on the second, Python's codecs on the third.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_args: object) -> HttpResponse | None:
        """Here, not in __call__, so that a refusal becomes the ordinary 400 page. Programs have another reader."""
        if request.path.startswith(PROGRAMS):
            return None
        if not request.path.startswith(CONSOLE) and int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_FORM:
            return too_large(request)
        is_form = not request.path.startswith(UNSUBSCRIBING)  # there any body will do
        if is_form and request.content_params and request.content_params.get("charset", "utf-8").lower() != "utf-8":
            raise BadRequest("another code page")
        query = request.META.get("QUERY_STRING", "")
        parts = [request.path.encode("utf-8", "surrogateescape"), unquote_to_bytes(query.encode("latin-1", "replace"))]
        if is_form and request.method == "POST" and request.content_type == "application/x-www-form-urlencoded":
            parts.append(unquote_to_bytes(request.body))
        if not all(map(is_readable, parts)):
            raise BadRequest("unreadable text")
        return None


def is_readable(raw: bytes) -> bool:
    try:
        return "\0" not in raw.decode()
    except UnicodeDecodeError:
        return False
