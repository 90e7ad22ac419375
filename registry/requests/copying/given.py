"""The registry's own parts: who the data may be given to, who was given them, who was told what happened since, whether
the person is told, and the lists staff took out."""

from collections.abc import Iterator
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext_lazy

from registry.models import DataExport, PersonNotice, Processing, RecipientNotice, TransferCondition, TransferLine
from registry.requests.copying.parts import PORTION, Row, Whose, Word, add, named, purpose_word, staff, word
from registry.transfers.gate import REASONS


@add(
    "recipients",
    position=70,
    title=gettext_lazy("Who your data may be given to"),
    about=gettext_lazy(
        "Third parties named in the purposes your data are used for. They may receive something only where you allowed "
        "it."
    ),
    headings={
        "id": gettext_lazy("number"),
        "recipient": gettext_lazy("recipient"),
        "kind": gettext_lazy("kind"),
        "registration": gettext_lazy("BIN or registration number"),
        "country": gettext_lazy("country"),
        "purpose": gettext_lazy("processing purpose"),
        "allowed": gettext_lazy("allowed by you"),
    },
)
def recipients(whose: Whose) -> Iterator[Row]:
    rows = whose.subject.processing.select_related("purpose").prefetch_related("purpose__recipients__country")
    for row in rows.order_by("purpose__position", "pk"):
        for recipient in row.purpose.recipients.all():
            yield {
                "id": recipient.pk,
                "recipient": Word(recipient.code, str(recipient)),
                "kind": word(recipient, "kind"),
                "registration": recipient.bin,
                "country": Word(recipient.country_id, str(recipient.country)),
                "purpose": purpose_word(row.purpose),
                "allowed": row.third_parties and (row.cross_border or not recipient.is_abroad),
            }


@add(
    "transfers",
    position=71,
    title=gettext_lazy("Who was given your data"),
    about=gettext_lazy(
        "Every time a recipient was given a file with your data, or you were on the list for one and left out at the "
        "end."
    ),
    headings={
        "id": gettext_lazy("identifier"),
        "number": gettext_lazy("number"),
        "recipient": gettext_lazy("recipient"),
        "country": gettext_lazy("country"),
        "ground": gettext_lazy("ground"),
        "purpose": gettext_lazy("processing purpose"),
        "data": gettext_lazy("data"),
        "taken_at": gettext_lazy("fetched at"),
        "left_out": gettext_lazy("left out because"),
        "began_at": gettext_lazy("allowed since"),
        "lapses_at": gettext_lazy("allowed until"),
    },
)
def transfers(whose: Whose) -> Iterator[Row]:
    lines = TransferLine.objects.filter(subject=whose.subject)
    lines = lines.select_related("transfer__recipient", "transfer__purpose")
    for line in lines.order_by("pk").iterator(chunk_size=PORTION):
        given = line.transfer
        yield {
            "id": f"{line.transfer_id}/{line.place}",
            "number": given.number,
            "recipient": Word(given.recipient.code, str(given.recipient)),
            "country": given.country,
            "ground": word(given, "ground"),
            "purpose": purpose_word(given.purpose),
            "data": ", ".join(given.categories),
            "taken_at": given.taken_at,
            "left_out": named(line.dropped, REASONS),
            "began_at": line.began_at,
            "lapses_at": line.lapses_at,
        }


@add(
    "notices",
    position=73,
    title=gettext_lazy("What recipients were told about you"),
    headings={
        "id": gettext_lazy("identifier"),
        "recipient": gettext_lazy("recipient"),
        "event": gettext_lazy("what happened"),
        "opened_at": gettext_lazy("opened at"),
        "due_on": gettext_lazy("due on"),
        "sent_at": gettext_lazy("sent at"),
        "reminded_at": gettext_lazy("reminded at"),
        "acknowledged_at": gettext_lazy("acknowledged at"),
    },
)
def notices(whose: Whose) -> Iterator[Row]:
    rows = RecipientNotice.objects.filter(subject=whose.subject).select_related("recipient")
    for row in rows.order_by("pk").iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "recipient": Word(row.recipient.code, str(row.recipient)),
            "event": word(row, "event"),
            "opened_at": row.opened_at,
            "due_on": row.due_on,
            "sent_at": row.sent_at,
            "reminded_at": row.reminded_at,
            "acknowledged_at": row.acknowledged_at,
        }


