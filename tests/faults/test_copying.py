"""Copies of people's data under fault: two takers at once, a builder killed, an erasure in the middle, a full disk.

Broken and seen to fail: the row lock of copying.rows.locked; `lost` in building._finish and taking._end; the moment all
of it is read from (`_one_moment`); the broad `except` of building.build.
"""

import io
import json
import zipfile

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from consent import decisions
from registry import demands
from registry.models import AuditEntry, CopyPackage, LegalGround, SubjectRequest
from registry.requests import copying, opening, verifying
from registry.requests.copying import contents, programs, rows
from tests.factories import DAY, EMAIL, person, purpose, staff
from tests.faults.interrupted import Held, killed_half_way, small_disk
from tests.faults.parallel import all_at_once, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
State = CopyPackage.State


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.HOME = tmp_path
    return tmp_path / "copies"


@pytest.fixture
def clerk():
    return staff("clerk")


@pytest.fixture
def aigul(today):
    return person(email=EMAIL, phone="87015551234", now=today - DAY)  # the number goes while a request waits


@pytest.fixture
def request_of_aigul(aigul, today):
    return in_work(aigul, today)


def in_work(subject, now):
    kind, contact = SubjectRequest.Kind.ACCESS, subject.data.live().contacts().first()
    request = opening.receive(
        subject, kind, channel=SubjectRequest.Channel.PAGE, language="kk", now=now, contact_id=contact.pk, text="hens"
    )
    verifying.confirm(request.pk, now=now)
    return fresh(request)


def ask(request, clerk):
    return copying.ask(request, by=clerk, now=timezone.now())


def build():
    return copying.build_waiting(clock=timezone.now)


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def fetched(request):
    taken = copying.take(request, now=timezone.now())
    try:
        return b"".join(taken)
    finally:
        taken.close()


def is_given(request):
    try:
        return bool(fetched(request))
    except ValidationError:
        return False


def data_in(zipped):
    return json.loads(zipfile.ZipFile(io.BytesIO(zipped)).read("data.json"))


def erase(subject, clerk):
    ground = LegalGround.objects.first()
    demands.demand(subject, ground=ground, reason="asked", by=clerk, now=timezone.now())
    assert demands.finish_due(timezone.now()) == 0, "the request waits for its answer; everything else is gone"
    assert not subject.data.exclude(pk__in=subject.certificates.get().spared).exists()


def test_a_copy_is_fetched_once_by_two_windows(request_of_aigul, clerk):
    package = ask(request_of_aigul, clerk)
    assert build() == 1
    assert sorted(all_at_once([lambda: is_given(request_of_aigul)] * 4)) == [False] * 3 + [True]
    assert AuditEntry.objects.filter(operation="export", system="page").count() == 1
    assert fresh(package).state == State.TAKEN


def test_a_copy_is_asked_for_once_by_two_windows(request_of_aigul, clerk):
    def asking():
        try:
            return bool(ask(request_of_aigul, clerk))
        except ValidationError:
            return False

    assert sorted(all_at_once([asking] * 4)) == [False] * 3 + [True]
    assert CopyPackage.objects.count() == 1


def test_a_builder_that_is_killed_leaves_noise_and_the_next_run_begins_anew(request_of_aigul, clerk, folder, tmp_path):
    package = ask(request_of_aigul, clerk)
    killed_half_way("copies", tmp_path, lambda: sum(one.stat().st_size for one in folder.glob("*.part")) > 1024)
    assert (fresh(package).state, fresh(package).wrapped) == (State.BUILDING, None)
    assert [path.suffix for path in folder.iterdir()] == [".part"]
    copying.destroy_over(timezone.now())
    assert list(folder.iterdir()) == []
    assert build() == 1
    assert data_in(fetched(request_of_aigul))["request"] == request_of_aigul.number
    assert not AuditEntry.objects.filter(reason="copy built").exclude(object_id=package.pk).exists()
    assert AuditEntry.objects.filter(reason="copy built").count() == 1


def held_builder(monkeypatch):
    """A builder stopped behind the page and before data.json."""
    held, as_json = Held(), programs.as_json

    def stopped(*arguments):
        held.here()
        yield from as_json(*arguments)

    monkeypatch.setattr(contents.programs, "as_json", stopped)
    return held.begin(build)


def test_somebody_erased_during_the_build_ends_it(aigul, request_of_aigul, clerk, folder, monkeypatch):
    package = ask(request_of_aigul, clerk)
    builder = held_builder(monkeypatch)
    erase(aigul, clerk)
    assert builder.go_on() == 0
    assert (fresh(package).state, fresh(package).wrapped, list(folder.iterdir())) == (State.DESTROYED, None, [])


def test_all_of_it_is_of_one_moment_and_nobody_waits_for_it(aigul, request_of_aigul, clerk, monkeypatch):
    ask(request_of_aigul, clerk)
    builder = held_builder(monkeypatch)
    decisions.withdraw(aigul, purpose(), channel="page", now=timezone.now())  # waits for no lock
    assert builder.go_on() == 1
    zipped = fetched(request_of_aigul)
    states = {row["purpose"]["code"]: row["state"]["code"] for row in data_in(zipped)["processing"]}
    assert states["site-news"] == "open"
    assert {row["act"]["code"] for row in data_in(zipped)["consents"]} == {"asked", "confirmed"}


def test_an_erasure_between_looking_and_giving_is_seen(aigul, request_of_aigul, clerk, folder, monkeypatch):
    package = ask(request_of_aigul, clerk)
    assert build() == 1
    looked_through = copying.taking._looked_through

    def then_erased(one):
        found = looked_through(one)
        start(lambda: erase(aigul, clerk)).finish(60)
        return found

    monkeypatch.setattr(copying.taking, "_looked_through", then_erased)
    assert not is_given(request_of_aigul)
    assert (fresh(package).state, fresh(package).wrapped, list(folder.iterdir())) == (State.DESTROYED, None, [])


def test_a_full_disk_fails_the_copy_and_leaves_nothing(request_of_aigul, clerk, monkeypatch, folder, today):
    package = ask(request_of_aigul, clerk)
    next_one = ask(in_work(person(now=today - DAY), today), clerk)
    write = contents.write
    monkeypatch.setattr(contents, "PART", 1024)
    with small_disk() as limited:

        def on_a_small_disk(whose, add):
            limited(3000 if whose.request.pk == request_of_aigul.pk else None)
            return write(whose, add)

        monkeypatch.setattr(contents, "write", on_a_small_disk)
        assert build() == 1
    assert (fresh(package).state, fresh(package).wrapped, fresh(package).failure) == (State.FAILED, None, "OSError")
    assert list(folder.iterdir()) == [rows.path_of(next_one)]
    assert AuditEntry.objects.filter(object_id=package.pk, reason="failed: OSError").exists()
