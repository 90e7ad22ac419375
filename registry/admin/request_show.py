"""Showing what lies under seal: the text of a request, its scan, our answer as a letter to print.

GET asks for the reason, which is filled in; POST opens through registry.disclosure, once, on a page nobody keeps.
"""

from datetime import datetime
from functools import partial

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from registry.admin.base import refuse_unappointed, refuse_without, staff_member
from registry.admin.request_page import PAPERS, VIEW, framed, rows
from registry.admin.reveal import RevealForm, SealError, as_file
from registry.disclosure import left_today, reveal
from registry.models import Operator, PersonalDatum, SubjectRequest
from registry.normalise import check_reason
from registry.requests import letters


def show_view(request: HttpRequest, request_id: int, field: str) -> HttpResponse:
    """`field` of the request has the number of the datum. Gone with a purge: 404."""
    refuse_unappointed(request)
    refuse_without(request, VIEW)
    row = get_object_or_404(rows(), pk=request_id)
    data = PersonalDatum.objects.select_related("category", "key", "subject")
    datum = get_object_or_404(data, pk=getattr(row, field) or 0)
    form = _form(request, row)
    if request.method != "POST" or not form.is_valid():
        refuse_without(request, "registry.reveal_personaldatum")
        return _page(request, row, field, form=form)
    try:
        value = reveal(datum, by=staff_member(request), reason=form.cleaned_data["reason"], now=timezone.now())
    except ValidationError as error:
        form.add_error(None, error)
        return _page(request, row, field, form=form)
    except SealError:
        problem = _("This value does not open: it was damaged or moved. Tell the administrator.")
        return _page(request, row, field, problem=problem, status=500)
    return _opened(request, row, field, datum, value)


text_view = partial(show_view, field="text_id")
scan_view = partial(show_view, field="scan_id")
letter_view = partial(show_view, field="answer_id")


def _form(request: HttpRequest, row: SubjectRequest) -> RevealForm:
    given = request.POST if request.method == "POST" else None
    return RevealForm(given, initial={"usual": "request", "reason": reason_for(row)})


def reason_for(row: SubjectRequest) -> str:
    """The number of the request, which is no personal value; one that looks like a telephone's is left out."""
    try:
        check_reason(row.number)
    except ValidationError:
        return f"№ {row.pk}"
    return row.number


def _opened(request: HttpRequest, row: SubjectRequest, field: str, datum: PersonalDatum, value: str) -> HttpResponse:
    if field == "scan_id":
        return as_file(datum, value)
    if field == "answer_id":
        return letter_page(request, row, value, row.answered_at or timezone.now())
    return _page(request, row, field, value=value)


def _page(request: HttpRequest, row: SubjectRequest, field: str, status: int = 200, **context: object) -> HttpResponse:
    name, _address, verb = PAPERS[field]
    left = left_today(staff_member(request), timezone.now())
    shown = {"title": name, "row": row, "verb": verb, "left": left}
    return framed(request, "request_text.html", shown | context, status)


def letter_page(request: HttpRequest, row: SubjectRequest, text: str, at: datetime) -> HttpResponse:
    """The answer as it is printed: in the language of the person, whatever the reader's is."""
    context = {"title": _("Letter to print"), "row": row, "letter": _sheet(row, text, at)}
    return framed(request, "request_letter.html", context)


def _sheet(row: SubjectRequest, text: str, at: datetime) -> str:
    with translation.override(row.language), timezone.override(timezone.get_default_timezone()):
        operator = Operator.objects.get()
        context = {
            "row": row,
            "text": text,
            "at": at,
            "operator": operator,
            "operator_name": operator.text("legal_name"),
            "operator_address": operator.text("address"),
            "ground": letters.ground_of(row),
        }
        return render_to_string("admin/registry/request_letter_sheet.html", context)
