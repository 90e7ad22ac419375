"""What consent adds to the page Today: figures, a step of the checklist, work that waits."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, QuerySet
from django.db.models.functions import TruncMonth
from django.utils import timezone
from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consent.decisions import desk
from consent.models import Campaign, Confirmation, ConsentRecord, MailboxState, PolicyVersion, ReceivedMail
from registry import checklist, failures, figures, work
from registry.deadlines import add_months
from registry.failures import Failure
from registry.figures import Board
from registry.models.texts import LANGUAGES

MONTHS = 12
MAILBOX_IS_LATE_AFTER = timedelta(minutes=15)
Act = ConsentRecord.Act


@figures.add("given")
def _given(now: datetime) -> Iterable[tuple[str, int]]:
    """Acts of giving by month of the local calendar, such as 2026-11: a consent counts again when it is renewed."""
    return _by_month([Act.GIVEN, Act.CONFIRMED], now)


@figures.add("withdrawn")
def _withdrawn(now: datetime) -> Iterable[tuple[str, int]]:
    return _by_month([Act.WITHDRAWN], now)


def _by_month(acts: list[Act], now: datetime) -> Iterable[tuple[str, int]]:
    zone, this = ZoneInfo(settings.TIME_ZONE), timezone.localdate(now).replace(day=1)
    months = [add_months(this, -back) for back in reversed(range(MONTHS))]
    since = datetime(months[0].year, months[0].month, 1, tzinfo=zone)
    recent = ConsentRecord.objects.filter(act__in=acts, at__gte=since, at__lte=now).order_by()
    by_month = recent.values_list(TruncMonth("at", tzinfo=zone)).annotate(Count("pk"))
    counted = {f"{month:%Y-%m}": count for month, count in by_month}
    return [(f"{month:%Y-%m}", counted.get(f"{month:%Y-%m}", 0)) for month in months]


@checklist.add("policy", gettext_lazy("A policy is in force, in three languages"), PolicyVersion)
def _policy(now: datetime, board: Board) -> bool:
    try:
        policy = PolicyVersion.objects.in_force(now)
    except PolicyVersion.DoesNotExist:
        return False
    return all(getattr(policy, f"digest_{language}") for language in LANGUAGES)


def _entries(now: datetime) -> QuerySet[Confirmation]:
    """By who entered them: among all questions that wait for an answer these few would be looked for long."""
    entered = Confirmation.objects.entered().filter(entered_by__isnull=False).waiting(now)
    return entered.select_related("subject").order_by("expires_at", "pk")


def _campaigns(now: datetime) -> QuerySet[Campaign]:
    return Campaign.objects.filter(state=Campaign.State.RUNNING).select_related("policy").order_by("started_at")


work.add(
    work.Kind(
        gettext_lazy("Check a consent from the desk"),
        permission=desk.CHECK,
        asked_with=desk.ENTER,
        asked_by="entered_by",
        rows=_entries,
        about=lambda entry: entry.subject.reference,
        due=lambda entry: entry.expires_at,
    )
)
work.add(
    work.Kind(
        gettext_lazy("People are asked anew"),
        permission="consent.start_campaign",
        asked_with="consent.start_campaign",
        asked_by="started_by",
        rows=_campaigns,
        about=lambda campaign: _("policy %(version)s") % {"version": campaign.policy},
        needs_second=False,
        is_about_people=False,
    )
)


@failures.add
def _mailbox(now: datetime) -> Iterator[Failure]:
    """Requests may lie there that nobody sees. Two queries, none where there is no mailbox."""
    if not settings.MAILBOX_URL:
        return
    state = MailboxState.objects.first()
    if state is None or state.checked_at is None:
        text = _("The contact mailbox has not been read yet: %(error)s") % {"error": _error(state)}
        yield Failure(text, ReceivedMail)
    elif now - state.checked_at > MAILBOX_IS_LATE_AFTER:
        since = localize(timezone.localtime(state.checked_at))
        told = {"since": since, "error": _error(state)}
        yield Failure(_("The contact mailbox was last read at (%(since)s): %(error)s") % told, ReceivedMail)
    if count := ReceivedMail.objects.to_look_at().count():
        text = _("E-mails in quarantine that wait for somebody to look: %(count)d") % {"count": count}
        yield Failure(text, ReceivedMail, f"?state__exact={ReceivedMail.State.QUARANTINED}")


def _error(state: MailboxState | None) -> str:
    return state.last_error if state and state.last_error else _("no run of the job")
