"""One reminder for each request, and no more: on the working day before the day to warn on.

It goes to whoever took the request, else to the responsible persons, in one letter for all requests of a reader; it has
numbers and dates, and nobody's name or address. A mail that fails stops nothing and is tried again by the next run.

Called by: registry.tasks (every hour). Source: policy clauses 19, 28.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from registry import calendar
from registry.alarming import LANGUAGES, officers
from registry.models import Operator, StaffMember, SubjectRequest
from registry.requests.counting import WAITS_FOR_STAFF
from registry.requests.steps import Step, note

logger = logging.getLogger(__name__)
FURTHEST = timedelta(days=14)  # no row of days off is longer


def remind(now: datetime) -> int:
    """Sends what is to be sent; about how many requests. Those that wait for the person's link are nobody's here."""
    readers: dict[tuple[str, ...], list[SubjectRequest]] = defaultdict(list)
    responsible = tuple(officers())
    for request in _due(now):
        if addresses := _address_of(request.assignee) or responsible:
            readers[addresses].append(request)
    return sum(_tell(addresses, requests, now) for addresses, requests in readers.items())


def _due(now: datetime) -> Iterable[SubjectRequest]:
    today, days = timezone.localdate(now), calendar.current()
    next_working = today + timedelta(days=1)
    while not days.is_working(next_working) and next_working < today + FURTHEST:
        next_working += timedelta(days=1)
    waiting = SubjectRequest.objects.filter(WAITS_FOR_STAFF, reminded_at=None, alarm_on__lte=next_working)
    return waiting.select_related("assignee").order_by("due_on", "pk")


def _address_of(assignee: StaffMember | None) -> tuple[str, ...]:
    return (assignee.email,) if assignee and assignee.is_active and assignee.email else ()


def _tell(addresses: tuple[str, ...], requests: list[SubjectRequest], now: datetime) -> int:
    texts = [_in(language, requests) for language in LANGUAGES]
    subject, text = " · ".join(one for one, _text in texts), "\n\n".join(text for _one, text in texts)
    try:
        send_mail(subject, text, Operator.objects.get().contact_email, list(addresses))
    except OSError as error:  # what smtplib raises is one too
        logger.warning("reminder of %s requests not mailed: %s", len(requests), type(error).__name__)
        return 0
    for request in requests:
        _note(request, now)
    return len(requests)


@transaction.atomic
def _note(request: SubjectRequest, now: datetime) -> None:
    row = SubjectRequest.objects.taken(request.pk)
    if row.state in SubjectRequest.WAITING:
        row.reminded_at = now
        row.save(update_fields=["reminded_at"])
        note(row, Step.REMINDED, now=now)


def _in(language: str, requests: list[SubjectRequest]) -> tuple[str, str]:
    with translation.override(language):
        lines = [_line(request) for request in requests]
        return _("Requests of people are due"), "\n".join([_("The last days of these terms come near:"), *lines])


def _line(request: SubjectRequest) -> str:
    due: date = request.due_on or timezone.localdate(request.received_at)
    return f"{request.number}: {request.get_kind_display()}, {due:%d.%m.%Y}"
