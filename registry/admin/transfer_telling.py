"""People who made it a condition to be told of transfers: the list of what is to be told, the page of one notice, and
the condition itself on the page of a person. The operations decide (registry.transfers.telling)."""

from datetime import date, datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from registry import transfer_letters
from registry.admin.base import PeopleAdmin, refuse_unappointed, refuse_without, staff_member
from registry.admin.by_person import ByPerson
from registry.admin.forms import ReasonForm
from registry.admin.handing_out import who
from registry.admin.subject_page import Badge, Part, Shown, framed, letter_names, system_names
from registry.admin.transfer_asking import page
from registry.models import DataSubject, PersonNotice, TransferCondition
from registry.transfers import telling

MOST = 20  # rows of the part of a person's page
letter_names[transfer_letters.LETTER] = gettext_lazy("notice of a transfer")
system_names[transfer_letters.SYSTEM] = gettext_lazy("notices to people")


def badge_of(notice: PersonNotice, today: date) -> Badge:
    """How far it is, and by when. Select `subject`."""
    if notice.told_at:
        return "ok", _("told")
    if notice.subject.status == DataSubject.Status.ERASED:
        return "", _("erased before: nobody to tell")
    day = date_format(notice.due_on, "SHORT_DATE_FORMAT")
    if notice.due_on < today:
        return "bad", _("late; due: %(day)s") % {"day": day}
    said = _("staff tell it; due: %(day)s") if notice.is_by_hand else _("a letter goes; due: %(day)s")
    return "soon", said % {"day": day}


class Queue(admin.SimpleListFilter):
    """The tabs above the list; what waits comes by due day, by an index of what waits."""

    title = gettext_lazy("queue")
    parameter_name = "show"
    template = "admin/registry/transfer_tabs.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("by_hand", _("Staff tell")), ("untold", _("To be told")), ("told", _("Told"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PersonNotice]) -> QuerySet[PersonNotice]:
        cuts: dict[str, dict[str, Any]] = {
            "by_hand": {"told_at": None, "is_by_hand": True},
            "untold": {"told_at": None},
            "told": {"told_at__isnull": False},
        }
        return queryset.filter(**cuts.get(self.value() or "", {}))


@admin.register(PersonNotice)
class PersonNoticeAdmin(PeopleAdmin):
    list_display = ["__str__", "subject", "transfer", "progress", "opened_at", "told_at"]
    list_filter = [Queue, ByPerson]
    list_select_related = ["subject", "transfer"]
    change_list_template = "admin/registry/transfer_notices.html"

    def get_ordering(self, request: HttpRequest) -> Any:
        return ["due_on", "pk"] if request.GET.get(Queue.parameter_name) in {"by_hand", "untold"} else ["-pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PersonNotice]:
        return super().get_queryset(request).defer("transfer__wrapped")

    @admin.display(description=gettext_lazy("state"))
    def progress(self, notice: PersonNotice) -> str:
        return format_html('<span class="badge {}">{}</span>', *badge_of(notice, timezone.localdate()))

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        own = [
            path("<int:person_notice_id>/note/", guard(never_cache(note_view)), name="person_notice_note"),
            path("of/<int:subject_id>/", guard(never_cache(condition_view)), name="telling_condition"),
        ]
        return [*own, *super().get_urls()]

    def document(self, request: HttpRequest, row: PersonNotice) -> HttpResponse:
        badge = badge_of(row, timezone.localdate())
        is_open = row.told_at is None and row.subject.status != DataSubject.Status.ERASED
        context = {
            "opts": self.opts,
            "title": _("Notice %(number)s") % {"number": row},
            "notice": row,
            "badge": badge,
            "is_open": is_open,
            "may_note": is_open and staff_member(request).has_perm(telling.HANDLE),
        }
        return page(request, "person_notice.html", context)


def note_view(request: HttpRequest, person_notice_id: int) -> HttpResponse:
    """POST notes that the person was told on paper or by telephone; GET goes to the notice's page."""
    refuse_unappointed(request)
    notice = get_object_or_404(PersonNotice, pk=person_notice_id)
    if request.method == "POST":
        try:
            telling.note_told(notice, **who(request))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("Done and recorded."))
    return redirect("admin:registry_personnotice_change", notice.pk)


def condition_view(request: HttpRequest, subject_id: int) -> HttpResponse:
    """GET says what the condition means; POST notes that the person made it, or ended it where it stands."""
    refuse_unappointed(request)
    refuse_without(request, telling.NOTE)
    subject = get_object_or_404(DataSubject, pk=subject_id)
    stands, form = telling.stands(subject), ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _note(request, subject, form, stands):
        return redirect("admin:registry_datasubject_change", subject.pk)
    return framed(request, "subject_act.html", {"subject": subject, "form": form} | _words(stands))


def _note(request: HttpRequest, subject: DataSubject, form: ReasonForm, stands: bool) -> bool:
    turn = telling.end_condition if stands else telling.ask_to_be_told
    try:
        is_done = turn(subject, reason=form.cleaned_data["reason"], **who(request))
    except ValidationError as error:
        form.add_error(None, error)
        return False
    if is_done:
        messages.success(request, _("Done and recorded."))
    else:
        messages.warning(request, _("Nothing was changed: the state of this person is another one meanwhile."))
    return True


def _words(stands: bool) -> dict[str, Any]:
    if stands:
        title, button = _("End the notices of transfers"), _("The person ended it")
        told = [_("Transfers from now on are not told to this person. What was opened before is told.")]
    else:
        title, button = _("Tell this person of transfers"), _("The person made it a condition")
        told = [
            _("The person agrees on condition of being told of each transfer to a third party (Law 94-V, article 19)."),
            _("A letter goes by itself to a confirmed e-mail; where there is none, it waits on Today for the staff."),
            _("It does not concern state bodies that act by law."),
        ]
    return {"title": title, "button": button, "told": told}


def of_person(subject: DataSubject, now: datetime) -> Shown:
    """Whether the condition stands, and what was told or is to be told, the newest first. Two queries."""
    rows = PersonNotice.objects.filter(subject=subject).select_related("subject", "transfer__recipient")
    some = list(rows.defer("transfer__wrapped").order_by("-pk")[: MOST + 1])
    today = timezone.localdate(now)
    return {
        "condition": TransferCondition.objects.filter(subject=subject).first(),
        "rows": [(row, badge_of(row, today)) for row in some[:MOST]],
        "has_more": len(some) > MOST,
        "may_change": subject.status in {DataSubject.Status.ACTIVE, DataSubject.Status.BLOCKED},
        "subject": subject,
    }


PART = Part(
    37,
    gettext_lazy("Being told of transfers"),
    "registry.view_personnotice",
    "admin/registry/telling_person.html",
    of_person,
    is_beside=True,
)
