"""The exact text a person is shown and agrees to (Law 94-V art. 8(4)), built from operator, purpose, data and term.

What is offered is composed when it is shown and frozen, by digest, when somebody answers to it; an edit of what it is
made of makes a new version. A purpose that leaves one item open is not offered. Short sentences with the facts after a
colon: names need no case endings in Kazakh and Russian.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from django.db import connection
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from consent.evidence import Place, place
from consent.models import PolicyVersion, Wording
from consent.unchanged import Kept
from registry import statements
from registry.models import Country, DataCategory, Operator, ProcessingPurpose
from registry.models.texts import LANGUAGES

ASKED = ProcessingPurpose.Disclosure.ASKED
CONFIRMATION = "confirmation"  # the purpose an unconfirmed address is held for
NEXT_VERSION = """
    INSERT INTO consent_wording (digest, purpose_id, policy_id, language, version, text, third_parties_text,
        cross_border_text, public_sources_text, categories, recipients, countries)
    SELECT %(digest)s, %(purpose)s, %(policy)s, %(language)s,
        1 + (SELECT count(*) FROM consent_wording WHERE purpose_id = %(purpose)s AND language = %(language)s),
        %(text)s, %(third_parties_text)s, %(cross_border_text)s, %(public_sources_text)s,
        %(categories)s, %(recipients)s, %(countries)s
    ON CONFLICT (digest) DO NOTHING
