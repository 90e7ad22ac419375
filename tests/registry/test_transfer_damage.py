"""A value that does not open: its person stays, is counted and shown; many of them fail the transfer.

Broken and seen to fail: SealError passed over in building._lines, the person left among the others, TooManyDamaged, how
many are borne (all, none), a file with nobody in it, the count on the transfer, the line, the audit entry, both lines of
Today and their week, the line of the page.
"""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from registry import failures, figures, sealed_files, transfers
from registry.models import AuditEntry, DatumKey, Transfer, TransferLine
from registry.transfers import building, packing, taking
from tests.factories import DAY, enter, staff
from tests.registry.test_transfer_gate import category, recipient
from tests.registry.test_transfers import BOTH, gave, send

pytestmark = pytest.mark.django_db
CANARY = "damaged.canary@example.kz"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.HOME = tmp_path


@pytest.fixture
def lab():
    return recipient()


@pytest.fixture
def by():
    return staff("sender")


def damage(subject, code="email"):
    """As a disk does it: the last byte of the value's key is another one. (The value itself the database lets nobody
    change.)"""
    key = DatumKey.objects.get(datum__subject=subject, datum__category__code=code)
    *whole, last = bytes(key.wrapped)
    DatumKey.objects.filter(pk=key.pk).update(wrapped=bytes([*whole, last ^ 1]))


def built(transfer, now):
    is_ready = transfers.build_waiting(clock=lambda: now)
    transfer.refresh_from_db()
    return bool(is_ready)


def taken(transfer, by, now):
    handed = transfers.take(transfer, by=by, now=now)
    try:
        return b"".join(handed)
    finally:
        handed.close()


def people(count, now):
    return [gave(BOTH, now=now, email=f"whole{number}@example.kz") for number in range(count)]


@pytest.mark.parametrize("file_format", ["csv", "xlsx", "json"])
def test_whose_value_is_damaged_stays_and_the_others_go(lab, by, today, file_format):
    goes, stays = gave(BOTH, now=today, email="whole.canary@example.kz"), gave(BOTH, now=today, email=CANARY)
    transfer = send(lab, by, today, file_format)
    damage(stays)
    assert built(transfer, today) and (transfer.state, transfer.left_out) == ("ready", {"damaged": 1})
    content = taken(transfer, by, today)
    transfer.refresh_from_db()
    assert transfer.written == 1 and CANARY.encode() not in content and stays.reference.encode() not in content
    found = dict(TransferLine.objects.filter(transfer=transfer).values_list("subject", "dropped"))
    assert found == {goes.pk: "", stays.pk: "damaged"}
    assert file_format == "xlsx" or b"whole.canary" in content


def test_one_value_of_two_keeps_the_whole_person(lab, by, today):
    stays, _goes = gave(BOTH, now=today, email=CANARY, phone="+77015551234"), gave(BOTH, now=today)
    damage(stays)
    transfer = send(lab, by, today, categories=category("email") + category("phone"))
    assert built(transfer, today)
    opened = taking._opened(transfer, today)
    assert packing.places_in(sealed_files.reading(opened.file, opened.key, transfer.pk)) == [2]  # nor does it lie there
    opened.close()
    assert b"5551234" not in taken(transfer, by, today)


def test_who_it_was_stands_in_the_audit_and_nothing_of_the_value(lab, by, today, caplog):
    stays, _goes = gave(BOTH, now=today, email=CANARY), gave(BOTH, now=today)
    transfer = send(lab, by, today)
    damage(stays)
    assert built(transfer, today)
    entry = AuditEntry.objects.get(operation="change", object_type="registry.transfer")
    assert (entry.subject, entry.object_id, entry.system, entry.reason) == (stays, transfer.pk, "transfers", "damaged")
    assert "canary" not in caplog.text


def test_built_anew_it_counts_nobody_twice(lab, by, today):
    stays, _goes = gave(BOTH, now=today, email=CANARY), gave(BOTH, now=today)
    transfer = send(lab, by, today)
    damage(stays)
    assert built(transfer, today)
    Transfer.objects.filter(pk=transfer.pk).update(state="building", wrapped=None)
    assert built(transfer, today) and transfer.left_out == {"damaged": 1}
    assert AuditEntry.objects.filter(operation="change", object_type="registry.transfer").count() == 1


def test_more_than_a_few_are_no_accident(lab, by, today):
    first, second, *_rest = people(4, today)
    damage(first), damage(second)
    transfer = send(lab, by, today)
    assert not built(transfer, today)
    assert (transfer.state, transfer.failure, transfer.wrapped) == ("failed", "TooManyDamaged", None)
    assert transfer.left_out == {"damaged": 2}  # and the lines say whose
    with pytest.raises(ValidationError):
        taken(transfer, by, today)


@pytest.mark.parametrize(("bearable", "is_ready"), [(2, True), (3, False)])
def test_how_many_are_borne_grows_with_the_people(lab, by, today, monkeypatch, bearable, is_ready):
    """Two of four: one in two may be damaged, not one in three. Found in two portions, they are counted together."""
    first, _whole, third, _other = people(4, today)
    damage(first), damage(third)
    monkeypatch.setattr(building, "BEARABLE", bearable)
    monkeypatch.setattr(building, "STRETCH", 2)
    assert built(send(lab, by, today), today) is is_ready


def test_a_file_with_nobody_in_it_fails(lab, by, today):
    damage(gave(BOTH, now=today, email=CANARY))
    transfer = send(lab, by, today)
    assert not built(transfer, today) and transfer.state == "failed"


def test_a_missing_key_is_no_damage(lab, by, today):
    """Its key destroyed, a value is gone: the gate says why, and nobody is alarmed."""
    gone, _goes = gave(BOTH, now=today, email=CANARY), gave(BOTH, now=today)
    transfer = send(lab, by, today)
    datum = gone.data.live().get(category__code="email")
    datum.key.delete()
    assert built(transfer, today) and transfer.left_out == {}
    assert b"damaged.canary" not in taken(transfer, by, today)


# --- shown -----------------------------------------------------------------------------------------------------------
def told(now):
    return [one.text for one in failures.find(now, figures.read(), None)]


def test_today_says_so_for_a_week(lab, by, today):
    before = told(today)
    stays, _goes = gave(BOTH, now=today, email=CANARY), gave(BOTH, now=today)
    transfer = send(lab, by, today)
    damage(stays)
    assert built(transfer, today) and len(told(today)) == len(before) + 1
    assert len(told(today + 7 * DAY)) == len(told(today)) - 1


def test_today_says_which_transfers_failed(lab, by, today):
    before = told(today)
    damage(gave(BOTH, now=today, email=CANARY))
    assert not built(send(lab, by, today), today)
    assert len(told(today)) == len(before) + 2  # the file, and the value


def test_the_page_of_the_transfer_counts_them(lab, by, today, client):
    stays, _goes = gave(BOTH, now=today, email=CANARY), gave(BOTH, now=today)
    transfer = send(lab, by, today)
    damage(stays)
    assert built(transfer, today)
    enter(client, by)
    client.cookies["language"] = "en"
    page = client.get(reverse("admin:registry_transfer_change", args=[transfer.pk])).content.decode()
    assert "Value cannot be opened" in page and "while it was built" in page and "canary" not in page
