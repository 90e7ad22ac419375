"""What is wrong, or worth knowing, about retention: rules without effect, data no rule reaches, ends nobody knows.

Numbers only. Every question is one set-based statement over the tables; the view of terms is asked only about data that
no purpose needs, which ought to be few.

Called by: the console's page and the `check_retention` command. Sources: policy clauses 9, 25; Law 94-V art. 18, 25.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, models
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry import calendar, certifying, jobs, traces
from registry.deadlines import end_of_day
from registry.models import (
    DataCategory,
    DataSubject,
    ErasureCertificate,
    LedgerQueue,
    LegalHold,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
    SubjectRequest,
    WorkCalendarOverride,
)
from registry.requests.counting import HAS_A_TERM

LEDGER_IS_LATE_AFTER = timedelta(minutes=15)
WITHOUT_RULE = """
    WITH datum (id, subject_id) AS MATERIALIZED ({without_rule}),
    term AS MATERIALIZED (
        SELECT subject_id, (SELECT until FROM registry_datumterm WHERE datum_id = datum.id) AS until FROM datum
    )
    SELECT count(*), count(*) FILTER (
        WHERE term.until IS NOT NULL AND (due.due_at IS NULL OR due.due_at > term.until)
    ) FROM term JOIN registry_retentiondue due USING (subject_id)
"""
Clock = ProcessingPurpose.Clock


class Level(models.TextChoices):
    WARNING = "warning", _("warning")
    NOTICE = "notice", _("notice")


W, N = Level.WARNING, Level.NOTICE
KINDS: dict[str, tuple[Level, Any]] = {
    "public-purpose-without-data": (W, _("“%(purpose)s” is asked of people and needs no data: its rule has no effect")),
    "purpose-without-data": (N, _("“%(purpose)s” needs no data: its rule has no effect")),
    "nothing-to-depersonalise": (N, _("“%(purpose)s” says to depersonalise and needs no data")),
    "fixed-date-past": (W, _("The fixed date of “%(purpose)s” is over: what is collected for it goes at once")),
    "clock-never-starts": (W, _("The term of “%(purpose)s” never starts: “%(clock)s” does not happen on its basis")),
    "clock-starts-with-opening": (
        N,
        _("The term of “%(purpose)s” counts from its opening: “%(clock)s” does not happen on its basis"),
    ),
    "category-without-purpose": (N, _("No purpose needs “%(category)s”")),
    "processing-without-end": (N, _("“%(purpose)s”: open processing without an end date: %(count)d")),
    "data-without-end-date": (N, _("Data kept without an end date: %(count)d")),
    "data-held-without-end": (N, _("Data under a hold without end: %(count)d")),
    "data-blocked": (N, _("Data of blocked people: %(count)d")),
    "data-without-rule": (N, _("Data that no purpose needs and no rule reaches: %(count)d")),
    "data-without-rule-not-queued": (W, _("Data that no rule reaches and the purge does not look at: %(count)d")),
    "ledger-late": (W, _("Entries that wait longer than 15 minutes for the erasure ledger: %(count)d")),
    "erasure-late": (N, _("Demanded erasures whose term is over: %(count)d")),
    "request-late": (N, _("Requests of people whose term is over: %(count)d")),
    "calendar-unknown": (
        W,
        _("The holidays of %(year)s are not known: terms are counted wrong. Update the registry or state its days off"),
    ),
    "job-late": (W, _("The job “%(job)s” is late")),
    "trace-without-rule": (W, _("No rule says how long to keep “%(trace)s”: it is kept for ever")),
}


@dataclass(frozen=True)
class Finding:
    """One finding. `model` and `query`: the list in the console that shows more, where there is one."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)
    model: type[models.Model] | None = None
    query: str = ""

    @property
    def level(self) -> Level:
        return KINDS[self.code][0]

    @property
    def text(self) -> str:
        """In the language of whoever reads."""
        return str(KINDS[self.code][1]) % self.values


def find(now: datetime) -> list[Finding]:
    """All findings at `now`, warnings first. A constant number of queries."""
    parts = (_of_rules(now), _of_processing(), _of_data(), of_work(now))
    return sorted((one for part in parts for one in part), key=lambda one: one.level != Level.WARNING)


def _of_rules(now: datetime) -> Iterator[Finding]:
    open_ones = ProcessingPurpose.objects.filter(Q(closes_at=None) | Q(closes_at__gt=now))
    for purpose in open_ones.annotate(needs=Count("categories")):
        codes = [code for code, is_so in _doubts(purpose, now).items() if is_so]
        values = {"purpose": purpose, "clock": Clock(purpose.clock).label}
        yield from (Finding(code, values, ProcessingPurpose) for code in codes)
    for category in DataCategory.objects.filter(processingpurpose=None):
        yield Finding("category-without-purpose", {"category": category}, DataCategory)


def _doubts(purpose: Any, now: datetime) -> dict[str, bool]:
    is_empty = purpose.needs == 0
    depersonalises = purpose.outcome == ProcessingPurpose.Outcome.DEPERSONALISE
    return {
        "public-purpose-without-data": is_empty and purpose.is_public,
        "purpose-without-data": is_empty and not purpose.is_public,
        "nothing-to-depersonalise": is_empty and depersonalises,
        "fixed-date-past": purpose.clock == Clock.FIXED and _day_is_over(purpose, now),
        "clock-never-starts": never_starts(purpose),
        "clock-starts-with-opening": starts_with_opening_only(purpose),
    }


