"""What stands before every door for programs: limits, the key, and the answer to what is wrong.

An unknown, a wrong, an expired and a revoked key get the same answer. Tries from a network are counted before anybody
looks at the key.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from math import ceil

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from consent import limits
from consent.views.limiting import client_address
from registry.audience import Busy, Refused, StartAgain, keys, purpose_of
from registry.models import ProcessingPurpose, RecipientKey
from registry.strict_json import Unreadable

ACTION, WHOLE = "api", "api_whole"
A_WHILE = timedelta(minutes=1)
STATUS: dict[type[Exception], int] = {Unreadable: 400, Refused: 403}


class TooMany(Exception):
    """One try too many; `wait`: until the next."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__()
        self.wait = wait


View = Callable[[HttpRequest, RecipientKey, ProcessingPurpose], HttpResponseBase]
Door = Callable[[HttpRequest, str], HttpResponseBase]


def with_key(*methods: str) -> Callable[[View], Door]:
    """The view is called with the key that was shown and the purpose named in the address."""

    def decorate(view: View) -> Door:
        @csrf_exempt  # no cookie, no authority of a browser
        @wraps(view)
        def door(request: HttpRequest, purpose: str) -> HttpResponseBase:
            answer = _answer(request, purpose, view) if request.method in methods else error("method", 405)
            if answer.status_code == 405:
                answer["Allow"] = ", ".join(methods)
            answer["Cache-Control"] = "no-store"
            return answer

        return door

    return decorate


def _answer(request: HttpRequest, purpose: str, view: View) -> HttpResponseBase:
    now = timezone.now()
    address = client_address(request)
    if address and (wait := limits.count_network(ACTION, address, now=now)):
        return _too_many(wait)
    key = keys.holder(_shown(request), now)
    if key is None:
        return _unknown_key()
    if wait := limits.count_target(ACTION, key.prefix, now=now):
        return _too_many(wait)
    return _seen(request, purpose, view, key, now)


def _seen(request: HttpRequest, purpose: str, view: View, key: RecipientKey, now: datetime) -> HttpResponseBase:
    keys.note_use(key, now)
    try:
        return view(request, key, purpose_of(purpose))
    except ProcessingPurpose.DoesNotExist:
        return error("no_such_purpose", 404)
    except (Unreadable, Refused) as wrong:
        return error(wrong.code, STATUS[type(wrong)])
    except StartAgain:
        return error("start_again", 410)
    except (TooMany, Busy) as too_many:
        return _too_many(too_many.wait if isinstance(too_many, TooMany) else A_WHILE)


def count_whole(key: RecipientKey) -> None:
    """Counts one whole list. TooMany."""
    if wait := limits.count_target(WHOLE, key.prefix, now=timezone.now()):
        raise TooMany(wait)


def _shown(request: HttpRequest) -> str:
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def _unknown_key() -> HttpResponseBase:
    answer = error("key", 401)
    answer["WWW-Authenticate"] = "Bearer"
    return answer


def _too_many(wait: timedelta) -> HttpResponseBase:
    answer = error("too_many", 429)
    answer["Retry-After"] = str(ceil(wait.total_seconds()))
    return answer


def error(code: str, status: int) -> HttpResponseBase:
    return JsonResponse({"error": code}, status=status)