"""


@dataclass(frozen=True)
class Text:
    """What would be shown for one purpose now: the text, its ticks by name, and the codes of what they name."""

    purpose: ProcessingPurpose
    policy: PolicyVersion
    language: str
    text: str
    ticks: dict[str, str]
    categories: list[str]
    recipients: list[str]
    countries: list[str]

    @property
    def digest(self) -> str:
        return digest(self.purpose.code, self.policy, self.language, [self.text, *self.ticks.values()])


@dataclass(frozen=True)
class Offer:
    """What the consent form offers at one moment in one language, by code of the purpose, in order."""

    policy: PolicyVersion
    operator: Operator
    language: str
    texts: dict[str, Text]
    wordings: dict[str, Wording]  # those of them that somebody answered to before, by digest
    waiting: ProcessingPurpose  # what an address is held for until it answers
    evidence: Place | None  # where it is kept what an answer came from

    @cached_property
    def contacts(self) -> list[DataCategory]:
        """What the purposes need people to be reached at, by code."""
        needed = {category for text in self.texts.values() for category in text.purpose.categories.all()}
        contacts = (category for category in needed if category.kind in DataCategory.CONTACTS)
        return sorted(contacts, key=lambda category: category.code)


@Kept
def offer(now: datetime, language: str) -> Offer:
    """Everything that may be asked at `now`. One query, where nothing has changed since it was composed."""
    texts_unread = (f"text_{code}" for code in LANGUAGES)
    policy = PolicyVersion.objects.defer(*texts_unread).in_force(now)
    operator = Operator.objects.get()
    complete = [one for one in ProcessingPurpose.objects.asked_of_people(now) if not missing(one, operator)]
    texts = {purpose.code: compose(purpose, policy, operator, language) for purpose in complete}
    wordings = _stored(text.digest for text in texts.values())
    waiting = ProcessingPurpose.objects.get(code=CONFIRMATION)
    return Offer(policy, operator, language, texts, wordings, waiting, place(now))


def missing(purpose: ProcessingPurpose, operator: Operator) -> list[str]:
    """What a consent to this purpose would leave open, in the active language; empty if it may be offered."""
    return [*operator.left_open(), *purpose.left_open(purpose.categories.all(), purpose.recipients.all())]


def lacking(text: Text, agreed: Wording) -> dict[str, list[str]]:
    """What `text` names, or asks a tick for, and the wording agreed to does not, by code; only what is not empty."""
    names = ("recipients", "countries", "categories")
    more = {name: sorted(set(getattr(text, name)) - set(getattr(agreed, name))) for name in names}
    more["ticks"] = [name for name in text.ticks if not agreed.tick_text(name)]
    return {name: codes for name, codes in more.items() if codes}


def widens(text: Text, agreed: Wording) -> bool:
    """Whether `text` asks for more than the wording agreed to: then it is asked anew."""
    return bool(lacking(text, agreed))


def compose(purpose: ProcessingPurpose, policy: PolicyVersion, operator: Operator, language: str) -> Text:
    """The consent text for one purpose in one language."""
    recipients = list(purpose.recipients.all()) if purpose.third_parties == ASKED else []
    abroad = [one.country for one in recipients if one.is_abroad] if purpose.cross_border == ASKED else []
    countries = sorted({country.code: country for country in abroad}.values(), key=lambda country: country.code)
    with override(language):
        ticks = {
            "third_parties": _third_parties(purpose),
            "cross_border": _cross_border(countries),
            "public_sources": _public_sources(purpose),
        }
        return Text(
            purpose,
            policy,
            language,
            _main(purpose, operator),
            {name: text for name, text in ticks.items() if text},
            categories=[category.code for category in purpose.categories.all()],
            recipients=[recipient.code for recipient in recipients],
            countries=[country.code for country in countries],
        )


def _main(purpose: ProcessingPurpose, operator: Operator) -> str:
    separately = _("only with a separate tick")
    return _(
        "I agree to the collection and processing of my personal data. Operator: %(operator)s, BIN %(bin)s. "
        "Purpose: %(purpose)s. Data: %(data)s. Term of consent: %(term)s. Third parties: %(third_parties)s. "
        "Cross-border transfer: %(cross_border)s. Public sources: %(public_sources)s."
    ) % {
        "operator": operator.text("legal_name").rstrip("."),
        "bin": operator.bin,
        "purpose": purpose.text("name"),
        "data": ", ".join(category.text("name") for category in purpose.categories.all()),
        "term": term(purpose),
        "third_parties": separately if purpose.third_parties == ASKED else _("not given to them"),
        "cross_border": separately if purpose.cross_border == ASKED else _("none"),
        "public_sources": separately if purpose.public_sources == ASKED else _("not published"),
    }


def _third_parties(purpose: ProcessingPurpose) -> str:
    if purpose.third_parties != ASKED:
        return ""
    named = ", ".join(f"{one.text('name')} ({one.country.text('name')})" for one in purpose.recipients.all())
    return _("I agree that these data may be given to third parties: %(recipients)s.") % {"recipients": named}


def _cross_border(countries: list[Country]) -> str:
    if not countries:
        return ""
    return _("I agree that these data may be sent abroad: %(countries)s.") % {
        "countries": ", ".join(map(_with_protection, countries))
    }


def _with_protection(country: Country) -> str:
    """A country that does not ensure protection is named as such (Law 94-V art. 16(2))."""
    if country.is_protecting:
        return country.text("name")
    return _("%(country)s (protection of personal data is not ensured there)") % {"country": country.text("name")}


def _public_sources(purpose: ProcessingPurpose) -> str:
    if purpose.public_sources != ASKED:
        return ""
    return _("I agree that these data may be published in public sources.")


def term(purpose: ProcessingPurpose) -> str:
    """How long the consent lasts, in the active language."""
    if purpose.clock == ProcessingPurpose.Clock.FIXED and purpose.ends_on:
        return _("until %(day)s, that day included") % {"day": date_format(purpose.ends_on, "SHORT_DATE_FORMAT")}
    length = {"n": purpose.term_value}
    is_days = purpose.term_unit == ProcessingPurpose.TermUnit.DAYS
    how_long = _length(purpose.term_value, is_days=is_days) % length if purpose.term_value else ""
    since: dict[str, str] = {
        ProcessingPurpose.Clock.CONSENT_WITHDRAWN: _("until it is withdrawn; data kept after that: %(length)s"),
        ProcessingPurpose.Clock.PURPOSE_CLOSED: _("until the purpose is achieved; data kept after that: %(length)s"),
        ProcessingPurpose.Clock.LAST_CONTACT: _("after your last contact with us: %(length)s"),
        ProcessingPurpose.Clock.ASKED: _("from the day it was recorded: %(length)s"),
        ProcessingPurpose.Clock.CLOSED: _("after the request is closed: %(length)s"),
    }
    if purpose.clock in since:
        return since[purpose.clock] % {"length": how_long or _("not at all")}
    if is_days:
        text = ngettext("%(n)d day from the day of consent", "%(n)d days from the day of consent", purpose.term_value)
    else:
        text = ngettext(
            "%(n)d month from the day of consent", "%(n)d months from the day of consent", purpose.term_value
        )
    return text % length


def _length(number: int, *, is_days: bool) -> str:
    return ngettext("%(n)d day", "%(n)d days", number) if is_days else ngettext("%(n)d month", "%(n)d months", number)


def digest(purpose_code: str, policy: PolicyVersion, language: str, texts: Iterable[str]) -> str:
    """SHA-256, hex, over purpose, policy version and its digest, language, text and texts of ticks, a line each.

    verify_receipt.py computes the same from the files of an evidence bundle.
    """
    return sha256(digested(purpose_code, policy, language, texts)).hexdigest()


def digested(purpose_code: str, policy: PolicyVersion, language: str, texts: Iterable[str]) -> bytes:
    """The very bytes the digest is over."""
    return "\n".join([purpose_code, str(policy.number), policy.digest_kk, language, *texts]).encode()


def frozen(texts: Iterable[Text], known: Mapping[str, Wording]) -> dict[str, Wording]:
    """The stored wordings of what is shown, by code of the purpose; stored the first time somebody answers to them.
    `known`: such as were stored before, by digest.

    In one order for everybody: two who store the same new wordings the other way round would wait for each other.
    """
    by_digest = {text.digest: text for text in sorted(texts, key=lambda text: text.purpose.pk)}
    if not by_digest.keys() <= known.keys():
        known = _stored(by_digest)
        for key in [key for key in by_digest if key not in known]:
            _store(key, by_digest[key])
        if len(known) < len(by_digest):
            known = _stored(by_digest)
    return {text.purpose.code: known[key] for key, text in by_digest.items()}


def _stored(digests: Iterable[str]) -> dict[str, Wording]:
    return {one.digest: one for one in statements.select(Wording, "digest = ANY(%s)", list(digests))}


def _store(key: str, text: Text) -> None:
    ticks = {f"{name}_text": text.ticks.get(name, "") for name in Wording.TICKS}
    lists = {"categories": text.categories, "recipients": text.recipients, "countries": text.countries}
    whose: dict[str, Any] = {"digest": key, "purpose": text.purpose.pk, "policy": text.policy.pk}
    with connection.cursor() as cursor:
        cursor.execute(NEXT_VERSION, {**whose, **ticks, **lists, "language": text.language, "text": text.text})
