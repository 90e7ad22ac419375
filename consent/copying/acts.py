"""The acts of consent, their receipts, and those for somebody else."""

from collections.abc import Iterator

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consent import links
from consent.models import ConsentRecord, Wording
from registry.models.texts import LANGUAGES
from registry.requests.copying.parts import PORTION, Link, Row, Whose, Word, add, purpose_word, staff, word

POLICY_TEXTS = [f"wording__policy__text_{language}" for language in LANGUAGES]


def answered(whose: Whose) -> list[int]:
    """The questions this person answered: some were asked before it was known who it was, and stand under a claim."""
    theirs = ConsentRecord.objects.filter(subject=whose.subject, confirmation__isnull=False).order_by()
    return list(theirs.values_list("confirmation", flat=True).distinct())


def representative(subject_id: int | None) -> Word | None:
    return Word("representative", _("your legal representative")) if subject_id else None


@add(
    "consents",
    position=40,
    title=gettext_lazy("Consents"),
    about=gettext_lazy("Every time you were asked, agreed, refused or withdrew, with the very text you were shown."),
    headings={
        "id": gettext_lazy("number"),
        "purpose": gettext_lazy("processing purpose"),
        "act": gettext_lazy("act"),
        "at": gettext_lazy("at"),
        "channel": gettext_lazy("channel"),
        "site": gettext_lazy("site"),
        "language": gettext_lazy("language"),
        "policy": gettext_lazy("policy version"),
        "text": gettext_lazy("text shown"),
        "ticks": gettext_lazy("ticks"),
        "represented_by": gettext_lazy("given by"),
        "entered_by": gettext_lazy("entered by"),
        "checked_by": gettext_lazy("checked by"),
        "question": gettext_lazy("question of confirmation"),
        "technical_data": gettext_lazy("number of the technical data"),
        "wording_version": gettext_lazy("version of the text"),
        "wording_digest": gettext_lazy("digest of the text"),
        "scan_digest": gettext_lazy("digest of the scan"),
        "place": gettext_lazy("place in the chain"),
        "digest": gettext_lazy("digest"),
    },
    details={"tick": gettext_lazy("tick"), "ticked": gettext_lazy("ticked"), "text": gettext_lazy("text")},
    unshown=["wording_digest", "scan_digest", "digest"],
)
def consents(whose: Whose) -> Iterator[Row]:
    theirs = Q(subject=whose.subject) | Q(confirmation__in=answered(whose))
    records = ConsentRecord.objects.filter(theirs).select_related("purpose", "wording__policy")
    for record in records.defer(*POLICY_TEXTS).order_by("pk").iterator(chunk_size=PORTION):
        yield {
            "id": record.pk,
            "purpose": purpose_word(record.purpose),
            "act": word(record, "act"),
            "at": record.at,
            "channel": word(record, "channel"),
            "site": record.site,
            "language": record.language,
            **_shown(record),
            "represented_by": representative(record.represented_by_id),
            "entered_by": staff(record.entered_by_id),
            "checked_by": staff(record.checked_by_id),
            "question": record.confirmation_id,
            "technical_data": record.evidence_id,
            "scan_digest": record.document_digest,
            "place": record.place,
            "digest": record.digest,
        }


def _shown(record: ConsentRecord) -> Row:
    """What the act was about: the wording, and which of its ticks were set. Nothing was shown for a withdrawal."""
    shown = record.wording
    if shown is None:
        return dict.fromkeys(["policy", "text", "ticks", "wording_version", "wording_digest"])
    asked = {name: text for name in Wording.TICKS if (text := shown.tick_text(name))}
    return {
        "policy": shown.policy.number,
        "text": shown.text,
        "ticks": [{"tick": name, "ticked": getattr(record, name), "text": text} for name, text in asked.items()],
        "wording_version": shown.version,
        "wording_digest": shown.digest,
    }


@add(
    "receipts",
    position=42,
    title=gettext_lazy("Receipts"),
    about=gettext_lazy("Signed statements of what you agreed to. Each lies on its page, with what has become of it."),
    headings={
        "id": gettext_lazy("identifier"),
        "number": gettext_lazy("number"),
        "issued_at": gettext_lazy("issued at"),
        "language": gettext_lazy("language"),
        "page": gettext_lazy("page"),
        "consents": gettext_lazy("consent records"),
        "digest": gettext_lazy("digest"),
        "signature": gettext_lazy("signature"),
    },
    unshown=["digest", "signature"],
)
def receipts(whose: Whose) -> Iterator[Row]:
    for row in whose.subject.receipts.order_by("pk").iterator(chunk_size=PORTION):
        yield {
            "id": row.pk,
            "number": row.number,
            "issued_at": row.issued_at,
            "language": row.language,
            "page": Link(links.receipt_url(row.pk, whose.request.language)),
            "consents": row.records,
            "digest": row.digest,
            "signature": row.signature,
        }


@add(
    "representations",
    position=48,
    title=gettext_lazy("What you agreed to for somebody else"),
    about=gettext_lazy("As a legal representative. Whom you answered for is not your data, so it is not told here."),
    headings={
        "id": gettext_lazy("number"),
        "purpose": gettext_lazy("processing purpose"),
        "act": gettext_lazy("act"),
        "at": gettext_lazy("at"),
    },
    is_table=True,
)
def representations(whose: Whose) -> Iterator[Row]:
    acts = ConsentRecord.objects.filter(represented_by=whose.subject).select_related("purpose").order_by("pk")
    for row in acts.iterator(chunk_size=PORTION):
        yield {"id": row.pk, "purpose": purpose_word(row.purpose), "act": word(row, "act"), "at": row.at}
