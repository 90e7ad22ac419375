"""Giving data to others: who goes, who stays and why; the file; what a withdrawal in between does.

Broken and seen to fail: `drop_lost`, `_asks_no_consent`, the tick for sending abroad, the wording that names the recipient.
"""

import io
import json
from datetime import date

import openpyxl
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction
from django.utils import timezone

from consent import decisions
from consent.models import ConsentRecord
from registry import demands, transfers
from registry.models import (
    AccessSettings,
    AuditEntry,
    Country,
    DataCategory,
    Incident,
    LegalGround,
    ProcessingPurpose,
    Recipient,
    Transfer,
    TransferLine,
)
from registry.processing import Scope
from registry.transfers import Asked
from tests.factories import DAY, block, keep_until, person, purpose, staff

pytestmark = pytest.mark.django_db
BOTH, PARTNERS, NOBODY = Scope(third_parties=True, cross_border=True), Scope(third_parties=True), Scope()


@pytest.fixture
def partner(today):
    """A partner in a country nobody has marked, named by the purpose before anybody agrees."""
    country, _ = Country.objects.get_or_create(code="DE", defaults={"name_kk": "Германия", "is_protecting": False})
    made = Recipient.objects.create(
        code="lab", kind="partner", name_kk="Зертхана", name_ru="Лаборатория", name_en="Lab", country=country,
        contract_number="7", contract_on=date(2026, 1, 1),
    )  # fmt: skip
    made.categories.set(DataCategory.objects.filter(kind__in=DataCategory.CONTACTS))
    news = purpose()
    news.third_parties = news.cross_border = "asked"
    news.save()
    news.recipients.add(made)
    return made


def gave(scope, *, now, **also):
    subject = person(now=now, **also)
    decisions.give(subject, [purpose()], now=now, scope=scope)
    return subject


def asked(recipient, ground="a", **also):
    email = DataCategory.objects.filter(code="email")
    values = {"purpose": purpose(), "categories": tuple(email)} | also
    return Asked(Recipient.objects.select_related("country").get(pk=recipient.pk), Transfer.Ground(ground), **values)


def send(recipient, by, now, file_format="csv", **also):
    return transfers.ask(asked(recipient, **also), file_format=file_format, reason="research", by=by, now=now)


def test_who_goes_and_who_stays_and_why(partner, today):
    by = staff()
    goes = gave(BOTH, now=today)
    gave(PARTNERS, now=today), gave(NOBODY, now=today)
    blocked, lapsed, gone = (gave(BOTH, now=today - DAY) for _ in range(3))
    block(blocked), keep_until(lapsed, today - DAY / 2)
    decisions.withdraw(gone, None, now=today, channel=ConsentRecord.Channel.LINK)
    counts = transfers.preview(asked(partner), by=by, now=today)
    assert counts.people == 1
    assert counts.left_out == {"ended": 1, "lapsed": 1, "blocked": 1, "third_parties": 1, "cross_border": 1}
    transfer = send(partner, by, today)
    assert (transfer.people, transfer.left_out) == (counts.people, counts.left_out)
    (line,) = transfer.lines.all()
    assert line.subject == goes and line.third_parties and ConsentRecord.objects.get(pk=line.record_id).act == "given"


def test_a_recipient_named_later_is_in_nobodys_consent(partner, today):
    gave(BOTH, now=today)
    other = Recipient.objects.create(
        code="bureau", kind="partner", name_kk="Бюро", country=partner.country, contract_number="8",
        contract_on=date(2026, 1, 1),
    )  # fmt: skip
    other.categories.set(partner.categories.all())
    purpose().recipients.add(other)
    assert transfers.preview(asked(other), by=staff(), now=today).left_out == {"not_named": 1}


def take_all(transfer, by, now):
    assert transfers.build_waiting(clock=lambda: now) == 1
    transfer.refresh_from_db()
    taken = transfers.take(transfer, by=by, now=now)
    content = b"".join(taken)
    taken.close()
    return content


@pytest.mark.parametrize("file_format", ["csv", "xlsx", "json"])
def test_the_file_has_who_may_go_and_nobody_else(partner, today, file_format):
    by = staff()
    gave(BOTH, now=today, email="Goes.Canary@example.kz"), gave(NOBODY, now=today, email="stays.canary@example.kz")
    transfer = send(partner, by, today, file_format)
    content = take_all(transfer, by, today)
    text = rows_of(content, file_format)
    assert "Goes.Canary@example.kz" in text and "stays.canary" not in text
    transfer.refresh_from_db()
    assert transfer.state == "taken" and len(transfer.digest) == 64 and transfer.wrapped is None
    assert AuditEntry.objects.get(operation="transfer").object_id == transfer.pk
    with pytest.raises(ValidationError):
        transfers.take(transfer, by=by, now=today)


