"""The residual scan finds a canary wherever it is planted, in whatever spelling, and nothing where there is none.

Broken and seen to fail: one form after the other taken out of needles (escaped signs, base64 at each alignment and in
both alphabets, hex, what stands between digits), the boundaries of an address, the look into bytea and its UTF-16, stored
bytes out of the first question, the index that is somebody else's, the meaning of % in bytes, the decoding of sessions,
letters and messages, the overlap of files' parts, a database's folder, the privileges asked of the catalogue, the binding
on the server."""

import base64
import json
from email.message import EmailMessage

import psycopg
import pytest
from django.conf import settings as project
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from kombu import Connection

from registry import scanning
from registry.models import LegalHold, Operator, OutgoingMessage, StaffMember
from registry.normalise import normalise
from registry.scanning import Needles, files
from tests.conftest import owner_connection
from tests.factories import EMAIL, hold, person, staff

pytestmark = pytest.mark.django_db
PHONE = "+77015551234"


def needles(email=EMAIL, phone=PHONE):
    values = [("email", email), ("phone", phone)]
    return scanning.needles_of((kind, normalise(kind, value)) for kind, value in values if value)


@pytest.fixture(autouse=True)
def _home(settings, tmp_path):
    settings.HOME = tmp_path / "home"
    (settings.HOME / "log").mkdir(parents=True)


def remains():
    return scanning.scan(needles()).remains


@pytest.fixture(scope="module")
def owner(django_db_setup):
    """Tables that came later, in a schema of their own. Rows are added and removed past the test's transaction."""
    with owner_connection() as owner:
        owner.execute(
            """
            CREATE SCHEMA later; GRANT USAGE ON SCHEMA later TO PUBLIC;
            CREATE TABLE later.things (n int, json json, jsonb jsonb, xml xml, text text[], bytea bytea, many bytea[]);
            CREATE TABLE later."od d" ("we""ird" text);
            CREATE TABLE later.copied (sealed bytea, wrapped bytea, index bytea);
            GRANT SELECT ON ALL TABLES IN SCHEMA later TO PUBLIC;
            CREATE TABLE later.shut (thing text)
            """
        )
        yield owner
        owner.execute("DROP SCHEMA later CASCADE")


@pytest.fixture
def later(owner):
    yield owner.execute
    owner.execute('DELETE FROM later.things; DELETE FROM later."od d"; DELETE FROM later.copied')


def test_a_clean_registry_is_clean_and_says_what_it_looked_at():
    person()
    seen = scanning.scan(needles())
    assert seen.remains == {}
    assert seen.looked["tables"] > 40 and seen.looked["columns"] > 100
    assert not [place for place in seen.unseen if place.startswith("public.registry")]


@pytest.mark.parametrize("value", [EMAIL, EMAIL.upper(), PHONE, "8 (701) 555-12-34", "701 555\u00a012\u201334"])
def test_a_varchar_is_looked_through(value):
    staff()
    StaffMember.objects.update(first_name=value)
    assert remains() == {"public.registry_staffmember.first_name": 1}


def test_a_text_of_a_history_table_is_looked_through():
    placed = hold(person())
    placed.release_reason = f"called from {PHONE}"
    placed.save()
    LegalHold.objects.update(release_reason="")
    assert remains() == {"public.registry_historicallegalhold.release_reason": 1}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("json", json.dumps({"deep": [f"to\n{EMAIL}"]})),
        ("json", json.dumps({"deep": EMAIL}).replace("@", "\\u0040")),
        ("jsonb", json.dumps({EMAIL: 1})),
        ("text", ["nothing", EMAIL]),
        ("bytea", b"\xff\x00" + EMAIL.encode() + b"\x00"),
        ("bytea", EMAIL.encode("utf-16-le")),
        ("bytea", b"tel: 8\xc2\xa0701\xc2\xa05551234"),
        ("many", [EMAIL.encode()]),
    ],
)
def test_every_kind_of_column_is_looked_through(later, kind, value):
    later("INSERT INTO later.things (n) VALUES (1)")
    assert remains() == {}
    for _ in range(2):
        later(f"INSERT INTO later.things ({kind}) VALUES (%s)", [value])
    assert remains() == {f"later.things.{kind}": 2}


