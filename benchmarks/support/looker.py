"""Somebody who looks before destroying, as the application's role: preview, keeping it, simulating a rule. Timed, with
the memory it took."""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402  the settings come first

from registry import previewing  # noqa: E402
from registry.models import ProcessingPurpose  # noqa: E402
from registry.simulating import RULE, Proposal, simulate  # noqa: E402


def main() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now FROM bench.moment")
        (moment,) = cursor.fetchone()
    print("ready", flush=True)
    sys.stdin.readline()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    preview, summary = timed(lambda: previewing.summarise(previewing.lines(moment)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    keep, kept = timed(lambda: previewing.keep(moment, taken_at=moment))
    simulation, seen = timed(lambda: simulate(shorter("bench-news"), moment))
    if (kept.digest, kept.data) != (summary.digest, summary.data):
        raise AssertionError("the kept preview is another one")
    times = {"preview": preview, "keep": keep, "simulation": simulation, "memory": memory}
    print(json.dumps(times | {"data": summary.data, "newly_due": sum(seen.newly_due.values())}), flush=True)


def shorter(code: str) -> Proposal:
    """This purpose with a month less."""
    purpose = ProcessingPurpose.objects.get(code=code)
    rule = {field: getattr(purpose, field) for field in RULE} | {"term_value": purpose.term_value - 1}
    return Proposal(purpose, categories=tuple(purpose.categories.values_list("pk", flat=True)), **rule)


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    outcome = act()
    return time.perf_counter() - start, outcome


if __name__ == "__main__":
    main()
