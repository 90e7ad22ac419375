"""Somebody who gives everybody of a purpose to a partner, as the application's role: through the gate, built, taken.

Timed, with the memory the process took at most. `hand` opens the same rows without us (`taken_by_hand`)."""

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import django

django.setup()

from django.db import transaction  # noqa: E402  the settings come first
from django.utils import timezone  # noqa: E402

from benchmarks.support import taken_by_hand  # noqa: E402
from benchmarks.support.crowd import PURPOSE  # noqa: E402
from benchmarks.support.first_given import PARTNER  # noqa: E402
from registry import transfers  # noqa: E402
from registry.models import (  # noqa: E402
    Appointment,
    DataCategory,
    ProcessingPurpose,
    Recipient,
    StaffMember,
    Transfer,
)
from registry.transfers import building, gate  # noqa: E402


def main(way: str) -> None:
    clerk = _clerk()
    print("ready", flush=True)
    sys.stdin.readline()
    found = taken_by_hand.measure() if way == "hand" else _ours(clerk)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found | {"memory": memory}), flush=True)


def _ours(clerk: StaffMember) -> dict[str, float]:
    asked = _asked()
    transfer = _row(asked, clerk)
    gate_seconds, people = _timed(lambda: _through_the_gate(transfer, asked))
    build_seconds, is_ready = _timed(lambda: building.build(transfer, clock=timezone.now))
    if not is_ready:
        raise AssertionError("the file was not built")
    take_seconds, size = _timed(lambda: _taken(transfer, clerk))
    return {"gate": gate_seconds, "build": build_seconds, "take": take_seconds, "people": people, "size": size}


def _asked() -> gate.Asked:
    return gate.Asked(
        Recipient.objects.select_related("country").get(code=PARTNER),
        gate.Ground.PARTNER,
        ProcessingPurpose.objects.get(code=PURPOSE),
        tuple(DataCategory.objects.filter(kind__in=DataCategory.CONTACTS)),
    )


def _row(asked: gate.Asked, clerk: StaffMember) -> Transfer:
    return Transfer.objects.create(
        recipient=asked.recipient,
        country=asked.recipient.country_id,
        ground=asked.ground,
        purpose=asked.purpose,
        categories=[category.code for category in asked.categories],
        is_cross_border=True,
        reason="a benchmark",
        format=Transfer.Format.CSV,
        state=Transfer.State.BUILDING,
        people=0,
        requested_by=clerk,
        requested_at=timezone.now(),
    )


@transaction.atomic
def _through_the_gate(transfer: Transfer, asked: gate.Asked) -> int:
    counts = gate.freeze(transfer, asked, timezone.now())
    transfer.people, transfer.left_out = counts.people, counts.left_out
    transfer.save(update_fields=["people", "left_out"])
    return counts.people


def _taken(transfer: Transfer, clerk: StaffMember) -> int:
    taken = transfers.take(transfer, by=clerk, now=timezone.now())
    with open("/dev/null", "wb") as nowhere:
        size = sum(nowhere.write(part) for part in taken)
    taken.close()
    return size


def _clerk() -> StaffMember:
    clerk = StaffMember.objects.filter(username="sender").first()
    if clerk is None:
        clerk = StaffMember.objects.create_superuser("sender", password=None)
        began = date(2026, 1, 5)
        Appointment.objects.create(person=clerk, order_number="7", ordered_on=began, scope="all", valid_from=began)
    return clerk


def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    outcome = act()
    return time.perf_counter() - start, outcome


if __name__ == "__main__":
    main(sys.argv[1])
