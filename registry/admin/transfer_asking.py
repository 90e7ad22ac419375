"""Asking for a transfer: chosen, looked at, and only then asked for; and the counts that name nobody.

Looking opens nothing: the gate counts. What is asked for is what was looked at; a button pressed twice asks once.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from registry import tasks, transfers
from registry.admin import transfer_pages
from registry.admin.base import refuse_unappointed, refuse_without, step_up
from registry.admin.handing_out import who
from registry.admin.retention_pages import CHANNELS
from registry.admin.transfer_forms import AskForm, Ground, SendForm, StatisticsForm
from registry.models import AccessSettings, ProcessingPurpose, RetentionSettings, StaffMember, Transfer
from registry.transfers import Asked, statistics
from registry.transfers.asking import needs_a_second
from registry.transfers.rows import ASK

AT_ONCE = timedelta(seconds=10)  # a button pressed twice, and not the next transfer
MOST_CELLS = 200  # of the table that is shown; the file has all
TYPES = {
    Transfer.Format.CSV: "text/csv; charset=utf-8",
    Transfer.Format.JSON: "application/json",
    Transfer.Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    frame = admin.site.each_context(request) | {"opts": Transfer._meta}
    return TemplateResponse(request, f"admin/registry/{template}", frame | context)


def _admitted(request: HttpRequest) -> HttpResponse | None:
    refuse_unappointed(request)
    refuse_without(request, ASK)
    return step_up(request)


def ask_view(request: HttpRequest) -> HttpResponse:
    """GET shows the form; POST counts who may go, or asks for what was counted. The second factor comes first."""
    if way := _admitted(request):
        return way
    if request.POST.get("ground") == Ground.STATISTICS:
        return redirect("admin:transfer_statistics")
    is_asked = request.POST.get("act") == "ask"
    form, send = AskForm(request.POST or None), SendForm(request.POST if is_asked else None)
    context: dict[str, Any] = {"title": _("Make a transfer"), "form": form, "send": send}
    if form.is_bound and form.is_valid():
        try:
            if is_asked and _was_looked_at(request, form) and send.is_valid():
                return _ask(request, form.asked(), send.cleaned_data)
            context |= _looked(request, form)
        except ValidationError as error:
            form.add_error(None, error)
    return page(request, "transfer_ask.html", context)


def _was_looked_at(request: HttpRequest, form: AskForm) -> bool:
    if request.POST.get("seen") == form.mark():
        return True
    form.add_error(None, _("This is not what was counted: look at the new numbers, then ask."))
    return False


def _looked(request: HttpRequest, form: AskForm) -> dict[str, Any]:
    """Who may go and who stays; ValidationError if it can't be at all."""
    asked, access = form.asked(), AccessSettings.objects.get()
    counts = transfers.preview(asked, **who(request))
    return {
        "counts": counts,
        "left_out": transfer_pages.reasons(counts.left_out),
        "recipient": asked.recipient,
        "needs_second": needs_a_second(counts.people),
        "limit": access.plain_export_people,
        "hours": access.export_hours,
        "mark": form.mark(),
    }


def _ask(request: HttpRequest, asked: Asked, given: dict[str, Any]) -> HttpResponse:
    transfer = _ask_once(asked, given, **who(request))
    transaction.on_commit(tasks.wake_transfers)
    return redirect("admin:registry_transfer_change", transfer.pk)


def _ask_once(asked: Asked, given: dict[str, Any], *, by: StaffMember, now: datetime) -> Transfer:
    """Whoever asks is locked, so that a second press finds the first. A refusal stays recorded."""
    with transaction.atomic():
        StaffMember.objects.select_for_update(no_key=True).get(pk=by.pk)
        if same := _same(asked, given, by, now):
            return same
        try:
            return transfers.ask(asked, **given, by=by, now=now)
        except ValidationError as error:
            refused = error
    raise refused


def _same(asked: Asked, given: dict[str, Any], by: StaffMember, now: datetime) -> Transfer | None:
    just_now = Transfer.objects.filter(requested_by=by, requested_at__gt=now - AT_ONCE, requested_at__lte=now)
    alike = just_now.filter(recipient=asked.recipient, ground=asked.ground, purpose=asked.purpose)
    return alike.filter(
        categories=[category.code for category in asked.categories],
        with_links=asked.with_links,
        format=given["file_format"],
        reason=given["reason"],
        state__in=[Transfer.State.WAITING, Transfer.State.BUILDING, Transfer.State.READY],
    ).first()


def statistics_view(request: HttpRequest) -> HttpResponse:
    """GET shows the table, POST gives it as a file and notes the transfer."""
    if way := _admitted(request):
        return way
    form = StatisticsForm(request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            return _handed_over(request, form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
    cells = statistics.table(timezone.now())
    names = {purpose.code: purpose for purpose in ProcessingPurpose.objects.filter(is_public=True)}
    context = {
        "title": _("Anonymous statistics"),
        "form": form,
        "cells": [(cell, names.get(cell.purpose), CHANNELS.get(cell.channel, "")) for cell in cells[:MOST_CELLS]],
        "more": max(0, len(cells) - MOST_CELLS),
        "smallest": RetentionSettings.objects.get().smallest_cell,
    }
    return page(request, "transfer_statistics.html", context)


def _handed_over(request: HttpRequest, given: dict[str, Any]) -> HttpResponse:
    hand_over = partial(statistics.hand_over, given["recipient"], **who(request))
    handed = hand_over(file_format=given["file_format"], reason=given["reason"])
    row = handed.transfer
    headers = {"Content-Disposition": f'attachment; filename="{row.number}.{row.format}"'}
    return HttpResponse(handed.content, content_type=TYPES[Transfer.Format(row.format)], headers=headers)
