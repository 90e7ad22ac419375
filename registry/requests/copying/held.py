"""The registry's own parts: who the person is to us, their values and files."""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import reasons, scans
from registry.keyring import keyring
from registry.models import DataCategory, LegalGround, PersonalDatum, RetentionDue
from registry.requests.copying.parts import (
    Link,
    Row,
    Whose,
    Word,
    add,
    file_makers,
    kept_as_file,
    purpose_word,
    staff,
    word,
)
from registry.sealing import SealError

FEW = 50  # sealed values in memory


def consent() -> Word:
    return Word("consent", _("your consent"))


def ground_word(ground: LegalGround | None) -> Word | None:
    return Word(ground.code, str(ground)) if ground else None


@add(
    "identity",
    position=10,
    title=gettext_lazy("Who you are to us"),
    about=gettext_lazy("We know you by a reference. It says nothing about you to anybody else."),
    headings={
        "id": gettext_lazy("number"),
        "reference": gettext_lazy("reference"),
        "language": gettext_lazy("language"),
        "status": gettext_lazy("status"),
        "since": gettext_lazy("in the registry since"),
        "looked_at_next": gettext_lazy("looked through for what must be destroyed: at the latest"),
    },
)
def identity(whose: Whose) -> Iterator[Row]:
    subject = whose.subject
    yield {
        "id": subject.pk,
        "reference": subject.reference,
        "language": subject.language,
        "status": word(subject, "status"),
        "since": subject.created_at,
        "looked_at_next": RetentionDue.objects.filter(pk=subject.pk).values_list("due_at", flat=True).first(),
    }


@add(
    "values",
    position=20,
    title=gettext_lazy("Your data"),
    about=gettext_lazy(
        "Every value we hold about you, also one that a newer value has replaced: where it came from, why it is kept "
        "and until when. Scans and e-mail messages are files of this copy."
    ),
    headings={
        "id": gettext_lazy("number"),
        "category": gettext_lazy("data category"),
        "value": gettext_lazy("value"),
        "file": gettext_lazy("file"),
        "can_be_opened": gettext_lazy("can be opened"),
        "standing": gettext_lazy("standing"),
        "source": gettext_lazy("source"),
        "recorded_at": gettext_lazy("recorded at"),
        "recorded_by": gettext_lazy("recorded by"),
        "confirmed_at": gettext_lazy("confirmed at"),
        "superseded_at": gettext_lazy("superseded at"),
        "kept_because": gettext_lazy("kept because of"),
        "kept_until": gettext_lazy("kept until"),
        "goes_because": gettext_lazy("destroyed then because"),
    },
    details={
        "what": gettext_lazy("for what"),
        "ground": gettext_lazy("ground"),
        "since": gettext_lazy("since"),
        "until": gettext_lazy("until"),
        "rule_version": gettext_lazy("version of the retention rule"),
        "ip": gettext_lazy("network address"),
        "user_agent": gettext_lazy("browser"),
        "form_url": gettext_lazy("page of the form"),
    },
)
def values(whose: Whose) -> Iterator[Row]:
    """What is a file stays sealed here: `files` opens it."""
    why = reasons.why(whose.subject.data.defer("sealed"), whose.now)
    held, kinds = whose.subject.data.select_related("category", "key").order_by("pk"), list(file_makers)
    read = held.exclude(category__kind__in=kinds).iterator(chunk_size=FEW)
    filed = held.filter(category__kind__in=kinds).defer("sealed").iterator(chunk_size=FEW)
    return (_value(datum, why[datum.pk], whose) for datum in chain(read, filed))


def _value(datum: PersonalDatum, why: reasons.Why, whose: Whose) -> Row:
    is_file = datum.category.kind in file_makers
    value = None if is_file else opened(datum)
    file = whose.files.get(datum.pk)
    return {
        "id": datum.pk,
        "category": Word(datum.category.code, str(datum.category)),
        "value": value,
        "file": Link(file) if file else None,
        "can_be_opened": (file if is_file else value) is not None,
        "standing": word(datum, "standing"),
        "source": word(datum, "source"),
        "recorded_at": datum.recorded_at,
        "recorded_by": staff(datum.recorded_by_id),
        "confirmed_at": datum.confirmed_at,
        "superseded_at": datum.superseded_at,
        "kept_because": [*map(_keeper, why.keepers), *map(_hold, why.holds), *_own(why)],
        "kept_until": why.verdict.until,
        "goes_because": Word(why.verdict.ground, str(why.verdict.ground.label)),
    }


def opened(datum: PersonalDatum) -> Any:
    """The value; None where it does not open. Select `category` and `key`."""
    try:
        text = datum.unseal(keyring().masters)
    except SealError:
        return None
    return _fields(text) if datum.category.kind == DataCategory.Kind.TECHNICAL else text


def _fields(text: str) -> Any:
    """Technical data are several values in one."""
    try:
        fields = json.loads(text)
    except ValueError:
        return text
    return fields if isinstance(fields, dict) else text


def _keeper(keeper: reasons.Keeper) -> Row:
    return {
        "what": purpose_word(keeper.purpose),
        "ground": ground_word(keeper.ground) or consent(),
        "since": keeper.began_at,
        "until": keeper.until,
        "rule_version": keeper.rule_version,
    }


def _hold(hold: reasons.Hold) -> Row:
    what = Word("hold", _("legal hold"))
    return {"what": what, "ground": ground_word(hold.ground), "since": hold.since, "until": hold.until}


def _own(why: reasons.Why) -> Iterator[Row]:
    if why.own_end:
        yield {"what": Word(why.own_end.ground, str(why.own_end.ground.label)), "until": why.own_end.until}
    if why.is_blocked:
        yield {"what": Word("blocked", _("blocked"))}


def files(whose: Whose) -> Iterator[tuple[str, int, bytes]]:
    """Scans and e-mail messages: name in the copy, number of the datum, content. One at a time is in memory."""
    filed = whose.subject.data.filter(category__kind__in=list(file_makers)).order_by("pk")
    for datum in filed.select_related("category", "key").iterator(chunk_size=1):
        kind, text = datum.category.kind, opened(datum)
        if text is not None:
            ending, content = file_makers[kind](text)
            yield f"files/{kind}-{datum.pk}.{ending}", datum.pk, content


@kept_as_file(DataCategory.Kind.SCAN)
def _scan(text: str) -> tuple[str, bytes]:
    content = scans.from_text(text)
    return scans.ending(content) or "bin", content
