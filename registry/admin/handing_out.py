"""What the pages of lists and of transfers share: a second person's answer, and a file that is given once.

The operations decide; these pages parse what was pressed, call one of them and say what came of it.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.admin.base import staff_member, step_up
from registry.models import AuditEntry, DataExport, Transfer

Row = DataExport | Transfer
Acts = dict[str, Callable[[], None]]


def who(request: HttpRequest) -> dict[str, Any]:
    return {"by": staff_member(request), "now": timezone.now()}


def offered(row: Row, request: HttpRequest, *, approve: str, take: str) -> set[str]:
    """Which buttons are worth showing to whom, by these permissions; the operations decide anew."""
    me = staff_member(request)
    is_theirs = row.requested_by_id == me.pk
    acts = {
        "decide": row.state == "waiting" and not is_theirs and me.has_perm(approve),
        "cancel": row.state in {"waiting", "building", "ready"} and is_theirs,
        "take": row.state == "ready" and is_theirs and me.has_perm(take),
    }
    return {act for act, is_offered in acts.items() if is_offered}


def decided(request: HttpRequest, back: HttpResponse, acts: Acts, wake: Callable[[], object]) -> HttpResponse:
    """POST approves, refuses or cancels; GET, as after showing the second factor, goes to the row's page."""
    if request.method != "POST":
        return back
    act = acts.get(request.POST.get("act", ""))
    if act is None:
        raise BadRequest("no such act")
    if request.POST["act"] == "approve" and (way := step_up(request)):
        return way
    try:
        act()
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("Done and recorded."))
        wake()
    return back


def given(
    request: HttpRequest, back: HttpResponse, take: Callable[[], Any], content_type: Callable[[str], str]
) -> HttpResponseBase:
    """POST gives the file, once, as it is read; GET goes to the row's page. `content_type`: for a file of this name."""
    if request.method != "POST":
        return back
    if way := step_up(request):
        return way
    try:
        taken = take()
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return back
    headers = {"Content-Disposition": f'attachment; filename="{taken.name}"'}
    return StreamingHttpResponse(taken, content_type=content_type(taken.name), headers=headers)  # closes it, too


def decision(row: Row) -> str:
    """The second person's words of a refusal, from the audit."""
    if row.state != "refused":
        return ""
    entries = AuditEntry.objects.filter(actor=row.approved_by_id, operation=AuditEntry.Operation.APPROVE)
    about = entries.filter(object_type=row._meta.label_lower, object_id=row.pk).order_by("-at", "-id")
    return about.values_list("reason", flat=True).first() or ""
