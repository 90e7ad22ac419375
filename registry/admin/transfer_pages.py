"""What the pages of transfers and notices show: badges, who stayed and why, a part of the lines, what a person's page
says. Nobody's value stands on any of them; people are named by reference."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.core.paginator import Page
from django.db.models import Count
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry.admin.paging import BoundedPaginator
from registry.admin.subject_page import Badge, Shown
from registry.audience import handing
from registry.models import (
    Country,
    DataCategory,
    DataSubject,
    Recipient,
    RecipientNotice,
    Transfer,
    TransferLine,
)
from registry.transfers import notices
from registry.transfers.gate import DAMAGED, REASONS

State = Transfer.State
TONES = {
    State.WAITING: "soon", State.BUILDING: "soon", State.READY: "ok", State.SENDING: "soon", State.TAKEN: "ok",
    State.FAILED: "bad",
}  # fmt: skip
GIVEN = [State.TAKEN, State.SENDING]
BY_PROGRAM = {
    handing.FEED: gettext_lazy("changes of a mailing list, fetched by a program"),
    handing.PLAIN: gettext_lazy("who must not be written to, fetched by a program"),
    handing.HASHED: gettext_lazy("who must not be written to, as digests, fetched by a program"),
}
SOON = timedelta(days=30)  # a contract that ends is seen so long before
PAGE = 100  # lines on one page
MOST = 20  # rows of a part of another page


def badge_of(row: Transfer) -> Badge:
    return TONES.get(State(row.state), ""), row.get_state_display()


def progress_of(row: Transfer) -> Badge:
    """The state; of a file that is being built how far it is."""
    tone, state = badge_of(row)
    if row.state != State.BUILDING:
        return tone, state
    return tone, _("being built: %(written)s of %(people)s") % numbers(row)


def numbers(row: Transfer) -> dict[str, str]:
    """How many people are written, and of how many, as a reader writes numbers."""
    return {name: number_format(getattr(row, name), force_grouping=True) for name in ("written", "people")}


def contract_badge(recipient: Recipient, today: date) -> Badge:
    """Whether there is a contract, and until when."""
    if recipient.kind in {Recipient.Kind.STATE_BODY, Recipient.Kind.OWN}:
        return "", _("not needed")
    if not (recipient.contract_number and recipient.contract_on):
        return "bad", _("no contract")
    if recipient.contract_on > today:
        return "soon", _("from: %(day)s") % {"day": _day(recipient.contract_on)}
    until = recipient.contract_until
    if until is None:
        return "ok", _("without an end")
    if until < today:
        return "bad", _("ended: %(day)s") % {"day": _day(until)}
    return "soon" if until <= today + SOON else "ok", _("until: %(day)s") % {"day": _day(until)}


def _day(day: date) -> str:
    return date_format(day, "SHORT_DATE_FORMAT")


def what_for(row: Transfer) -> str:
    """Why it was asked for: in somebody's words, or what a program fetches."""
    return str(BY_PROGRAM.get(row.reason, row.reason) if row.key_id else row.reason)


def reasons(counted: dict[str, int]) -> list[tuple[str | Promise, int]]:
    """Why people stayed and how many, in the order the gate asks."""
    return [(told, counted[code]) for code, told in REASONS.items() if counted.get(code)]


Stayed = tuple[str | Promise, str, int]  # why, when it was found out, how many people


def stayed(row: Transfer) -> list[Stayed]:
    """Who is not in the file and why: when it was asked for, built, and fetched."""
    damaged = {DAMAGED: row.left_out.get(DAMAGED, 0)}
    parts = [
        (_("when it was asked for"), reasons({code: row.left_out[code] for code in row.left_out if code != DAMAGED})),
        (_("while it was built"), reasons(damaged)),
        (_("before it was fetched"), reasons(_lost(row))),
    ]
    return [(reason, moment, people) for moment, found in parts for reason, people in found]


def _lost(row: Transfer) -> dict[str, int]:
    """Who lost the ground before the file was fetched. Nothing is read where nobody did."""
    if row.state != State.TAKEN or row.written == row.people:
        return {}
    lost = TransferLine.objects.filter(transfer=row).exclude(dropped__in=["", DAMAGED]).order_by()
    return dict(lost.values_list("dropped").annotate(Count("pk")))


def lines(row: Transfer, number: str | None) -> Page:
    """One page of who is in it, with what allowed it, each beside why they are not in the file after all."""
    of_this = TransferLine.objects.filter(transfer=row).order_by("place")
    page = BoundedPaginator(of_this.select_related("subject"), PAGE).get_page(number)
    page.object_list = [(line, REASONS.get(line.dropped, "")) for line in page.object_list]
    return page


def categories(row: Transfer) -> list[DataCategory]:
    return list(DataCategory.objects.filter(code__in=row.categories).order_by("pk"))


def country_of(row: Transfer) -> Country | str:
    """Where it went: what the recipient's country was then."""
    if row.recipient.country_id == row.country:
        return row.recipient.country
    return Country.objects.filter(pk=row.country).first() or row.country


def notice_badge(notice: RecipientNotice, today: date) -> Badge:
    """How far it is, and by when."""
    if notice.acknowledged_at:
        return "ok", _("confirmed")
    if notice.due_on < today:
        return "bad", _("late; due: %(day)s") % {"day": _day(notice.due_on)}
    said = _("told; due: %(day)s") if notice.sent_at else _("to be told; due: %(day)s")
    return "soon", said % {"day": _day(notice.due_on)}


def given_to(notice: RecipientNotice) -> list[Transfer]:
    """The transfers with which this recipient got this person's data, the newest first."""
    found = TransferLine.objects.filter(subject=notice.subject_id, dropped="", transfer__state__in=GIVEN)
    mine = found.filter(transfer__recipient=notice.recipient_id).select_related("transfer")
    return [line.transfer for line in mine.order_by("-pk")[:MOST]]


def of_person(subject: DataSubject, now: datetime) -> Shown:
    """Every transfer this person was asked for in, the newest first: given, or why not. One query."""
    found = TransferLine.objects.filter(subject=subject).select_related("transfer__recipient", "transfer__purpose")
    some = list(found.order_by("-pk")[: MOST + 1])
    return {"rows": [(line.transfer, _went(line)) for line in some[:MOST]], "has_more": len(some) > MOST}


def _went(line: TransferLine) -> Badge:
    if line.dropped:
        return "", _("left out: %(reason)s") % {"reason": REASONS.get(line.dropped, line.dropped)}
    return badge_of(line.transfer)


def after_erasure(subject: DataSubject) -> dict[str, Any]:
    """For the act: which recipients are told, and whether data were given to anybody at all."""
    told = RecipientNotice.objects.filter(subject=subject, event=notices.Event.ERASED)
    given = TransferLine.objects.filter(subject=subject, dropped="", transfer__state__in=GIVEN)
    return {
        "told": _once_each(told.select_related("recipient").order_by("-pk")[:MOST]),
        "was_given": given.exists(),
    }


def _once_each(rows: Iterable[RecipientNotice]) -> list[RecipientNotice]:
    """The newest notice of each recipient."""
    return list({row.recipient_id: row for row in reversed(list(rows))}.values())
