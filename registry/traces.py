"""Self-retention: how long the registry keeps its own traces, and the job that destroys what is over.

Dangerous because it destroys every night without being asked. The rules:

- What is not a store here is not touched; a store whose rule has no term is kept for ever.
- Evidence is a store without a way to destroy it: counted and aged, never destroyed, whatever its rule says.
- Terms are counted by the function that counts people's terms (registry.deadlines.end_of_term).
- Portions of their own transactions: stopped at any moment, the rest goes the next time. Nothing twice.
- A store that fails does not stop the others; the job fails at the end and names it.

Called by: registry.tasks (every day); the console reads. Other packages add their stores with `add`.
Sources: policy clauses 9, 25.
"""

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.deadlines import add_months, end_of_term
from registry.models import (
    AudienceEntry,
    AuditEntry,
    AuditSeal,
    AuditVerification,
    CopyPackage,
    DataExport,
    ErasureCertificate,
    ErasureRecord,
    OutgoingMessage,
    PersonNotice,
    PreviewLine,
    PurgePreview,
    PurgeRun,
    RecipientKey,
    RecipientNotice,
    RememberedIdentifier,
    RuleChange,
    SelfRetentionRule,
    Transfer,
)
from registry.stores import Store, evidence, files, histories, rows

LONGEST_MONTHS = 1200  # nothing of ours is a hundred years old, and the calendar begins with year 1

logger = logging.getLogger(__name__)


class StoreError(Exception):
    """Some stores failed; the message names them. What the others had to lose is gone."""


@dataclass(frozen=True)
class Age:
    """A store today: its rule (None: none was made), how many, since when, and when the oldest goes (None: never)."""

    store: Store
    rule: SelfRetentionRule | None
    count: int
    oldest: datetime | None
    goes_at: datetime | None


stores: dict[str, Store] = {}


def add(store: Store) -> Store:
    stores[store.code] = store
    return store


def destroy_over(now: datetime) -> Counter[str]:
    """Destroys the traces whose term is over at `now`; how many, by code of the store. StoreError after the others."""
    gone: Counter[str] = Counter()
    failed = []
    for store, rule in _with_terms():
        try:
            _destroy(store, rule, now, gone)
        except Exception as error:  # the other stores must not wait for this one
            logger.error("traces %s not destroyed: %s", store.code, type(error).__name__)
            failed.append(store.code)
    if failed:
        raise StoreError(", ".join(failed))
    return gone


def _with_terms() -> list[tuple[Store, SelfRetentionRule]]:
    rules = {rule.code: rule for rule in SelfRetentionRule.objects.filter(term_value__isnull=False)}
    return [(store, rules[code]) for code, store in stores.items() if code in rules]


def _destroy(store: Store, rule: SelfRetentionRule, now: datetime, gone: Counter[str]) -> None:
    if store.destroy is None:
        return  # evidence, whatever its rule says
    for portion in store.destroy(kept_from(now, rule)):
        gone[store.code] += portion


def kept_from(now: datetime, rule: SelfRetentionRule) -> datetime:
    """The first moment whose trace is kept at `now` under a rule with a term: the term of every earlier one is over."""
    day = timezone.localdate(now)
    length = _length(rule)
    day = day - timedelta(days=length) if rule.term_unit == "days" else add_months(day, -length)
    while goes_at(_midnight(day), rule) > now:
        day -= timedelta(days=1)
    return _midnight(day + timedelta(days=1))


def goes_at(moment: datetime, rule: SelfRetentionRule) -> datetime:
    """When a trace of `moment` goes, under a rule with a term."""
    return end_of_term(moment, _length(rule), rule.term_unit, _zone())


def _length(rule: SelfRetentionRule) -> int:
    length = rule.term_value or 0
    return length if rule.term_unit == "days" else min(length, LONGEST_MONTHS)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), tzinfo=_zone())


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.TIME_ZONE)


def ages() -> list[Age]:
    """Every store with its rule, how much it holds and how old that is."""
    rules = {rule.code: rule for rule in SelfRetentionRule.objects.all()}
    return [_age(store, rules.get(code)) for code, store in stores.items()]


def _age(store: Store, rule: SelfRetentionRule | None) -> Age:
    oldest = store.oldest()
    has_term = rule is not None and rule.term_value is not None and not store.is_evidence
    goes = goes_at(oldest, rule) if rule and oldest and has_term else None
    return Age(store, rule, store.count(), oldest, goes)


def without_rule() -> list[Store]:
    """Stores for which no rule was made: nothing of them is destroyed."""
    ruled = set(SelfRetentionRule.objects.values_list("code", flat=True))
    return [store for code, store in stores.items() if code not in ruled]


Mail, Preview = OutgoingMessage.State, PurgePreview.State
FINISHED_MAIL = [Mail.SENT, Mail.CANCELLED, Mail.FAILED]
DECIDED = [Preview.KEPT, Preview.REFUSED, Preview.EXPIRED, Preview.DONE]

add(
    rows(
        "letters",
        _("letters of the outbox, sent or given up"),
        _("queued"),
        lambda: OutgoingMessage.objects.filter(state__in=FINISHED_MAIL),
        "queued_at",
    )
)
add(files("letter-files", _("letters as files"), _("written"), lambda: settings.MAIL_FOLDER, "*.eml", ".*.part"))
add(files("sms-files", _("messages to phones as files"), _("written"), lambda: settings.SMS_FOLDER, "*.sms", ".*.part"))
add(
    rows(
        "previews",
        _("lines of purge previews"),
        _("preview taken"),
        lambda: PreviewLine.objects.filter(preview__state__in=DECIDED),
        "preview__taken_at",
    )
)
add(rows("sessions", _("sessions of the staff"), _("session ended"), Session.objects.all, "expire_date"))
add(files("logs", _("old logs"), _("last written"), lambda: settings.HOME / "log", "*.log.1"))
add(
    rows(
        "remembered",
        _("people who must not be contacted"),
        _("no longer remembered"),
        RememberedIdentifier.objects.all,
        "until",
    )
)
add(
    rows(
        "audience",
        _("people who left a mailing list"),
        _("left"),
        lambda: AudienceEntry.objects.filter(is_in=False),
        "changed_at",
    )
)
add(evidence("audit", _("audit"), AuditEntry, "at"))
add(evidence("audit-seals", _("seals of the audit"), AuditSeal, "sealed_at"))
add(evidence("audit-verifications", _("verifications of the audit"), AuditVerification, "started_at"))
add(evidence("proof-of-erasure", _("proof of erasure"), ErasureRecord, "at"))
add(evidence("purge-runs", _("purge runs"), PurgeRun, "started_at"))
add(evidence("purge-decisions", _("purge previews and decisions about them"), PurgePreview, "taken_at"))
add(evidence("rule-decisions", _("changes of retention rules"), RuleChange, "requested_at"))
add(evidence("erasure-acts", _("erasure certificates"), ErasureCertificate, "demanded_at"))
add(evidence("transfers", _("transfers"), Transfer, "requested_at"))
add(evidence("program-keys", _("keys of recipients' programs"), RecipientKey, "made_at"))
add(evidence("notices", _("notices to recipients"), RecipientNotice, "opened_at"))
add(evidence("person-notices", _("notices to people"), PersonNotice, "opened_at"))
add(evidence("exports", _("lists taken out"), DataExport, "requested_at"))  # their files: registry.exporting
add(evidence("copies", _("copies of people's data"), CopyPackage, "asked_at"))  # their files: registry.requests.copying
add(histories("history", _("history of settings and decisions")))
