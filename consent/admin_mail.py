"""The contact mailbox in the console: what came and what became of it; reading one message; settling a quarantine."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from consent import mailbox
from consent.mailbox import originals
from consent.models import ReceivedMail
from registry.admin.base import PeopleAdmin, refuse_unappointed, refuse_without, staff_member
from registry.admin.reveal import RevealForm
from registry.disclosure import left_today, reveal
from registry.models import PersonalDatum
from registry.sealing import SealError


class ReceivedMailAdmin(PeopleAdmin):
    list_display = ["__str__", "arrived_at", "state", "why", "request", "size", "attempts", "resolved_at"]
    list_filter = ["state"]
    list_select_related = ["request"]
    empty_text = gettext_lazy("E-mail to the contact address. It fills once the mailbox is connected and read.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:mail_id>/read/", view(self.read_view), name="mail_read"),
            path("<int:mail_id>/resolve/", view(require_POST(self.resolve_view)), name="mail_resolve"),
            *super().get_urls(),
        ]

    def document(self, request: HttpRequest, row: ReceivedMail) -> HttpResponse:
        """Everything but what it says."""
        context = {
            "title": _("E-mail №%(number)s") % {"number": row.pk},
            "mail": row,
            "is_kept": PersonalDatum.objects.filter(pk=row.datum_id or 0).exists(),
            "may_resolve": _is_to_look_at(row) and request.user.has_perm("consent.resolve_receivedmail"),
        }
        return self._page(request, "mail.html", context)

    def read_view(self, request: HttpRequest, mail_id: int) -> HttpResponse:
        """GET asks for the reason; POST opens the message for this one page, or as the file that came."""
        refuse_unappointed(request)
        row = get_object_or_404(ReceivedMail, pk=mail_id)
        datum = _datum(row)
        form = RevealForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            refuse_without(request, "registry.reveal_personaldatum")
            return self._read_page(request, row, form=form)
        try:
            value = reveal(datum, by=staff_member(request), reason=form.cleaned_data["reason"], now=timezone.now())
        except ValidationError as error:
            form.add_error(None, error)
            return self._read_page(request, row, form=form)
        except SealError:
            return self._read_page(request, row, status=500, is_damaged=True)
        original = originals.from_text(value)
        if "file" in request.POST and original is not None:
            return _as_file(row, original)
        return self._read_page(request, row, text=value if original is None else "", letter=originals.read(value))

    def resolve_view(self, request: HttpRequest, mail_id: int) -> HttpResponse:
        refuse_unappointed(request)
        row = get_object_or_404(ReceivedMail, pk=mail_id)
        try:
            mailbox.resolve(row, by=staff_member(request), now=timezone.now())
            messages.success(request, _("Settled. The message is deleted from the mailbox with the next reading."))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        return redirect("admin:consent_receivedmail_change", mail_id)

    def _read_page(self, request: HttpRequest, row: ReceivedMail, status: int = 200, **context: Any) -> HttpResponse:
        left = left_today(staff_member(request), timezone.now())
        shown = {"title": _("Read an e-mail"), "mail": row, "left": left}
        return self._page(request, "mail_read.html", shown | context, status)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
        frame = self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, f"admin/consent/{template}", frame | context, status=status)


def _is_to_look_at(row: ReceivedMail) -> bool:
    return row.state == ReceivedMail.State.QUARANTINED and row.resolved_at is None


def _datum(row: ReceivedMail) -> PersonalDatum:
    """The sealed message. Http404: it was never kept, or is destroyed."""
    data = PersonalDatum.objects.select_related("category", "key", "subject")
    if (datum := data.filter(pk=row.datum_id or 0).first()) is None:
        raise Http404
    return datum


def _as_file(row: ReceivedMail, content: bytes) -> HttpResponse:
    """It came from outside and may be anything inside: taken away, never shown in the browser."""
    headers = {"Content-Disposition": f'attachment; filename="mail-{row.pk}.eml"'}
    return HttpResponse(content, content_type="application/octet-stream", headers=headers)
