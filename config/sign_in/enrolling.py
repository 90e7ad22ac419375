"""Setting up second factors: an authenticator, passkeys, recovery codes. Each answer is shown once and kept nowhere."""

import segno
from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.sign_in import state
from config.sign_in.gate import stepping
from registry.admin.base import staff_member
from registry.models import Authenticator
from registry.sign_in import codes, factors, passkeys, recovery_codes
from registry.sign_in.steps import Step


class FirstCodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code that the app shows"),
        max_length=20,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


@stepping(Step.ENROL, inside=True)
def enrol(request: HttpRequest) -> HttpResponse:
    """Which second factor? POST prepares an authenticator; a passkey is added by static/console/passkeys.js."""
    if request.method == "POST":
        codes.prepare(staff_member(request), timezone.now())
        return redirect("admin:authenticator")
    return _page(request, "enrol", _("Set up a second step"), can_use_passkeys=passkeys.are_possible())


@stepping(Step.ENROL, inside=True)
def authenticator(request: HttpRequest) -> HttpResponse:
    """The picture for the telephone; POST confirms that it was read."""
    prepared = staff_member(request).authenticators.filter(confirmed_at=None).first()
    if prepared is None:
        return redirect("admin:enrol")
    if request.method == "POST":
        if factors.add_authenticator(staff_member(request), request.POST.get("code", ""), timezone.now()):
            return added(request, "authenticator")
        messages.error(request, _("This is not the code the app shows now. Check the telephone's clock and try again."))
    shown = {"picture": picture(prepared), "secret": codes.typed_secret(prepared), "form": FirstCodeForm()}
    return _page(request, "authenticator", _("Connect the app on your telephone"), **shown)


def added(request: HttpRequest, by: str) -> HttpResponseRedirect:
    """A new factor ends all sessions but this one, in which it counts as shown."""
    state.stay(request)
    if state.present(request) is not None:
        messages.success(request, _("Added."))
        return redirect("admin:my_sign_in")
    state.factor_shown(request, by=by)
    return state.proceed(request)


@stepping(Step.CODES, inside=True)
def codes_on_paper(request: HttpRequest) -> HttpResponse:
    """POST makes the recovery codes and shows them, this once."""
    if request.method != "POST":
        return _page(request, "codes", _("Recovery codes"), left=recovery_codes.left(staff_member(request)))
    made = factors.make_recovery_codes(staff_member(request), timezone.now())
    state.stay(request)
    way = state.proceed(request).url if state.present(request) is None else None
    return _page(request, "codes_shown", _("Your recovery codes"), codes=made, way=way)


def picture(prepared: Authenticator) -> SafeString:
    """The QR code as SVG, drawn by us from our own address: no styles in it, the colours come from the sheet."""
    code = segno.make_qr(codes.address(prepared, passkeys.host()), error="m")
    return mark_safe(code.svg_inline(omitsize=True, border=4, svgclass="picture", lineclass="dots"))  # noqa: S308


def _page(request: HttpRequest, name: str, title: str, **shown: object) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, **shown}
    return TemplateResponse(request, f"admin/sign_in/{name}.html", context)
