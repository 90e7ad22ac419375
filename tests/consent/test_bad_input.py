"""What strangers may send, and what it must never do.

Broken and seen to fail: `is_readable` of config.middleware, the language of the error pages, the check of the approved
list before its use in registration.accept, the NFC step after lowering in registry.normalise.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from html import escape
from urllib.parse import quote_from_bytes, urlencode
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from hypothesis import assume, example, given
from hypothesis import strategies as st

from consent import decisions, links
from registry import mail
from registry.deadlines import add_months, end_of_term
from registry.models import DataCategory, DataSubject, OutgoingMessage, PersonalDatum
from registry.normalise import check_bin, normalise
from registry.registration import accept
from tests.factories import EMAIL, MOMENT, purpose, question, shown_form
from tests.faults.tables import row_counts, rows_written

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

URLENCODED = "application/x-www-form-urlencoded"
LANGUAGES = ["kk", "ru", "en"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]

# --- the list -----------------------------------------------------------------------------------------------------
INVISIBLE = [
    "\0", "a\0b@example.kz", "name@example.kz\0", "\x01\x02\x03", "\x07bell@example.kz", "\x08", "\x1b[31mred\x1b[0m",
    "\x7f@example.kz", "a\x85b@example.kz", "\ufeffname@example.kz", "na\u200bme@example.kz", "na\u200cme@example.kz",
    "na\u200dme@example.kz", "na\u2060me@example.kz", "na\u00adme@example.kz", "\u202ename@example.kz",
    "name@example.kz\u202d", "\u2066name\u2069@example.kz", "name\u200e@example.kz", "name\u200f@example.kz",
    "na\u180eme@example.kz", "na\u034fme@example.kz", "name@exam\u200bple.kz", "+7701\u200b5551234",
    "8701\u202e4321555", "\U000e0041@example.kz", "\ufff9a\ufffab\ufffb", "\ue000@example.kz", "\U0010ffff", "\uffff",
    "\ufffe", "\ufdd0@example.kz", "\ufffd@example.kz", "\x00" * 300,
]  # fmt: skip
LONE_SURROGATES = ["\ud800", "\udfff", "\udc80name@example.kz", "name@example.kz\udbff", "\ud83d", "a\ude00b"]
LINES = [
    "name@example.kz\r\nBcc: victim@example.kz", "name@example.kz\nCc: a@example.kz", "name@example.kz\r", "\n",
    "\r\n\r\n",
    "name\r\n@example.kz", "name@example.kz%0d%0aBcc:a@example.kz", "8701555\n1234", "a\u2028b@example.kz",
    "a\u2029b@example.kz", "\t\t\t", "a\x0bb@example.kz", "a\x0cb@example.kz", "a\x1cb@example.kz",
]  # fmt: skip
INJECTIONS = [
    "' OR 1=1 --", "'; DROP TABLE registry_personaldatum; --", "\" OR \"\"=\"", "1; SELECT pg_sleep(10)",
    "') UNION SELECT 1--",
    "%27%20OR%201=1", "\\'; --", "$$;SELECT 1;$$", "<script>alert(1)</script>", "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "</title><script>alert(1)</script>",
    "javascript:alert(1)",
    "<script>alert(1)</script>@example.kz", "\"<b>\"@example.kz", "{{ 7*7 }}", "{% debug %}",
    "{{ settings.SECRET_KEY }}",
    "${7*7}", "#{7*7}", "<%= 7*7 %>", "%(operator)s", "%s%s%s%n", "{0.__class__}", "{operator}", "`id`", "$(id)",
    "; id",
    "| id", "&& id", "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "C:\\con\\con", "file:///etc/passwd",
    "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>", "=cmd|' /C calc'!A0",
    "@SUM(1+1)", "+1+1", "-1+1", "<!--#exec cmd=\"id\"-->", "]]>", "<![CDATA[", "*)(uid=*))(|(uid=*", "{\"$gt\": \"\"}",
]  # fmt: skip
NUMBERS = [
    "0", "-1", "1e309", "NaN", "Infinity", "-0", "9" * 19, "9" * 400, "0x10", "1,000", "1/0", "٠١٢٣٤٥٦٧٨٩", "½", "²",
    "00000000000000", "+", "++77015551234", "+7", "8", "112", "+99900000000", "+1234567890123456789", "(((((((",
    "8 701 555 12 34 ext. 5", "tel:+77015551234", "+77015551234;phone-context=evil.kz", "87015551234,87015551235",
    "8-7O1-555-12-34", "𝟖𝟕𝟎𝟏𝟓𝟓𝟓𝟏𝟐𝟑𝟒", "+79161234567" * 3, "True", "null", "undefined", "None", "NULL",
    "[object Object]",
]  # fmt: skip
SCRIPTS = [
    "👩‍👩‍👧‍👦@example.kz", "🇰🇿", "😀@😀.kz", "Z̷͑̀a̷l̴͗g̵o̶@example.kz", "e" + "\u0301" * 200 + "@example.kz",
    "\u0301@example.kz",
    "ﷺ" * 30, "Ω@example.kz", "ﬀ@example.kz", "İ@example.kz", "ẞ@example.kz", "ÅΑА@example.kz", "аdmin@example.kz",
    "name@еxample.kz", "name@xn--exmple-cua.kz", "name@xn--a.kz", "name@xn--\ufffd.kz",
    "почта@пример.қаз", "例え@テスト.jp",
    "𝓷𝓪𝓶𝓮@example.kz", "ｎａｍｅ@example.kz", "name@example。kz", "مثال@example.kz", "שלום@example.kz",
    "name＠example.kz",
    "J\u030c@example.kz", "ΑΣ@example.kz", "ᾳ@example.kz",
]  # fmt: skip
ADDRESSES = [
    "", " ", "@", "a@", "@b", "a@b", "a@b@c.kz", "a..b@example.kz", ".a@example.kz", "a.@example.kz", "a@-example.kz",
    "a@example..kz", "a@.kz", "a@kz.", "a@localhost", "root@[127.0.0.1]", "a@[IPv6:::1]", "a@127.0.0.1",
    "\"a b\"@example.kz",
    "\"\"@example.kz", "a@example.kz,b@example.kz", "a@example.kz;b@example.kz", "Name <a@example.kz>",
    "a(c)@example.kz",
    "mailto:a@example.kz", "a b@example.kz", "a@exa mple.kz", "o'brien@example.kz", "!#$%&'*+-/=?^_`{|}~@example.kz",
    "x" * 64 + "@example.kz", "x" * 65 + "@example.kz", "a@" + "b" * 64 + ".kz", "a@" + "b." * 120 + "kz",
    "a" * 319, "a" * 320, "a" * 321, "қ" * 320, "a" * 20_000, "<" * 5_000, "@" * 5_000, "((((" * 2_000,
]  # fmt: skip
NAUGHTY = INVISIBLE + LONE_SURROGATES + LINES + INJECTIONS + NUMBERS + SCRIPTS + ADDRESSES


def raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


# --- what is always true of an answer -------------------------------------------------------------------------------
@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def send(client, method, path, *, body=b"", content_type=URLENCODED, typed="", **headers):
    """One request whose answer keeps the promises of a public page; a refused one has written nothing."""
    before = rows_written()
    answer = client.generic(method, path, body, content_type, **headers)
    what = f"{method} {path[:80]!r} {body[:80]!r} {content_type}: {answer.status_code}"
    assert answer.status_code < 500, what
    assert "Set-Cookie" not in answer.headers and not answer.cookies, what
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"], what
    if answer.status_code >= 400 or method not in {"POST"}:
        assert rows_written() == before, what
    check_page(answer, path, method, typed, what)
    return answer


def check_page(answer, path, method, typed, what):
    page = answer.content.decode()
    if len(typed) > 5 and escape(typed) != typed:
        assert typed not in page, what
    if answer.status_code >= 400 and answer.status_code != 405 and method != "HEAD":
        language = re.search(r'<html lang="(\w*)">', page)
        assert language, what
        assert language[1] == path[1:3] if path[1:3] in LANGUAGES else language[1] in LANGUAGES, what


def form(**fields):
    return urlencode([(name, raw(value)) for name, value in ({"shown": shown_form()} | fields).items()]).encode()


def multipart(*fields, boundary="limit"):
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (boundary.encode(), name.encode(), value)
        for name, value in fields
    ]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


MULTIPART = "multipart/form-data; boundary=limit"


# --- any string, in any place -------------------------------------------------------------------------------------
def test_the_list_is_long_and_without_doubles():
    assert len(NAUGHTY) == len(set(NAUGHTY)) > 150


@pytest.mark.parametrize(("field", "step"), [("email", 1), ("phone", 2), ("purposes", 3)])
def test_any_string_in_a_field_is_refused_or_kept_whole(client, field, step):
    for number, text in enumerate(NAUGHTY[::step]):
        fields = {"email": f"somebody{number}@example.kz", "purposes": "feedback", "shown": shown_form()} | {field: text}
        path = f"/{LANGUAGES[number % 3]}/consent/"
        people = DataSubject.objects.count()
        answer = send(client, "POST", path, body=form(**fields), typed=text)
        assert answer.status_code in {200, 400, 422}
        added = DataSubject.objects.count() - people
        assert added == 0 or (added, answer.status_code) == (1, 200)


def test_any_string_in_a_field_of_a_multipart_form_is_refused_or_kept_whole(client):
    for number, text in enumerate(NAUGHTY):
        field = ["email", "phone", "purposes"][number % 3]
        fields = {"email": f"somebody{number}@example.kz", "purposes": "feedback", "shown": shown_form()} | {field: text}
        body = multipart(*((name, raw(value)) for name, value in fields.items()))
        answer = send(client, "POST", "/ru/consent/", body=body, content_type=MULTIPART, typed=text)
        assert answer.status_code in {200, 400, 422}


def test_an_accepted_address_of_any_spelling_gets_its_letter(settings):
    settings.EMAIL_BACKEND = "config.mail_folder.EmailBackend"
    for text in filter(lambda text: canonical("email", text), NAUGHTY):
        question(email=text, now=timezone.now())
    queued = OutgoingMessage.objects.filter(state="queued").count()
    assert queued
    assert mail.send_due(timezone.now(), clock=timezone.now, most=500) == queued
    assert len(list(settings.MAIL_FOLDER.glob("*.eml"))) == queued


def test_any_string_as_the_name_of_a_field_is_refused(client):
    for text in NAUGHTY[::2]:
        body = form(email=EMAIL, purposes="feedback") + b"&" + quote_from_bytes(raw(text)).encode() + b"=1"
        answer = send(client, "POST", "/en/consent/", body=body, typed=text)
        assert answer.status_code in {400, 422}


@pytest.mark.parametrize("start", ["/ru/confirm/", "/u/", "/ru/mine/", "/kk/receipt/", "/en/represent/", "/kk/code/", "/kk/"])
def test_any_string_in_an_address_finds_no_page(client, start):
    for number, text in enumerate(NAUGHTY):
        if not text.strip("/."):
            continue
        path = start + quote_from_bytes(raw(text)[:2000], safe="") + "/"
        answer = send(client, ["GET", "POST"][number % 2], path, typed=text)
        assert answer.status_code in {400, 404, 405}, path


@pytest.mark.parametrize("path", ["/", "/healthz", "/u/x/"])
def test_any_string_in_a_query_or_a_header_does_no_harm(client, path):
    for text in NAUGHTY:
        query = raw(text)[:2000].decode("latin-1")
        seen = query[:500].replace("\r", "").replace("\n", "")
        headers = {"HTTP_ACCEPT_LANGUAGE": seen, "HTTP_REFERER": seen, "HTTP_COOKIE": seen, "HTTP_USER_AGENT": seen}
        send(client, "GET", path, QUERY_STRING=f"next={query}", typed=text, **headers)


# --- every address, every method ----------------------------------------------------------------------------------
def addresses():
    asked = question(now=timezone.now())
    pages = [f"/{language}/{page}/" for language in LANGUAGES for page in ("policy", "consent", "confirm/x", "nothing")]
    letters = [links.confirm_url(asked.pk, "ru"), links.unsubscribe_url(asked.subject_id)]
    return ["/", "/healthz", "/u/x/", "/nothing", *pages, *(url.removeprefix("http://testserver") for url in letters)]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_on_every_address(client, method):
    for path in addresses():
        answer = send(client, method, path)
        assert answer.status_code in {200, 302, 400, 404, 405, 422}, path
        if answer.status_code == 405:
            assert answer.headers["Allow"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_only_a_post_changes_anything(client, method):
    asked = question(now=timezone.now())
    for url in (links.confirm_url(asked.pk, "kk"), links.unsubscribe_url(asked.subject_id)):
        path = url.removeprefix("http://testserver")
        send(client, method, path + "?answer=confirm", body=form(answer="confirm"))
    asked.refresh_from_db()
    assert asked.answer == "waiting"


def test_an_unknown_host_is_refused_in_the_page_s_language(client, settings):
    settings.ALLOWED_HOSTS = ["registry.example.kz"]
    for host in ("evil.example", "registry.example.kz:99999999", "a b", "<script>"):
        for language in LANGUAGES:
            assert send(client, "GET", f"/{language}/nothing", HTTP_HOST=host).status_code in {400, 404}


# --- bodies that are no form --------------------------------------------------------------------------------------
BROKEN = b"email=\xff\xfe@example.kz&purposes=feedback"
BODIES = {
    "bytes that are not UTF-8": (BROKEN, URLENCODED),
    "overlong UTF-8": (b"email=%C0%80@example.kz&purposes=feedback", URLENCODED),
    "half a character": (b"email=name@example.kz%D0&purposes=feedback", URLENCODED),
    "a lone surrogate": (b"email=%ED%A0%80@example.kz&purposes=feedback", URLENCODED),
    "NUL": (b"email=a%00@example.kz&purposes=feedback", URLENCODED),
    "NUL in a name": (b"email=name@example.kz&purposes=feedback&a%00=1", URLENCODED),
    "a field of 1 MB": (b"purposes=feedback&email=" + b"a" * 1_000_000, URLENCODED),
    "1 MB of percent signs": (b"%" * 1_000_000, URLENCODED),
    "3000 fields": (b"&".join(b"f%d=1" % number for number in range(3000)), URLENCODED),
    "3000 ticks": (b"email=a@example.kz" + b"&purposes=feedback2" * 3000, URLENCODED),
    "a declared code page": (b"email=name@example.kz&purposes=feedback", URLENCODED + "; charset=koi8-r"),
    "a made-up code page": (b"email=\xff&purposes=feedback", URLENCODED + "; charset=x-nothing"),
    "JSON": (b'{"email": "name@example.kz", "purposes": ["feedback"]}', "application/json"),
    "XML": (b"<email>name@example.kz</email>", "application/xml"),
    "plain text": (b"email=name@example.kz&purposes=feedback", "text/plain"),
    "no type": (b"email=name@example.kz&purposes=feedback", ""),
    "a type that is none": (b"email=name@example.kz", "\x01/\x02;;;=\xff"),
    "multipart without a boundary": (multipart(("email", b"a@example.kz")), "multipart/form-data"),
    "multipart with an empty boundary": (multipart(("email", b"a@example.kz")), "multipart/form-data; boundary="),
    "multipart with a long boundary": (b"--" + b"b" * 5000, "multipart/form-data; boundary=" + "b" * 5000),
    "multipart that never begins": (b"garbage", MULTIPART),
    "multipart cut off": (multipart(("purposes", b"feedback"), ("email", b"a@example.kz"))[:70], MULTIPART),
    "multipart without names": (b"--limit\r\n\r\nname@example.kz\r\n--limit--\r\n", MULTIPART),
    "multipart in broken base64": (
        b'--limit\r\nContent-Disposition: form-data; name="email"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\nA\r\n--limit--\r\n",
        MULTIPART,
    ),
    "multipart of 1 MB": (multipart(("email", b"a" * 1_000_000)), MULTIPART),
    "multipart of 3000 fields": (multipart(*((f"f{number}", b"1") for number in range(3000))), MULTIPART),
    "multipart with NUL in a purpose": (multipart(("email", b"a@example.kz"), ("purposes", b"feedback\0")), MULTIPART),
    "multipart with a name of NUL": (
        multipart(("email", b"a@example.kz"), ("purposes", b"feedback"), ("\0", b"1")),
        MULTIPART,
    ),
    "a hundred files": (
        b'--limit\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\na\r\n' * 120
        + b"--limit--\r\n",
        MULTIPART,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_body_that_is_no_form_is_refused_in_the_page_s_language(client, language, name):
    body, content_type = BODIES[name]
    answer = send(client, "POST", f"/{language}/consent/", body=body, content_type=content_type)
    assert answer.status_code in {400, 413, 422}
    assert answer.headers["Content-Type"].startswith("text/html")


CODECS = ["hex", "rot13", "zlib", "base64", "idna", "undefined", "utf-16", "utf-7", "punycode"]


@pytest.mark.parametrize("codec", CODECS)
def test_a_strange_code_page_is_refused(client, codec):
    body = multipart(("email", b"name@example.kz"), ("purposes", b"feedback"))
    for path in ("/kk/consent/", "/u/x/", "/en/confirm/x/"):
        answer = send(client, "POST", path, body=body, content_type=f"{MULTIPART}; charset={codec}")
        assert answer.status_code in {400, 404, 422}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_answer_changes_nothing(client, name):
    """An answer that can't be read is no answer: a link's page refuses it or takes it for none."""
    body, content_type = BODIES[name]
    for path in ("/kk/confirm/x/", "/u/x/", "/", "/healthz", "/ru/policy/"):
        assert send(client, "POST", path, body=body, content_type=content_type).status_code in {400, 404, 405, 413}


def test_a_file_in_the_form_never_touches_the_disk(client, settings):
    settings.FILE_UPLOAD_TEMP_DIR = "/nonexistent/folder"
    head = b'--limit\r\nContent-Disposition: form-data; name="email"; filename="list.csv"\r\n\r\n'
    body = head + b"a" * 1_000_000 + b"\r\n--limit--\r\n"
    answer = send(client, "POST", "/kk/consent/", body=body, content_type=MULTIPART)
    assert answer.status_code in {400, 413, 422}


def test_a_field_sent_twice_is_one_value(client):
    body = b"email=first@example.kz&email=second@example.kz&purposes=feedback&purposes=feedback"
    answer = send(client, "POST", "/kk/consent/", body=body)
    assert (answer.status_code, PersonalDatum.objects.count()) in {(200, 1), (400, 0), (422, 0)}


# --- no tick, no approval -----------------------------------------------------------------------------------------
NO_TICK = [{}, {"email": EMAIL}, {"email": EMAIL, "phone": "87015551234"}, {"email": EMAIL, "purposes": ""}]


@pytest.mark.parametrize("fields", NO_TICK)
def test_no_tick_nothing_stored_anywhere(client, fields):
    for language in LANGUAGES:
        answer = send(client, "POST", f"/{language}/consent/", body=form(**fields))
        assert answer.status_code == 422
    with pytest.raises(ValidationError):
        decisions.ask(fields, [], language="kk", now=MOMENT)


@pytest.mark.parametrize("code", ["nothing", "confirmation", "proof-of-consent", "FEEDBACK", "1", "feedback,site-news"])
def test_a_purpose_that_is_not_offered_is_refused_with_those_that_are(client, code):
    body = form(email=EMAIL, purposes="feedback") + b"&purposes=" + code.encode()
    assert send(client, "POST", "/ru/consent/", body=body).status_code == 422


CATEGORIES = [
    "iin",
    "name",
    "birth_date",
    "Email",
    "email ",
    "id",
    "subject",
    "standing",
    "index",
    "csrfmiddlewaretoken",
]


@pytest.mark.parametrize("code", CATEGORIES)
def test_a_category_not_on_the_approved_list_is_refused_by_the_form(client, code):
    answer = send(client, "POST", "/kk/consent/", body=form(email=EMAIL, purposes="feedback", **{code: "990101500006"}))
    assert answer.status_code == 422


@pytest.mark.parametrize("code", CATEGORIES)
def test_a_category_not_on_the_approved_list_is_refused_by_the_operations(code):
    before, values = row_counts(), {"email": EMAIL, code: "990101500006"}
    with pytest.raises(ValidationError) as refusal:
        accept(values, [purpose()])
    assert refusal.value.error_dict[code][0].code == "not_approved"
    with pytest.raises(ValidationError):
        decisions.ask(values, [purpose()], language="kk", now=MOMENT)
    assert row_counts() == before


def test_a_category_no_chosen_purpose_needs_is_refused(client):
    purpose("site-news").categories.set(DataCategory.objects.filter(code="email"))
    body = form(email=EMAIL, phone="87015551234", purposes="site-news")
    answer = send(client, "POST", "/kk/consent/", body=body)
    assert answer.status_code == 422
    with pytest.raises(ValidationError):
        accept({"phone": "87015551234"}, [purpose("site-news")])


def test_a_category_not_on_the_approved_list_is_refused_by_the_database():
    subject = question().subject
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO registry_personaldatum (subject_id, category_id, sealed, index, source, standing, recorded_at)
            VALUES (%s, 999, '', '', 'import', 'stated', now())""",
            [subject.pk],
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