def test_the_outbox_is_looked_through():
    subject = person()
    OutgoingMessage.objects.filter(subject=subject).update(last_error=f"550 <{EMAIL}> unknown")
    assert remains() == {"public.registry_outgoingmessage.last_error": subject.messages.count()}


@pytest.mark.parametrize("more", ["", "x" * 5000])  # a long session is kept compressed
def test_a_session_is_looked_into(more):
    session = SessionStore()
    session["search"] = f"{more} {EMAIL}"
    session.save()
    assert remains()["sessions"] == 1


def test_a_session_signed_with_an_older_key_is_looked_into(settings):
    session = SessionStore()
    session["search"] = EMAIL
    session.save()
    settings.SECRET_KEY = "another"
    assert remains()["sessions"] == 1


def test_a_log_is_looked_through_and_its_name_is_not_told(settings):
    (settings.HOME / "log" / f"{EMAIL}.log").write_text("nothing")
    (settings.HOME / "log" / "web.log").write_text(f"GET /?email={EMAIL.replace('@', '%40')}")
    (settings.HOME / "notes.txt").write_text("nothing")
    seen = scanning.scan(needles())
    assert seen.remains == {"files: log": 2} and seen.looked["files"] == 3


@pytest.mark.parametrize("before", [files.PART - 5, files.PART - 40, files.PART, 3 * files.PART - 1])
def test_a_value_across_two_parts_of_a_file_is_found(settings, before):
    (settings.HOME / "log" / "web.log").write_text(" " * before + EMAIL + " " * files.PART)
    assert remains() == {"files: log": 1}


def test_the_folder_of_a_database_and_the_pages_files_are_not_read(settings):
    settings.STATIC_ROOT = settings.HOME / "static"
    for name in ("static", "postgres-17", "sockets", "elsewhere"):
        (settings.HOME / name).mkdir()
        (settings.HOME / name / "file").write_text(EMAIL)
    (settings.HOME / "elsewhere" / "PG_VERSION").write_text("17")
    assert remains() == {}


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
def test_a_letter_is_decoded(settings, encoding):
    letter = EmailMessage()
    letter["Subject"] = "Сәлем"
    letter.set_content(f"Сәлем!\n\n{'ұзақ ' * 40}8 (701) 5-551-234\n", cte=encoding)
    settings.MAIL_FOLDER.mkdir()
    (settings.MAIL_FOLDER / "1.eml").write_bytes(letter.as_bytes())
    (settings.MAIL_FOLDER / "2.eml").write_bytes(b"To: somebody@example.kz\n\nnothing")
    seen = scanning.scan(needles())
    assert seen.remains == {"files: mail": 1} and seen.looked["letters"] == 2


def test_an_encoded_header_of_a_letter_is_decoded(settings):
    settings.MAIL_FOLDER.mkdir()
    header = base64.b64encode(f"Сәлем <{EMAIL}>".encode()).decode()
    (settings.MAIL_FOLDER / "1.eml").write_text(f"To: =?utf-8?b?{header[:28]}?=\n =?utf-8?b?{header[28:]}?=\n\n-")
    assert remains() == {"files: mail": 1}


@pytest.fixture
def queue():
    with Connection(project.CELERY_BROKER_URL) as broker:
        client = broker.default_channel.client
        yield client
        client.delete("planted")


@pytest.mark.parametrize("offset", range(3))
def test_a_message_of_the_broker_is_decoded(queue, offset):
    body = base64.b64encode(b" " * offset + json.dumps([["8 701 555 12 34"], {}, {}]).encode()).decode()
    queue.lpush("planted", json.dumps({"body": body, "headers": {"task": "t"}}))
    assert remains() == {"broker": 1}


