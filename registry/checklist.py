"""What is left to do before people's data may be collected, told by facts alone: nobody ticks anything.

What can't be seen from inside (a copy of the master key, a backup) is not on the list; docs/operations.md has it.

Called by: the console's page Today. Other packages add their steps with `add`.
Sources: policy clauses 3, 8, 28-29; Law 94-V art. 8(4), 25.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from registry import alarming, chain, jobs, recovery
from registry.figures import Board
from registry.models import (
    Appointment,
    Authenticator,
    DataCategory,
    Operator,
    OutgoingMessage,
    Passkey,
    ProcessingPurpose,
    PurgeRun,
    StaffMember,
)

Fact = Callable[[datetime, Board], bool]
SETTING_UP = "0"  # the order of the appointment the first administrator starts with (registry.first_login)
FOLDER = "config.mail_folder.EmailBackend"
ENOUGH_PEOPLE = 2  # whoever asks and whoever approves
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """One line. `model`: where in the console it is done, if it is done there."""

    code: str
    text: Any
    model: type[models.Model] | None
    fact: Fact


@dataclass(frozen=True)
class Seen:
    step: Step
    is_done: bool


steps: list[Step] = []


def add(code: str, text: Any, model: type[models.Model] | None = None) -> Callable[[Fact], Fact]:
    """Says how a step is seen to be done: called with the moment and the figures counted last."""

    def remember(fact: Fact) -> Fact:
        steps.append(Step(code, text, model, fact))
        return fact

    return remember


def look(now: datetime, board: Board) -> list[Seen]:
    """Every step and whether it is done at `now`. A constant number of queries, none of which reads people."""
    return [Seen(step, step.fact(now, board)) for step in steps]


@add("operator", gettext_lazy("The operator's details are filled in"), Operator)
def _operator(now: datetime, board: Board) -> bool:
    """What ships has no address, so a filled-in one was looked through by somebody."""
    operator = Operator.objects.first()
    names = ("site", "contact_email", "address_kk", "address_ru", "address_en")
    return operator is not None and not operator.left_open() and all(getattr(operator, name) for name in names)


@add("responsible", gettext_lazy("The responsible person is named"), Operator)
def _responsible(now: datetime, board: Board) -> bool:
    return Operator.objects.exclude(responsible_person="").exists()


@add("purposes", gettext_lazy("Every purpose asked of people says all that the Law wants"), ProcessingPurpose)
def _purposes(now: datetime, board: Board) -> bool:
    asked = list(ProcessingPurpose.objects.asked_of_people(now))
    return bool(asked) and not any(_open_items(purpose) for purpose in asked)


def _open_items(purpose: ProcessingPurpose) -> list[str]:
    return purpose.left_open(purpose.categories.all(), purpose.recipients.all())


@add("people", gettext_lazy("Two people are appointed, with a role and a second factor"), Appointment)
def _two_people(now: datetime, board: Board) -> bool:
    return _at_work(now)[:ENOUGH_PEOPLE].count() == ENOUGH_PEOPLE


def _at_work(now: datetime) -> QuerySet[StaffMember]:
    """Appointed, with a role, and with something beyond a password to sign in with."""
    appointed = Exists(Appointment.objects.current(timezone.localdate(now)).filter(person=OuterRef("pk")))
    authenticator = Exists(Authenticator.objects.filter(person=OuterRef("pk"), confirmed_at__isnull=False))
    passkey = Exists(Passkey.objects.filter(person=OuterRef("pk")))
    has_role = Q(is_superuser=True) | Q(groups__isnull=False)
    return StaffMember.objects.filter(has_role, appointed, authenticator | passkey, is_active=True).distinct()


@add("appointment", gettext_lazy("The appointment for setting up is replaced by an order"), Appointment)
def _no_setting_up(now: datetime, board: Board) -> bool:
    return not setting_up(now).exists()


def setting_up(now: datetime) -> QuerySet[Appointment]:
    """The appointment a new registry starts with, while it lasts."""
    return Appointment.objects.current(timezone.localdate(now)).filter(order_number=SETTING_UP)


@add("reminders", gettext_lazy("A responsible person has an e-mail address: reminders and alarms arrive"), StaffMember)
def _reminders(now: datetime, board: Board) -> bool:
    return bool(alarming.officers())


@add("letters", gettext_lazy("A letter was sent by the mail server"), OutgoingMessage)
def _letters(now: datetime, board: Board) -> bool:
    return settings.EMAIL_BACKEND != FOLDER and board.one("letters", OutgoingMessage.State.SENT) > 0


@add("phones", gettext_lazy("Messages to phones have a gateway, or no number is asked for"))
def _phones(now: datetime, board: Board) -> bool:
    asked = ProcessingPurpose.objects.open(now).filter(is_public=True, categories__kind=DataCategory.Kind.PHONE)
    return bool(settings.SMS_URL) or not asked.exists()


@add("ledger", gettext_lazy("The erasure ledger is written outside the database"))
def _ledger(now: datetime, board: Board) -> bool:
    return recovery.state().lines > 0 and bool(chain.size_of(settings.LEDGER_FILE))


@add("purge", gettext_lazy("The daily purge has run in time"), PurgeRun)
def _purge(now: datetime, board: Board) -> bool:
    return jobs.has_succeeded("purge", since=now - jobs.LATE_AFTER["purge"])


@add("checkpoint", gettext_lazy("The audit is sealed, and checkpoints of it are written outside the database"))
def _checkpoint(now: datetime, board: Board) -> bool:
    is_there = bool(chain.size_of(settings.CHECKPOINTS_FILE))
    return is_there and jobs.has_succeeded("seal_audit", since=now - DAY)