# --- one canonical form -------------------------------------------------------------------------------------------
def canonical(kind, text):
    """The canonical form, or None where the text is refused. Nothing else may happen."""
    try:
        return normalise(kind, text)
    except ValidationError:
        return None


@given(st.sampled_from(["email", "phone", "iin", ""]), st.text(max_size=60) | st.sampled_from(NAUGHTY))
def test_any_text_has_a_canonical_form_or_is_refused(kind, text):
    found = canonical(kind, text)
    assert found is None or (found.canonical and found.kept and found.masked)


LOCAL = st.text(st.characters(codec="utf-8", categories=["L", "M", "N"]), min_size=1, max_size=20)


PLAIN = st.from_regex(r"[A-Za-z0-9._+-]{1,20}", fullmatch=True)


@given(LOCAL | PLAIN, st.sampled_from(["example.kz", "пошта.қаз", "EXAMPLE.KZ"]))
@example("J\u030c", "example.kz")
@example("Σ\u0345", "example.kz")
def test_the_form_of_an_address_is_stable(local, domain):
    found = canonical("email", f"{local}@{domain}")
    assume(found is not None)
    assert canonical("email", found.canonical).canonical == found.canonical
    assert canonical("email", found.kept) == found
    assert canonical("email", f"  {found.kept}\t").canonical == found.canonical


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9]{1,19}", fullmatch=True), st.sampled_from(["example.kz", "sub.example.kz"]))
@hypothesis.settings(deadline=None)
def test_upper_and_lower_case_are_one_address(local, domain):
    assume(local.lower() not in CASE_INSENSITIVE_MAILBOX_NAMES)  # kept in lower case (RFC 2142)
    spellings = [f"{local}@{domain}", f"{local.upper()}@{domain.upper()}", f" {local.lower()}@{domain} "]
    assert len({normalise("email", spelling).canonical for spelling in spellings}) == 1
    assert normalise("email", spellings[0]).kept == spellings[0]
    assert normalise("email", f"{local}+news@{domain}").canonical != normalise("email", spellings[0]).canonical


