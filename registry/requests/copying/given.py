"""The registry's own parts: who the data may be given to, and the lists staff took out. Transfers add theirs."""

from collections.abc import Iterator
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext_lazy

from registry.models import DataExport, Processing
from registry.requests.copying.parts import PORTION, Row, Whose, Word, add, purpose_word, word


@add(
    "recipients",
    position=70,
    title=gettext_lazy("Who your data may be given to"),
    about=gettext_lazy(
        "Third parties named in the purposes your data are used for. They may receive something only where you allowed "
        "it. The registry has no way of sending data to third parties so far, and has sent none."
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
