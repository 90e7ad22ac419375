"""The console: Django's admin, with its own gate and its own content security policy."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver
from django.utils.translation import gettext_lazy as _

View = Callable[..., HttpResponse]


class ConsoleSite(admin.AdminSite):
    site_title = _("Personal data registry")
    site_header = _("Personal data registry")
    index_title = _("Registry")
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        """A password alone opens nothing: the second factor was shown in this session."""
        from config.sign_in import state  # noqa: PLC0415 (registry.admin registers with this site)

        return state.is_staff(request) and state.is_in(request)

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # type: ignore[override]
        """Every page of the console: who is not all the way in is sent to the next step."""
        from config.sign_in.gate import refuse, with_scripts  # noqa: PLC0415 (registry.admin registers with this site)

        allowed = super().admin_view(view, cacheable)

        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return refuse(request) or allowed(request, *args, **kwargs)

        view_with_scripts: View = with_scripts(gate)
        return view_with_scripts

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from config.sign_in import urls  # noqa: PLC0415 (registry.admin registers with this site)
        from registry.admin import saved_filters  # noqa: PLC0415

        return [*urls.urls(self), *saved_filters.urls(self), *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The page Today, with the menu of everything below."""
        from registry.admin import today  # noqa: PLC0415 (its package registers with this site)

        return super().index(request, today.context(request) | (extra_context or {}))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Half-way in there is no menu."""
        return super().get_app_list(request, app_label) if self.has_permission(request) else []

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        from config.sign_in.entering import ShowPassword  # noqa: PLC0415 (registry.admin registers with this site)
        from config.sign_in.gate import with_scripts  # noqa: PLC0415

        context = {**self.each_context(request), "title": _("Sign in"), "app_path": request.get_full_path()}
        page: View = with_scripts(ShowPassword.as_view(extra_context=context | (extra_context or {})))
        return page(request)