def _day_is_over(purpose: ProcessingPurpose, now: datetime) -> bool:
    return purpose.ends_on is not None and end_of_day(purpose.ends_on, ZoneInfo(settings.TIME_ZONE)) <= now


def never_starts(purpose: ProcessingPurpose) -> bool:
    """Whether no operation ever starts this clock: what rests on a legal ground is not withdrawn, and what rests on
    consent is no request that is closed. Fixed dates, last contact and the closing of a purpose suit both."""
    return purpose.clock == (Clock.CLOSED if purpose.ground_id is None else Clock.CONSENT_WITHDRAWN)


def starts_with_opening_only(purpose: ProcessingPurpose) -> bool:
    """Whether the named event is not this purpose's, and its term counts from the opening instead: a question is asked
    for the purpose "confirmation", and no consent is given where the basis is a legal ground."""
    return purpose.clock == (Clock.ASKED if purpose.ground_id is None else Clock.CONSENT_GIVEN)


def _of_processing() -> Iterator[Finding]:
    endless = Processing.objects.without_an_end().order_by().values("purpose").annotate(count=Count("pk"))
    counts = dict(endless.values_list("purpose", "count"))
    for purpose in ProcessingPurpose.objects.filter(pk__in=counts):
        values = {"purpose": purpose, "count": counts[purpose.pk]}
        yield Finding("processing-without-end", values, Processing, f"?end=unknown&purpose__id__exact={purpose.pk}")


def _of_data() -> Iterator[Finding]:
    yield from _counted("data-without-end-date", without_end_date(), Processing, "?end=unknown")
    yield from _counted("data-held-without-end", held_without_end(), LegalHold)
    yield from _counted("data-blocked", blocked(), DataSubject, "?status__exact=blocked")
    yield from _without_rule()


def _counted(
    code: str, rows: models.QuerySet[Any], model: type[models.Model] | None = None, query: str = ""
) -> Iterator[Finding]:
    if count := rows.count():
        yield Finding(code, {"count": count}, model, query)


def without_end_date() -> models.QuerySet[PersonalDatum]:
    """Data that a purpose needs whose end nobody knows, and that have no end of their own."""
    return PersonalDatum.objects.filter(Exists(_needing(Processing.objects.without_an_end())), keep_until=None)


def held_without_end() -> models.QuerySet[PersonalDatum]:
    on_it = Q(datum=None) | Q(datum=OuterRef("pk"))
    holds = LegalHold.objects.filter(on_it, subject=OuterRef("subject"), released_at=None, until=None)
    return PersonalDatum.objects.filter(Exists(holds))


def blocked() -> models.QuerySet[PersonalDatum]:
    return PersonalDatum.objects.filter(subject__status=DataSubject.Status.BLOCKED)


def _needing(processing: models.QuerySet[Processing]) -> models.QuerySet[Processing]:
    return processing.filter(subject=OuterRef("subject"), purpose__categories=OuterRef("category"))


def _without_rule() -> Iterator[Finding]:
    """Data without an end of their own that no processing, not even one that ended, needs; and those among them whose
    person the purge looks at too late or never. The view is asked about them one by one: joined, it would be worked out
    for everybody first."""
    rows = PersonalDatum.objects.filter(~Exists(_needing(Processing.objects.all())), keep_until=None)
    statement, values = rows.values("pk", "subject_id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(WITHOUT_RULE.format(without_rule=statement), values)
        counts = cursor.fetchone()
    for code, count in zip(("data-without-rule", "data-without-rule-not-queued"), counts, strict=True):
        if count:
            yield Finding(code, {"count": count})


def of_work(now: datetime) -> Iterator[Finding]:
    """What should have been done by now. Reads nothing that grows with people; the page Today shows it too."""
    yield from _counted("ledger-late", LedgerQueue.objects.filter(at__lt=now - LEDGER_IS_LATE_AFTER))
    waiting = certifying.promised(ErasureCertificate.objects.open())
    late = waiting.filter(certifying.is_over(certifying.own_term(), now))
    yield from _counted("erasure-late", late, ErasureCertificate)
    requests = SubjectRequest.objects.overdue(timezone.localdate(now)).filter(HAS_A_TERM)
    yield from _counted("request-late", requests, SubjectRequest)
    yield from _of_calendar(now)
    yield from (Finding("job-late", {"job": name}) for name in jobs.late_jobs(now))
    yield from (Finding("trace-without-rule", {"trace": store.name}) for store in traces.without_rule())


def _of_calendar(now: datetime) -> Iterator[Finding]:
    """Years in which terms are counted now, or soon, and of which nobody knows the holidays."""
    years = {timezone.localdate(now).year, calendar.year_ahead(now)}
    for year in sorted(year for year in years if year and not calendar.is_known(year)):
        yield Finding("calendar-unknown", {"year": year}, WorkCalendarOverride)
