"""A file is given and its notices are opened together, or neither: a trigger that raises, at either end.

Broken and seen to fail: notices opened after the transaction that hands the file over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from django.db import DatabaseError
from django.utils import timezone

from registry import auditing, transfers
from registry.incidents import opening
from registry.models import AuditEntry, DataCategory, PersonNotice, Recipient, Transfer
from registry.transfers import Asked, telling
from tests.browser.conftest import shipped  # noqa: F401 (a fixture: a recipient is made and goes again)
from tests.conftest import owner_connection
from tests.factories import person, purpose, staff
from tests.faults.test_audit_down import audit_down

pytestmark = pytest.mark.django_db(transaction=True)
BREAK = """
CREATE FUNCTION test_full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER test_full_disk BEFORE INSERT ON registry_personnotice FOR EACH ROW EXECUTE FUNCTION test_full_disk();
"""


@contextmanager
def notices_down() -> Iterator[None]:
    with owner_connection() as connection:
        connection.execute(BREAK)
        try:
            yield
        finally:
            connection.execute("DROP FUNCTION test_full_disk CASCADE")


@pytest.fixture
def ready(shipped):  # noqa: F811
    """A file for a court of law, and one person of it who wants to be told."""
    now, by = timezone.now(), staff()
    subject = person(now=now)
    telling.ask_to_be_told(subject, by=None, now=now)
    incident = opening.open_incident("loss", "a letter", DataCategory.objects.all()[:1], discovered_at=now, by=by, now=now)
    lawyer = Recipient.objects.create(
        code="lawyer", kind="processor", name_kk="n", country_id="KZ", contract_number="7", contract_on=date(2026, 1, 1)
    )
    data = DataCategory.objects.filter(code="email")
    lawyer.categories.set(data)
    asked = Asked(lawyer, Transfer.Ground.PROTECTION, purpose(), tuple(data), incident=incident)
    transfer = transfers.ask(asked, file_format=Transfer.Format.CSV, reason="court", by=by, now=now)
    transfers.build_waiting(clock=lambda: now)
    return Transfer.objects.get(pk=transfer.pk), by


def state_of(transfer):
    return Transfer.objects.get(pk=transfer.pk).state


@pytest.mark.parametrize(("down", "error"), [(audit_down, auditing.NotRecorded), (notices_down, DatabaseError)])
def test_given_and_opened_together_or_neither(ready, down, error):
    transfer, by = ready
    with down(), pytest.raises(error):
        transfers.take(transfer, by=by, now=timezone.now())
    assert state_of(transfer) == "ready" and not PersonNotice.objects.exists()
    assert not AuditEntry.objects.filter(operation="transfer").exists()
    transfers.take(transfer, by=by, now=timezone.now()).close()
    assert state_of(transfer) == "taken" and PersonNotice.objects.count() == 1
