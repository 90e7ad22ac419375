"""Transfers under fault: two takers, a builder killed, acts of people in the middle of building and of taking, a full disk.

Broken and seen to fail, together: the lock of `notices.HOLD` and a withdrawal's own `notices.DROP`.
"""

from contextlib import contextmanager
from threading import Event

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from consent import decisions
from registry import demands, sealed_files, sealing, transfers
from registry.keyring import keyring
from registry.models import AuditEntry, DataCategory, LegalGround, ProcessingPurpose, RecipientNotice, Transfer
from registry.transfers import building, packing, rows, taking
from tests.conftest import owner_connection, remove_people
from tests.factories import DAY, purpose, staff
from tests.faults.interrupted import Held, killed_half_way, small_disk
from tests.faults.parallel import all_at_once, start
from tests.faults.test_races import wait_until, waiting_for_a_lock
from tests.registry.test_transfer_gate import BY_LAW, recipient
from tests.registry.test_transfers import BOTH, gave, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
State = Transfer.State
MANY = 100_000


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.HOME = tmp_path
    return tmp_path / "transfers"


@contextmanager
def named(**also):
    """A recipient named by the purpose. These tests commit, and shipped content stays: it is put back."""
    before = {field: getattr(purpose(), field) for field in ("third_parties", "cross_border")}
    yield recipient(**also)
    remove_people()
    ProcessingPurpose.objects.filter(pk=purpose().pk).update(**before)
    with owner_connection() as owner:
        for table in ("registry_processingpurpose_recipients", "registry_recipient_categories"):
            owner.execute(
                f"DELETE FROM {table} USING registry_recipient lab WHERE recipient_id = lab.id AND code = 'lab'"
            )
        owner.execute("DELETE FROM registry_recipient WHERE code = 'lab'")


@pytest.fixture
def lab():
    with named() as made:
        yield made


@pytest.fixture
def body():
    with named(kind="state_body") as made:
        yield made


@pytest.fixture
def by():
    return staff("sender")


@pytest.fixture
def crowd(lab, today):
    return [gave(BOTH, now=today - DAY, email=f"canary{number}@example.kz") for number in range(10)]


def ask(lab, by, **also):
    return send(lab, by, timezone.now(), **also)


def build():
    return transfers.build_waiting(clock=timezone.now)


def fresh(transfer):
    return Transfer.objects.get(pk=transfer.pk)


def taken(transfer, by):
    handed = transfers.take(transfer, by=by, now=timezone.now())
    try:
        return b"".join(handed)
    finally:
        handed.close()


def people_in(content):
    return [line[:12] for line in content.decode().splitlines() if line.startswith("DS-")]


def references(people):
    return [one.reference for one in people]


def withdraw(one):
    decisions.withdraw(one, None, now=timezone.now(), channel="page")


def erase(one, by):
    demands.demand(one, ground=LegalGround.objects.first(), reason="asked", by=by, now=timezone.now())
    assert demands.finish_due(timezone.now()) == 1


# --- killed, full, at once -------------------------------------------------------------------------------------------
def undisturbed(transfer):
    """What is in the file when nobody kills its builder; afterwards it is as if it had never been built."""
    assert build() == 1
    with transaction.atomic():
        opened = taking._opened(fresh(transfer), timezone.now())
    content = b"".join(opened.plain())
    opened.close()
    Transfer.objects.filter(pk=transfer.pk).update(state=State.BUILDING, wrapped=None, written=0)
    transfers.destroy_over(timezone.now())
    return content


def test_a_builder_that_is_killed_is_taken_up_with_the_same_content(lab, by, crowd, folder, tmp_path):
    transfer = ask(lab, by)
    expected = undisturbed(transfer)
    killed_half_way("transfers", tmp_path, lambda: fresh(transfer).written)
    assert 0 < fresh(transfer).written < 10 and fresh(transfer).state == State.BUILDING
    half, old_key = (folder / f"{transfer.number}.part").read_bytes(), fresh(transfer).wrapped
    assert half and b"canary" not in half
    transfers.destroy_over(timezone.now())
    assert list(folder.iterdir()) == []
    assert build() == 1
    assert bytes(fresh(transfer).wrapped) != bytes(old_key)
    assert taken(transfer, by) == expected and people_in(expected) == references(crowd)


