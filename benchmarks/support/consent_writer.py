"""Somebody who gives and withdraws consents of random people, one after the other, until told to stop; timed."""

import json
import random
import select
import sys
import time

import django

django.setup()

from django.db import transaction  # noqa: E402  the settings come first
from django.utils import timezone  # noqa: E402

from registry.models import DataSubject, Processing, ProcessingPurpose  # noqa: E402
from registry.processing import end_processing, lock_subjects, open_processing, refresh_due  # noqa: E402

WARM_UP = 50  # acts that are not counted


@transaction.atomic
def act(subject_id: int, purpose: ProcessingPurpose) -> None:
    """Withdraws what is open, gives what is not."""
    lock_subjects([subject_id])
    subject = DataSubject.objects.get(pk=subject_id)
    now = timezone.now()
    if not end_processing(subject, [purpose.pk], Processing.State.WITHDRAWN, now=now):
        open_processing(subject, purpose, now=now)
    refresh_due([subject_id])


def timed(subject_id: int, purpose: ProcessingPurpose) -> float:
    start = time.perf_counter()
    act(subject_id, purpose)
    return time.perf_counter() - start


def main() -> None:
    purpose = ProcessingPurpose.objects.get(code="bench-news")
    people = DataSubject.objects.latest("pk").pk
    choice = random.Random(people)
    for _ in range(WARM_UP):
        act(choice.randint(1, people), purpose)
    print("ready", flush=True)
    sys.stdin.readline()
    seconds = [timed(choice.randint(1, people), purpose)]
    while not select.select([sys.stdin], [], [], 0)[0]:
        seconds.append(timed(choice.randint(1, people), purpose))
    seconds.sort()
    answer = {"acts": len(seconds), "median": seconds[len(seconds) // 2], "p99": seconds[len(seconds) * 99 // 100]}
    print(json.dumps(answer | {"max": seconds[-1]}), flush=True)


if __name__ == "__main__":
    main()
