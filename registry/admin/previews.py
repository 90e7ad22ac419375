"""What a purge would destroy: looked at, kept, compared, exported, approved and carried out."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import BadRequest, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from registry import approving, auditing, previewing, tasks
from registry.admin.base import PeopleAdmin, refuse_unappointed, refuse_without, staff_member
from registry.admin.forms import ReasonForm
from registry.models import AuditEntry, DestructionGround, ProcessingPurpose, PurgePreview, RetentionSettings

LINES_ON_A_PAGE = 50
REASONS = {
    "people": gettext_lazy("more people than the brake allows"),
    "share": gettext_lazy("a larger share of all people than the brake allows"),
    "late": gettext_lazy("the last purge is too long ago"),
    "clock": gettext_lazy("the clock differs from the database's"),
    "asked": gettext_lazy("asked for by hand"),
}


class DayForm(forms.Form):
    day = forms.DateField(label=gettext_lazy("On the day"), widget=forms.DateInput(attrs={"type": "date"}))


class OtherForm(forms.Form):
    other = forms.ModelChoiceField(PurgePreview.objects.none(), label=gettext_lazy("Compare with"))


@admin.register(PurgePreview)
class PurgePreviewAdmin(PeopleAdmin):
    list_display = ["__str__", "taken_at", "as_of", "state", "why", "subjects", "data", "requested_by", "approved_by"]
    list_filter = ["state"]
    list_select_related = ["requested_by", "approved_by"]
    change_list_template = "admin/registry/previews.html"

    @admin.display(description=gettext_lazy("why it waits"))
    def why(self, preview: PurgePreview) -> str:
        return ", ".join(str(REASONS.get(code, code)) for code in preview.reasons.split(",") if code)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("now/", view(self.now_view), name="purge_now"),
            path("keep/", view(require_POST(self.keep_view)), name="purge_keep"),
            path("<int:preview_id>/decide/", view(require_POST(self.decide_view)), name="purge_decide"),
            path("<int:preview_id>/export/", view(require_POST(self.export_view)), name="purge_export"),
            path("<int:preview_id>/compare/", view(self.compare_view), name="purge_compare"),
            *super().get_urls(),
        ]

    def now_view(self, request: HttpRequest) -> HttpResponse:
        """What would go now, or by the end of a day to come. Reads only."""
        refuse_unappointed(request)
        refuse_without(request, "registry.view_purgepreview")
        form = DayForm(request.GET or None)
        moment = end_of(form.cleaned_data["day"]) if form.is_bound and form.is_valid() else timezone.now()
        summary = previewing.summarise(previewing.lines(moment))
        context = {
            "title": _("What a purge would destroy"), "moment": moment, "summary": summary, "form": form,
            "rows": in_words(summary.counts), "brake": [REASONS[code] for code in approving.brake(moment)],
        }  # fmt: skip
        return self._page(request, "purge_now.html", context)

    def keep_view(self, request: HttpRequest) -> HttpResponse:
        """Keeps what would go now, so that it can be compared, and approved by a second person."""
        refuse_unappointed(request)
        refuse_without(request, "registry.request_purge")
        now = timezone.now()
        preview = previewing.keep(now, taken_at=now, by=staff_member(request))
        return redirect("admin:registry_purgepreview_change", preview.pk)

    def document(self, request: HttpRequest, row: PurgePreview) -> HttpResponse:
        lines = row.lines.order_by("subject_id", "datum_id")
        has_dropped = row.run is not None and lines.exists()  # old lines have gone; the decision itself stays
        counts = {(line["purpose__code"] or "", line["ground"]): line["data"] for line in previewing.counts(row)}
        context = {
            "title": _("Purge preview №%(number)s") % {"number": row.pk},
            "preview": row,
            "rows": in_words(counts),
            "why": self.why(row),
            "page": page_of(lines, request),
            "dropped": page_of(previewing.dropped(row), request) if has_dropped else None,
            "acts": self._acts(request, row),
            "form": ReasonForm(),
            "settings": RetentionSettings.objects.get(),
            "others": PurgePreview.objects.exclude(pk=row.pk)[:20],
        }
        return self._page(request, "preview.html", context)

    def decide_view(self, request: HttpRequest, preview_id: int) -> HttpResponse:
        """One of the acts a person may do about a preview; the operation decides whether this one may."""
        refuse_unappointed(request)
        preview = get_object_or_404(PurgePreview, pk=preview_id)
        who: dict[str, Any] = {"by": staff_member(request), "now": timezone.now()}
        reason, digest = request.POST.get("reason", ""), request.POST.get("digest", "")
        acts: dict[str, Callable[[], Any]] = {
            "request": lambda: approving.request(preview, **who),
            "approve": lambda: approving.approve(preview, digest, reason=reason, **who),
            "refuse": lambda: approving.refuse(preview, reason=reason, **who),
            "carry_out": lambda: approving.begin(preview, **who),
        }
        act = request.POST.get("act", "")
        if act not in acts:
            raise BadRequest("no such act")
        try:
            acts[act]()
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("Done and recorded."))
            if act == "carry_out":
                tasks.wake_purge()
        return redirect("admin:registry_purgepreview_change", preview_id)

    def export_view(self, request: HttpRequest, preview_id: int) -> HttpResponseBase:
        """The list as a file; its SHA-256 is the digest shown."""
        refuse_unappointed(request)
        refuse_without(request, "registry.view_purgepreview")
        preview = get_object_or_404(PurgePreview, pk=preview_id)
        actor = staff_member(request)
        auditing.record(AuditEntry.Operation.EXPORT, now=timezone.now(), actor=actor, about=preview)
        rows = previewing.as_text(previewing.kept_lines(preview))
        response = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="purge-preview-{preview.pk}.csv"'
        return response

    def compare_view(self, request: HttpRequest, preview_id: int) -> HttpResponse:
        """What came and what left between two kept previews."""
        refuse_unappointed(request)
        refuse_without(request, "registry.view_purgepreview")
        preview = get_object_or_404(PurgePreview, pk=preview_id)
        form = OtherForm(request.GET)
        form.fields["other"].queryset = PurgePreview.objects.exclude(pk=preview.pk)  # type: ignore[attr-defined]
        if not form.is_valid():
            return redirect("admin:registry_purgepreview_change", preview.pk)
        other = form.cleaned_data["other"]
        earlier, later = sorted([preview, other], key=lambda one: (one.as_of, one.pk))
        context = {
            "title": _("Two previews compared"), "earlier": earlier, "later": later, "other_id": str(other.pk),
            "came": page_of(previewing.only_in(later, earlier), request),
            "left": page_of(previewing.only_in(earlier, later), request),
        }  # fmt: skip
        return self._page(request, "previews_compared.html", context)

    def _acts(self, request: HttpRequest, preview: PurgePreview) -> set[str]:
        """Which buttons are worth showing; the operations decide anew."""
        me, state = staff_member(request), preview.state
        may_request = me.has_perm("registry.request_purge")
        may_approve = me.has_perm("registry.approve_purge")
        is_theirs = preview.requested_by_id == me.pk
        return {
            act
            for act, is_offered in {
                "request": state == "kept" and may_request and is_theirs,
                "approve": state == "waiting" and may_approve and not is_theirs,
                "refuse": state in {"waiting", "approved"} and may_approve and not is_theirs and preview.run is None,
                "carry_out": state == "approved"
                and may_request
                and not is_theirs
                and preview.approved_by_id != me.pk
                and preview.run is None,
            }.items()
            if is_offered
        }

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        frame = self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, f"admin/registry/{template}", frame | context)


def end_of(day: Any) -> datetime:
    """24:00 of that day here."""
    return timezone.make_aware(datetime.combine(day, time(0)) + timedelta(days=1))


def in_words(counts: Any) -> list[tuple[str, str, int]]:
    """Purpose, ground and number of data, for a table."""
    names = {purpose.code: purpose.text("name") for purpose in ProcessingPurpose.objects.all()}
    grounds = dict(DestructionGround.choices)
    return [
        (names.get(code, code) or _("no purpose"), str(grounds[ground]), count)
        for (code, ground), count in sorted(counts.items())
    ]


def page_of(lines: Any, request: HttpRequest) -> Any:
    wanted = lines.select_related("subject", "category", "purpose")
    return Paginator(wanted, LINES_ON_A_PAGE).get_page(request.GET.get("p"))
