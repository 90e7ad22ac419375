"""Addresses of the pages of the sign-in. Those behind the gate of the console go through `site.admin_view`."""

from django.contrib.admin import AdminSite
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, path, reverse_lazy

from config.sign_in import by_passkey, enrolling, entering, own, password
from config.sign_in.gate import with_scripts


def urls(site: AdminSite) -> list[URLPattern]:
    """Before Django's own: theirs for passwords and leaving are not the ones used."""
    inside = site.admin_view
    leave = with_scripts(LogoutView.as_view(next_page=reverse_lazy("admin:login")))
    return [
        path("logout/", leave, name="logout"),
        path("password_change/", password.choose_password, name="password_change"),
        path("sign-in/factor/", entering.factor, name="factor"),
        path("sign-in/factor/passkey/", by_passkey.ask, name="passkey_ask"),
        path("sign-in/factor/passkey/answer/", by_passkey.check, name="passkey_check"),
        path("sign-in/set-up/", enrolling.enrol, name="enrol"),
        path("sign-in/set-up/app/", enrolling.authenticator, name="authenticator"),
        path("sign-in/set-up/passkey/", by_passkey.ask_to_add, name="passkey_ask_to_add"),
        path("sign-in/set-up/passkey/answer/", by_passkey.add, name="passkey_add"),
        path("sign-in/codes/", enrolling.codes_on_paper, name="recovery_codes"),
        path("sign-in/again/", inside(entering.step_up), name="step_up"),
        path("sign-in/again/passkey/", inside(by_passkey.ask_again), name="passkey_ask_again"),
        path("sign-in/again/passkey/answer/", inside(by_passkey.check_again), name="passkey_check_again"),
        path("sign-in/", inside(own.my_sign_in), name="my_sign_in"),
        *(
            path(f"sign-in/remove/{kind}/<int:pk>/", inside(own.remove_factor), {"kind": kind}, name=f"{kind}_remove")
            for kind in own.KINDS
        ),
        path("sign-in/end/", inside(own.end_sessions), name="sessions_end"),
        path("sign-in/anew/<int:pk>/", inside(own.let_in_anew), name="sign_in_reset"),
    ]
