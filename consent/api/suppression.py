"""Who must not be written to: the list, and the question about addresses: docs/mailing-lists.md."""

from typing import Any

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from consent.api.door import count_whole, with_key
from registry import audience as lists
from registry import strict_json
from registry.audience.checking import MOST
from registry.models import ProcessingPurpose, RecipientKey
from registry.strict_json import Unreadable

LARGEST = 512 * 1024  # bytes: a thousand of the longest addresses
FORMS = ("plain", "hashed")


@with_key("GET")
def suppression(request: HttpRequest, key: RecipientKey, purpose: ProcessingPurpose) -> HttpResponseBase:
    """One address a line, plain or as its digest, below the name of the column."""
    form = request.GET.get("form", "hashed")
    if form not in FORMS:
        raise Unreadable("form")
    count_whole(key)
    lines = lists.suppressed(key, purpose, is_plain=form == "plain", clock=timezone.now)
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")  # closes it, too


@with_key("POST")
def suppression_check(request: HttpRequest, key: RecipientKey, purpose: ProcessingPurpose) -> HttpResponseBase:
    """For each address whether it may be written to now, in order."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST:  # before Django reads it, or refuses with a page
        raise Unreadable("too_large")
    addresses = _addresses(strict_json.read(request.body, largest=LARGEST))
    may = lists.may_be_written_to(key, purpose, addresses, timezone.now())
    return JsonResponse({"results": [{"may": one} for one in may]})


def _addresses(sent: Any) -> list[str]:
    found = sent.get("addresses") if isinstance(sent, dict) and set(sent) == {"addresses"} else None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Unreadable("addresses")
    if not 1 <= len(found) <= MOST:
        raise Unreadable("too_many_addresses" if found else "addresses")
    return found
