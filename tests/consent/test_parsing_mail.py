"""A message of the contact mailbox taken apart: what is read, what is refused, what it asks.

Seen to fail before it was mended: pages and heads that kept the standard library's readers busy for minutes.

Broken and seen to fail: one sender and one From, the bounds of parts and of endless lines, the head read without what
parts say of themselves, NUL, quoted lines and signatures, comments of a page, the content in the fingerprint.
"""

import time

import pytest

from consent.mailbox import guessing, originals, parsing
from tests.mail_servers import letter

HEADS = "From: Aigul <aigul.canary@example.kz>\r\nSubject: hello\r\nMessage-ID: <1@example.kz>\r\n"


@pytest.mark.parametrize(
    ("subject", "text", "expected"),
    [
        ("", "Менің дербес деректерімді жойыңыз", "erasure"),
        ("Өтініш", "Деректерімді өшіріңіз", "erasure"),
        ("Удалите мои данные", "", "erasure"),
        ("", "Прошу уничтожить всё, что обо мне хранится", "erasure"),
        ("Please delete my data", "", "erasure"),
        ("", "Деректерімнің көшірмесін жіберіңіз", "access"),
        ("", "Пришлите копию моих данных", "access"),
        ("", "I want a copy of my data", "access"),
        ("", "Нөмірімді түзетіңіз", "rectification"),
        ("", "Исправьте мой номер", "rectification"),
        ("", "Please correct my number", "rectification"),
        ("", "Деректерімді бұғаттаңыз", "blocking"),
        ("", "Заблокируйте мои данные", "blocking"),
        ("", "Please block my data", "blocking"),
        ("", "Деректерімді бұғаттауды алып тастаңыз", "unblocking"),
        ("", "Разблокируйте мои данные", "unblocking"),
        ("", "Please unblock my data", "unblocking"),
        ("", "Келісімімді қайтарып аламын", "withdrawal"),
        ("Отзываю согласие", "", "withdrawal"),
        ("", "Отпишите меня", "withdrawal"),
        ("", "I withdraw my consent", "withdrawal"),
        ("", "Қарсымын", "objection"),
        ("", "Возражаю", "objection"),
        ("", "I object", "objection"),
        ("", "Удалите мои данные и пришлите копию", "other"),
        ("", "Здравствуйте", "other"),
        ("", "", "other"),
        ("", "Здравствуйте\n> Удалите мои данные", "other"),
        ("", "Здравствуйте\n-- \nУничтожение отходов", "other"),
        ("", "ОТЗЫВАЮ   СОГЛАСИЕ!!!", "withdrawal"),
    ],
)
def test_what_a_letter_asks_is_told_by_its_words(subject, text, expected):
    assert guessing.kind(subject, text) == expected


def test_every_phrase_means_its_own_kind():
    for phrase, meant in guessing._phrases():
        assert guessing.kind("", phrase) == meant, phrase


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Сәлем, өшіріңіз", "kk"), ("Удалите", "ru"), ("Delete", "en"), ("123", "kk"), ("Hello, Айгүл", "kk")],
)
def test_the_language_is_told_by_the_letters(text, expected):
    assert guessing.language(text, "kk") == expected


def read(body, heads=HEADS):
    return parsing.read((heads + body).encode("utf-8", "surrogateescape"))


def test_plain_text_is_preferred_and_the_others_are_counted():
    message = letter("plain words")
    message.add_alternative("<p>html words</p>", subtype="html")
    message.add_attachment(b"x" * 3000, maintype="application", subtype="pdf", filename="passport.pdf")
    found = parsing.read(message.as_bytes())
    assert (found.text, found.attachments, found.attached) == ("plain words", 1, 3000)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<head><title>t</title><style>p{}</style></head><body><p>Удалите <b>меня</b></p><script>x</script>", "Удалите меня"),
        ("<head><title>t</title><body>Без конца<p>да", "Без конца\nда"), ("1 &lt; 2 < 3 &amp;", "1 < 2 < 3 &"),
        ("а<!-- нет > <b>нет</b> --> б<!----> в", "а б в"), ("<!--[if mso]><p>нет</p><![endif]--><p>да</p>", "да"),
        ("<DIV>да</DIV><SCRIPT>нет</SCRIPT>да", "да\nда"), ("<b>да</b", "да</b"),
    ],
)  # fmt: skip
def test_words_of_a_page_are_read_and_its_scripts_and_comments_are_not(page, expected):
    message = letter("")
    message.set_content(page, subtype="html")
    assert parsing.read(message.as_bytes()).text == expected


@pytest.mark.parametrize("piece", ["<!--", "<a ", "<![", "</", "&", "<!DOCTYPE", "<script>"])
def test_a_page_made_to_keep_us_busy_does_not(piece):
    began = time.monotonic()
    message = b"From: a@b.kz\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + piece.encode() * (
        8 * 1024 * 1024 // len(piece)
    )
    parsing.read(message)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("charset", ["koi8-r", "windows-1251", "utf-8", "iso-8859-5"])