def test_look_alikes_stay_two_addresses():
    latin, cyrillic = normalise("email", "admin@example.kz"), normalise("email", "admin@exаmple.kz")
    assert latin.canonical != cyrillic.canonical


def test_a_local_part_few_mail_servers_take_is_refused():
    with pytest.raises(ValidationError):
        normalise("email", "әсел@example.kz")


def test_one_domain_in_two_scripts_is_one_address():
    assert normalise("email", "a@пример.қаз").canonical == normalise("email", "a@xn--e1afmkfd.xn--80ao21a").canonical


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9.]{0,20}[A-Za-z0-9])+", fullmatch=True))
def test_a_masked_address_hides_its_owner(local):
    found = canonical("email", f"{local}@example.kz")
    assume(found is not None)
    hint, _, domain = found.masked.partition("@")
    assert (hint, domain) == (f"{local[0]}•••", "example.kz")


MOBILE = st.sampled_from(["700", "701", "702", "705", "707", "747", "771", "775", "776", "777", "778"])
REST = st.integers(0, 9_999_999).map(lambda number: f"{number:07}")
SPELLINGS = [
    "+7{0}{1}{2}{3}", "8{0}{1}{2}{3}", "7{0}{1}{2}{3}", "{0}{1}{2}{3}", "8 ({0}) {1}-{2}-{3}", "+7 ({0}) {1} {2} {3}",
    "8-{0}-{1}-{2}-{3}", " +7 {0} {1}\u00a0{2} {3} ", "+7.{0}.{1}.{2}.{3}", "８{0}{1}{2}{3}", "8/{0}/{1}-{2}-{3}",
    "+7\u2011{0}\u2011{1}\u2011{2}\u2011{3}", "8–{0}–{1}–{2}–{3}",
]  # fmt: skip


