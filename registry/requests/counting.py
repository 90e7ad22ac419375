"""How many requests, how many of them in time: the same questions for the page Today, the report and the reminder.

In time is what was answered, or refused, by the last local day of its term; what was joined, closed or never confirmed
was not answered. Late is what was answered after it, and what waits for the staff beyond it: what came by the page and
was not confirmed by the link yet waits for its person. A paused clock runs out for nobody; of a paused request there is
a last day only if that was over before the pause, and it stays late.

Called by: registry.figures, registry.reports, registry.findings, registry.requests.reminding.
Sources: Law 94-V art. 24-25; policy clauses 19, 28.
"""

from dataclasses import astuple, dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.models import SubjectRequest

State, Kind = SubjectRequest.State, SubjectRequest.Kind
WAITS_FOR_STAFF = Q(state=State.OPEN) | Q(state=State.UNVERIFIED) & ~Q(channel=SubjectRequest.Channel.PAGE)
HAS_A_TERM = WAITS_FOR_STAFF | Q(state=State.PAUSED, due_on__isnull=False)
CLOCK_STANDS = Q(state=State.PAUSED, due_on=None)
_ANSWERED_ON = TruncDate("answered_at", tzinfo=ZoneInfo(settings.TIME_ZONE))
ANSWERED_LATE = Q(due_on__lt=_ANSWERED_ON)
ANSWERED_IN_TIME = Q(due_on__gte=_ANSWERED_ON)


@dataclass(frozen=True)
class Counts:
    """Of one kind: refusals are a part of the answered; `open` and `late` as they stood at the end."""

    received: int = 0
    answered: int = 0
    refused: int = 0
    in_time: int = 0
    open: int = 0
    late: int = 0

    @property
    def share(self) -> str:
        return share(self.in_time, self.answered)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def share(part: int, whole: int) -> str:
    """In whole percent, rounded down: 100 means every one; "-" of nothing."""
    return f"{100 * part // whole} %" if whole else "-"


def by_kind(begins_at: datetime, ends_at: datetime) -> list[tuple[str, Counts]]:
    """What there is to say of the time from `begins_at` to before `ends_at`, by kind; all together last. One query."""
    answered = Q(answered_at__gte=begins_at, answered_at__lt=ends_at)
    received = Q(received_at__gte=begins_at, received_at__lt=ends_at)
    counted = (
        _about(begins_at, ends_at)
        .values_list("kind")
        .annotate(
            received_=Count("pk", filter=received),
            answered_=Count("pk", filter=answered),
            refused_=Count("pk", filter=answered & Q(outcome=SubjectRequest.Outcome.REFUSED)),
            in_time_=Count("pk", filter=answered & ANSWERED_IN_TIME),
            open_=Count("pk", filter=_open(ends_at)),
            late_=Count("pk", filter=_late(begins_at, ends_at)),
        )
    )
    found = {kind: Counts(*numbers) for kind, *numbers in counted}
    named = [(str(kind.label), found[kind]) for kind in Kind if kind in found]
    return [*named, (_("all kinds"), sum(found.values(), Counts()))]


def late(begins_at: datetime, ends_at: datetime) -> QuerySet[SubjectRequest]:
    """Those answered late in that time, and those that waited beyond their last day at its end."""
    return _about(begins_at, ends_at).filter(_late(begins_at, ends_at)).order_by("due_on", "pk")


def _about(begins_at: datetime, ends_at: datetime) -> QuerySet[SubjectRequest]:
    """Received by the end, and received, answered or still waiting since the beginning."""
    is_in_it = Q(received_at__gte=begins_at) | Q(answered_at__gte=begins_at) | Q(state__in=SubjectRequest.WAITING)
    return SubjectRequest.objects.filter(is_in_it, received_at__lt=ends_at).order_by()


def _open(at: datetime) -> Q:
    """As far as is known now: what was closed without an answer meanwhile counts as closed before."""
    return Q(state__in=SubjectRequest.WAITING) | Q(answered_at__gte=at)


def _late(begins_at: datetime, ends_at: datetime) -> Q:
    waited = (HAS_A_TERM | Q(answered_at__gte=ends_at)) & Q(due_on__lt=timezone.localdate(ends_at))
    return waited | ANSWERED_LATE & Q(answered_at__gte=begins_at, answered_at__lt=ends_at)
