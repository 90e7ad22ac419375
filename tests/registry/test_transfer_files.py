"""The file a recipient gets, opened again by other programs: nothing computes, no letter and no digit is lost.

Broken and seen to fail: the apostrophe of CSV; text cells, markup, letter codes and unsayable signs of XLSX, its room and
the rows of the heading; the comma between parts of JSON; the digest and reading all through before it is given; the key
that ends with the file, the file taken away, the sweep, the hours (twice); a damaged file that fails, a public key looked
at, age; what is corrected built anew; a file closed when it fails; the parts held in memory.
"""

import csv
import hashlib
import io
import json
import tracemalloc
import zipfile
from datetime import timedelta

import openpyxl
import pyrage
import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone, translation

from registry import transfers
from registry.models import AuditEntry, DataCategory, Recipient, SubjectRequest, Transfer
from registry.requests import answering, opening, verifying
from registry.requests.answering import Details
from registry.transfers import building, formats, rows, taking
from tests.factories import DAY, EMAIL, staff
from tests.registry.test_transfer_gate import recipient
from tests.registry.test_transfers import BOTH, gave, send

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
KAZAKH, FORMULA, PHONE = "Әділ Ғылым Қоры «Үміт Өңір Һәм Ұлы Іс» & <К°>", "=cmd@example.kz", "+77015551234"
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.HOME = tmp_path
    with translation.override("kk"):
        yield tmp_path / "transfers"


@pytest.fixture
def lab():
    made = recipient()
    Recipient.objects.filter(pk=made.pk).update(name_kk=KAZAKH)
    return made


@pytest.fixture
def by():
    return staff("sender")


def contacts():
    return tuple(DataCategory.objects.filter(code__in=("email", "phone")))


def fresh(transfer):
    return Transfer.objects.get(pk=transfer.pk)


def ready(lab, by, now, file_format="csv"):
    transfer = send(lab, by, now, file_format, categories=contacts())
    assert transfers.build_waiting(clock=lambda: now) == 1
    return fresh(transfer)


def taken_by(transfer, by, now):
    taken = transfers.take(transfer, by=by, now=now)
    try:
        return b"".join(taken)
    finally:
        taken.close()


def content_of(lab, by, now, file_format):
    transfer = ready(lab, by, now, file_format)
    content = taken_by(transfer, by, now)
    assert hashlib.sha256(content).hexdigest() == fresh(transfer).digest
    return content


@pytest.fixture
def two(today):
    """One address that looks like a formula, one person with a number."""
    return gave(BOTH, now=today, email=FORMULA), gave(BOTH, now=today, email=EMAIL, phone=PHONE)


def as_csv(content):
    text = content.decode("utf-8-sig")
    assert text.count("\r\n") == text.count("\n") and content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))


