"""The registry's own parts: what the person asked, what was done about it, which messages went to them."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext_lazy

from registry.models import CopyPackage, PersonalDatum, RequestStep, SubjectRequest
from registry.requests.copying.held import ground_word, opened
from registry.requests.copying.parts import (
    PORTION,
    Link,
    Row,
    Whose,
    add,
    letter_names,
    named,
    portions,
    purpose_word,
    staff,
    word,
)
from registry.requests.telling import told

FEW = 50  # requests, whose texts are opened together
LETTERS = {
    "request": gettext_lazy("question whether you sent a request"),
    "request_open": gettext_lazy("number and last day of a request"),
    "request_answer": gettext_lazy("answer to a request"),
    "new_address": gettext_lazy("question to a new address"),
    "transfer_told": gettext_lazy("notice of a transfer"),
}
letter_names.update(LETTERS)


@add(
    "requests",
    position=60,
    title=gettext_lazy("Your requests"),
    about=gettext_lazy("What you asked us about your data, and what we answered."),
    headings={
        "id": gettext_lazy("identifier"),
        "number": gettext_lazy("number"),
        "kind": gettext_lazy("kind"),
        "state": gettext_lazy("state"),
        "channel": gettext_lazy("channel"),
        "language": gettext_lazy("language"),
        "received_at": gettext_lazy("received at"),
        "identity": gettext_lazy("who asks"),
        "identity_confirmed_at": gettext_lazy("identity confirmed at"),
        "due_on": gettext_lazy("due on"),
        "how_counted": gettext_lazy("how the term was counted"),
        "text": gettext_lazy("text"),
        "scan": gettext_lazy("scan"),
        "answered_at": gettext_lazy("answered at"),
        "outcome": gettext_lazy("outcome"),
        "ground_of_refusal": gettext_lazy("ground of the refusal"),
        "answer": gettext_lazy("answer"),
        "joined_to": gettext_lazy("joined to another"),
        "entered_by": gettext_lazy("entered by"),
    },
)
def requests(whose: Whose) -> Iterator[Row]:
    rows = whose.subject.requests.select_related("ground", "joined_to").order_by("pk").iterator(chunk_size=FEW)
    for some in portions(rows, FEW):
        texts = _texts(whose, [number for row in some for number in (row.text_id, row.answer_id) if number])
        yield from (_request(row, whose, texts) for row in some)


def _texts(whose: Whose, numbers: list[int]) -> dict[int | None, Any]:
    data = PersonalDatum.objects.filter(subject=whose.subject, pk__in=numbers).select_related("category", "key")
    return {datum.pk: opened(datum) for datum in data}


def _request(row: SubjectRequest, whose: Whose, texts: dict[int | None, Any]) -> Row:
    scan = whose.files.get(row.scan_id or 0)
    return {
        "id": row.pk,
        "number": row.number,
        "kind": word(row, "kind"),
        "state": word(row, "state"),
        "channel": word(row, "channel"),
        "language": row.language,
        "received_at": row.received_at,
        "identity": word(row, "identity"),
        "identity_confirmed_at": row.verified_at,
        "due_on": row.due_on,
        "how_counted": row.explained(whose.request.language),
        "text": texts.get(row.text_id),
        "scan": Link(scan) if scan else None,
        "answered_at": row.answered_at,
        "outcome": word(row, "outcome"),
        "ground_of_refusal": ground_word(row.ground),
        "answer": texts.get(row.answer_id),
        "joined_to": row.joined_to.number if row.joined_to else None,
        "entered_by": staff(row.entered_by_id),
    }


@add(
    "request_steps",
    position=62,
    title=gettext_lazy("What was done with your requests"),
    headings={
        "id": gettext_lazy("number"),
        "request": gettext_lazy("request"),
        "step": gettext_lazy("step"),
        "at": gettext_lazy("at"),
        "by": gettext_lazy("by whom"),
        "reason": gettext_lazy("reason"),
        "due_on": gettext_lazy("due on"),
    },
    is_table=True,
)
def request_steps(whose: Whose) -> Iterator[Row]:
    steps = RequestStep.objects.filter(request__subject=whose.subject).select_related("request").order_by("pk")
    for row in steps.iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "request": row.request.number,
            "step": word(row, "step"),
            "at": row.at,
            "by": staff(row.by_id),
            "reason": told(row),
            "due_on": row.due_on,
        }


@add(
    "copies",
    position=64,
    title=gettext_lazy("Copies like this one"),
    headings={
        "id": gettext_lazy("number"),
        "request": gettext_lazy("request"),
        "state": gettext_lazy("state"),
        "asked_at": gettext_lazy("asked for at"),
        "built_at": gettext_lazy("built at"),
        "kept_until": gettext_lazy("kept until"),
        "taken_at": gettext_lazy("fetched at"),
        "destroyed_at": gettext_lazy("file destroyed at"),
    },
)
def copies(whose: Whose) -> Iterator[Row]:
    rows = CopyPackage.objects.filter(request__subject=whose.subject).select_related("request").order_by("pk")
    for row in rows.iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "request": row.request.number,
            "state": word(row, "state"),
            "asked_at": row.asked_at,
            "built_at": row.built_at,
            "kept_until": row.expires_at,
            "taken_at": row.taken_at,
            "destroyed_at": row.destroyed_at,
        }


@add(
    "messages",
    position=80,
    title=gettext_lazy("Messages to you"),
    about=gettext_lazy("“Value” is the number under “Your data” of the address or telephone number a message went to."),
    headings={
        "id": gettext_lazy("number"),
        "letter": gettext_lazy("letter"),
        "purpose": gettext_lazy("processing purpose"),
        "state": gettext_lazy("state"),
        "queued_at": gettext_lazy("queued at"),
        "sent_at": gettext_lazy("sent at"),
        "value": gettext_lazy("value"),
    },
    is_table=True,
)
def messages(whose: Whose) -> Iterator[Row]:
    for row in whose.subject.messages.select_related("purpose").order_by("pk").iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "letter": named(row.letter, letter_names),
            "purpose": purpose_word(row.purpose),
            "state": word(row, "state"),
            "queued_at": row.queued_at,
            "sent_at": row.sent_at,
            "value": row.datum_id,
        }
