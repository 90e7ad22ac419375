"""The registry's own parts: what must stay, what was destroyed, and who looked."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.apps import apps
from django.utils.translation import gettext_lazy

from registry import certifying
from registry.models import AuditEntry, ErasureRecord, IncidentPerson, LegalHold
from registry.requests.copying.held import ground_word
from registry.requests.copying.parts import PORTION, Row, Whose, Word, add, named, purpose_word, staff, way_names, word
from registry.requests.telling import told_entry

JOBS_AND_PAGES = {
    "purge": gettext_lazy("the daily purge"),
    "finish_erasures": gettext_lazy("erasure on demand"),
    "replay": gettext_lazy("repeated after a restore"),
    "mail": gettext_lazy("sending of letters"),
    "sms": gettext_lazy("sending to phones"),
    "rules": gettext_lazy("changes of rules"),
    "requests": gettext_lazy("handling of requests"),
    "copies": gettext_lazy("building of copies"),
    "telling": gettext_lazy("notices to people"),
    "page": gettext_lazy("page"),
}
way_names.update(JOBS_AND_PAGES)


@add(
    "holds",
    position=85,
    title=gettext_lazy("Legal holds"),
    about=gettext_lazy("While a hold is in force law forbids us to destroy what it is on."),
    headings={
        "id": gettext_lazy("number"),
        "value": gettext_lazy("on which value"),
        "ground": gettext_lazy("ground"),
        "reason": gettext_lazy("reason"),
        "placed_at": gettext_lazy("placed at"),
        "placed_by": gettext_lazy("placed by"),
        "until": gettext_lazy("until"),
        "released_at": gettext_lazy("released at"),
        "released_by": gettext_lazy("released by"),
        "reason_of_release": gettext_lazy("reason of the release"),
        "changes": gettext_lazy("changes"),
    },
    details={
        "id": gettext_lazy("number"),
        "at": gettext_lazy("at"),
        "until": gettext_lazy("until"),
        "released_at": gettext_lazy("released at"),
    },
)
def holds(whose: Whose) -> Iterator[Row]:
    changes = defaultdict(list)
    for line in LegalHold.history.filter(subject=whose.subject).order_by("history_date", "history_id"):
        changed = {"id": line.history_id, "at": line.history_date, "until": line.until, "released_at": line.released_at}
        changes[line.id].append(changed)
    for row in whose.subject.holds.select_related("ground").order_by("pk"):
        yield {
            "id": row.pk,
            "value": row.datum_id,
            "ground": ground_word(row.ground),
            "reason": row.reason,
            "placed_at": row.placed_at,
            "placed_by": staff(row.placed_by_id),
            "until": row.until,
            "released_at": row.released_at,
            "released_by": staff(row.released_by_id),
            "reason_of_release": row.release_reason,
            "changes": changes[row.pk],
        }


@add(
    "erasures",
    position=90,
    title=gettext_lazy("Demanded erasures"),
    headings={
        "id": gettext_lazy("number"),
        "ground": gettext_lazy("legal ground"),
        "reason": gettext_lazy("reason"),
        "not_to_be_contacted": gettext_lazy("must not be contacted again"),
        "demanded_at": gettext_lazy("demanded at"),
        "entered_by": gettext_lazy("entered by"),
        "finished_at": gettext_lazy("finished at"),
        "found_afterwards": gettext_lazy("places where something was found"),
        "in_backups_until": gettext_lazy("in backups until"),
    },
)
def erasures(whose: Whose) -> Iterator[Row]:
    for row in whose.subject.certificates.select_related("ground").order_by("pk"):
        yield {
            "id": row.pk,
            "ground": ground_word(row.ground),
            "reason": certifying.reason_of(row),
            "not_to_be_contacted": row.is_remembered,
            "demanded_at": row.demanded_at,
            "entered_by": staff(row.demanded_by_id),
            "finished_at": row.finished_at,
            "found_afterwards": row.remains,
            "in_backups_until": row.scan.get("backups_until"),
        }


@add(
    "destroyed",
    position=92,
    title=gettext_lazy("What was destroyed"),
    about=gettext_lazy("Of a destroyed value we keep that it was destroyed, when and why, and not what it was."),
    headings={
        "id": gettext_lazy("number"),
        "value": gettext_lazy("value"),
        "category": gettext_lazy("data category"),
        "purpose": gettext_lazy("processing purpose"),
        "rule_version": gettext_lazy("version of the retention rule"),
        "ground": gettext_lazy("ground"),
        "at": gettext_lazy("at"),
        "certificate": gettext_lazy("erasure certificate"),
    },
    is_table=True,
)
def destroyed(whose: Whose) -> Iterator[Row]:
    rows = ErasureRecord.objects.filter(subject=whose.subject).select_related("category", "purpose").order_by("pk")
    for row in rows.iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "value": row.datum_id,
            "category": Word(row.category.code, str(row.category)),
            "purpose": purpose_word(row.purpose),
            "rule_version": row.rule_version,
            "ground": word(row, "ground"),
            "at": row.at,
            "certificate": row.certificate_id,
        }


@add(
    "not_to_be_contacted",
    position=94,
    title=gettext_lazy("Memory that you must not be contacted"),
    about=gettext_lazy("We keep a mark by which we recognise the address when we see it again, and not the address."),
    headings={
        "id": gettext_lazy("number"),
        "category": gettext_lazy("data category"),
        "remembered_at": gettext_lazy("remembered at"),
        "until": gettext_lazy("until"),
    },
    is_table=True,
)
def not_to_be_contacted(whose: Whose) -> Iterator[Row]:
    for row in whose.subject.remembered.select_related("category").order_by("pk"):
        category = Word(row.category.code, str(row.category))
        yield {"id": row.pk, "category": category, "remembered_at": row.remembered_at, "until": row.until}


@add(
    "incidents",
    position=95,
    title=gettext_lazy("Breaches your data were part of"),
    headings={
        "id": gettext_lazy("identifier"),
        "number": gettext_lazy("number"),
        "kind": gettext_lazy("kind"),
        "discovered_at": gettext_lazy("discovered at"),
        "data": gettext_lazy("data concerned"),
        "notified_at": gettext_lazy("notice sent at"),
        "closed_at": gettext_lazy("closed at"),
    },
)
def incidents(whose: Whose) -> Iterator[Row]:
    """What happened is told by kind: its description is about everybody it concerns."""
    rows = IncidentPerson.objects.filter(subject=whose.subject).select_related("incident")
    for row in rows.prefetch_related("incident__categories").order_by("pk"):
        incident = row.incident
        yield {
            "id": row.pk,
            "number": incident.number,
            "kind": word(incident, "kind"),
            "discovered_at": incident.discovered_at,
            "data": [Word(category.code, str(category)) for category in incident.categories.all()],
            "notified_at": incident.notified_at,
            "closed_at": incident.closed_at,
        }


@add(
    "audit",
    position=96,
    title=gettext_lazy("Who looked and who changed"),
    about=gettext_lazy(
        "Every time somebody or something dealt with your data. We do not name members of our staff: give us the "
        "number of a line, and the responsible person finds out who it was."
    ),
    headings={
        "id": gettext_lazy("number"),
        "at": gettext_lazy("at"),
        "operation": gettext_lazy("operation"),
        "by": gettext_lazy("by whom"),
        "about": gettext_lazy("about what"),
        "about_number": gettext_lazy("number of the object"),
        "reason": gettext_lazy("reason"),
    },
    is_table=True,
)
def audit(whose: Whose) -> Iterator[Row]:
    for row in whose.subject.audit.order_by("at", "pk").iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "at": row.at,
            "operation": word(row, "operation"),
            "by": _who(row),
            "about": Word(row.object_type, _kind(row.object_type)) if row.object_type else None,
            "about_number": row.object_id,
            "reason": told_entry(row),
        }


def _who(row: AuditEntry) -> Word | None:
    return staff(row.actor_id) or named(row.system, way_names)


def _kind(label: str) -> str:
    """What rows of this model are called, such as "personal datum"."""
    model = _model(label)
    return str(model._meta.verbose_name) if model else label


@cache
def _model(label: str) -> Any:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None
