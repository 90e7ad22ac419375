"""The sealed state and damaged values: nothing half-works, and no wrong value is ever shown.

Broken and seen to fail: what datum_binding and `_bind` bind to, the version check of `_split_wrapped`, `except Sealed` of
jobs.run_job, the answer of SealedStateMiddleware.
"""

import base64
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from consent import links
from consent import tasks as consent_tasks
from registry import tasks
from registry.disclosure import masked
from registry.keyring import Sealed, keyring
from registry.models import AuditEntry, AuditSeal, DatumKey, PersonalDatum, SealingKey
from registry.sealing import MasterKeys, SealError, new_master
from tests.conftest import owner_connection
from tests.factories import EMAIL, MOMENT, enter, person, question, staff
from tests.faults.tables import row_counts, rows_written

ignore_static = pytest.mark.filterwarnings("ignore:No directory at")
pytestmark = [pytest.mark.django_db, ignore_static]
LANGUAGES = ["kk", "ru", "en"]


@pytest.fixture(autouse=True)
def _fresh_keyring():
    """Each test opens the keys itself, as a process that has just started, and leaves the right ones behind."""
    keyring.cache_clear()
    yield
    keyring.cache_clear()


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


OTHER = base64.b64encode(b"x" * 32).decode()
WRONG = {
    "another key under the same id": f"test:{OTHER}",
    "another id": f"other:{OTHER}",
    "a key cut short": "test:" + base64.b64encode(b"x" * 31).decode(),
    "no key at all": "test:",
    "no id": f":{OTHER}",
    "not base64": "test:!!!!",
    "not ASCII": "test:ключ",
    "an id that is not ASCII": f"кілт:{OTHER}",
    "nonsense": "\x01\x02",
    "separators only": ",,\n,",
}


FILES = ["missing", "an empty file", "a file of bytes", "a folder"]


@pytest.fixture(params=[*WRONG, *FILES, *SealingKey.Name.values, "all rows"])
def fault(request, settings, tmp_path):
    """Breaks the keys in one way, with people and letters in the registry; returns the paths of live links."""
    asked = question()
    person()  # who has a receipt
    sealed = {"lines": b"x", "previous": b"0" * 32, "head": b"1" * 32, "sealed_at": MOMENT}
    AuditSeal.objects.create(first_entry=1, last_entry=1, count=1, **sealed)  # a key nothing was made with is made anew
    paths = [links.confirm_url(asked.pk, "ru"), links.unsubscribe_url(asked.subject_id)]
    break_keys(request.param, settings, tmp_path)
    keyring.cache_clear()
    return [path.removeprefix("http://testserver") for path in paths]


def break_keys(kind, settings, folder):
    if kind in WRONG:
        settings.MASTER_KEYS = WRONG[kind]
        return
    if kind in SealingKey.Name.values or kind == "all rows":
        SealingKey.objects.filter(**({} if kind == "all rows" else {"name": kind})).delete()
        return
    settings.MASTER_KEYS, settings.MASTER_KEYS_FILE = "", folder / "master.keys"
    if kind == "an empty file":
        settings.MASTER_KEYS_FILE.touch()
    if kind == "a file of bytes":
        settings.MASTER_KEYS_FILE.write_bytes(bytes(range(256)))
    if kind == "a folder":
        settings.MASTER_KEYS_FILE.mkdir()


def test_a_sealed_registry_serves_nothing_and_writes_nothing(fault, client):
    before, counted = rows_written(), row_counts()
    check_pages(client, fault)
    check_jobs()
    check_commands()
    assert rows_written() == before
    assert row_counts() == counted


