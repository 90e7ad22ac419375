"""What has become of the consents of a receipt. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from consent.models import ConsentRecord, Receipt
from registry.models import DataSubject, Processing, ProcessingPurpose

DECISIVE = (ConsentRecord.Act.GIVEN, ConsentRecord.Act.CONFIRMED, ConsentRecord.Act.WITHDRAWN)


class State(models.TextChoices):
    IN_FORCE = "in_force", _("in force")
    PARTLY = "partly", _("partly in force")
    WITHDRAWN = "withdrawn", _("withdrawn")
    EXPIRED = "expired", _("expired")
    DESTROYED = "destroyed", _("destroyed")


@dataclass(frozen=True)
class Item:
    """One consent of a receipt at a moment: its act, what has become of it and since when, as far as known.

    `is_replaced`: the person gave it again, and it stands under another receipt, if at all.
    """

    record: ConsentRecord
    state: State
    since: datetime | None = None
    is_replaced: bool = False


def state_of(receipt: Receipt, now: datetime) -> State:
    """The state of the whole receipt at `now`. A constant number of queries."""
    if receipt.subject.status == DataSubject.Status.ERASED:
        return State.DESTROYED
    return together(items_of(receipt, now))


def together(items: Iterable[Item]) -> State:
    """One word for all consents of a receipt."""
    states = {item.state for item in items}
    if states == {State.IN_FORCE}:
        return State.IN_FORCE
    if State.IN_FORCE in states:
        return State.PARTLY
    return State.WITHDRAWN if State.WITHDRAWN in states else State.EXPIRED


def items_of(receipt: Receipt, now: datetime) -> list[Item]:
    """Every consent of the receipt, in its order. A blocked person's consents stand, though nothing is done by them."""
    decisive = ConsentRecord.objects.filter(subject=receipt.subject_id, act__in=DECISIVE)
    since = decisive.filter(pk__gte=min(receipt.records)).order_by("pk")
    acts = list(since.select_related("purpose", "represented_by"))
    own = sorted((act for act in acts if act.pk in receipt.records), key=lambda act: receipt.records.index(act.pk))
    processing = Processing.objects.filter(subject=receipt.subject_id, purpose__in=[act.purpose_id for act in own])
    rows = {row.purpose_id: row for row in processing.select_related("purpose")}
    ongoing = processing.ongoing(now).filter(purpose__in=ProcessingPurpose.objects.open(now))
    standing = set(ongoing.values_list("purpose", flat=True))
    return [_item(act, _next(act, acts), rows.get(act.purpose_id), act.purpose_id in standing) for act in own]


def _next(record: ConsentRecord, acts: Iterable[ConsentRecord]) -> ConsentRecord | None:
    return next((act for act in acts if act.purpose_id == record.purpose_id and act.pk > record.pk), None)


def _item(record: ConsentRecord, later: ConsentRecord | None, row: Processing | None, stands: bool) -> Item:
    if later and later.act == ConsentRecord.Act.WITHDRAWN:
        return Item(record, State.WITHDRAWN, later.at)
    if later:
        return Item(record, State.EXPIRED, later.at, is_replaced=True)
    if stands:
        return Item(record, State.IN_FORCE)
    if row and row.state == Processing.State.WITHDRAWN:
        return Item(record, State.WITHDRAWN)
    return Item(record, State.EXPIRED, _end(row))


def _end(row: Processing | None) -> datetime | None:
    """When it ended: by its own term, or because the purpose was closed."""
    ends = [end for end in (row.lapses_at, row.purpose.closes_at) if end] if row else []
    return min(ends, default=None)
