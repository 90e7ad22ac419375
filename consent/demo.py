"""Invented people for a look around: the same ones every time, with dates relative to today.

Made by the operations themselves, so the demo holds nothing the product would not do.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from consent import decisions
from consent.models import Confirmation, ConsentRecord
from registry import blocking, holds
from registry.models import DataSubject, LegalGround, LegalHold, OutgoingMessage, ProcessingPurpose, StaffMember

NAMES = [
    "aigul", "nurlan", "asel", "gani", "quanysh", "omirbek", "ulan", "umit", "gulnar", "bekzat", "dauren", "zhanar",
    "anna", "ivan", "olga", "sergei", "natalya", "viktor", "john", "maria", "peter", "emma", "lucas", "nora",
]  # fmt: skip
DOMAINS = ["example.com", "example.org", "пример.example.com", "мысал.example.org"]  # reserved: nobody is there
PURPOSES = ["site-news", "feedback", "advertising", "service-quality"]
DAY = timedelta(days=1)


def load(people: int, now: datetime) -> Iterator[int]:
    """Adds `people` people; yields how many are there. Fixed seed. Letters to them are cancelled: nobody is there."""
    chance = random.Random(94)  # noqa: S311 (invented people, not keys)
    for number in range(people):
        with transaction.atomic():
            asked = _add(number, chance, now)
            letters = OutgoingMessage.objects.filter(subject__consents__confirmation=asked)
            OutgoingMessage.objects.filter(pk__in=letters).update(state=OutgoingMessage.State.CANCELLED)
        yield number + 1


def _add(number: int, chance: random.Random, now: datetime) -> Confirmation:
    asked = _ask(number, chance, now - chance.randrange(0, 700) * DAY)
    fate = chance.random()
    if fate < 0.08:
        return asked  # never answered
    if fate < 0.11:
        decisions.refuse(asked.pk, now=asked.asked_at + timedelta(hours=1))
        return asked
    answered_at = asked.asked_at + timedelta(minutes=chance.randrange(2, 600))
    if decisions.confirm(asked.pk, now=answered_at) == decisions.Outcome.DONE:
        person = asked.records.filter(act=ConsentRecord.Act.CONFIRMED)[0].subject
        _live_on(person, chance, answered_at, now)
    return asked


def _ask(number: int, chance: random.Random, at: datetime) -> Confirmation:
    values = {"email": f"{chance.choice(NAMES)}.{number}@{chance.choice(DOMAINS)}"}
    if chance.random() < 0.6:
        values["phone"] = f"8 (700) 000-{number // 100 % 100:02}-{number % 100:02}"
    codes = chance.sample(PURPOSES, chance.randrange(1, 4))
    purposes = list(ProcessingPurpose.objects.filter(code__in=codes))
    return decisions.ask(values, purposes, language=chance.choice(["kk", "kk", "ru", "ru", "en"]), now=at)


def _live_on(person: DataSubject, chance: random.Random, since: datetime, now: datetime) -> None:
    """Some withdraw, a few are blocked or held."""
    fate = chance.random()
    if fate < 0.2:
        at = since + (now - since) * chance.random()
        one = chance.choice([None, person.processing.exclude(purpose__code="confirmation")[0].purpose])
        decisions.withdraw(person, one, now=at, channel=ConsentRecord.Channel.ONE_CLICK)
    elif fate < 0.23:
        blocking.block(person, by=None, reason="demo", now=since)
    elif fate < 0.26:
        _hold(person, now)


def _hold(person: DataSubject, now: datetime) -> None:
    officer = StaffMember.objects.order_by("pk").first()
    if officer is None:
        return
    hold = LegalHold(subject=person, ground=LegalGround.objects.order_by("pk")[0], reason="demo", until=now + 90 * DAY)
    holds.place(hold, by=officer, now=now)
