"""The console: Django's admin, with its own gate and its own content security policy."""

from collections.abc import Callable
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from registry.models import StaffMember

# The admin's own scripts come from here too; still nothing inline and nothing from elsewhere.
with_scripts: Any = csp_update({"script-src": [SELF], "connect-src": [SELF]})
View = Callable[..., HttpResponse]


class ConsoleSite(admin.AdminSite):
    site_title = _("Personal data registry")
    site_header = _("Personal data registry")
    index_title = _("Registry")
    site_url = "/"

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # type: ignore[override]
        """A one-time password opens one page: the one where a password is chosen."""
        allowed = super().admin_view(view, cacheable)

        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if self.has_permission(request) and must_choose_password(request) and not is_password_page(request):
                return redirect("admin:password_change")
            return allowed(request, *args, **kwargs)

        view_with_scripts: View = with_scripts(gate)
        return view_with_scripts

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        page: View = with_scripts(super().login)
        return page(request, extra_context)

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().password_change(request, extra_context)
        if request.method == "POST" and response.status_code == 302:
            StaffMember.objects.filter(username=request.user.get_username()).update(has_one_time_password=False)
        return response


def must_choose_password(request: HttpRequest) -> bool:
    return isinstance(request.user, StaffMember) and request.user.has_one_time_password


def is_password_page(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and match.url_name in {"password_change", "logout", "jsi18n"}
