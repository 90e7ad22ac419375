"""The whole story, as its people live it: a visitor, a clerk, and the purge that leaves nothing.

Broken and seen to fail here: the DELETE of registry_personaldatum in registry/erasure.py left out; the address written
into the outbox row (last_error)."""

import email
import logging
import re
import urllib.request
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from config.logs import LineFormatter
from consent import forms
from consent.models import ConsentRecord
from registry import mail, purging
from registry.keyring import keyring
from registry.models import AuditEntry, DataSubject, DatumKey, ErasureRecord, OutgoingMessage, PersonalDatum
from tests import traces
from tests.conftest import owner_connection
from tests.factories import keep_until, staff

pytestmark = pytest.mark.django_db(transaction=True)
EMAIL, PHONE = "Saule.Kanarbekova@example.kz", "8 (701) 555-12-34"


@pytest.fixture
def logs(tmp_path):
    """Everything the product writes into its logs, as it writes it."""
    folder = tmp_path / "logs"
    folder.mkdir()
    handler = logging.FileHandler(folder / "all.log")
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    level, root.level = root.level, logging.INFO
    yield folder
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()


def letters(folder: Path) -> list[EmailMessage]:
    """The letters in the folder, oldest first."""
    mail.send_due(timezone.now(), clock=timezone.now)
    return [email.message_from_bytes(path.read_bytes(), policy=default) for path in sorted(folder.glob("*.eml"))]


def test_from_consent_to_nothing_left(visit, settings, logs):
    person = visit(java_script_enabled=False)
    read_and_consent(person)
    question = letters(settings.MAIL_FOLDER)[0]
    assert question["To"] == EMAIL
    confirm(person, question)
    receipt = letters(settings.MAIL_FOLDER)[1]
    clerk = visit()
    subject = reveal_with_reason(clerk)

    needles = traces.spellings("email", EMAIL) | traces.spellings("phone", PHONE)
    opened = {datum.unseal(keyring().masters) for datum in subject.data.contacts().select_related("key")}
    assert opened == {EMAIL, "+77015551234"}
    assert_scan_sees(needles)
    assert traces.found(needles, [logs]) == []

    one_click(receipt)
    assert set(subject.consents.values_list("act", flat=True)) == {"asked", "confirmed", "withdrawn"}
    purging.purge(timezone.now())
    assert set(PersonalDatum.objects.values_list("category__code", flat=True)) == {"technical"}
    assert traces.found(needles, [logs]) == []
    end_the_term_of_the_technical_data(subject)
    purging.purge(timezone.now())
    assert not PersonalDatum.objects.exists() and not DatumKey.objects.exists()
    proof_stands(subject)
    person.page.reload()
    assert "CR-" in person.page.inner_text("main") and "DS-" not in person.page.inner_text("main")


def read_and_consent(person):
    assert person.open("/kk/policy/").status == 200
    assert "32. Осы Саясат Сайтта" in person.page.inner_text("main")
    person.page.click("a.button")
    assert person.page.locator("input:checked").count() == 0
    person.page.fill("#id_email", EMAIL)
    person.page.fill("#id_phone", PHONE)
    person.page.check("#purpose-1")
    person.page.check("#purpose-2")
    person.page.wait_for_timeout(forms.TOO_FAST / timedelta(milliseconds=1))  # a person takes longer, a program does not
    person.page.click("main button")
    assert "S•••@example.kz" in person.page.inner_text("main")
    assert EMAIL not in person.page.url


def confirm(person, letter):
    link = re.search(r"http\S+/confirm/\S+", letter.get_content())[0]
    person.open(link)
    person.open(link)  # looking changes nothing
    assert not ConsentRecord.objects.filter(act="confirmed").exists()
    person.page.click("button[value=confirm]")
    assert ConsentRecord.objects.filter(act="confirmed").count() == 2
    person.page.click("main a.button")
    assert re.search(r"CR-\S+[\s\S]*DS-\S+", person.page.inner_text("main"))


def reveal_with_reason(clerk) -> DataSubject:
    clerk.enter(staff("clerk"))
    clerk.open("/admin/registry/datasubject/")
    row = clerk.page.inner_text("#result_list")
    assert "S•••@example.kz" in row and "+7 701 •••-••-34" in row
    clerk.page.click("#result_list tbody a")
    assert EMAIL not in clerk.page.content()
    clerk.page.click("a[href*=reveal] >> nth=0")
    clerk.page.fill("#id_reason", "asked by phone")
    clerk.page.click("#content input[type=submit]")
    assert clerk.page.inner_text("#value") in {EMAIL, "+77015551234"}
    entry = AuditEntry.objects.get(operation="reveal")
    assert (entry.actor.username, entry.reason) == ("clerk", "asked by phone")
    return DataSubject.objects.get()


def assert_scan_sees(needles):
    """The scan finds what is there: a canary in a table, plain and as bytes."""
    with owner_connection() as connection:
        connection.execute("CREATE TABLE canary AS SELECT %s::text AS plain, %s::bytea AS raw", [EMAIL, PHONE.encode()])
        try:
            seen = traces.found(needles, [])
        finally:
            connection.execute("DROP TABLE canary")
    assert any(EMAIL.encode().decode() in place for place in seen)
    assert any(PHONE.encode().hex() in place for place in seen)


def one_click(letter):
    """What a mail program does with RFC 8058: POST, no cookie, no redirect."""
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = letter["List-Unsubscribe"].strip("<>")
    assert "\n" not in url
    with urllib.request.urlopen(url, b"List-Unsubscribe=One-Click") as answer:
        assert answer.status == 200 and answer.url == url
        assert answer.headers["Set-Cookie"] is None


def end_the_term_of_the_technical_data(subject):
    """IP address and browser of the form stay for months of their own; here those are over."""
    PersonalDatum.objects.exclude(keep_until=None).update(keep_until=timezone.now())
    keep_until(subject, timezone.now(), "consent-evidence")


def proof_stands(subject):
    assert ErasureRecord.objects.filter(subject=subject, ground="withdrawn").count() == 2
    assert subject.consents.filter(act="withdrawn", channel="one_click").count() == 2
    assert all(record.wording.text for record in subject.consents.filter(act="confirmed"))
    assert not OutgoingMessage.objects.filter(state="queued").exists()
    subject.refresh_from_db()
    assert subject.status == DataSubject.Status.ERASED
    call_command("purge", verbosity=0)
    assert ErasureRecord.objects.count() == 4, "two contacts and the technical data of two requests, each once"