def test_a_full_disk_fails_the_transfer_and_leaves_nothing(lab, by, crowd, folder, monkeypatch):
    transfer, next_one = ask(lab, by), ask(lab, by)
    monkeypatch.setattr(building, "STRETCH", 2)
    rows_of = building._rows
    with small_disk() as limited:

        def on_a_small_disk(values):
            limited(300 if values["transfer"] == transfer.pk and values["after"] else None)
            return rows_of(values)

        monkeypatch.setattr(building, "_rows", on_a_small_disk)
        assert build() == 1
    assert (fresh(transfer).state, fresh(transfer).wrapped, fresh(transfer).failure) == (State.FAILED, None, "OSError")
    assert list(folder.iterdir()) == [rows.path_of(next_one)]
    assert AuditEntry.objects.filter(object_id=transfer.pk, reason="failed: OSError").exists()


def is_given(transfer, by):
    try:
        return bool(taken(transfer, by))
    except ValidationError:
        return False


def test_of_two_takers_one_gets_it(lab, by, crowd):
    transfer = ask(lab, by)
    assert build() == 1
    assert sorted(all_at_once([lambda: is_given(transfer, by)] * 4)) == [False] * 3 + [True]
    assert AuditEntry.objects.filter(operation="transfer").count() == 1
    assert fresh(transfer).state == State.TAKEN


# --- in the middle of building ---------------------------------------------------------------------------------------
def held_builder(monkeypatch):
    """A builder stopped before its second portion of two people."""
    held, rows_of = Held(), building._rows
    monkeypatch.setattr(building, "STRETCH", 2)

    def stopped(values):
        if values["after"]:
            held.here()
        return rows_of(values)

    monkeypatch.setattr(building, "_rows", stopped)
    return held.begin(build)


def test_given_up_while_it_is_built_nothing_stays(lab, by, crowd, folder, monkeypatch):
    transfer = ask(lab, by)
    builder = held_builder(monkeypatch)
    transfers.cancel(transfer, by=by, now=timezone.now())
    assert builder.go_on() == 0
    assert (fresh(transfer).state, fresh(transfer).wrapped, list(folder.iterdir())) == (State.CANCELLED, None, [])


def test_somebody_erased_while_it_is_built_makes_it_begin_anew(lab, by, crowd, folder, monkeypatch):
    transfer = ask(lab, by)
    builder = held_builder(monkeypatch)
    erase(crowd[0], by), erase(crowd[-1], by)  # one written already, one not yet
    first_key = fresh(transfer).wrapped
    assert builder.go_on() == 1
    assert first_key is None and fresh(transfer).written == 10
    content = taken(transfer, by)
    assert people_in(content) == references(crowd[1:-1])
    assert b"canary0@" not in content and b"canary9@" not in content and list(folder.iterdir()) == []


def test_somebody_erased_while_it_waits_takes_the_file_along(lab, by, crowd, folder):
    transfer = ask(lab, by)
    assert build() == 1
    erase(crowd[4], by)
    assert (fresh(transfer).state, fresh(transfer).wrapped) == (State.BUILDING, None)
    assert not is_given(transfer, by)
    transfers.destroy_over(timezone.now())
    assert list(folder.iterdir()) == []
    assert build() == 1
    assert people_in(taken(transfer, by)) == references(crowd[:4] + crowd[5:])


def test_a_builder_that_begins_during_an_erasure_waits_for_its_end(lab, by, crowd):
    transfer = ask(lab, by)
    with transaction.atomic():
        erase(crowd[0], by)
        builder = start(build)
        wait_until(waiting_for_a_lock)
    assert builder.finish(60) == 1
    with transaction.atomic():
        opened = taking._opened(fresh(transfer), timezone.now())
    parts = sealed_files.reading(opened.file, opened.key, transfer.pk)
    assert len(packing.places_in(parts)) == 9  # what lies in it, whoever may go
    opened.close()


# --- in the middle of taking -----------------------------------------------------------------------------------------
def test_whoever_withdraws_before_it_is_given_is_left_out(lab, by, crowd):
    transfer = ask(lab, by)
    assert build() == 1
    with transaction.atomic():
        withdraw(crowd[0])
        taker = start(taken, transfer, by)
        wait_until(waiting_for_a_lock)
    assert people_in(taker.finish(60)) == references(crowd[1:])
    assert not RecipientNotice.objects.exists()


def test_whoever_withdraws_while_it_is_read_through_is_left_out(lab, by, crowd, monkeypatch):
    transfer, digest = ask(lab, by), taking.Taken.digest
    assert build() == 1
    begins = Event()

    def withdrawn_meanwhile(opened):
        if not begins.is_set():
            begins.set()
            start(withdraw, crowd[3]).finish(30)  # waits for nobody
        return digest(opened)

    monkeypatch.setattr(taking.Taken, "digest", withdrawn_meanwhile)
    content = taken(transfer, by)
    assert people_in(content) == references(crowd[:3] + crowd[4:])
    assert fresh(transfer).written == 9 and not RecipientNotice.objects.exists()


