"""The exact text a person is shown and agrees to (Law 94-V art. 8(4)), built from operator, purpose, data and term.

Short sentences with the facts after a colon: names need no case endings in Kazakh and Russian.
"""

from hashlib import sha256

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
    length = purpose.term_value
    if purpose.term_unit == ProcessingPurpose.TermUnit.DAYS:
        text = ngettext("%(n)d day from the day of consent", "%(n)d days from the day of consent", length)
    else:
        text = ngettext("%(n)d month from the day of consent", "%(n)d months from the day of consent", length)
    return text % {"n": length}


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
