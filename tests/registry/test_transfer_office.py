"""What LibreOffice makes of a transfer's CSV and XLSX: no cell computes, no letter and no plus is lost.

It opens the file as somebody does who takes semicolons and UTF-8, and writes the sheet as text again, as it is shown: a
cell that computed would show its result. Not part of the product: without LibreOffice these tests are skipped.

Broken and seen to fail: the apostrophe of CSV, the text cells of XLSX.
"""

import csv
import io
import shutil
import subprocess

import pytest
from django.utils import translation

from registry.models import Recipient
from registry.transfers import building, formats
from tests.factories import EMAIL, staff
from tests.registry.test_transfer_files import KAZAKH, PHONE, contacts, ready
from tests.registry.test_transfer_gate import recipient
from tests.registry.test_transfers import BOTH, gave

OFFICE = shutil.which("libreoffice") or shutil.which("soffice")
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),
    pytest.mark.skipif(not OFFICE, reason="LibreOffice is not installed (apt-get install libreoffice-calc)"),
]
LETTERS = "Әділ Ғылым Қоры Үміт Өңір Һәм Ұлы Іс ЁЪЫЭ ёъыэ"
COMPUTED = ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x.kz")']
CELLS = [[PHONE], [LETTERS], *([one] for one in COMPUTED)]
TEXT = "Text - txt - csv (StarCalc):59,34,76,1,,0,false,true"  # semicolons, quotes, UTF-8; numbers and days are seen


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.HOME = tmp_path


@pytest.fixture
def given(today, tmp_path):
    """Writes a file of this format: a person for each value that a spreadsheet might touch."""
    lab = recipient()
    Recipient.objects.filter(pk=lab.pk).update(name_kk=KAZAKH)
    gave(BOTH, now=today, email=EMAIL)

    def written(file_format):
        with translation.override("kk"):
            transfer = ready(lab, staff("sender"), today, file_format)
            columns = building.columns(transfer)
            lines = [[f"DS-{number:09}", "kk", [EMAIL], cell] for number, cell in enumerate(CELLS)]
            people = formats.people(file_format, columns, lines)
            path = tmp_path / f"given.{file_format}"
            path.write_bytes(b"".join(formats.document(transfer, columns, people)))
        assert len(contacts()) == len(columns) == 2
        return path

    return written


def opened(path):
    """The cells as LibreOffice shows them. It is told to compute what it can, and to see numbers and days everywhere."""
    command = [OFFICE, "--headless", f"-env:UserInstallation=file://{path.parent}/profile"]
    if path.suffix == ".csv":
        command.append(f"--infilter={TEXT},false,false,0,true")
    folder = path.parent / "shown"
    subprocess.run([*command, "--convert-to", f"csv:{TEXT}", "--outdir", folder, path], check=True, timeout=180)
    text = (folder / path.with_suffix(".csv").name).read_text("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))


def column(lines):
    """The last cell of each person."""
    return [line[3] for line in lines if line[0].startswith("DS-")]


def test_without_an_apostrophe_it_would_compute(tmp_path):
    """What the others rely on: this is what LibreOffice does to a careless file."""
    path = tmp_path / "careless.csv"
    path.write_text(f"\ufeffDS-1;kk;;=1+1\r\nDS-2;kk;;{PHONE}\r\n", "utf-8")
    assert column(opened(path)) == ["2", PHONE.removeprefix("+")]


def test_a_workbook_keeps_every_value_as_it_is(given):
    lines = opened(given("xlsx"))
    assert column(lines) == [cell for (cell,) in CELLS]
    assert lines[1][1] == KAZAKH


def test_a_table_of_semicolons_keeps_every_value_behind_its_apostrophe(given):
    lines = opened(given("csv"))
    values = [cell for (cell,) in CELLS]
    as_text = ["'" + one if one.startswith(("=", "+", "-", "@", "\t")) else one for one in values]
    assert column(lines) == as_text
    assert lines[1][1] == KAZAKH
