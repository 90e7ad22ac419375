"""Choosing a password: after a one-time one, or because somebody wants to."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.sign_in import state
from config.sign_in.gate import View, stepping
from registry import auditing
from registry.admin.base import staff_member
from registry.models import AuditEntry
from registry.sign_in.steps import Step


class ChosenPasswordForm(AdminPasswordChangeForm):
    """A one-time password lies in a file or in somebody's hands: it can't be chosen again."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.user.check_password(cleaned.get("new_password1", "")):
            raise ValidationError(_("Choose another password than the present one."))
        return cleaned


class ChoosePassword(PasswordChangeView):
    form_class = ChosenPasswordForm
    template_name = "admin/sign_in/password.html"

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponseRedirect:
        person = staff_member(self.request)
        person.set_password(form.cleaned_data["new_password1"])
        person.has_one_time_password = False
        person.save(update_fields=["password", "has_one_time_password"])
        auditing.record(
            AuditEntry.Operation.CONFIGURE, now=timezone.now(), actor=person, system="sign-in", about=person,
            reason="password chosen",
        )  # fmt: skip
        state.stay(self.request)
        return state.proceed(self.request)


@stepping(Step.PASSWORD, inside=True)
def choose_password(request: HttpRequest) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": _("Choose your password")}
    page: View = ChoosePassword.as_view(extra_context=context)  # type: ignore[assignment]
    return page(request)
