"""What there is to do: the kinds of work of the registry itself, each with who may do it and by when.

Loaded when the registry starts (registry.apps). Sources: Rules 395; Law 94-V art. 18, 19, 25; policy clauses 16,
19, 25.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import certifying
from registry.deadlines import end_of_day
from registry.models import (
    DataExport,
    ErasureCertificate,
    Incident,
    PersonNotice,
    PurgePreview,
    RecipientNotice,
    RuleChange,
    SubjectRequest,
    Transfer,
)
from registry.requests.steps import HANDLE
from registry.transfers import telling
from registry.work import Due, Kind, add

DESTRUCTION_TERM = timedelta(days=1)  # from the end of the term of the data (Rules 395)
State = SubjectRequest.State


def _erasures(now: datetime) -> models.QuerySet[ErasureCertificate]:
    waiting = certifying.promised(ErasureCertificate.objects.open())
    return waiting.select_related("subject").defer("scan").order_by("demanded_at", "pk")


def _erasure_ends() -> Due:
    term = certifying.own_term()
    return lambda certificate: certifying.ends_at(certificate, term)


def _requests(now: datetime) -> models.QuerySet[SubjectRequest]:
    return _by_day(SubjectRequest.objects.filter(state=State.OPEN))


def _unknown(now: datetime) -> models.QuerySet[SubjectRequest]:
    """Nobody knows yet who asks, and the staff can find out: a link in a page's letter is pressed by the person."""
    by_staff = Q(state=State.UNVERIFIED) & ~Q(channel=SubjectRequest.Channel.PAGE)
    return _by_day(SubjectRequest.objects.filter(by_staff | Q(state=State.PAUSED)))


def _by_day(requests: models.QuerySet[SubjectRequest]) -> models.QuerySet[SubjectRequest]:
    return requests.select_related("subject").defer("explanation").order_by("due_on", "pk")


def _purges(now: datetime) -> models.QuerySet[PurgePreview]:
    return PurgePreview.objects.filter(state=PurgePreview.State.WAITING).order_by("as_of", "pk")


def _rules(now: datetime) -> models.QuerySet[RuleChange]:
    proposed = RuleChange.objects.filter(state=RuleChange.State.PROPOSED)
    return proposed.select_related("purpose").defer("simulation").order_by("requested_at", "pk")


def _lists(now: datetime) -> models.QuerySet[DataExport]:
    waiting = DataExport.objects.filter(state=DataExport.State.WAITING)
    return waiting.select_related("purpose").defer("wrapped").order_by("requested_at", "pk")


def _transfers(now: datetime) -> models.QuerySet[Transfer]:
    waiting = Transfer.objects.filter(state=Transfer.State.WAITING)
    return waiting.select_related("recipient").defer("wrapped").order_by("requested_at", "pk")


def _notices(now: datetime) -> models.QuerySet[RecipientNotice]:
    """Recipients nobody has told yet: those without an e-mail wait for the staff."""
    untold = RecipientNotice.objects.filter(sent_at=None, acknowledged_at=None)
    return untold.select_related("recipient", "subject").order_by("due_on", "pk")


def _told_request(request: SubjectRequest) -> str:
    return f"{request.get_kind_display()}, {request.subject.reference}"


def _request_ends(request: SubjectRequest) -> datetime | None:
    return end_of_day(request.due_on, ZoneInfo(settings.TIME_ZONE)) if request.due_on else None


def _untold(now: datetime) -> models.QuerySet[Incident]:
    return Incident.objects.untold().filter(no_notice_at=None).order_by("due_on", "pk")


def _unsettled(now: datetime) -> models.QuerySet[Incident]:
    """Somebody has stated why no notice is due: another person closes, or sends one."""
    return Incident.objects.untold().filter(no_notice_at__isnull=False).order_by("due_on", "pk")


def _untold_people(now: datetime) -> models.QuerySet[PersonNotice]:
    """Whoever made it a condition to be told of transfers and whom no letter reaches."""
    return telling.by_hand()


def _notice_ends(row: Incident | RecipientNotice | PersonNotice) -> datetime:
    return end_of_day(row.due_on, ZoneInfo(settings.TIME_ZONE))


def _told_purge(preview: PurgePreview) -> str:
    return _("data: %(data)d, people: %(people)d") % {"data": preview.data, "people": preview.subjects}


def _told_list(export: DataExport) -> str:
    return _("%(purpose)s, people: %(people)d") % {"purpose": export.purpose, "people": export.people}


def _told_transfer(transfer: Transfer) -> str:
    return _("%(recipient)s, people: %(people)d") % {"recipient": transfer.recipient, "people": transfer.people}


add(
    Kind(
        gettext_lazy("Erasure on demand"),
        permission="registry.demand_erasure",
        asked_with="registry.demand_erasure",
        asked_by="demanded_by",
        rows=_erasures,
        about=lambda certificate: certificate.subject.reference,
        dues=_erasure_ends,
        needs_second=False,
    )
)
for _name, _rows in ((gettext_lazy("Answer a request"), _requests), (gettext_lazy("Find out who asks"), _unknown)):
    add(Kind(_name, HANDLE, HANDLE, "assignee", _rows, _told_request, _request_ends, needs_second=False))
for _title, _breaches, _by in (
    (gettext_lazy("Notice of a breach"), _untold, "entered_by"),
    (gettext_lazy("Close an incident without a notice"), _unsettled, "no_notice_by"),
):
    add(
        Kind(
            _title,
            permission="registry.handle_incident",
            asked_with="registry.handle_incident",
            asked_by=_by,
            rows=_breaches,
            about=lambda incident: str(incident.get_kind_display()),
            due=_notice_ends,
            needs_second=_by == "no_notice_by",
        )
    )
add(
    Kind(
        gettext_lazy("Approve a purge"),
        permission="registry.approve_purge",
        asked_with="registry.request_purge",
        asked_by="requested_by",
        rows=_purges,
        about=_told_purge,
        due=lambda preview: preview.as_of + DESTRUCTION_TERM,
    )
)
add(
    Kind(
        gettext_lazy("Approve a retention rule"),
        permission="registry.approve_rulechange",
        asked_with="registry.propose_rulechange",
        asked_by="requested_by",
        rows=_rules,
        about=lambda change: str(change.purpose),
        is_about_people=False,
    )
)
add(
    Kind(
        gettext_lazy("Approve a list of people"),
        permission="registry.approve_dataexport",
        asked_with="registry.export_plain",
        asked_by="requested_by",
        rows=_lists,
        about=_told_list,
    )
)
add(
    Kind(
        gettext_lazy("Approve a transfer"),
        permission="registry.approve_transfer",
        asked_with="registry.ask_transfer",
        asked_by="requested_by",
        rows=_transfers,
        about=_told_transfer,
    )
)
add(
    Kind(
        gettext_lazy("Tell a recipient"),
        permission="registry.handle_recipientnotice",
        asked_with="registry.handle_recipientnotice",
        asked_by="acknowledged_by",
        rows=_notices,
        about=lambda notice: f"{notice.recipient}, {notice.subject.reference}",
        due=_notice_ends,
        needs_second=False,
    )
)
add(
    Kind(
        gettext_lazy("Tell a person of a transfer"),
        permission=telling.HANDLE,
        asked_with=telling.HANDLE,
        asked_by="told_by",
        rows=_untold_people,
        about=lambda notice: f"{notice.subject.reference}, {notice.transfer.number}",
        due=_notice_ends,
        needs_second=False,
    )
)