# --- opened again ----------------------------------------------------------------------------------------------------
def test_a_table_of_commas_computes_nothing_and_keeps_every_sign(lab, by, two, today):
    lines = as_csv(content_of(lab, by, today, "csv"))
    assert not [cell for line in lines for cell in line if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert lines[1][1] == KAZAKH
    assert lines[-2:] == [
        [two[0].reference, "kk", "", f"'{FORMULA}"], [two[1].reference, "kk", f"'{PHONE}", EMAIL]
    ]  # fmt: skip


def test_a_workbook_has_text_and_no_formula(lab, by, two, today):
    sheet = openpyxl.load_workbook(io.BytesIO(content_of(lab, by, today, "xlsx"))).active
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    lines = [[cell.value or "" for cell in row] for row in sheet.iter_rows()]
    assert lines[1][1] == KAZAKH
    assert lines[-2:] == [[two[0].reference, "kk", "", FORMULA], [two[1].reference, "kk", PHONE, EMAIL]]


def test_json_has_the_values_as_they_are(lab, by, two, today):
    data = json.loads(content_of(lab, by, today, "json"))
    assert (data["recipient"], data["ground"], data["purpose"]) == ("lab", "a", "site-news")
    assert data["people"] == [
        {"reference": two[0].reference, "language": "kk", "email": [FORMULA], "phone": []},
        {"reference": two[1].reference, "language": "kk", "email": [EMAIL], "phone": [PHONE]},
    ]


def test_json_in_several_parts_is_one_document(lab, by, two, today, monkeypatch):
    monkeypatch.setattr(building, "PORTION", 1)
    people = json.loads(content_of(lab, by, today, "json"))["people"]
    assert [one["reference"] for one in people] == [one.reference for one in two]


def test_a_workbook_is_a_zip_whose_parts_all_verify(lab, by, two, today):
    content = content_of(lab, by, today, "xlsx")
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet and 't="n"' not in sheet and sheet.count("<row>") == 10


def test_letters_that_a_workbook_would_take_for_codes_stay_themselves(lab, by, today):
    gave(BOTH, now=today, email="_x0041_@example.kz")
    sheet = zipfile.ZipFile(io.BytesIO(content_of(lab, by, today, "xlsx"))).read("xl/worksheets/sheet1.xml").decode()
    assert "_x005F_x0041_@example.kz" in sheet


@pytest.mark.parametrize("unsayable", ["\x00", "\x0b", "\x1f", "\ud800", "\uffff"])
def test_what_xml_cannot_say_damages_no_workbook(unsayable):
    cell = formats._cell(f"a{unsayable}<b")
    assert cell.encode() and "a\N{REPLACEMENT CHARACTER}&lt;b" in cell




def test_a_workbook_has_room_for_so_many_and_more_are_refused_when_asked_for(lab, by, two, today, monkeypatch):
    heading = 8  # rows, as test_a_workbook_is_a_zip_whose_parts_all_verify counts them
    assert formats.most_people(send(lab, by, today, "xlsx")) == 1_048_576 - heading
    monkeypatch.setattr(formats, "MOST_ROWS", heading + 2)
    assert send(lab, by, today, "xlsx").people == 2
    monkeypatch.setattr(formats, "MOST_ROWS", heading + 1)
    before = Transfer.objects.count()
    with pytest.raises(ValidationError) as refused:
        send(lab, by, today, "xlsx")
    assert (refused.value.code, Transfer.objects.count()) == ("room", before)
    assert [send(lab, by, today, file_format).people for file_format in ("csv", "json")] == [2, 2]


# --- the same file ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("file_format", ["csv", "xlsx", "json"])
def test_built_twice_from_the_same_lines_it_is_the_same_file(lab, by, two, today, file_format):
    transfer = ready(lab, by, today, file_format)
    with transaction.atomic():
        first = taken_by(transfer, by, today)
        transaction.set_rollback(True)
    Transfer.objects.filter(pk=transfer.pk).update(state="building", wrapped=None)
    assert transfers.build_waiting(clock=lambda: today + DAY / 4) == 1
    assert taken_by(fresh(transfer), by, today + DAY / 4) == first


def test_read_in_another_language_it_is_still_the_file_of_the_digest(lab, by, two, today):
    transfer = ready(lab, by, today)
    taken = transfers.take(transfer, by=by, now=today)
    with translation.override("ru"):
        content = b"".join(taken)
    taken.close()
    assert KAZAKH in content.decode()
    assert hashlib.sha256(content).hexdigest() == fresh(transfer).digest


def test_for_a_recipient_with_a_key_it_leaves_as_age(lab, by, two, today, monkeypatch, folder):
    identity = pyrage.x25519.Identity.generate()
    Recipient.objects.filter(pk=lab.pk).update(public_key=str(identity.to_public()))
    monkeypatch.setattr(formats, "CHUNK", 16)
    transfer = ready(lab, by, today)
    taken = transfers.take(transfer, by=by, now=today)
    parts = list(taken)
    taken.close()
    sent = b"".join(parts)
    assert sent.startswith(b"age-encryption.org/v1") and len(parts) > 10 and taken.name.endswith(".csv.age")
    assert FORMULA.encode() not in sent and list(folder.iterdir()) == []
    plain = pyrage.decrypt(sent, [identity])
    assert as_csv(plain)[-1] == [two[1].reference, "kk", f"'{PHONE}", EMAIL]
    assert hashlib.sha256(plain).hexdigest() == fresh(transfer).digest
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sent, [pyrage.x25519.Identity.generate()])


def test_a_damaged_public_key_is_found_before_the_file_is_given(lab, by, two, today):
    Recipient.objects.filter(pk=lab.pk).update(public_key="age1" + "q" * 58)
    transfer = ready(lab, by, today)
    with pytest.raises(ValidationError):
        taken_by(transfer, by, today)
    assert fresh(transfer).state == "ready"
    Recipient.objects.filter(pk=lab.pk).update(public_key="")
    assert taken_by(transfer, by, today)


# --- at rest ---------------------------------------------------------------------------------------------------------
def test_at_rest_it_is_noise_and_nothing_else_lies_there(lab, by, two, today, folder):
    transfer = ready(lab, by, today)
    (path,) = folder.iterdir()
    assert path == rows.path_of(transfer) and path.stat().st_mode & 0o777 == 0o600
    assert b"example.kz" not in path.read_bytes() and two[0].reference.encode() not in path.read_bytes()
    assert FORMULA.encode() in taken_by(transfer, by, today)
    assert list(folder.iterdir()) == [] and fresh(transfer).wrapped is None


