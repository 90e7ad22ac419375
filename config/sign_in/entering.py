"""Name and password; then the second factor, at the sign-in and once more before a dangerous act.

A wrong name, a wrong password and one try too many get the same answer. What was typed is kept nowhere.
"""

from datetime import timedelta
from typing import Any
from unicodedata import normalize

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from config.sign_in import state
from config.sign_in.gate import stepping
from config.sign_in.origin import network_address
from consent import limits
from registry import auditing
from registry.admin.base import staff_member
from registry.models import AuditEntry, StaffMember
from registry.sign_in import codes, passkeys, recovery_codes
from registry.sign_in.steps import Step

NOT_IN = gettext_lazy("You are not signed in. Check the name and the password.")
LONGEST_NAME = 150


class PasswordForm(AdminAuthenticationForm):
    """`wait`: there were too many tries, so nothing is looked up."""

    error_messages = {"invalid_login": NOT_IN, "inactive": NOT_IN}

    def __init__(self, *args: Any, wait: timedelta | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wait = wait

    def clean(self) -> dict[str, Any]:
        if self.wait is not None:
            raise ValidationError([NOT_IN, too_many(self.wait)])
        cleaned: dict[str, Any] = super().clean() or {}
        return cleaned


class ShowPassword(LoginView):
    """Each sign-in begins a session of its own: nothing of the one before it stays."""

    form_class = PasswordForm
    template_name = "admin/login.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method == "GET" and state.is_staff(request):
            return redirect("admin:index")  # which sends on to the next step
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        wait = _count(self.request) if self.request.method == "POST" else None
        return super().get_form_kwargs() | {"wait": wait}

    def form_valid(self, form: Any) -> HttpResponseRedirect:
        person, way = form.get_user(), self.get_redirect_url()
        self.request.session.flush()
        login(self.request, person)
        self.request.staff_session = None  # type: ignore[attr-defined]
        _forgive(self.request)
        state.password_shown(self.request, way)
        return state.proceed(self.request)

    def form_invalid(self, form: Any) -> Any:
        if form.non_field_errors():
            known = StaffMember.objects.filter(username=self.request.POST.get("username", "")[:LONGEST_NAME]).first()
            record_refusal("too many tries" if form.wait else "password", about=known)
        return super().form_invalid(form)


class FactorForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code from the authenticator app"),
        max_length=20,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )


class RecoveryForm(forms.Form):
    recovery = forms.CharField(
        label=gettext_lazy("Recovery code"), max_length=40, widget=forms.TextInput({"autocomplete": "off"})
    )


@stepping(Step.FACTOR)
@transaction.atomic
def factor(request: HttpRequest) -> HttpResponse:
    """The second step of the sign-in. A code that lets nobody in, for the audit took no entry, is not used up."""
    if request.method == "POST" and show_factor(request):
        return state.proceed(request)
    return _page(request, _("Confirm that it is you"))


@transaction.atomic
def step_up(request: HttpRequest) -> HttpResponse:
    """The second factor once more; then back to the page that asked for it. Behind the gate of the console."""
    way = state.own_path(request.GET.get("next", ""))
    if request.method == "POST" and show_factor(request):
        return redirect(way)
    request.session["way"] = way if request.method == "GET" else request.session.get("way", "")
    return _page(request, _("Confirm once more that it is you"), is_again=True)


def show_factor(request: HttpRequest) -> bool:
    """Whether the code that was sent is right; what is wrong with it is said on the page."""
    if not may_try(request):
        return False
    by = _right(staff_member(request), request.POST)
    if by is None:
        wrong(request, "code")
        return False
    right(request, by)
    return True


def may_try(request: HttpRequest) -> bool:
    """Counts one try at the second factor."""
    wait = limits.count_staff("factor", str(request.user.pk), now=timezone.now())
    if wait is not None:
        record_refusal("too many tries", actor=staff_member(request))
        messages.error(request, too_many(wait))
    return wait is None


def wrong(request: HttpRequest, what: str) -> None:
    record_refusal(what, actor=staff_member(request))
    messages.error(request, _("This did not work. A code works once: wait for the next one and type that."))


def right(request: HttpRequest, by: str) -> None:
    limits.forgive_staff("factor", str(request.user.pk))
    state.factor_shown(request, by=by)
    if by == "recovery code":
        left = recovery_codes.left(staff_member(request))
        text = ngettext("%(left)s recovery code is left.", "%(left)s recovery codes are left.", left)
        messages.warning(request, text % {"left": left})


def too_many(wait: timedelta) -> str:
    minutes = state.minutes(wait)
    text = ngettext("Try again in %(minutes)s minute.", "Try again in %(minutes)s minutes.", minutes)
    return text % {"minutes": minutes}


def record_refusal(why: str, *, actor: StaffMember | None = None, about: StaffMember | None = None) -> None:
    auditing.record(
        AuditEntry.Operation.REFUSED, now=timezone.now(), actor=actor, system="sign-in", about=about, reason=why
    )


def _right(person: StaffMember, given: Any) -> str | None:
    now = timezone.now()
    if codes.take(person, given.get("code", ""), now):
        return "authenticator"
    return "recovery code" if recovery_codes.take(person, given.get("recovery", ""), now) else None


def _page(request: HttpRequest, title: str, *, is_again: bool = False) -> HttpResponse:
    person = staff_member(request)
    context = {
        **admin.site.each_context(request),
        "title": title,
        "is_again": is_again,
        "form": FactorForm() if person.authenticators.filter(confirmed_at__isnull=False).exists() else None,
        "recovery": RecoveryForm(),
        "has_passkeys": passkeys.are_possible() and person.passkeys.exists(),
    }
    return TemplateResponse(request, "admin/sign_in/factor.html", context)


def _count(request: HttpRequest) -> timedelta | None:
    """Counts one try at a password; how long to wait if it is one too many. A try refused here counts nowhere else."""
    now, address = timezone.now(), network_address(request)
    by_network = limits.count_network("sign_in", address, now=now) if address else None
    by_name = limits.count_staff("sign_in", _name_from_here(request), now=now)
    if by_network or by_name:
        return max(filter(None, (by_network, by_name)))
    return limits.count_staff("sign_in_anywhere", _name(request), now=now)


def _forgive(request: HttpRequest) -> None:
    limits.forgive_staff("sign_in", _name_from_here(request))
    limits.forgive_staff("sign_in_anywhere", _name(request))


def _name(request: HttpRequest) -> str:
    """Every spelling of a name is the same name to who counts tries."""
    return normalize("NFKC", request.POST.get("username", "")[:LONGEST_NAME]).casefold()


def _name_from_here(request: HttpRequest) -> str:
    address = network_address(request)
    return f"{limits.network_of(address).hex() if address else ''} {_name(request)}"
