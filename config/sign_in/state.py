"""How far a request has come: what its session has shown, and what is still wanted of it.

Between the password and the last step the session holds two moments, `password_at` and `factor_at`. All the way in is
only who has a StaffSession: `present` finds it, `proceed` makes it.
"""

from datetime import datetime, timedelta

from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.http import url_has_allowed_host_and_scheme

from config.sign_in.origin import browser, network_address
from registry.admin.base import staff_member
from registry.models import StaffMember, StaffSession
from registry.sign_in import sessions, steps
from registry.sign_in.sessions import Ended
from registry.sign_in.steps import Step

PAGES = {
    Step.FACTOR: "admin:factor",
    Step.PASSWORD: "admin:password_change",
    Step.ENROL: "admin:enrol",
    Step.CODES: "admin:recovery_codes",
}


def is_staff(request: HttpRequest) -> bool:
    """Whether a password of a member of the staff was shown in this session."""
    return isinstance(request.user, StaffMember) and request.user.is_active and request.user.is_staff


def present(request: HttpRequest) -> StaffSession | None:
    """The session that is all the way in; None: it is not. Looked up once a request."""
    if not hasattr(request, "staff_session"):
        key = request.session.session_key if is_staff(request) else None
        found = StaffSession.objects.filter(pk=key, person=request.user.pk).first() if key else None
        request.staff_session = found  # type: ignore[attr-defined]
    held: StaffSession | None = request.staff_session  # type: ignore[attr-defined]
    return held


def ended(request: HttpRequest, now: datetime) -> Ended | None:
    """Why this session may not go on; None: it may."""
    session = present(request)
    if session is not None:
        return sessions.ended(session, now)
    began_at = _moment(request, "password_at")
    is_over = began_at is None or now - began_at >= sessions.HALF_IN
    return Ended.HALF_IN if is_staff(request) and is_over else None


def is_in(request: HttpRequest) -> bool:
    """All the way in, and no password to choose."""
    return present(request) is not None and not staff_member(request).has_one_time_password


def wanted(request: HttpRequest) -> Step | None:
    """The next step; None: all the way in. Where only the last POST is missing, the factor is shown once more."""
    if present(request) is not None:
        return Step.PASSWORD if staff_member(request).has_one_time_password else None
    return _left(request) or Step.FACTOR


def _left(request: HttpRequest) -> Step | None:
    return steps.wanted(staff_member(request), factor_shown=_moment(request, "factor_at") is not None)


def password_shown(request: HttpRequest, way: str) -> None:
    """The first half; `way` is where to go in the end."""
    request.session["password_at"] = timezone.now().isoformat()
    request.session["way"] = way
    request.session.pop("factor_at", None)


def factor_shown(request: HttpRequest, *, by: str) -> None:
    """The second factor was right: at the sign-in, or once more before a dangerous act."""
    session, now = present(request), timezone.now()
    if session is not None:
        sessions.verify(session, by=by, now=now)
        return
    request.session["factor_at"] = now.isoformat()
    request.session["factor"] = by


def proceed(request: HttpRequest) -> HttpResponseRedirect:
    """To the next step, or all the way in. Only after a POST: it changes the session."""
    if present(request) is None:
        step = _left(request)
        if step is not None:
            return redirect(PAGES[step])
        enter(request)
    return redirect(own_path(request.session.pop("way", "")))


@transaction.atomic
def enter(request: HttpRequest) -> None:
    """All the way in, with a new key: a cookie from half-way does not get in with it."""
    request.session.cycle_key()
    by = request.session.pop("factor", "")
    for done in ("password_at", "factor_at"):
        request.session.pop(done, None)
    request.staff_session = sessions.begin(  # type: ignore[attr-defined]
        str(request.session.session_key),
        staff_member(request),
        by=by,
        address=network_address(request) or None,
        browser=browser(request),
        now=timezone.now(),
    )


@transaction.atomic
def stay(request: HttpRequest) -> None:
    """After a change of password or factors, which ends all sessions: this one goes on, with a new key."""
    session, person = present(request), staff_member(request)
    person.refresh_from_db()
    update_session_auth_hash(request, person)
    if session is not None:
        request.staff_session = sessions.move(session, str(request.session.session_key))  # type: ignore[attr-defined]


def own_path(path: str) -> str:
    """A page of the console, or its first one: never another host's, and nothing outside."""
    is_own = url_has_allowed_host_and_scheme(path, allowed_hosts=None) and path.startswith(reverse("admin:index"))
    return path if is_own else reverse("admin:index")


def minutes(wait: timedelta) -> int:
    """Whole minutes, none too few."""
    return -(-wait // timedelta(minutes=1))


def _moment(request: HttpRequest, name: str) -> datetime | None:
    return parse_datetime(request.session.get(name, ""))