@given(MOBILE, REST)
def test_all_spellings_of_a_number_are_one(code, rest):
    spelt = [spelling.format(code, rest[:3], rest[3:5], rest[5:]) for spelling in SPELLINGS]
    forms = {normalise("phone", text).canonical for text in spelt}
    assert forms == {f"+7{code}{rest}"}
    assert normalise("phone", f"+7{code}{rest}").kept == f"+7{code}{rest}"


@given(MOBILE, REST)
def test_a_masked_number_hides_its_middle(code, rest):
    shown = normalise("phone", f"8{code}{rest}").masked
    assert re.findall(r"\d", shown) == list(f"7{code}{rest[-2:]}")


@pytest.mark.parametrize("number", ["+442079460958", "+998901234567", "+4930123456", "+861069445464", "+2902222"])
def test_a_masked_number_from_abroad_hides_its_middle(number):
    found = canonical("phone", number)
    if found:
        assert found.masked.replace(" ", "").replace("•", "") == number[:4] + number[-2:]


BINS = [
    "230440900088", "971240001315", "940140000385", "941240000193", "020540003431", "020240000555", "010940000162",
    "980540002879", "991240000003", "991240000013", "991240000402",
]  # fmt: skip
IINS = ["990101500006", "990101500016", "990101500026", "990101500708", "990101500721"]
WRONG = [
    "990101500000", "111111111111", "123456789012", "230440900089", "000000000000", "23044090008", "2304409000880", "",
    "23044090008a", "２３０４４０９０００８８", " 230440900088", "-30440900088", "230440900088\n",
]  # fmt: skip


