"""The exact text a person is shown and agrees to (Law 94-V art. 8(4)), built from operator, purpose, data and term.

Short sentences with the facts after a colon: names need no case endings in Kazakh and Russian.
"""

from hashlib import sha256

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from consent.models import PolicyVersion, Wording
from registry.models import Operator, ProcessingPurpose


def compose(purpose: ProcessingPurpose, operator: Operator, language: str) -> str:
    """The consent text for one purpose in one language."""
    with override(language):
        return _(
            "I agree to the collection and processing of my personal data. Operator: %(operator)s, BIN %(bin)s. "
            "Purpose: %(purpose)s. Data: %(data)s. Term of consent: %(term)s. Third parties: not given to them. "
            "Cross-border transfer: none. Public sources: not published."
        ) % {
            "operator": operator.text("legal_name").rstrip("."),
            "bin": operator.bin,
            "purpose": purpose.text("name"),
            "data": ", ".join(category.text("name") for category in purpose.categories.all()),
            "term": term(purpose),
        }


def term(purpose: ProcessingPurpose) -> str:
    """How long the consent lasts, in the active language."""
    if purpose.clock == ProcessingPurpose.Clock.FIXED and purpose.ends_on:
        return _("until %(day)s, that day included") % {"day": date_format(purpose.ends_on, "SHORT_DATE_FORMAT")}
    length = {"n": purpose.term_value}
    is_days = purpose.term_unit == ProcessingPurpose.TermUnit.DAYS
    how_long = _length(purpose.term_value, is_days=is_days) % length if purpose.term_value else ""
    if purpose.clock == ProcessingPurpose.Clock.CONSENT_WITHDRAWN:
        return _("until it is withdrawn; data kept after that: %(length)s") % {"length": how_long or _("not at all")}
    if purpose.clock == ProcessingPurpose.Clock.PURPOSE_CLOSED:
        return _("until the purpose is achieved; data kept after that: %(length)s") % {
            "length": how_long or _("not at all")
        }
    if purpose.clock == ProcessingPurpose.Clock.LAST_CONTACT:
        return _("after your last contact with us: %(length)s") % {"length": how_long}
    if is_days:
        text = ngettext("%(n)d day from the day of consent", "%(n)d days from the day of consent", purpose.term_value)
    else:
        text = ngettext(
            "%(n)d month from the day of consent", "%(n)d months from the day of consent", purpose.term_value
        )
    return text % length


def _length(number: int, *, is_days: bool) -> str:
    return ngettext("%(n)d day", "%(n)d days", number) if is_days else ngettext("%(n)d month", "%(n)d months", number)


def digest(purpose: ProcessingPurpose, policy: PolicyVersion, language: str, text: str) -> str:
    """SHA-256, hex, over purpose, policy version and its digest, language and text."""
    shown = "\n".join([purpose.code, str(policy.number), policy.digest_kk, language, text])
    return sha256(shown.encode()).hexdigest()


def shown(purpose: ProcessingPurpose, policy: PolicyVersion, operator: Operator, language: str) -> Wording:
    """The stored wording of what is shown now; stored once, the first time somebody answers to it."""
    text = compose(purpose, operator, language)
    return Wording.objects.get_or_create(
        digest=digest(purpose, policy, language, text),
        defaults={"purpose": purpose, "policy": policy, "language": language, "text": text},
    )[0]