def damage(path, other, way):
    content, others = path.read_bytes(), other.read_bytes()
    middle, first = len(content) // 2, 4 + int.from_bytes(content[:4], "big")
    ways = {
        "changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "cut": content[:-1],
        "without its end": content[:first],
        "swapped": content[first:] + content[:first],
        "another's": others,
    }
    path.write_bytes(ways[way]) if way != "gone" else path.unlink()


@pytest.mark.parametrize("way", ["changed", "cut", "without its end", "swapped", "another's", "gone"])
def test_a_damaged_file_is_given_to_nobody(lab, by, two, today, folder, way):
    transfer, other = ready(lab, by, today), ready(lab, by, today)
    damage(rows.path_of(transfer), rows.path_of(other), way)
    with pytest.raises(ValidationError):
        taken_by(transfer, by, today)
    assert (fresh(transfer).state, fresh(transfer).wrapped) == ("failed", None)
    assert list(folder.iterdir()) == [rows.path_of(other)]
    assert not AuditEntry.objects.filter(operation="transfer").exists()
    assert taken_by(other, by, today)


def test_over_its_time_it_is_destroyed_and_fetched_by_nobody(lab, by, two, today, folder):
    transfer = ready(lab, by, today)
    end = transfer.expires_at
    assert end == today + DAY
    assert (transfers.destroy_over(end - SECOND), len(list(folder.iterdir()))) == (0, 1)
    with pytest.raises(ValidationError):
        taken_by(transfer, by, end)
    assert transfers.destroy_over(end) == 1
    assert (fresh(transfer).state, fresh(transfer).wrapped, list(folder.iterdir())) == ("destroyed", None, [])
    about = AuditEntry.objects.filter(object_type="registry.transfer", object_id=transfer.pk).order_by("pk")
    assert about.last().operation == "destroy"


def test_files_that_no_transfer_holds_are_swept(lab, by, two, today, folder):
    transfer = ready(lab, by, today)
    (folder / "TR-AAAA-AAAA.part").write_bytes(b"left"), (folder / "TR-AAAA-AAAA.sealed").write_bytes(b"left")
    transfers.destroy_over(today)
    assert list(folder.iterdir()) == [rows.path_of(transfer)]


def test_a_value_corrected_meanwhile_leaves_as_it_is_now(lab, by, two, today, folder):
    transfer, subject = ready(lab, by, today), two[1]
    number = subject.data.live().get(category__code="phone")
    contact = subject.data.live().get(category__code="email")
    asked = opening.receive(
        subject, "rectification", channel="page", language="kk", now=today, contact_id=contact.pk, text="wrong"
    )
    verifying.confirm(asked.pk, now=today)
    details = Details(datum=number, value="8 701 555 99 99")
    answering.answer(SubjectRequest.objects.get(pk=asked.pk), "granted", "Done.", by=by, now=today, details=details)
    assert (fresh(transfer).state, fresh(transfer).wrapped) == ("building", None)
    transfers.destroy_over(today)
    assert transfers.build_waiting(clock=lambda: today) == 1
    content = taken_by(fresh(transfer), by, today)
    assert b"+77015559999" in content and PHONE.encode() not in content


# --- memory ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("file_format", ["csv", "xlsx", "json"])
def test_writing_it_takes_as_much_memory_for_many_as_for_few(lab, by, two, today, file_format):
    transfer = ready(lab, by, today, file_format)
    columns = building.columns(transfer)

    def portion(first):
        lines = [[f"DS-{number:09}", "kk", [f"p{number}@example.kz"], [PHONE]] for number in range(first, first + 500)]
        return b"".join(formats.people(file_format, columns, lines))

    def peak(people):
        tracemalloc.start()
        try:
            written = sum(map(len, formats.document(transfer, columns, map(portion, range(0, people, 500)))))
            return tracemalloc.get_traced_memory()[1], written
        finally:
            tracemalloc.stop()

    (few, less), (many, more) = peak(1_000), peak(20_000)
    assert more > 10 * less and many < 1.5 * few + 1_000_000


def test_what_is_read_through_is_closed_when_it_fails(lab, by, two, today, monkeypatch):
    transfer, opened = ready(lab, by, today), []

    def failing(taken):
        opened.append(taken.file)
        raise OSError

    monkeypatch.setattr(taking.Taken, "digest", failing)
    with pytest.raises(ValidationError):
        taken_by(transfer, by, timezone.now())
    assert opened[0].closed