@pytest.mark.parametrize("number", BINS + IINS)
def test_a_true_number_is_accepted(number):
    check_bin(number)


@pytest.mark.parametrize("number", WRONG)
def test_a_wrong_number_is_refused(number):
    with pytest.raises(ValidationError):
        check_bin(number)


@pytest.mark.parametrize("start", ["99010150071", "99010150152"])
def test_a_number_that_can_have_no_check_digit_is_refused(start):
    for digit in "0123456789":
        with pytest.raises(ValidationError):
            check_bin(start + digit)


@given(st.sampled_from(BINS + IINS), st.integers(1, 9))
def test_another_check_digit_is_refused(number, step):
    with pytest.raises(ValidationError):
        check_bin(number[:-1] + str((int(number[-1]) + step) % 10))


# --- borders of terms ---------------------------------------------------------------------------------------------
ALMATY = ZoneInfo("Asia/Almaty")


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2027, 1, 31), 1, date(2027, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 29)),
        (date(2027, 3, 31), 6, date(2027, 9, 30)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 12, 31), 12, date(2027, 12, 31)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
        (date(2027, 1, 30), 0, date(2027, 1, 30)),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last_one(day, months, expected):
    assert add_months(day, months) == expected


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 120))
def test_months_never_skip_a_month(day, months):
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


