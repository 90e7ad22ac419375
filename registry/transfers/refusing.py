"""What cannot be transferred at all, whoever is in it: looked at before anybody is counted.

A recipient past its contract, data it may not have or the purpose does not need, a state body without number, date and
article, an incident that is not named, identified data for statistics. Ground o is for the operator's own system: at
home, for a purpose that rests on consent, and that system has no other ground.

Called by: registry.transfers, registry.audience. Sources: policy clauses 8, 13, 15, 16; Law 94-V art. 8, 15, 16.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from registry.models import DataCategory, Incident, PersonalDatum, ProcessingPurpose, Recipient, Transfer

Ground = Transfer.Ground
Standing = PersonalDatum.Standing
REFUSALS: dict[str, Promise] = {
    "contract": _("The contract of this recipient is not in force."),
    "incomplete": _("Choose the purpose and the data."),
    "not_allowed": _("This recipient may not be given these data."),
    "not_needed": _("The purpose does not need these data."),
    "closed": _("The purpose is closed."),
    "no_request": _("A state body names number and date of its request and the article it rests on."),
    "not_state_body": _("Only a state body can ask by law."),
    "no_incident": _("Name the incident."),
    "not_named": _("Consent to third parties is not asked for this purpose."),
    "statistics": _("For statistics nobody's data can be chosen: take the counts."),
    "not_own": _("Ground o is for the operator's own system, and that has no other ground."),
    "no_consent": _("Own mailing needs a purpose that rests on consent."),
    "no_links": _("Links to unsubscribe need e-mail addresses, ground a or o, and a purpose that rests on consent."),
}


@dataclass(frozen=True)
class Asked:
    """One transfer as it is asked for. `references`: only these people (None: everybody of the purpose). `by_program`:
    a program of the recipient fetches a mailing list."""

    recipient: Recipient
    ground: Ground
    purpose: ProcessingPurpose | None
    categories: tuple[DataCategory, ...] = ()
    references: tuple[str, ...] | None = None
    request_number: str = ""
    requested_on: date | None = None
    article: str = ""
    incident: Incident | None = None
    with_links: bool = False
    by_program: bool = False

    @property
    def is_mailing(self) -> bool:
        """Whether what goes is there to be written to."""
        return self.by_program or self.with_links or self.ground == Ground.OWN

    @property
    def standings(self) -> list[str]:
        """Which values may go. Nobody is written to at an address that somebody only typed in."""
        return [Standing.CONFIRMED.value] if self.is_mailing else [Standing.CONFIRMED.value, Standing.STATED.value]


def refusals(asked: Asked, now: datetime) -> list[Promise]:
    """Why this transfer cannot be at all, whoever is in it; empty if it can."""
    return [REFUSALS[code] for code in codes(asked, now)]


def codes(asked: Asked, now: datetime) -> list[str]:
    """The same for programs, in codes of REFUSALS."""
    found = {
        "contract": not asked.recipient.has_contract(timezone.localdate(now)),
        "incomplete": not (asked.purpose and asked.categories),
        "not_allowed": not _may_have(asked),
        "not_needed": not _is_needed(asked),
        "closed": not _is_open(asked, now),
        "no_request": _lacks_request(asked),
        "not_state_body": asked.ground == Ground.STATE_BODY and not _is_state_body(asked),
        "no_incident": asked.ground == Ground.PROTECTION and asked.incident is None,
        "not_named": _asks_no_consent(asked),
        "statistics": asked.ground == Ground.STATISTICS,
        "not_own": _is_own(asked) is not (asked.ground == Ground.OWN) and asked.ground != Ground.STATISTICS,
        "no_consent": asked.ground == Ground.OWN and not _rests_on_consent(asked),
        "no_links": asked.with_links and not _may_have_links(asked),
    }
    return [code for code, is_so in found.items() if is_so]


def _may_have(asked: Asked) -> bool:
    """A state body has what its article gives it; others what their contract names."""
    if _is_state_body(asked):
        return True
    allowed = set(asked.recipient.categories.values_list("pk", flat=True))
    return {category.pk for category in asked.categories} <= allowed


def _is_needed(asked: Asked) -> bool:
    if asked.purpose is None:
        return True  # said already
    contacts = asked.purpose.categories.filter(kind__in=DataCategory.CONTACTS)
    return {category.pk for category in asked.categories} <= set(contacts.values_list("pk", flat=True))


def _is_open(asked: Asked, now: datetime) -> bool:
    return asked.purpose is None or ProcessingPurpose.objects.open(now).filter(pk=asked.purpose.pk).exists()


def _is_state_body(asked: Asked) -> bool:
    return asked.recipient.kind == Recipient.Kind.STATE_BODY


def _is_own(asked: Asked) -> bool:
    return asked.recipient.kind == Recipient.Kind.OWN


def _lacks_request(asked: Asked) -> bool:
    has_all = bool(asked.request_number.strip() and asked.requested_on and asked.article.strip())
    return asked.ground == Ground.STATE_BODY and not has_all


def _asks_no_consent(asked: Asked) -> bool:
    """A partner is given what people agreed to: the purpose asks for it and names this recipient."""
    if asked.ground != Ground.PARTNER or asked.purpose is None:
        return False
    named = asked.purpose.recipients.filter(pk=asked.recipient.pk).exists()
    return asked.purpose.third_parties != ProcessingPurpose.Disclosure.ASKED or not named


def _rests_on_consent(asked: Asked) -> bool:
    return asked.purpose is None or asked.purpose.ground_id is None  # without a purpose it is refused anyway


def _may_have_links(asked: Asked) -> bool:
    has_email = any(category.kind == DataCategory.Kind.EMAIL for category in asked.categories)
    return asked.ground in (Ground.PARTNER, Ground.OWN) and has_email and _rests_on_consent(asked)
