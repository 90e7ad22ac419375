"""My sign-in: what confirms that it is I, and where I am signed in. And letting somebody else in anew."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from config.sign_in import state
from registry.admin.base import refuse_without, staff_member, step_up
from registry.models import Authenticator, Passkey, StaffMember
from registry.roles import may_manage
from registry.sign_in import factors, recovery_codes, sessions

KINDS: dict[str, type[Authenticator] | type[Passkey]] = {"authenticator": Authenticator, "passkey": Passkey}


def my_sign_in(request: HttpRequest) -> HttpResponse:
    person, here = staff_member(request), state.present(request)
    context = {
        **admin.site.each_context(request),
        "title": _("Your sign-in"),
        "authenticators": person.authenticators.filter(confirmed_at__isnull=False).order_by("pk"),
        "passkeys": person.passkeys.order_by("pk"),
        "left": recovery_codes.left(person),
        "sessions": [
            {"row": row, "mark": sessions.mark(row), "is_here": row == here}
            for row in person.staff_sessions.order_by("-seen_at")
        ],
    }
    return TemplateResponse(request, "admin/sign_in/mine.html", context)


@require_POST
def remove_factor(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    if page := step_up(request, reverse("admin:my_sign_in")):
        return page
    factor = KINDS[kind].objects.filter(pk=pk, person=staff_member(request)).first()
    if factor is None:
        raise Http404
    try:
        factors.remove(factor, timezone.now())
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        state.stay(request)
        messages.success(request, _("Removed."))
    return redirect("admin:my_sign_in")


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """One, by its mark; or all others."""
    if page := step_up(request, reverse("admin:my_sign_in")):
        return page
    person, here = staff_member(request), state.present(request)
    mark = request.POST.get("mark", "")
    others = [row for row in person.staff_sessions.all() if row != here]
    chosen = [row for row in others if not mark or constant_time_compare(sessions.mark(row), mark)]
    sessions.end(person, chosen, by=person, now=timezone.now())
    messages.success(request, _("Ended."))
    return redirect("admin:my_sign_in")


def let_in_anew(request: HttpRequest, pk: int) -> HttpResponse:
    """For who lost telephone and paper. GET says what will happen; POST does it and shows the one-time password."""
    refuse_without(request, "registry.change_staffmember")
    person = get_object_or_404(StaffMember, pk=pk)
    if request.method != "POST" and not may_manage(staff_member(request), person):
        raise PermissionDenied
    if page := step_up(request):
        return page
    password = None
    if request.method == "POST":
        password = factors.let_in_anew(person, by=staff_member(request), now=timezone.now())
    context = {
        **admin.site.each_context(request),
        "title": _("Let this person sign in anew"),
        "person": person,
        "password": password,
    }
    return TemplateResponse(request, "admin/sign_in/anew.html", context)