def test_of_whoever_withdraws_a_moment_later_the_recipient_is_told(lab, by, crowd, monkeypatch):
    """Nobody is in the file and told about to no one: who comes during the last moment waits for it."""
    transfer, give, held = ask(lab, by), taking._give, Held()
    assert build() == 1

    def held_back(*arguments):
        held.here()
        return give(*arguments)

    monkeypatch.setattr(taking, "_give", held_back)
    held.begin(lambda: taken(transfer, by))
    leaves = start(withdraw, crowd[0])
    wait_until(waiting_for_a_lock)
    content = held.go_on()
    leaves.finish(60)
    assert people_in(content) == references(crowd)
    notice = RecipientNotice.objects.get()
    assert (notice.subject, notice.event, notice.recipient) == (crowd[0], "withdrawn", lab)


def test_somebody_erased_while_it_is_read_through_stops_it(lab, by, crowd, monkeypatch):
    transfer, digest = ask(lab, by), taking.Taken.digest
    assert build() == 1

    def erased_meanwhile(opened):
        start(erase, crowd[3], by).finish(60)
        return digest(opened)

    with monkeypatch.context() as patched:
        patched.setattr(taking.Taken, "digest", erased_meanwhile)
        assert not is_given(transfer, by)
    assert (fresh(transfer).state, fresh(transfer).wrapped) == (State.BUILDING, None)
    assert build() == 1
    assert people_in(taken(transfer, by)) == references(crowd[:3] + crowd[4:])


# --- many ------------------------------------------------------------------------------------------------------------
FIRST = 10**7
SUBJECTS = """
INSERT INTO registry_datasubject (id, reference, language, status, created_at)
    SELECT %(first)s + n, 'DS-' || lpad(n::text, 9, '0'), 'kk', 'active', %(began)s FROM generate_series(1, %(people)s) n;
INSERT INTO registry_processing
    (subject_id, purpose_id, state, began_at, lapses_at, rule_version, third_parties, cross_border, public_sources)
    SELECT %(first)s + n, %(purpose)s, 'open', %(began)s, NULL, 1, false, false, false
    FROM generate_series(1, %(people)s) n;
"""
DATA = """
COPY registry_personaldatum
    (id, subject_id, category_id, sealed, index, source, standing, recorded_at, confirmed_at) FROM STDIN
"""


def fill(people, now):
    """So many people with an address each, really sealed. In a session of its own: one that has known these tables with
    three rows checks each foreign key by reading all of them."""
    connection.close()
    values = {"first": FIRST, "people": people, "began": now - DAY, "purpose": purpose().pk}
    email, masters, then = DataCategory.objects.get(code="email").pk, keyring().masters, now - DAY
    keys = []
    with connection.cursor() as cursor:
        cursor.execute(SUBJECTS, values)
        with cursor.copy(DATA) as copy:
            for number in range(FIRST + 1, FIRST + people + 1):
                key = sealing.new_key()
                keys.append((number, sealing.wrap(masters, key, sealing.key_binding(number))))
                bound = sealing.datum_binding(email, number, number)
                sealed = sealing.seal(key, f"p{number}@example.kz", bound)
                index = number.to_bytes(32, "big")
                copy.write_row((number, number, email, sealed, index, "subject", "confirmed", then, then))
        with cursor.copy("COPY registry_datumkey (datum_id, wrapped) FROM STDIN") as copy:
            for row in keys:
                copy.write_row(row)


def test_a_withdrawal_while_a_hundred_thousand_are_built_is_never_in_it(body, by, today):
    early = [gave(BOTH, now=today - DAY, email=f"early{number}.canary@example.kz") for number in range(3)]
    fill(MANY, today)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE registry_personaldatum, registry_datumkey, registry_processing, registry_datasubject")
    transfer = ask(body, by, ground="b", **BY_LAW)
    assert transfer.people == MANY + 3 and transfer.state == State.WAITING
    transfers.approve(transfer, by=staff("second"), now=timezone.now())
    builder = start(build)
    wait_until(lambda: fresh(transfer).written)
    withdraw(early[0])
    assert fresh(transfer).written < MANY  # it was in the middle
    assert builder.finish(300) == 1
    content = taken(transfer, by)
    assert b"early0.canary" not in content and b"early1.canary" in content
    assert content.count(b"@example.kz") == MANY + 2 == fresh(transfer).written