@pytest.mark.parametrize(
    ("start", "length", "unit", "over"),
    [
        ("2026-11-22T18:59:59+00:00", 1, "days", "2026-11-24T00:00+05:00"),  # 23:59:59 in Almaty
        ("2026-11-22T19:00:00+00:00", 1, "days", "2026-11-25T00:00+05:00"),  # midnight: the next day
        ("2026-11-22T19:30:00+00:00", 3, "days", "2026-11-27T00:00+05:00"),
        ("2027-01-31T18:59:59+00:00", 1, "months", "2027-03-01T00:00+05:00"),
        ("2027-01-31T19:00:00+00:00", 1, "months", "2027-03-02T00:00+05:00"),  # 1 February already
        ("2028-02-28T19:00:00+00:00", 12, "months", "2029-03-01T00:00+05:00"),  # 29 February
        ("2024-02-28T12:00:00+00:00", 3, "days", "2024-03-03T00:00+05:00"),  # the clock went back on 1 March 2024
        ("2023-08-31T12:00:00+00:00", 6, "months", "2024-03-01T00:00+05:00"),
    ],
)
def test_a_term_ends_at_midnight_in_almaty(start, length, unit, over):
    assert end_of_term(datetime.fromisoformat(start), length, unit, ALMATY) == datetime.fromisoformat(over)


MOMENTS = st.integers(800_000_000, 3_500_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(MOMENTS, st.integers(1, 400))
def test_a_term_is_never_shorter_than_it_says(start, days):
    over = end_of_term(start, days, "days", ALMATY)
    assert over.astimezone(ALMATY).time() == time(0)
    assert timedelta(days=days) - timedelta(hours=1) < over - start <= timedelta(days=days + 1, hours=1)