@add(
    "transfer_condition",
    position=74,
    title=gettext_lazy("Whether you are told of each transfer"),
    headings={
        "id": gettext_lazy("number"),
        "asked_at": gettext_lazy("asked at"),
        "ended_at": gettext_lazy("ended at"),
        "noted_by": gettext_lazy("noted by"),
        "changes": gettext_lazy("changes"),
    },
    details={
        "id": gettext_lazy("number"),
        "at": gettext_lazy("at"),
        "asked_at": gettext_lazy("asked at"),
        "ended_at": gettext_lazy("ended at"),
    },
)
def condition(whose: Whose) -> Iterator[Row]:
    """One row at most; when it stood and when not, tell its changes."""
    for row in TransferCondition.objects.filter(subject=whose.subject):
        changes = row.history.order_by("history_date", "history_id")
        yield {
            "id": row.pk,
            "asked_at": row.asked_at,
            "ended_at": row.ended_at,
            "noted_by": staff(row.noted_by_id),
            "changes": [
                {"id": line.history_id, "at": line.history_date, "asked_at": line.asked_at, "ended_at": line.ended_at}
                for line in changes
            ],
        }


@add(
    "transfer_notices",
    position=75,
    title=gettext_lazy("Transfers you are told of"),
    headings={
        "id": gettext_lazy("identifier"),
        "number": gettext_lazy("number"),
        "recipient": gettext_lazy("recipient"),
        "opened_at": gettext_lazy("opened at"),
        "due_on": gettext_lazy("due on"),
        "told_at": gettext_lazy("told at"),
        "told_by": gettext_lazy("told by"),
    },
)
def told(whose: Whose) -> Iterator[Row]:
    rows = PersonNotice.objects.filter(subject=whose.subject).select_related("transfer__recipient")
    for row in rows.defer("transfer__wrapped").order_by("pk").iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "number": row.transfer.number,
            "recipient": Word(row.transfer.recipient.code, str(row.transfer.recipient)),
            "opened_at": row.opened_at,
            "due_on": row.due_on,
            "told_at": row.told_at,
            "told_by": staff(row.told_by_id),
        }


@add(
    "lists",
    position=72,
    title=gettext_lazy("Lists you may have been on"),
    about=gettext_lazy(
        "Lists of people that authorised staff took out of the registry, made for a purpose your data were used for at "
        "that time. Which people were on a list is not kept, so we cannot say it more exactly."
    ),
    headings={
        "id": gettext_lazy("identifier"),
        "number": gettext_lazy("number"),
        "kind": gettext_lazy("contents"),
        "purpose": gettext_lazy("processing purpose"),
        "reason": gettext_lazy("what it is for"),
        "built_at": gettext_lazy("built at"),
        "taken_at": gettext_lazy("fetched at"),
    },
)
def lists(whose: Whose) -> Iterator[Row]:
    for row in _lists(whose).order_by("pk").iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "number": row.number,
            "kind": word(row, "kind"),
            "purpose": purpose_word(row.purpose),
            "reason": row.reason,
            "built_at": row.built_at,
            "taken_at": row.taken_at,
        }


def _lists(whose: Whose) -> QuerySet[DataExport]:
    """Taken out, and this person's processing for the purpose was open when it was built and when it was fetched."""
    taken = DataExport.objects.filter(taken_at__isnull=False).select_related("purpose")
    for moment in ("built_at", "taken_at"):
        at_that_time = _as_of(whose, moment)
        taken = taken.alias(
            **{f"state_{moment}": Subquery(at_that_time.values("state")[:1])},
            **{f"end_{moment}": Subquery(at_that_time.values("lapses_at")[:1])},
        ).filter(
            Q(**{f"end_{moment}": None}) | Q(**{f"end_{moment}__gt": F(moment)}),
            **{f"state_{moment}": Processing.State.OPEN},
        )
    return taken


def _as_of(whose: Whose, moment: str) -> QuerySet[Any]:
    """The processing for the purpose of a list as it was at that moment of the list."""
    lines = Processing.history.filter(
        subject=whose.subject, purpose=OuterRef("purpose"), history_date__lte=OuterRef(moment)
    )
    return lines.order_by("-history_date", "-history_id")
