"""The keys of a recipient's programs: on its page, and the pages on which one is made or revoked.

Dangerous because a key hands out a mailing list without a person. Both acts ask for the second step of the sign-in. The
text of a key stands in one answer, which nobody keeps.
"""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry.admin.base import refuse_unappointed, refuse_without, staff_member, step_up
from registry.admin.filters import ISO, SANE
from registry.admin.subject_page import Badge
from registry.audience import keys
from registry.models import Recipient, RecipientKey

MOST = 20  # keys on the page of a recipient
USUAL = timedelta(days=180)


class KeyForm(forms.Form):
    last_day = forms.DateField(
        label=gettext_lazy("Last day"),
        input_formats=ISO,
        validators=SANE,
        help_text=gettext_lazy("At most a year from today. After it the program needs another key."),
        widget=forms.DateInput(attrs={"type": "date"}, format=ISO[0]),
    )


def shown(request: HttpRequest, recipient: Recipient) -> dict[str, Any]:
    """For the page of a recipient: its keys, the newest first, and whether this person may make one."""
    me, now = staff_member(request), timezone.now()
    if not me.has_perm("registry.view_recipientkey"):
        return {}
    some = RecipientKey.objects.filter(recipient=recipient).select_related("made_by").order_by("-pk")[:MOST]
    may_make = me.has_perm(keys.MAKE) and recipient.kind != Recipient.Kind.STATE_BODY
    return {"keys": [(key, badge_of(key)) for key in some], "may_make_keys": may_make, "now": now}


def badge_of(key: RecipientKey) -> Badge:
    if key.revoked_at:
        return "", _("revoked")
    return ("ok", _("works")) if key.expires_at > timezone.now() else ("bad", _("ended"))


def make_view(request: HttpRequest, recipient_id: int) -> HttpResponse:
    """GET asks for the last day; POST makes the key and shows it, once."""
    refuse_unappointed(request)
    refuse_without(request, keys.MAKE)
    recipient = get_object_or_404(Recipient.objects.select_related("country"), pk=recipient_id)
    if way := step_up(request):
        return way
    form = KeyForm(request.POST or None, initial={"last_day": timezone.localdate() + USUAL})
    if request.method == "POST" and form.is_valid():
        try:
            by, now = staff_member(request), timezone.now()
            key, text = keys.make(recipient, last_day=form.cleaned_data["last_day"], by=by, now=now)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _page(request, recipient, {"key": key, "text": text})
    return _page(request, recipient, {"form": form})


def revoke_view(request: HttpRequest, recipient_id: int, key_id: int) -> HttpResponse:
    """GET says what will happen; POST revokes."""
    refuse_unappointed(request)
    refuse_without(request, keys.MAKE)
    key = get_object_or_404(RecipientKey.objects.select_related("recipient"), pk=key_id, recipient=recipient_id)
    if way := step_up(request):
        return way
    if request.method != "POST":
        return _page(request, key.recipient, {"key": key, "revoking": True})
    try:
        keys.revoke(key, by=staff_member(request), now=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("Done and recorded."))
    return redirect("admin:registry_recipient_change", recipient_id)


def _page(request: HttpRequest, recipient: Recipient, context: dict[str, Any]) -> HttpResponse:
    frame = admin.site.each_context(request) | {"opts": Recipient._meta, "recipient": recipient}
    title = _("Revoke a key") if context.get("revoking") else _("A key for a program")
    return TemplateResponse(request, "admin/registry/recipient_key.html", frame | {"title": title} | context)
