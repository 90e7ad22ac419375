"""The gate in front of every page of the console, and the smaller ones in front of the pages that lead to it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from config.sign_in import state
from registry.admin.base import step_up
from registry.sign_in import sessions
from registry.sign_in.sessions import Ended
from registry.sign_in.steps import Step

# The admin's own scripts come from here too; still nothing inline and nothing from elsewhere.
with_scripts: Any = csp_update({"script-src": [SELF], "connect-src": [SELF]})
View = Callable[..., HttpResponse]

WHY = {
    Ended.IDLE: _("You were signed out because nobody worked here for half an hour."),
    Ended.LONGEST: _("You were signed out because eight hours have passed since you signed in."),
    Ended.HALF_IN: _("The sign-in was not finished in time. Please begin again."),
}


def refuse(request: HttpRequest) -> HttpResponse | None:
    """Where to send who is not all the way in; None: go on."""
    away = _turn_away(request)
    if away is not None:
        return away
    step = state.wanted(request)
    return redirect(state.PAGES[step]) if step else None


def stepping(*allowed: Step, inside: bool = False) -> Callable[[View], View]:
    """A page between the password and the console: for who is at one of these steps; `inside`, with a fresh second
    factor, for who is all the way in too."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            away = _turn_away(request) or _send_on(request, allowed, inside)
            return away or view(request, *args, **kwargs)

        page: View = with_scripts(never_cache(csrf_protect(guarded)))
        return page

    return decorate


def _turn_away(request: HttpRequest) -> HttpResponse | None:
    """Who has shown no password, or whose session is over, begins at the beginning and is told why."""
    if not state.is_staff(request):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    session, now = state.present(request), timezone.now()
    why = state.ended(request, now)
    if why is None:
        if session is not None:
            sessions.touch(session, now)
        return None
    logout(request)
    request.staff_session = None  # type: ignore[attr-defined]
    messages.warning(request, WHY[why])
    return redirect_to_login(request.get_full_path(), reverse("admin:login"))


def _send_on(request: HttpRequest, allowed: tuple[Step, ...], inside: bool) -> HttpResponse | None:
    step = state.wanted(request)
    if step is None:
        return step_up(request) if inside else redirect("admin:index")
    return None if step in allowed else redirect(state.PAGES[step])
