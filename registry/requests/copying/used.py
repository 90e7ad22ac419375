"""The registry's own parts: what the person's data are used for, and how that came to be."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy

from registry import reasons
from registry.models import Processing
from registry.requests.copying.held import consent, ground_word
from registry.requests.copying.parts import PORTION, Row, Whose, Word, add, named, purpose_word, way_names

USE = {
    "third_parties": gettext_lazy("may be given to third parties"),
    "cross_border": gettext_lazy("may be sent abroad"),
    "public_sources": gettext_lazy("may be published"),
}
PROCESSING = {
    "purpose": gettext_lazy("processing purpose"),
    "state": gettext_lazy("state"),
    "since": gettext_lazy("since"),
    "until": gettext_lazy("until"),
    "term_counts_from": gettext_lazy("term counts from"),
    "paused_at": gettext_lazy("waits for a new consent since"),
    "rule_version": gettext_lazy("version of the retention rule"),
    **USE,
    "channel": gettext_lazy("channel"),
}


@add(
    "processing",
    position=30,
    title=gettext_lazy("What your data are used for"),
    about=gettext_lazy("Without a date under “until” no end is known yet: it comes when you withdraw your consent."),
    headings={
        "id": gettext_lazy("number"),
        "ground": gettext_lazy("ground"),
        "description": gettext_lazy("description"),
        **PROCESSING,
    },
)
def processing(whose: Whose) -> Iterator[Row]:
    for row in whose.subject.processing.select_related("purpose__ground").order_by("purpose__position", "pk"):
        ground = ground_word(row.purpose.ground) or consent()
        yield {
            "id": row.pk,
            "ground": ground,
            "description": row.purpose.text("description"),
            **_used(row, until=reasons.end_of(row)),
        }


def _used(row: Any, until: datetime | None) -> Row:
    """What a processing and a line of its history have in common."""
    return {
        "purpose": purpose_word(row.purpose),
        "state": Word(row.state, str(Processing.State(row.state).label)),
        "since": row.began_at,
        "until": until,
        "term_counts_from": row.term_from,
        "paused_at": row.paused_at,
        "rule_version": row.rule_version,
        **{name: getattr(row, name) for name in USE},
        "channel": named(row.channel, way_names),
    }


@add(
    "processing_changes",
    position=35,
    title=gettext_lazy("How that came to be"),
    about=gettext_lazy("Each time the use of your data for a purpose began, was prolonged, waited or ended."),
    headings={
        "id": gettext_lazy("number"),
        "at": gettext_lazy("at"),
        "processing": gettext_lazy("number of the use"),
        **PROCESSING,
    },
)
def processing_changes(whose: Whose) -> Iterator[Row]:
    changes = Processing.history.filter(subject=whose.subject).select_related("purpose")
    for row in changes.order_by("history_date", "history_id").iterator(chunk_size=PORTION):
        changed = {"id": row.history_id, "at": row.history_date, "processing": row.id}
        yield changed | _used(row, until=row.lapses_at)
