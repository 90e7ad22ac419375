"""Showing one value: why, then the value, once, on a page nobody keeps. The operation decides and records."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import scans
from registry.admin.base import refuse_unappointed, refuse_without, staff_member
from registry.admin.subject_page import framed
from registry.disclosure import left_today, reveal
from registry.models import DataCategory, PersonalDatum
from registry.normalise import check_reason
from registry.sealing import SealError


class RevealForm(forms.Form):
    """The usual reasons to choose from, words of one's own beside them or instead."""

    USUAL = [
        ("asked", gettext_lazy("The person asked us")),
        ("identity", gettext_lazy("To check who is asking")),
        ("request", gettext_lazy("To answer a request")),
        ("", gettext_lazy("Another reason")),
    ]

    usual = forms.ChoiceField(label=gettext_lazy("Why"), choices=USUAL, required=False, widget=forms.RadioSelect)
    reason = forms.CharField(
        label=gettext_lazy("In your own words"),
        required=False,
        max_length=200,  # with a usual reason before it, it still fits into the entry
        validators=[check_reason],
        help_text=gettext_lazy("It is written into the audit before the value is opened, and kept for ever."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def clean(self) -> dict[str, Any]:
        """One of the two is enough; together they make one reason."""
        cleaned: dict[str, Any] = super().clean() or {}
        usual = str(dict(self.USUAL)[code]) if (code := cleaned.get("usual")) else ""
        words = cleaned.get("reason", "").strip()
        if not (usual or words or self.errors):
            raise ValidationError(_("Choose a reason or write one."))
        return cleaned | {"reason": ": ".join(filter(None, [usual, words]))}


def reveal_view(request: HttpRequest, datum_id: int) -> HttpResponse:
    """GET asks for the reason; POST opens the value for this one page, a scan as a file."""
    refuse_unappointed(request)
    data = PersonalDatum.objects.select_related("category", "key", "subject")
    datum = get_object_or_404(data, pk=datum_id)
    form = RevealForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        refuse_without(request, "registry.reveal_personaldatum")
        return _page(request, datum, form=form)
    try:
        value = reveal(datum, by=staff_member(request), reason=form.cleaned_data["reason"], now=timezone.now())
    except ValidationError as error:
        form.add_error(None, error)
        return _page(request, datum, form=form)
    except SealError:
        problem = _("This value does not open: it was damaged or moved. Tell the administrator.")
        return _page(request, datum, problem=problem, status=500)
    is_scan = datum.category.kind == DataCategory.Kind.SCAN
    return as_file(datum, value) if is_scan else _page(request, datum, value=value)


def _page(request: HttpRequest, datum: PersonalDatum, status: int = 200, **context: Any) -> HttpResponse:
    left = left_today(staff_member(request), timezone.now())
    shown = {"title": _("Show a value"), "datum": datum, "left": left}
    return framed(request, "reveal.html", shown | context, status)


def as_file(datum: PersonalDatum, text: str) -> HttpResponse:
    """A scan is taken away and never shown in the browser: it came from outside, and may be anything inside."""
    content = scans.from_text(text)
    name = f"scan-{datum.pk}.{scans.ending(content)}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type="application/octet-stream", headers=headers)