def test_texts_in_the_usual_alphabets_are_read(charset):
    message = letter("")
    message.set_content("Прошу удалить", charset=charset)
    assert parsing.read(message.as_bytes()).text == "Прошу удалить"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
def test_letters_without_a_charset_are_read_as_they_are_usually_written(encoding):
    raw = HEADS.replace("hello", "Прошу").encode(encoding) + "\r\nудалить".encode(encoding)
    found = parsing.read(raw)
    assert (found.subject, found.text) == ("Прошу", "удалить")


def test_an_encoded_subject_is_read_on_one_line():
    found = parsing.read(letter(subject="Өтініш: " + "деректерімді өшіріңіз " * 5).as_bytes())
    assert found.subject == ("Өтініш: " + "деректерімді өшіріңіз " * 5).strip()


BAD = {
    "many brackets": ("From: " + "(" * 400 + "\r\n\r\nhello").encode(),
    "deep": b"From: a@b.kz\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300)
    ),
    "many parts": b"From: a@b.kz\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 300,
    "long sender": b"From: " + b"a" * 10_000 + b" <a@b.kz>\r\n\r\nhello",
    "long subject": b"From: a@b.kz\r\nSubject: " + b"a" * 10_000 + b"\r\n\r\nhello",
    "endless type": b"From: a@b.kz\r\nContent-Type: multipart/mixed; " + b";" * 1_000_000 + b"\r\n\r\nhello",
    "endless part": b"From: a@b.kz\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: x; "
    + b"a=b;\r\n " * 300_000 + b"\r\n\r\nhello",
    "no sender": b"Subject: x\r\n\r\nhello",
    "empty": b"",
    "two senders": b"From: a@b.kz, c@d.kz\r\n\r\nhello",
    "two heads": b"From: a@b.kz\r\nFrom: c@d.kz\r\n\r\nhello",
    "unknown charset": b"From: a@b.kz\r\nContent-Type: text/plain; charset=klingon\r\n\r\nhello",
    "not as it says": b"From: a@b.kz\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xff\xfe",
    "bytes that are no text": b"From: a@b.kz\r\n\r\nhel\x00lo",
    "surrogates": b"From: a@b.kz\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xed\xa0\x80",
    "base64 that is none": b"From: a@b.kz\r\nSubject: =?utf-8?b?/w==?=\r\n\r\nhello",
}  # fmt: skip


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_what_cannot_be_read_for_certain_is_not_guessed(raw):
    began = time.monotonic()
    with pytest.raises((parsing.Unreadable, RecursionError)) as refusal:
        parsing.read(raw)
    assert "b.kz" not in str(refusal.value)
    assert parsing.head(raw) and parsing.fingerprint(raw, len(raw))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        ({"Auto_Submitted": "auto-replied"}, "automatic"), ({"Auto_Submitted": "auto-generated; x=1"}, "automatic"),
        ({"Auto_Submitted": "no"}, ""), ({}, ""),
        ({"Precedence": "bulk"}, "automatic"), ({"Precedence": "junk"}, "automatic"),
        ({"Precedence": "auto_reply"}, "automatic"), ({"Precedence": "list"}, "list"), ({"List_Id": "<x>"}, "list"),
        ({"X_Autoreply": "yes"}, "automatic"), ({"Return_Path": "<>"}, "report"), ({"Return_Path": "<a@b.kz>"}, ""),
    ],
)  # fmt: skip
def test_what_nobody_wrote_is_told_by_its_head(heads, expected):
    assert parsing.head(letter(**heads).as_bytes()).automatic == expected


def test_a_delivery_report_is_told_however_it_goes_on():
    raw = b"From: <>\r\nContent-Type: multipart/report; boundary=x\r\n\r\n\xff\x00"
    assert parsing.head(raw).automatic == "report"


def test_a_message_is_known_by_its_number_and_its_content():
    first = (HEADS + "\r\nhello").encode()
    moved = ("Received: from x\r\n" + HEADS + "\r\nhello").encode()
    other = (HEADS + "\r\nanother").encode()
    assert parsing.fingerprint(first, 1) == parsing.fingerprint(moved, 2) != parsing.fingerprint(other, 1)
    without = first.replace(b"Message-ID", b"X-Id")
    assert parsing.fingerprint(without, 1) not in {
        parsing.fingerprint(first, 1),
        parsing.fingerprint(without + b"x", 1),
    }


def test_a_message_too_large_to_be_kept_leaves_its_text():
    assert originals.from_text(originals.to_text(b"x" * 10, "the text")) == b"x" * 10
    kept = originals.to_text(b"x" * (originals.LARGEST + 1), "the text")
    assert kept == "the text" and originals.from_text(kept) is None
