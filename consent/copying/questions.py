"""The questions of confirmation, askings anew, and e-mail to the contact mailbox."""

from collections.abc import Iterator

from django.db.models import Q
from django.utils.translation import gettext_lazy

from consent.copying.acts import answered, representative
from consent.mailbox import originals
from consent.models import CampaignMember, Confirmation, ReceivedMail
from registry.models import DataCategory
from registry.requests.copying.parts import PORTION, Row, Whose, add, kept_as_file, staff, word


@add(
    "questions",
    position=44,
    title=gettext_lazy("Questions whether it was you"),
    about=gettext_lazy("Before a consent counts we ask whether it is really yours: the questions and the answers."),
    headings={
        "id": gettext_lazy("number"),
        "way": gettext_lazy("confirmed by"),
        "language": gettext_lazy("language"),
        "asked_at": gettext_lazy("asked at"),
        "expires_at": gettext_lazy("expires at"),
        "answer": gettext_lazy("answer"),
        "answered_at": gettext_lazy("answered at"),
        "wrong_codes": gettext_lazy("wrong codes"),
        "representative": gettext_lazy("also asked"),
        "comes_of_age_at": gettext_lazy("comes of age at"),
        "address_confirmed_at": gettext_lazy("address confirmed at"),
        "entered_by": gettext_lazy("entered by"),
        "checked_by": gettext_lazy("checked by"),
        "scan": gettext_lazy("number of the scan"),
    },
)
def questions(whose: Whose) -> Iterator[Row]:
    theirs = Q(subject=whose.subject) | Q(pk__in=answered(whose))
    for row in Confirmation.objects.filter(theirs).order_by("pk").iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "way": word(row, "way"),
            "language": row.language,
            "asked_at": row.asked_at,
            "expires_at": row.expires_at,
            "answer": word(row, "answer"),
            "answered_at": row.answered_at,
            "wrong_codes": row.attempts,
            "representative": representative(row.representative_id),
            "comes_of_age_at": row.adult_at,
            "address_confirmed_at": row.owned_at,
            "entered_by": staff(row.entered_by_id),
            "checked_by": staff(row.checked_by_id),
            "scan": row.document_id,
        }


@add(
    "asked_anew",
    position=46,
    title=gettext_lazy("Asked anew after a wider policy"),
    headings={
        "id": gettext_lazy("number"),
        "policy": gettext_lazy("policy version"),
        "asked_at": gettext_lazy("asked at"),
        "answered_at": gettext_lazy("answered at"),
    },
    is_table=True,
)
def asked_anew(whose: Whose) -> Iterator[Row]:
    rows = CampaignMember.objects.filter(subject=whose.subject)
    for row in rows.order_by("pk").values("pk", "campaign__policy__number", "asked_at", "answered_at"):
        moments = {"asked_at": row["asked_at"], "answered_at": row["answered_at"]}
        yield {"id": row["pk"], "policy": row["campaign__policy__number"], **moments}


@kept_as_file(DataCategory.Kind.MAIL)
def _message(kept: str) -> tuple[str, bytes]:
    """As it came; of one too large for that, its text."""
    raw = originals.from_text(kept)
    return ("txt", kept.encode()) if raw is None else ("eml", raw)


@add(
    "received_mail",
    position=66,
    title=gettext_lazy("E-mail messages you sent us"),
    about=gettext_lazy("“Value” is the number under “Your data” of the message itself, as long as it is kept."),
    headings={
        "id": gettext_lazy("number"),
        "request": gettext_lazy("request"),
        "arrived_at": gettext_lazy("arrived at"),
        "read_at": gettext_lazy("read at"),
        "size": gettext_lazy("size, bytes"),
        "state": gettext_lazy("state"),
        "reason": gettext_lazy("reason"),
        "value": gettext_lazy("value"),
        "resolved_at": gettext_lazy("resolved at"),
    },
    is_table=True,
)
def received_mail(whose: Whose) -> Iterator[Row]:
    rows = ReceivedMail.objects.filter(request__subject=whose.subject).select_related("request").order_by("pk")
    for row in rows.iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "request": row.request.number if row.request else None,
            "arrived_at": row.arrived_at,
            "read_at": row.seen_at,
            "size": row.size,
            "state": word(row, "state"),
            "reason": word(row, "why"),
            "value": row.datum_id,
            "resolved_at": row.resolved_at,
        }