def check_pages(client, letters):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (503, b"unavailable")
    pages = [f"/{language}/{page}/" for language in LANGUAGES for page in ("policy", "consent", "confirm/x")]
    for path in [*pages, *letters, "/", "/u/x/", "/admin/", "/admin/login/", "/admin/registry/datasubject/"]:
        language = path[1:3] if path[1:3] in LANGUAGES else "en"
        for method in ("GET", "POST"):
            body = {"email": EMAIL, "purposes": "feedback", "answer": "confirm"} if method == "POST" else {}
            answer = getattr(client, method.lower())(path, body, headers={"accept-language": "en"})
            assert answer.status_code == 503, path
            assert re.search(r'<html lang="(\w*)"', answer.content.decode())[1] == language, path
            assert answer.headers["Retry-After"] and not answer.cookies


def check_jobs():
    for job in (tasks.purge, tasks.send_mail, tasks.watchdog, consent_tasks.expire_unconfirmed):
        job()


def check_commands():
    with pytest.raises(CommandError):
        call_command("purge", stdout=StringIO(), stderr=StringIO())
    with pytest.raises(SystemExit) as end:
        call_command("prepare", stdout=StringIO(), stderr=StringIO())
    assert end.value.code == 3


def test_the_message_names_the_key_that_is_wanted_and_no_key(settings):
    right = settings.MASTER_KEYS
    settings.MASTER_KEYS = f"other:{OTHER}"
    with pytest.raises(Sealed, match="'test'") as sealed:
        keyring()
    assert OTHER not in str(sealed.value) and right.partition(":")[2] not in str(sealed.value)


def test_the_right_key_works_again_without_a_new_start(settings, client):
    asked, right = question(), settings.MASTER_KEYS
    keyring.cache_clear()
    settings.MASTER_KEYS = f"test:{OTHER}"
    assert client.get("/kk/consent/").status_code == client.get("/healthz").status_code == 503
    settings.MASTER_KEYS = right
    assert client.get("/kk/consent/").status_code == client.get("/healthz").status_code == 200
    assert asked.subject.data.get().unseal(keyring().masters) == EMAIL.replace("E", "e")


def test_a_second_key_beside_the_right_one_opens_everything(settings):
    datum = question().subject.data.get()
    keyring.cache_clear()
    settings.MASTER_KEYS = f"{new_master('new')}\n{settings.MASTER_KEYS}"
    assert datum.unseal(keyring().masters)


@pytest.mark.parametrize("name", SealingKey.Name.values)
def test_one_changed_byte_in_a_named_key_seals_the_registry(name):
    row = SealingKey.objects.get(name=name)
    for damaged in flips(bytes(row.wrapped)):
        SealingKey.objects.filter(name=name).update(wrapped=damaged)
        with pytest.raises(Sealed):
            keyring()


def test_named_keys_that_were_exchanged_seal_the_registry():
    index, of_links = SealingKey.objects.get(name="index"), SealingKey.objects.get(name="links")
    SealingKey.objects.filter(name="index").update(wrapped=of_links.wrapped)
    SealingKey.objects.filter(name="links").update(wrapped=index.wrapped)
    with pytest.raises(Sealed):
        keyring()


# --- damaged and moved values -------------------------------------------------------------------------------------
def flips(whole):
    """Every byte changed in one bit and in all, every beginning, and one byte more."""
    for place in range(len(whole)):
        for mask in (0x01, 0x80, 0xFF):
            yield whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :]
        yield whole[:place]
    yield whole + b"\0"


def test_one_changed_byte_of_a_sealed_value_is_an_error():
    datum, masters = person(email=EMAIL).data.get(), keyring().masters
    assert datum.unseal(masters)
    for damaged in flips(bytes(datum.sealed)):
        datum.sealed = damaged
        with pytest.raises(SealError):
            datum.unseal(masters)


def test_one_changed_byte_of_a_wrapped_key_is_an_error():
    datum, masters = person(email=EMAIL).data.get(), keyring().masters
    for damaged in flips(bytes(datum.key.wrapped)):
        datum.key.wrapped = damaged
        with pytest.raises(SealError):
            datum.unseal(masters)


