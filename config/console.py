"""The console: Django's admin, with its own gate and its own content security policy."""

from collections.abc import Callable
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib import admin
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from registry.models import ErasureCertificate, PurgePreview, RuleChange, StaffMember

# The admin's own scripts come from here too; still nothing inline and nothing from elsewhere.
with_scripts: Any = csp_update({"script-src": [SELF], "connect-src": [SELF]})
View = Callable[..., HttpResponse]


class ChosenPasswordForm(AdminPasswordChangeForm):
    """A one-time password lies in a file or in somebody's hands: it can't be chosen again."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.user.check_password(cleaned.get("new_password1", "")):
            raise ValidationError(_("Choose another password than the present one."))
        return cleaned


class ChoosePassword(PasswordChangeView):
    form_class = ChosenPasswordForm

    def form_valid(self, form: Any) -> Any:
        response = super().form_valid(form)
        StaffMember.objects.filter(username=form.user.get_username()).update(has_one_time_password=False)
        return response


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

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """With what waits for a decision on top."""
        waiting = {
            "waiting_purges": PurgePreview.objects.filter(state=PurgePreview.State.WAITING),
            "waiting_rules": RuleChange.objects.filter(state=RuleChange.State.PROPOSED),
            "failed_scans": ErasureCertificate.objects.filter(remains__gt=0),
        }
        return super().index(request, waiting | (extra_context or {}))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        page: View = with_scripts(super().login)
        return page(request, extra_context)

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**self.each_context(request), **(extra_context or {})}
        request.current_app = self.name
        page: Any = ChoosePassword.as_view(success_url=reverse("admin:password_change_done"), extra_context=context)
        response: HttpResponse = page(request)
        return response


def must_choose_password(request: HttpRequest) -> bool:
    return isinstance(request.user, StaffMember) and request.user.has_one_time_password


def is_password_page(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and match.url_name in {"password_change", "logout", "jsi18n"}
