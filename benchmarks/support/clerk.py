"""A member of the staff at the console: makes the newest people, counts the figures of Today, then opens every page.

Beside the pages stands what makes a person, asked and confirmed: no step of it may look through everybody.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402  the settings come first
from django.db import connection  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.support.crowd import PURPOSE  # noqa: E402
from benchmarks.support.terminal import say  # noqa: E402
from consent import decisions  # noqa: E402
from registry import figures  # noqa: E402
from registry.models import DataSubject, ProcessingPurpose  # noqa: E402
from tests.factories import enter, staff  # noqa: E402

NEWEST = 60  # people: more than a page of the list
REPEAT = 15


def main() -> None:
    (number,) = sys.argv[1:]
    made = make_people(number)
    say(f"  figures counted in {timed(lambda: figures.count(timezone.now())) / 1000:.1f} s")
    client = Client(HTTP_HOST=settings.ALLOWED_HOSTS[0])
    enter(client, staff(f"clerk{number}"))
    print("ready", flush=True)
    sys.stdin.readline()
    seen = {name: measure(visit) for name, visit in pages(client, number).items()}
    print(json.dumps(seen | {"asked and confirmed": made}), flush=True)


def make_people(number: str) -> dict[str, float]:
    """The newest ones; the median time in ms of one, and its queries."""
    purpose = ProcessingPurpose.objects.get(code=PURPOSE)
    times = [timed(partial(make_person, purpose, address(number, one))) for one in range(NEWEST)]
    with CaptureQueriesContext(connection) as queries:
        make_person(purpose, address(number, NEWEST))
    return {"ms": median(times), "queries": len(queries)}


def make_person(purpose: ProcessingPurpose, email: str) -> None:
    now = timezone.now()
    asked = decisions.ask({"email": email}, [purpose], language="kk", now=now)
    decisions.confirm(asked.pk, now=now)


def address(number: str, one: int) -> str:
    return f"newest{one}@round{number}.example.kz"


def pages(client: Client, number: str) -> dict[str, Callable[[], Any]]:
    person = DataSubject.objects.latest("pk")
    people, audit = reverse("admin:registry_datasubject_changelist"), reverse("admin:registry_auditentry_changelist")
    one = reverse("admin:registry_datasubject_change", args=[person.pk])
    return {
        "today": lambda: client.get(reverse("admin:index")),
        "people": lambda: client.get(people),
        "people, filtered": lambda: client.get(people, {"status__exact": "blocked"}),
        "search": lambda: client.post(reverse("admin:find"), {"term": address(number, 7)}),
        "person": lambda: client.get(one),
        "audit": lambda: client.get(audit),
        "audit, filtered": lambda: client.get(audit, {"operation__exact": "search"}),
    }


def measure(visit: Callable[[], HttpResponse]) -> dict[str, float]:
    """The median time in ms, and the queries of one visit."""
    for _ in range(2):  # keys, templates, translations: once for a process
        answer = visit()
        if answer.status_code not in {200, 302} or "/sign-in/" in answer.get("Location", ""):
            raise AssertionError(f"answered {answer.status_code}: {answer.content[:500]!r}")
    with CaptureQueriesContext(connection) as queries:
        visit()
    asked = len(queries)  # before the next visit, which empties the log
    return {"ms": median(timed(visit) for _ in range(REPEAT)), "queries": asked}


def timed(visit: Callable[[], Any]) -> float:
    start = time.perf_counter()
    visit()
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    main()
