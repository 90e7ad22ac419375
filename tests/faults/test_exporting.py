"""Lists and quotas under fault: two hands at once, a builder killed, a withdrawal in the middle, a full disk.

Broken and seen to fail: the lock on the person's row in disclosure._count_one; the row lock of exporting.rows.locked;
`lock_subjects` of lists.portion; the gate after it; the broad `except` of building.build.
"""

import hashlib

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from consent import decisions
from registry import demands, exporting, lists
from registry.disclosure import QuotaUsedUp, reveal
from registry.exporting import rows
from registry.models import AccessSettings, AuditEntry, DataExport, LegalGround, StaffMember
from tests.factories import DAY, EMAIL, person, purpose, staff
from tests.faults.interrupted import Held, killed_half_way, small_disk
from tests.faults.parallel import all_at_once, start
from tests.faults.test_races import wait_until, waiting_for_a_lock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
State = DataExport.State


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.HOME = tmp_path
    yield tmp_path / "exports"
    AccessSettings.objects.update(reveals_per_day=50, plain_export_people=20, export_hours=24)


@pytest.fixture
def clerk():
    return staff("clerk")


@pytest.fixture
def crowd(today):
    return [person(now=today - DAY) for _ in range(10)]


def ask(clerk, kind="plain"):
    return exporting.ask(purpose(), kind=DataExport.Kind(kind), reason="news", by=clerk, now=timezone.now())


def build():
    return exporting.build_waiting(clock=timezone.now)


def fresh(export):
    return DataExport.objects.get(pk=export.pk)


def taken(export, by):
    handed = exporting.take(export, by=by, now=timezone.now())
    try:
        return b"".join(handed)
    finally:
        handed.close()


def people_in(content):
    return [line[:12] for line in content.decode().splitlines() if line.startswith("DS-")]


def outcome(act):
    """Whether it was allowed."""
    try:
        act()
    except (QuotaUsedUp, ValidationError):
        return False
    return True


def test_the_last_of_a_quota_is_opened_once_by_two_windows(clerk, today):
    datum = person(email=EMAIL, now=today - DAY).data.get()
    AccessSettings.objects.update(reveals_per_day=3)
    AuditEntry.objects.bulk_create(AuditEntry(at=today, actor=clerk, operation="reveal") for _ in range(2))

    def open_it():
        return outcome(
            lambda: reveal(datum, by=StaffMember.objects.get(pk=clerk.pk), reason="asked", now=timezone.now())
        )

    assert sorted(all_at_once([open_it] * 6)) == [False] * 5 + [True]
    counted = [AuditEntry.objects.filter(operation=name).count() for name in ("reveal", "refused")]
    assert counted == [3, 5]


def test_a_list_is_fetched_once_by_two_windows(clerk, crowd):
    export = ask(clerk)
    build()
    assert sorted(all_at_once([lambda: outcome(lambda: taken(export, clerk))] * 4)) == [False] * 3 + [True]
    assert AuditEntry.objects.filter(operation="export").count() == 1


def test_a_builder_that_is_killed_is_taken_up_and_nothing_is_doubled(clerk, crowd, folder, tmp_path):
    export = ask(clerk)
    killed_half_way("lists", tmp_path, lambda: fresh(export).written)
    assert 0 < fresh(export).written < 10 and fresh(export).state == State.BUILDING
    half, old_key = (folder / f"{export.number}.part").read_bytes(), fresh(export).wrapped
    assert half
    exporting.destroy_over(timezone.now())
    assert list(folder.iterdir()) == []
    assert build() == 1
    assert bytes(fresh(export).wrapped) != bytes(old_key)
    content = taken(export, clerk)
    assert people_in(content) == [one.reference for one in crowd]
    assert fresh(export).digest == hashlib.sha256(content).hexdigest()


def held_builder(monkeypatch):
    """A builder stopped before its second portion of two people."""
    held, portion = Held(), lists.portion
    monkeypatch.setattr(lists, "PORTION", 2)

    def stopped(export, columns, after, now):
        if after:
            held.here()
        return portion(export, columns, after, timezone.now())

    monkeypatch.setattr(lists, "portion", stopped)
    return held.begin(build)


def test_a_withdrawal_during_the_build_is_not_in_the_file(clerk, crowd, monkeypatch, folder):
    export = ask(clerk)
    builder = held_builder(monkeypatch)
    early, late = crowd[0], crowd[-1]
    for one in (early, late):
        decisions.withdraw(one, purpose(), channel="page", now=timezone.now())
    assert builder.go_on() == 1
    assert fresh(export).written == 9  # the first one was written already
    content = taken(export, clerk)
    assert people_in(content) == [one.reference for one in crowd[1:-1]]


def test_a_withdrawal_a_moment_before_the_lock_counts(clerk, crowd, monkeypatch):
    export, lock = ask(clerk), lists.lock_subjects

    def withdrawing(subject_ids):
        start(lambda: decisions.withdraw(crowd[3], purpose(), channel="page", now=timezone.now())).finish()
        lock(subject_ids)

    monkeypatch.setattr(lists, "lock_subjects", withdrawing)
    assert build() == 1
    assert fresh(export).written == 9


def test_somebody_erased_during_the_build_ends_it(clerk, crowd, monkeypatch, folder, today):
    export = ask(clerk)
    builder = held_builder(monkeypatch)
    ground = LegalGround.objects.first()
    demands.demand(crowd[0], ground=ground, reason="asked", by=clerk, now=timezone.now())
    assert demands.finish_due(timezone.now()) == 1
    assert builder.go_on() == 0
    assert (fresh(export).state, fresh(export).wrapped, list(folder.iterdir())) == (State.DESTROYED, None, [])


def test_an_erasure_waits_for_the_portion_and_destroys_what_it_wrote(clerk, crowd, monkeypatch, folder):
    """Between reading a value and noting it, nobody can erase it unseen."""
    export, held, values = ask(clerk), Held(), lists._values

    def read_and_held(*arguments):
        found = values(*arguments)
        held.here()
        return found

    monkeypatch.setattr(lists, "_values", read_and_held)
    held.begin(build)
    ground = LegalGround.objects.first()
    demand = start(lambda: demands.demand(crowd[3], ground=ground, reason="asked", by=clerk, now=timezone.now()))
    wait_until(waiting_for_a_lock)
    held.go_on(), demand.finish(60)
    demands.finish_due(timezone.now())
    exporting.destroy_over(timezone.now())
    assert (fresh(export).wrapped, list(folder.iterdir())) == (None, [])
    assert fresh(export).state == State.DESTROYED


def test_a_full_disk_fails_the_list_and_leaves_nothing(clerk, crowd, monkeypatch, folder):
    export, next_one = ask(clerk), ask(clerk, "masked")
    monkeypatch.setattr(lists, "PORTION", 2)
    written, portion = rows.path_of(export), lists.portion
    with small_disk() as limited:

        def on_a_small_disk(one, *arguments, **named):
            limited(300 if one.pk == export.pk and fresh(one).written else None)
            return portion(one, *arguments, **named)

        monkeypatch.setattr(lists, "portion", on_a_small_disk)
        assert build() == 1
    assert (fresh(export).state, fresh(export).wrapped, written.exists()) == (State.FAILED, None, False)
    assert list(folder.iterdir()) == [rows.path_of(next_one)]
    assert AuditEntry.objects.filter(object_id=export.pk, reason="failed: OSError").exists()