def test_a_value_moved_to_another_place_is_an_error():
    one, other = (person("feedback", phone=f"8701555123{n}").data.order_by("pk") for n in (1, 2))
    email, phone, elsewhere = one[0], one[1], other[0]
    opens = email.unseal(keyring().masters)
    for stolen, key in [(elsewhere, elsewhere.key), (elsewhere, email.key), (phone, phone.key), (phone, email.key)]:
        moved = PersonalDatum(pk=stolen.pk, subject=stolen.subject, category=stolen.category, sealed=email.sealed)
        moved.key = DatumKey(datum_id=stolen.pk, wrapped=key.wrapped)
        check_does_not_open(moved, opens)
    for change in ({"subject_id": elsewhere.subject_id}, {"category_id": phone.category_id}, {"pk": elsewhere.pk}):
        moved = PersonalDatum.objects.select_related("key").get(pk=email.pk)
        key = moved.key
        for name, value in change.items():
            setattr(moved, name, value)
        moved.key = key
        check_does_not_open(moved, opens)


def check_does_not_open(datum, value):
    with pytest.raises(SealError) as error:
        datum.unseal(keyring().masters)
    assert value not in str(error.value)
    assert masked([datum]) == {datum.pk: "⚠"}


def test_a_value_under_a_key_that_was_retired_is_an_error():
    datum = person().data.get()
    with pytest.raises(SealError, match="'test'"):
        datum.unseal(MasterKeys.parse(new_master("k2")))


def test_nothing_shows_a_value_by_being_printed():
    datum = person(email=EMAIL).data.get()
    shown = f"{datum} {datum!r} {datum.key} {datum.key!r} {keyring()!r} {keyring().masters!r} {vars(datum)}"
    assert "canary" not in shown.lower()


# --- what the console shows of it ---------------------------------------------------------------------------------
DAMAGE = {
    "a changed value": """UPDATE registry_personaldatum SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)
        WHERE id = %s""",
    "a changed key": """UPDATE registry_datumkey SET wrapped = set_byte(wrapped, 30, get_byte(wrapped, 30) # 1)
        WHERE datum_id = %s""",
    "a value of somebody else": """UPDATE registry_personaldatum SET sealed =
        (SELECT sealed FROM registry_personaldatum other WHERE other.id <> registry_personaldatum.id LIMIT 1)
        WHERE id = %s""",
    "a lost key": "DELETE FROM registry_datumkey WHERE datum_id = %s",
}


def damage(kind, datum):
    """As the owner, past the application's rights and the trigger."""
    with owner_connection() as connection, connection.transaction():
        connection.execute("ALTER TABLE registry_personaldatum DISABLE TRIGGER immutable_value")
        connection.execute(DAMAGE[kind], [datum.pk])
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        connection.execute("ALTER TABLE registry_personaldatum ENABLE ALWAYS TRIGGER immutable_value")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", DAMAGE)
def test_the_console_shows_an_error_and_never_a_wrong_value(kind, client):
    datum, other = person(email=EMAIL).data.get(), person(email="somebody.else@example.kz").data.get()
    enter(client, staff())
    page = reverse("admin:reveal", args=[datum.pk])
    assert EMAIL.replace("E", "e") in client.post(page, {"reason": "letter"}).content.decode()
    damage(kind, datum)
    answer = client.post(page, {"reason": "letter"})
    shown = answer.content.decode()
    assert answer.status_code != 200
    assert 'class="errornote"' in shown, "the reader is told what is wrong"
    assert not re.search("canary|somebody", shown, re.IGNORECASE)
    assert AuditEntry.objects.filter(operation="reveal").count() == 2
    for address in (reverse("admin:registry_datasubject_changelist"), subject_page(datum), subject_page(other)):
        listed = client.get(address)
        assert listed.status_code == 200, address
        assert "canary" not in listed.content.decode().lower()


def subject_page(datum):
    return reverse("admin:registry_datasubject_change", args=[datum.subject_id])