@pytest.mark.parametrize("kind", ["set", "hset", "sadd", "zadd", "xadd"])
def test_every_kind_of_key_of_the_broker_is_looked_through(queue, kind):
    text = f"x{'y' * 100} {EMAIL}"
    values = {"set": (text,), "hset": ("a", text), "sadd": (text,), "zadd": ({text: 1},), "xadd": ({"a": text},)}
    getattr(queue, kind)("planted", *values[kind])
    assert remains() == {"broker": 1}


def test_a_broker_that_is_down_is_said_to_be_unseen(settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    seen = scanning.scan(needles())
    assert "broker" in seen.unseen and seen.remains == {}


def test_a_table_that_came_later_in_another_schema_is_looked_through_or_named(later):
    assert remains() == {}
    later('INSERT INTO later."od d" VALUES (%s)', [EMAIL])
    seen = scanning.scan(needles())
    assert seen.remains == {'later.od d.we"ird': 1}
    assert seen.unseen == ["later.shut.thing"]


@pytest.mark.parametrize(
    "text",
    [
        "Aigul.Canary@example.kz", "mailto:aigul.canary@EXAMPLE.kz", "%3CAigul.Canary%40example.kz%3E", "aigul%2Ecanary@example.kz",
        "\\naigul.canary@example.kz", "=3Caigul.canary=40example.kz", "\\074aigul.canary@example.kz", "aigul.canary@example.kz.eml",
        "\\u003caigul.canary@example.kz", "<a href='mailto:aigul.canary&#64;example.kz'/>", "...aigul.canary@example.kz...", EMAIL.encode().hex(), "00" + EMAIL.encode().hex().upper(),
        *(base64.b64encode(b"x" * n + EMAIL.encode() + b"y").decode() for n in range(3)),
        *(base64.urlsafe_b64encode(b"?" * n + EMAIL.lower().encode() + b"?").decode() for n in range(3)),
        "+7 701 555 12 34", "8(701)555-12-34", "7.701.555.12.34", "%2B7%20701%20555%2012%2034", "tel:+77015551234;", "7015551234",
        "+7\u00a0701\u202f555\u201112\u201134", "+7&nbsp;701&nbsp;555&nbsp;12&nbsp;34", b"7015551234".hex(),
        *(base64.b64encode(b"x" * n + b"+7 701 555 1234").decode() for n in range(3)),
    ],
)  # fmt: skip
def test_a_spelling_is_found_by_python_and_by_the_database(text):
    assert needles().search(f"left {text} right")
    assert database_finds(needles(), f"left {text} right")


@pytest.mark.parametrize(
    "text",
    [
        "x.aigul.canary@example.kz", "xaigul.canary@example.kz", "aigul.canary@example.kzt", "aigulxcanary@example.kz", "aigul.canary",
        "aigul.canary@examplexkz", "+77015551235", "+7 701 555 12 3", "", "701555-x-1234", base64.b64encode(b"somebody@example.kz").decode(),
    ],
)  # fmt: skip
def test_something_else_is_not_found(text):
    assert not needles().search(f"left {text} right")
    assert not database_finds(needles(), f"left {text} right")


def database_finds(what, text):
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT planted")
        cursor.execute("UPDATE registry_operator SET site = %s", [text])
        found = scanning.tables.look(what).remains
        cursor.execute("ROLLBACK TO planted")
    assert set(found) <= {"public.registry_operator.site"}
    return bool(found)


@pytest.mark.parametrize(
    "email",
    ["a+b.c@example.kz", "o'neil@example.kz", "{x}|y$^*?/=!#%&~`@example.kz", "a@b.kz", "name@почта.kz", "_-_@example.kz"],
)
def test_signs_of_an_address_mean_themselves(email):
    value = normalise("email", email)
    what = needles(email, None)
    for text in (email, value.kept, value.canonical, f"<{email.upper()}>"):
        assert what.search(text) and database_finds(what, text), text
    twisted = value.canonical.replace(".", "x").replace("+", "aa")
    assert not what.search(twisted) and not database_finds(what, twisted)


@pytest.mark.parametrize(
    ("phone", "text"),
    [("+442079460958", "(020) 7946 0958"), ("+77272345678", "8 (727) 234-56-78"), ("+77272345678", "8-7272-34-56-78"), ("+37167000000", "+371 67 000 000")],
)  # fmt: skip
def test_numbers_of_towns_and_of_other_countries(phone, text):
    assert needles(None, phone).search(text) and database_finds(needles(None, phone), text)


def test_a_number_too_short_to_stand_alone_is_looked_for_with_its_country():
    assert not needles(None, "+37167000000").search("67 000 000")


def test_a_short_encoded_form_would_be_found_by_chance_and_is_not_looked_for():
    what = needles("a@b.kz", None)
    assert not what.search(base64.b64encode(b"a@b.kz").decode())
    assert what.search(b"a@b.kz".hex())


def test_ciphertext_key_and_index_are_looked_for_as_bytes(later):
    datum = person().data.select_related("key").get()
    pieces = {"sealed": bytes(datum.sealed), "wrapped": bytes(datum.key.wrapped), "index": bytes(datum.index)}
    copies = [b"before" + pieces["sealed"], pieces["wrapped"] + b"after", pieces["index"]]
    later("INSERT INTO later.copied VALUES (%s, %s, %s)", copies)
    what = Needles(sealed=(pieces["sealed"], pieces["wrapped"]), indexes=(pieces["index"],), data=(datum.pk,))
    found = scanning.scan(what).remains
    assert {"later.copied.sealed", "later.copied.wrapped", "later.copied.index"} < set(found)
    assert found["public.registry_personaldatum: id"] == found["public.registry_datumkey: datum_id"] == 1
    assert found["public.registry_personaldatum.index"] == 1


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("offset", range(3))
def test_both_alphabets_of_base64_are_read(encode, offset):
    email = "a??~~o??x@example.kz"
    text = encode(b"x" * offset + email.encode()).decode()
    assert set(text) & set("+/-_")
    assert needles(email, None).search(text) and database_finds(needles(email, None), text)


def test_bytes_that_mean_something_to_a_pattern_mean_themselves(later):
    later("INSERT INTO later.copied (sealed) VALUES (%s), (%s)", [b"a%b_c\\d", b"aXXbXc\\d"])
    assert scanning.scan(Needles(sealed=(b"a%b_c\\d",))).remains == {"later.copied.sealed": 1}


def test_somebody_elses_index_of_the_same_address_is_theirs_by_right():
    index = bytes(person().data.get().index)
    assert scanning.scan(Needles(indexes=(index,), data=(10**9,))).remains == {}


def test_the_value_stands_in_no_statement_others_could_see(monkeypatch):
    told = []

    def wrapper(execute, sql, params, many, context):
        told.append(f"{sql} {params}")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        scanning.scan(needles())
    assert len(told) > 40
    assert not [statement for statement in told if "canary" in statement.lower() or "701" in statement]
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute("SELECT current_setting('registry.surely')")
        assert cursor.fetchone() == ("",)


def test_each_table_is_asked_once():
    asked = []

    def wrapper(execute, sql, params, many, context):
        asked.append(sql if isinstance(sql, str) else sql.as_string(None))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        scanning.scan(needles())
    tables = [statement for statement in asked if " FROM ONLY " in statement]
    assert len(tables) == len(set(tables)) > 40


def test_what_an_operator_publishes_about_himself_is_told_too():
    Operator.objects.update(contact_email=EMAIL)
    assert remains() == {"public.registry_operator.contact_email": 1}