def rows_of(content, file_format):
    if file_format == "xlsx":
        sheet = openpyxl.load_workbook(io.BytesIO(content)).active
        cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
        assert all(cell.data_type in "sn" and not str(cell.value).startswith("=") for cell in cells)
        return " ".join(str(cell.value) for cell in cells)
    if file_format == "json":
        assert json.loads(content)["people"]
    return content.decode()


def test_a_withdrawal_while_it_is_built_is_never_in_it(partner, today):
    by = staff()
    goes, leaves = gave(BOTH, now=today), gave(BOTH, now=today, email="leaves.canary@example.kz")
    transfer = send(partner, by, today)
    transfers.build_waiting(clock=lambda: today)
    decisions.withdraw(leaves, None, now=timezone.now(), channel=ConsentRecord.Channel.LINK)
    transfer.refresh_from_db()
    taken = transfers.take(transfer, by=by, now=timezone.now())
    assert b"leaves.canary" not in b"".join(taken)
    taken.close()
    assert TransferLine.objects.get(transfer=transfer, subject=leaves).dropped == "ended"
    assert TransferLine.objects.get(transfer=transfer, subject=goes).dropped == ""


@pytest.mark.parametrize(
    "also",
    [
        {"ground": "b"},
        {"ground": "b", "request_number": "12-4", "requested_on": date(2026, 11, 1)},
        {"ground": "c"},
        {"ground": "d"},
        {"categories": ()},
        {"purpose": None},
    ],
)
def test_what_cannot_be_is_refused_and_recorded(partner, today, also):
    gave(BOTH, now=today)
    with pytest.raises(ValidationError):
        send(partner, staff(), today, **also)
    assert not Transfer.objects.exists()
    assert AuditEntry.objects.filter(operation="refused", object_type="registry.recipient").count() == 1


@pytest.mark.parametrize("until", [date(2026, 1, 31), None])
def test_a_recipient_past_its_contract_gets_nothing(partner, today, until):
    gave(BOTH, now=today)
    Recipient.objects.update(contract_until=until, contract_number="" if until is None else "7")
    with pytest.raises(ValidationError):
        send(partner, staff(), today)


def test_a_state_body_needs_no_consent_but_number_date_and_article(partner, today):
    body = Recipient.objects.create(code="court", kind="state_body", name_kk="Сот", country_id="KZ")
    gave(NOBODY, now=today)
    also = {"request_number": "12-4", "requested_on": date(2026, 11, 1), "article": "9(1)"}
    assert send(body, staff(), today, ground="b", **also).people == 1


def test_protection_of_rights_names_its_incident(partner, today):
    gave(NOBODY, now=today)
    assert not Incident.objects.exists()
    with pytest.raises(ValidationError):
        send(partner, staff(), today, ground="c")


def test_many_wait_for_a_second_person(partner, today):
    by, second = staff("asks"), staff("second")
    AccessSettings.objects.update(plain_export_people=1)
    gave(BOTH, now=today), gave(BOTH, now=today)
    transfer = send(partner, by, today)
    assert transfer.state == "waiting" and transfers.build_waiting(clock=lambda: today) == 0
    with pytest.raises(ValidationError):
        transfers.approve(transfer, by=by, now=today)
    transfers.approve(transfer, by=second, now=today)
    assert transfers.build_waiting(clock=lambda: today) == 1
    AccessSettings.objects.update(plain_export_people=20)


def test_without_right_or_appointment_nobody_is_counted(partner, today):
    for outsider in (staff("a", superuser=False), staff("b", appointed=False)):
        with pytest.raises(PermissionDenied):
            transfers.preview(asked(partner), by=outsider, now=today)


def test_lines_are_evidence(partner, today):
    gave(BOTH, now=today)
    transfer = send(partner, staff(), today)
    for change in ({"cross_border": False}, {"subject_id": 1}):
        with pytest.raises(DatabaseError), transaction.atomic():
            TransferLine.objects.filter(transfer=transfer).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        Transfer.objects.filter(pk=transfer.pk).update(reason="other")


def test_an_erased_person_takes_the_file_with_them(partner, today):
    by = staff()
    gave(BOTH, now=today), (leaves := gave(BOTH, now=today, email="erased.canary@example.kz"))
    transfer = send(partner, by, today)
    transfers.build_waiting(clock=lambda: today)
    demands.demand(leaves, ground=LegalGround.objects.first(), reason="asked", by=by, now=today)
    demands.finish_due(today)
    transfer.refresh_from_db()
    assert transfer.state == "building" and transfer.wrapped is None
    assert b"erased.canary" not in take_all(transfer, by, today)
    assert ProcessingPurpose.objects.exists()
