"""The mailing list of a purpose and its changes: docs/mailing-lists.md."""

import re

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from consent.api.door import count_whole, with_key
from registry import audience as lists
from registry.models import ProcessingPurpose, RecipientKey
from registry.strict_json import Unreadable

CURSOR = re.compile(r"[0-9]{1,16}", re.ASCII)
FORMATS, WHOLE = {"", "ndjson"}, {"", "1"}


@with_key("GET")
def audience(request: HttpRequest, key: RecipientKey, purpose: ProcessingPurpose) -> HttpResponseBase:
    """Lines of JSON, one a change, since a cursor; 0 or none: everybody. `whole=1` goes on with everybody."""
    since = request.GET.get("since", "0")
    if not CURSOR.fullmatch(since):
        raise Unreadable("since")
    if request.GET.get("format", "") not in FORMATS:
        raise Unreadable("format")
    if int(since) == 0:
        count_whole(key)
    if request.GET.get("whole", "") not in WHOLE:
        raise Unreadable("whole")
    is_whole = request.GET.get("whole") == "1"
    lines = lists.opened(key, purpose, int(since), clock=timezone.now, is_whole=is_whole)
    return StreamingHttpResponse(lines, content_type="application/x-ndjson")  # closes it, too
