"""Every word in every language. Guarded lines were broken and seen to fail: a translation emptied, marked fuzzy, left
out of the .mo, its placeholder misspelt, a case ending after a placeholder, a new string in code and in a template, an
English word on a page."""

import ast
import html
import re
from collections import defaultdict
from gettext import GNUTranslations
from pathlib import Path

import pytest
from django.conf import settings
from django.test import RequestFactory
from django.utils import timezone
from django.utils.translation import override
from django.utils.translation.template import templatize

from config import errors
from consent import decisions, letters, links
from consent.decisions import Outcome
from consent.models import Receipt
from registry.models import OutgoingMessage
from tests.factories import DAY, PHONE, purpose, question, shown_form

pytestmark = pytest.mark.parametrize("language", ["kk", "ru"])

ROOT = Path(settings.BASE_DIR)
PART = re.compile(r'^(msgid|msgid_plural|msgstr)(?:\[\d\])? ((?:".*"\n?)+)', re.MULTILINE)
PLACEHOLDER = re.compile(r"%\([\w.]+\)\w|%\w")
MARKED = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
CALL = re.compile(r"""\b(?:_|gettext|ngettext)\(u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
NAMES = re.compile(
    r"https?://\S+|\S+@[\w.-]+|www\.[\w.]+|\b[0-9a-f]{16}\b|\b[0-9a-f]{64}\b|(?:DS|CR|RQ)-\w{4}-\w{4}"
    r"|\b(?:SHA|ENG|JSON|ZIP|CSV|XLSX|[Aa]ge1?|UTC|Asia/Almaty|Ed25519|Sergek Technologies Ltd|[Cc]ookies?|IP|[IVX]+)\b"
)
FOREIGN = {"kk": r"[A-Za-z]{2,}", "ru": r"[A-Za-z]{2,}|\w*[әғқңөұүһі]\w*"}


def catalogue(language):
    """Source and translations (one, or one for each plural form) of every entry, as the .po says; the header is one."""
    text = (ROOT / "locale" / language / "LC_MESSAGES/django.po").read_text("utf-8")
    for entry in text.split("\n\n"):
        said = defaultdict(list)
        for keyword, quoted in PART.findall(entry):
            said[keyword].append(ast.literal_eval(f"({quoted})"))
        yield said["msgid"][0], said["msgid_plural"], said["msgstr"]


def strings():
    """Everything marked for translation in our code and our templates."""
    for path in (path for folder in ("config", "consent", "registry") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKED:
                yield ast.literal_eval(node.args[0])
    for path in (path for path in (ROOT / "templates").rglob("*") if path.is_file()):
        yield from map(ast.literal_eval, CALL.findall(templatize(path.read_text("utf-8"))))


def test_the_catalogue_holds_exactly_what_is_marked(language):
    assert {source for source, *_ in catalogue(language) if source} == set(strings())


def test_everything_is_translated_and_nothing_is_guessed(language):
    assert "fuzzy" not in (ROOT / "locale" / language / "LC_MESSAGES/django.po").read_text("utf-8")
    forms = {"kk": 2, "ru": 4}[language]
    for source, plural, translations in catalogue(language):
        assert all(translations), source
        assert len(translations) == (forms if plural else 1), source


def test_what_is_compiled_is_what_is_written(language):
    with (ROOT / "locale" / language / "LC_MESSAGES/django.mo").open("rb") as file:
        compiled = GNUTranslations(file)._catalog
    written = {}
    for source, plural, translations in catalogue(language):
        written |= {(source, form) if plural else source: text for form, text in enumerate(translations)}
    written[""] = re.sub("POT-Creation-Date: .*\n", "", written[""])  # msgfmt leaves it out
    assert compiled == written


def test_placeholders_survive_and_take_no_case_ending(language):
    for source, _plural, translations in list(catalogue(language))[1:]:
        for text in translations:
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(source))
            assert not re.search(r"%\([\w.]+\)[sd][\w-]", text), text


def foreign_words(page, language):
    """What somebody would read in another language on a page or in a letter; names are in none."""
    assert f'lang="{language}"' in page or "<html" not in page
    labels = re.findall(r'aria-label="([^"]*)"', page)
    text = html.unescape(" ".join([re.sub(r"<[^>]+>", " ", page), *labels])).replace("ҚАЗ", "")
    return re.findall(FOREIGN[language], NAMES.sub(" ", text), re.IGNORECASE)


def asked(language):
    """A question by letter, and the address of its page."""
    confirmation = question(phone=PHONE, now=timezone.now(), language=language)
    return confirmation, links.confirm_url(confirmation.pk, language).removeprefix(settings.SITE_URL)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("policy/", None),
        ("consent/", None),
        ("consent/", {}),
        ("consent/", {"email": "a", "phone": "1" * 321, "purposes": "nonsense"}),
        ("consent/", {"email": "a\u200b@example.kz", "phone": "1", "iin": "1", "purposes": "site-news"}),
        ("consent/", {"email": "a@example.kz", "purposes": "site-news"}),
        ("confirm/cut/", None),
        ("mine/", None),
        ("mine/", {}),
        ("mine/", {"contact": "1"}),
        ("mine/", {"contact": "a@example.kz"}),
        ("mine/cut/", None),
        ("policy/versions/", None),
        ("consent/", {"email": "a@example.kz", "purposes": "site-news", "representative": "a"}),
        ("consent/", {"email": "a@example.kz", "purposes": "site-news", "adult_on": "tomorrow"}),
        ("consent/", {"phone": "87015551234", "purposes": "site-news"}),
        ("request/", None),
        ("request/", {}),
        ("request/", {"kind": "other", "contact": "1", "answer": "send"}),
        ("request/", {"kind": "withdrawal", "contact": "a@example.kz"}),
        ("request/", {"kind": "access", "contact": "a@example.kz", "answer": "send"}),
        ("request/confirm/cut/", None),
        ("request/state/cut/", None),
        ("new_address/cut/", None),
        ("nowhere/", None),
    ],
)
def test_pages_say_nothing_in_another_language(client, language, path, sent):
    address = f"/{language}/{path}"
    page = client.get(address) if sent is None else client.post(address, {"shown": shown_form()} | sent)
    assert foreign_words(page.content.decode(), language) == []


@pytest.mark.django_db
@pytest.mark.parametrize("answer", ["", "confirm", "refuse"])
def test_confirming_speaks_the_language_of_the_form(client, language, answer):
    _, url = asked(language)
    assert foreign_words(client.get(url).content.decode(), language) == []
    for _ in range(2):
        assert foreign_words(client.post(url, {"answer": answer}).content.decode(), language) == []


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", Outcome)
def test_whatever_comes_of_a_link_is_told_in_its_language(client, language, outcome, monkeypatch):
    monkeypatch.setattr(decisions, "confirm", lambda *_, **__: outcome)
    _, url = asked(language)
    assert foreign_words(client.post(url).content.decode(), language) == []


@pytest.mark.django_db
def test_unsubscribing_speaks_the_language_of_the_person(client, language):
    confirmation, _ = asked(language)
    decisions.confirm(confirmation.pk, now=timezone.now())
    url = links.unsubscribe_url(confirmation.subject_id).removeprefix(settings.SITE_URL)
    for page in (client.get(url), client.post(url), client.post(url)):
        assert foreign_words(page.content.decode(), language) == []


@pytest.mark.django_db
def test_ones_own_pages_speak_the_language_of_the_address(client, language):
    confirmation, _ = asked(language)
    decisions.confirm(confirmation.pk, now=timezone.now())
    subject, receipt = confirmation.subject, Receipt.objects.get()
    pages = [links.mine_url(subject.pk, language, timezone.now()), links.receipt_url(receipt.pk, language)]
    for answer in (None, {"answer": "save", "purposes": "site-news"}, {"answer": "withdraw_all"}):
        for url in pages:
            path = url.removeprefix(settings.SITE_URL)
            is_asked = answer is None or "receipt" in path
            page = client.get(path) if is_asked else client.post(path, answer)
            assert page.status_code == 200
            assert foreign_words(page.content.decode(), language) == []


@pytest.mark.django_db
def test_a_representative_and_a_number_are_written_to_in_the_language_of_the_form(client, language):
    now = timezone.now()
    asked = decisions.ask(
        {"phone": PHONE}, [purpose()], language=language, now=now,
        representative={"email": "parent@example.kz"}, adult_at=now + 100 * DAY,
    )  # fmt: skip
    with override(language):
        messages = [letters.code(OutgoingMessage.objects.get(), "+7")]
        assert decisions.confirm(asked.pk, now=now, code=links.code(asked.pk, asked.asked_at)) == Outcome.PASSED_ON
        for contact in ("parent@example.kz", "+7"):
            messages.append(letters.represent(OutgoingMessage.objects.get(letter="represent"), contact))
        url = links.represent_url(asked.pk, language).removeprefix(settings.SITE_URL)
        for page in (client.get(url), client.post(url, {"answer": "confirm"})):
            assert foreign_words(page.content.decode(), language) == []
        for contact in ("a@example.kz", "+7"):
            messages.append(letters.receipt(OutgoingMessage.objects.get(letter="receipt"), contact))
            messages.append(letters.link(OutgoingMessage.objects.get(letter="receipt"), contact))
    for letter in messages:
        assert foreign_words(letter.subject + letter.text, language) == []


@pytest.mark.django_db
def test_letters_speak_the_language_of_the_form(language):
    confirmation, _ = asked(language)
    with override(language):
        letter = letters.confirm(OutgoingMessage.objects.get(), "")
        assert foreign_words(letter.subject + letter.text, language) == []
        decisions.confirm(confirmation.pk, now=timezone.now())
        letter = letters.receipt(OutgoingMessage.objects.get(letter="receipt"), "")
        assert foreign_words(letter.subject + letter.text, language) == []


@pytest.mark.parametrize("name", ["bad_request", "forbidden", "not_found", "too_large", "server_error", "unavailable"])
def test_errors_are_in_the_language_of_the_page(language, name):
    with override(language):
        page = getattr(errors, name)(RequestFactory().get(f"/{language}/"))
    assert foreign_words(page.content.decode(), language) == []
