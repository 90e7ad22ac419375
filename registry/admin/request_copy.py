"""Handing a copy over at the desk: to a person who was seen and whom no letter with a link reaches.

GET says what will happen; POST, with a fresh second factor, gives the file once. What may be given, and that it is
recorded, is the operation's: the same as behind the person's own link (registry.requests.copying).
"""

from functools import partial

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.admin import handing_out
from registry.admin.base import refuse_unappointed, staff_member, step_up
from registry.admin.request_page import framed, handled, heading
from registry.requests import copying
from registry.requests.steps import check_may


def hand_over_view(request: HttpRequest, request_id: int) -> HttpResponseBase:
    refuse_unappointed(request)
    row, now = handled(request, request_id), timezone.now()
    check_may(staff_member(request), row, now=now, permission=copying.HAND_OVER)
    back = redirect("admin:registry_subjectrequest_change", row.pk)
    if request.method == "POST":
        take = partial(copying.take, row, **handing_out.who(request))
        return handing_out.given(request, back, take, lambda _name: "application/zip")
    if way := step_up(request):
        return way
    package = copying.at_the_desk(row, now=now)
    if package is None:
        messages.warning(request, _("There is no copy to hand over here."))
        return back
    context = {
        "title": _("Hand over the copy"),
        "told": [
            _("The file holds everything about this person, readable: save it on what they take with them, or print."),
            _("It is given once; then the file and its key are destroyed. Delete it from this computer at once."),
            _("That you handed it over is recorded, and the person sees it in every later copy."),
        ],
        "button": _("Hand over the copy"),
        "form": "",
    }
    return framed(request, "request_act.html", heading(row, now) | context)
