"""Every public page in every state, as people meet it: on a narrow phone and a desk, light and dark, in three languages,
with a screen reader, without scripts; and what a browser does with the links of our letters.

A state is a function that makes it, by the operations, and opens it. Two browsers go through all of them: one runs axe,
the other runs no scripts, under the policy of the server, and counts what comes over the line.

Broken and seen to fail: the contrast of hints in the dark, the fixed layout of tables and the breaking of long words on a
phone, the label of a field, links of 10 pixels, the language of the page, a style in a tag, an image from elsewhere, a
cookie, 14 KB more, the focus on the summary of errors and on the purposes, the hidden field among the stops of the
keyboard, the ring around what is focused, where the skip link leads, unsubscribing by GET.
"""

import gzip
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from config import middleware
from consent import campaigns, decisions, forms, limits, linking, links
from consent.models import Confirmation, ConsentRecord, PolicyVersion, Receipt
from consent.policy import publish
from registry import mail, purging
from registry.keyring import Sealed
from registry.models import DataSubject, OutgoingMessage, Processing, ProcessingPurpose, Recipient, StaffMember
from registry.normalise import normalise
from registry.processing import Scope
from tests.browser.conftest import Visitor
from tests.factories import DAY, block, keep_until, purpose, question, staff
from tests.faults.tables import row_counts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shipped", "_hasty")]
LANGUAGES = ["kk", "ru", "en"]
LOOKS = [(320, "dark"), (800, "light")]  # width in CSS pixels, colour scheme
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WEIGHT = 15_000  # bytes, gzipped: page, CSS, icon
WITH_EVERY_PAGE = sum(
    len(gzip.compress((Path(settings.BASE_DIR) / "static/public" / name).read_bytes()))
    for name in ("public.css", "icon.svg")
)
# WCAG 2.2, 1.4.12: what a reader may set
SPACING = "* {line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important}"
EVERYTHING = Scope(third_parties=True, cross_border=True, public_sources=True)
LINK = ConsentRecord.Channel.LINK
numbers = count(1)


@pytest.fixture
def _hasty(monkeypatch):
    """A form may be sent the moment it is shown."""
    monkeypatch.setattr(forms, "TOO_FAST", timedelta(0))


@dataclass
class Scene:
    """A window in one language, and what a state needs to be made."""

    window: Visitor
    language: str
    patch: pytest.MonkeyPatch
    now: datetime

    def open(self, path: str) -> None:
        self.window.open(path if path.startswith("http") else f"/{self.language}/{path}")

    def press(self, selector: str) -> None:
        with self.window.page.expect_navigation():
            self.window.page.click(f"main {selector}")

    def unfold(self) -> None:
        self.window.page.click("summary")

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.window.page.fill(f"#id_{name}", value)

    def asked(self, *codes: str, now: datetime | None = None, **also: Any) -> Confirmation:
        """A question to a new address; `also` for decisions.ask."""
        values = also.pop("values", None) or {"email": self.address()}
        purposes = [purpose(code) for code in codes or ("site-news",)]
        return decisions.ask(values, purposes, language=self.language, now=now or self.now, **also)

    def person(self, *codes: str, now: datetime | None = None, **also: Any) -> DataSubject:
        asked = self.asked(*codes, now=now, **also)
        assert decisions.confirm(asked.pk, now=now or self.now) == decisions.Outcome.DONE
        return asked.records.filter(act="confirmed")[0].subject

    def minor(self) -> Confirmation:
        theirs = {"email": self.address("parent")}
        return self.asked("site-news", "feedback", representative=theirs, adult_at=self.now + 900 * DAY)

    def address(self, name: str = "aigul") -> str:
        return f"{name}{next(numbers)}.{self.language}@example.kz"

    def number(self) -> str:
        return f"8701{next(numbers):07}"


State = Callable[[Scene], None]
PAGES: dict[str, dict[str, tuple[int, State]]] = {}


def state(subject: str, status: int = 200) -> Callable[[State], State]:
    """Registers a function that brings a scene to a page; the status its answer has."""

    def register(make: State) -> State:
        PAGES.setdefault(subject, {})[make.__name__] = status, make
        return make

    return register


def widen(code: str = "feedback") -> ProcessingPurpose:
    """Data of this purpose may go to a partner here and one abroad, and be published, each with a tick of its own."""
    one = purpose(code)
    one.third_parties = one.cross_border = one.public_sources = "asked"
    one.save()
    for name, country in (("Қоғамдық пікірді зерттеу орталығы", "KZ"), ("Rechenzentrum Nordrhein-Westfalen", "DE")):
        partner = {"kind": "partner", "name_kk": name, "name_ru": name, "name_en": name, "country_id": country}
        one.recipients.add(Recipient.objects.get_or_create(code=country.lower(), defaults=partner)[0])
    return one


def narrow(code: str) -> None:
    ProcessingPurpose.objects.filter(code=code).update(third_parties="no", cross_border="no", public_sources="no")
    purpose(code).recipients.clear()


# --- the policy ---------------------------------------------------------------------------------------------------


def next_versions(now: datetime) -> None:
    """Version 2, in force since now, with a clause changed, one taken out and one put in; version 3, not in force yet."""
    first = PolicyVersion.objects.get()
    texts = {}
    for language in LANGUAGES:
        paragraphs = getattr(first, f"text_{language}").split("\n\n")
        position = next(at for at, one in enumerate(paragraphs) if one.startswith("5. "))
        paragraphs[position] = paragraphs[position].replace(" ", " 2 ", 3)
        paragraphs.pop(next(at for at, one in enumerate(paragraphs) if one.startswith("20. ")))
        texts[f"text_{language}"] = "\n\n".join([*paragraphs, f"33. {paragraphs[position]}"])
    for number, days in ((2, 0), (3, 30)):
        draft = PolicyVersion.objects.create(number=number, effective_at=now + days * DAY, **texts)
        publish(draft, by=None, now=now)


@state("policy")
def policy_in_force(scene):
    scene.open("policy/")


@state("policy")
def policy_older(scene):
    scene.open("policy/1/")


@state("policy")
def policy_not_yet_in_force(scene):
    scene.open("policy/3/")


@state("policy")
def policy_versions(scene):
    scene.open("policy/versions/")


@state("policy")
def policy_comparison(scene):
    scene.open("policy/compare/1/2/")


# --- asking -------------------------------------------------------------------------------------------------------


@state("consent")
def consent_form(scene):
    scene.open("consent/")


@state("consent", 422)
def consent_with_errors(scene):
    scene.open("consent/")
    scene.fill(email="aigul@", phone="12")
    scene.press("form button")


@state("consent", 422)
def consent_of_a_minor_with_errors(scene):
    scene.open("consent/")
    scene.unfold()
    scene.fill(email=scene.address(), adult_on="2001-02-03", representative="nobody")
    scene.window.page.check("#purpose-1")
    scene.press("form button")


@state("consent")
def consent_of_a_minor(scene):
    scene.open("consent/")
    scene.unfold()


@state("consent", 429)
def consent_too_often(scene):
    scene.open("consent/")
    scene.fill(email=scene.address())
    with scene.patch.context() as patch:
        patch.setitem(limits.BY_NETWORK, "consent", limits.Limit(0, timedelta(minutes=5)))
        scene.press("form button")


@state("consent")
def consent_to_nothing(scene):
    asked = ProcessingPurpose.objects.filter(is_public=True)
    codes = list(asked.values_list("code", flat=True))
    asked.update(is_public=False)
    scene.open("consent/")
    ProcessingPurpose.objects.filter(code__in=codes).update(is_public=True)


@state("sent")
def sent(scene):
    scene.open("consent/")
    scene.fill(email=scene.address(), phone=scene.number())
    scene.window.page.check("#purpose-1")
    scene.press("form button")


@state("sent")
def sent_again(scene):
    sent(scene)
    scene.press("form button")


@state("sent")
def sent_to_a_number(scene):
    scene.open("consent/")
    scene.fill(phone=scene.number())
    scene.window.page.check("#purpose-1")
    scene.press("form button")


@state("sent", 422)
def code_wrong_on_the_page_after_the_form(scene):
    sent_to_a_number(scene)
    scene.window.page.fill("#code", "12345")
    scene.press("form button[value=confirm]")


def code_page(scene, answer="", tries=1):
    asked = scene.asked(values={"phone": scene.number()})
    right = links.code(asked.pk, asked.asked_at)
    typed = {"right": right, "wrong": f"{(int(right) + 1) % 1_000_000:06}"}.get(answer, "")
    scene.open(f"code/{links.token(links.ENTER_CODE, asked.pk)}/")
    for _ in range(tries if typed else 0):
        scene.window.page.fill("#code", typed)
        scene.press("form button[value=confirm]")


@state("sent")
def code(scene):
    code_page(scene)


@state("sent", 422)
def code_wrong(scene):
    code_page(scene, "wrong")


@state("sent", 410)
def code_locked(scene):
    code_page(scene, "wrong", tries=decisions.MOST_TRIES)


@state("sent")
def code_right(scene):
    code_page(scene, "right")


# --- answering ----------------------------------------------------------------------------------------------------


def confirm_page(scene, asked, answer=""):
    scene.open(links.confirm_url(asked.pk, scene.language))
    if answer:
        scene.press(f"button[value={answer}]")


@state("confirm")
def confirm(scene):
    confirm_page(scene, scene.asked("site-news", "feedback", ticks={"feedback": EVERYTHING}))


@state("confirm")
def confirm_in_another_language(scene):
    asked = question(email=scene.address(), now=scene.now, language="kk" if scene.language != "kk" else "ru")
    confirm_page(scene, asked)


@state("confirm")
def confirmed(scene):
    confirm_page(scene, scene.asked("site-news", "feedback", ticks={"feedback": EVERYTHING}), "confirm")


@state("confirm")
def confirmed_already(scene):
    asked = scene.asked()
    decisions.confirm(asked.pk, now=scene.now)
    confirm_page(scene, asked)


@state("confirm")
def refused(scene):
    confirm_page(scene, scene.asked(), "refuse")


@state("confirm", 410)
def confirm_expired(scene):
    confirm_page(scene, scene.asked(now=scene.now - 9 * DAY))


@state("confirm", 409)
def confirm_superseded(scene):
    address = scene.address()
    asked = scene.asked(values={"email": address}, now=scene.now - timedelta(minutes=5))
    scene.asked(values={"email": address, "phone": scene.number()})
    confirm_page(scene, asked)


@state("confirm", 409)
def confirm_changed(scene):
    asked = scene.asked("advertising")
    widen("advertising")
    confirm_page(scene, asked)
    narrow("advertising")


@state("confirm", 409)
def confirm_blocked(scene):
    address = scene.address()
    block(scene.person(values={"email": address}))
    confirm_page(scene, scene.asked("advertising", values={"email": address}), "confirm")


@state("confirm", 404)
def confirm_cut(scene):
    scene.open("confirm/cut/")


@state("confirm")
def passed_on(scene):
    confirm_page(scene, scene.minor(), "confirm")


def represent_page(scene, answer="", owned=True):
    asked = scene.minor()
    if owned:
        decisions.confirm(asked.pk, now=scene.now)
    scene.open(links.represent_url(asked.pk, scene.language))
    if answer:
        scene.press(f"button[value={answer}]")


@state("confirm")
def represent(scene):
    represent_page(scene)


@state("confirm")
def represent_not_yet(scene):
    represent_page(scene, owned=False)


@state("confirm")
def represented(scene):
    represent_page(scene, "confirm")


@state("confirm")
def represent_refused(scene):
    represent_page(scene, "refuse")


# --- receipts -----------------------------------------------------------------------------------------------------


def receipt_page(scene, subject):
    scene.open(links.receipt_url(Receipt.objects.filter(subject=subject).latest("pk").pk, scene.language))


def with_receipt(scene, now=None):
    return scene.person("site-news", "feedback", ticks={"feedback": EVERYTHING}, now=now)


@state("receipt")
def receipt_in_force(scene):
    receipt_page(scene, with_receipt(scene))


@state("receipt")
def receipt_of_a_minor(scene):
    asked = scene.minor()
    decisions.confirm(asked.pk, now=scene.now)
    decisions.represent(asked.pk, now=scene.now)
    receipt_page(scene, asked.records.filter(act="confirmed")[0].subject)


@state("receipt")
def receipt_partly(scene):
    subject = with_receipt(scene)
    decisions.withdraw(subject, purpose(), now=scene.now, channel=LINK)
    receipt_page(scene, subject)


@state("receipt")
def receipt_withdrawn(scene):
    subject = with_receipt(scene)
    decisions.withdraw(subject, None, now=scene.now, channel=LINK)
    receipt_page(scene, subject)


@state("receipt")
def receipt_expired(scene):
    subject = scene.person(now=scene.now - DAY)
    keep_until(subject, scene.now - timedelta(hours=1))
    receipt_page(scene, subject)


@state("receipt")
def receipt_destroyed(scene):
    subject = scene.person(now=scene.now - DAY)
    keep_until(subject, scene.now - timedelta(hours=1))
    purging.purge(scene.now)
    receipt_page(scene, subject)


@state("receipt", 404)
def receipt_cut(scene):
    scene.open("receipt/cut/")


# --- my consents --------------------------------------------------------------------------------------------------


def mine_page(scene, subject, now=None):
    scene.open(links.mine_url(subject.pk, scene.language, now or scene.now))


@state("mine")
def mine(scene):
    subject = with_receipt(scene)
    decisions.withdraw(subject, purpose(), now=scene.now, channel=LINK)
    mine_page(scene, subject)


@state("mine")
def mine_destroyed(scene):
    subject = scene.person(now=scene.now - DAY)
    keep_until(subject, scene.now - timedelta(hours=1))
    purging.purge(scene.now)
    mine_page(scene, subject)


@state("mine")
def mine_saved(scene):
    mine_page(scene, with_receipt(scene))
    scene.window.page.check("#purpose-3")
    scene.press("button[value=save]")


@state("mine")
def mine_all_withdrawn(scene):
    mine_page(scene, with_receipt(scene))
    scene.press("button[value=withdraw_all]")


@state("mine")
def mine_wider(scene):
    subject = scene.person("advertising")
    widen("advertising")
    mine_page(scene, subject)
    narrow("advertising")


@state("mine")
def mine_paused(scene):
    subject = scene.person("advertising", now=scene.now - DAY)
    widen("advertising")
    by = StaffMember.objects.filter(username="starting").first() or staff("starting")
    campaigns.start(PolicyVersion.objects.in_force(scene.now), "hard", by=by, now=scene.now)
    campaigns.ask_anew(scene.now)
    mine_page(scene, subject)
    narrow("advertising")


@state("mine")
def mine_blocked(scene):
    subject = with_receipt(scene)
    block(subject)
    mine_page(scene, subject)


@state("mine")
def mine_closed_and_over(scene):
    subject = scene.person("advertising", "site-news", now=scene.now - DAY)
    keep_until(subject, scene.now - timedelta(hours=1), "site-news")
    ProcessingPurpose.objects.filter(code="advertising").update(closes_at=scene.now)
    mine_page(scene, subject)
    ProcessingPurpose.objects.filter(code="advertising").update(closes_at=None)


@state("mine")
def mine_of_a_minor(scene):
    asked = scene.minor()
    decisions.confirm(asked.pk, now=scene.now)
    decisions.represent(asked.pk, now=scene.now)
    mine_page(scene, asked.records.filter(act="confirmed")[0].subject)


@state("mine", 410)
def mine_expired(scene):
    mine_page(scene, scene.person(), scene.now - 31 * DAY)


@state("mine", 409)
def mine_changed(scene):
    mine_page(scene, scene.person())
    widen("advertising")
    scene.window.page.check("#purpose-3")
    scene.press("button[value=save]")
    narrow("advertising")


@state("mine")
def send_link(scene):
    scene.open("mine/")


@state("mine", 422)
def send_link_with_an_error(scene):
    scene.open("mine/")
    scene.fill(contact="aigul@")
    scene.press("form button")


@state("mine")
def link_sent(scene):
    scene.open("mine/")
    scene.fill(contact=scene.address())
    scene.press("form button")


# --- unsubscribing, errors ----------------------------------------------------------------------------------------


def unsubscribe_page(scene, purpose_id=links.EVERY_PURPOSE, presses=0):
    subject = scene.person("site-news", "feedback")
    for _ in range(max(presses, 1)):
        scene.open(links.unsubscribe_url(subject.pk, purpose_id))
        if presses:
            scene.press("button")


@state("unsubscribe")
def unsubscribe(scene):
    unsubscribe_page(scene, purpose().pk)


@state("unsubscribe")
def unsubscribe_from_all(scene):
    unsubscribe_page(scene)


@state("unsubscribe")
def unsubscribed(scene):
    unsubscribe_page(scene, presses=1)


@state("unsubscribe")
def unsubscribed_already(scene):
    unsubscribe_page(scene, purpose().pk, presses=2)


@state("unsubscribe", 404)
def unsubscribe_cut(scene):
    scene.window.open("/u/cut/")


@state("errors", 404)
def nowhere(scene):
    scene.open("nowhere/")


@state("errors", 400)
def unreadable(scene):
    scene.open("consent/?a=%ff")


@state("errors", 500)
def broken(scene):
    with scene.patch.context() as patch:
        patch.setattr(sys.modules["consent.views.asking"], "ConsentForm", failing(ValueError()))
        scene.open("consent/")


@state("errors", 503)
def sealed(scene):
    with scene.patch.context() as patch:
        patch.setattr(middleware, "must_be_ready", failing(Sealed()))
        scene.open("consent/")


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_arguments, **_named):
        raise error

    return fail


# --- what must hold of all of them --------------------------------------------------------------------------------


@pytest.fixture
def scenes(monkeypatch, today, request):
    """A scene in each language, in one window, with a purpose that asks for ticks."""
    widen()
    if request.param == "policy":
        next_versions(today)

    def scenes_in(window):
        window.expected = ("4", "5")
        return [Scene(window, language, monkeypatch, timezone.now()) for language in LANGUAGES]

    return request.param, scenes_in


by_subject = pytest.mark.parametrize("scenes", PAGES, indirect=True)


@by_subject
def test_every_page_can_be_read_by_everybody(visit, scenes):
    subject, scenes_in = scenes
    found = {}
    for scene in scenes_in(visit(bypass_csp=True, viewport={"width": 320, "height": 700})):  # axe is a script
        for name, (status, make) in PAGES[subject].items():
            make(scene)
            assert scene.window.answer.status == status, name
            if problems := [*spoken(scene), *seen(scene.window.page)]:
                found[f"{name} {scene.language}"] = problems
    assert found == {}


def spoken(scene):
    """The page says which language it is in; one outside a language may choose by the person."""
    language = scene.window.page.get_attribute("html", "lang")
    if language != scene.language and "/u/" not in scene.window.page.url:
        yield f"lang={language}"


def seen(page):
    page.evaluate(AXE)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        yield from violations(page, width, scheme)
        yield from overflow(page, width)
    page.add_style_tag(content=SPACING)
    for width in (320, 1056):
        page.set_viewport_size({"width": width, "height": 900})
        yield from overflow(page, width, "spaced")


def violations(page, *look):
    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    for rule in page.evaluate("options => axe.run(options)", options)["violations"]:
        yield (*look, rule["id"], [node["html"] for node in rule["nodes"]])


def overflow(page, *look):
    wide, there = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    if wide > there:
        yield (*look, f"{wide - there} pixels too wide")


@by_subject
def test_every_page_is_light_and_works_without_scripts_cookies_and_others(visit, scenes):
    """Violations of the policy, cookies and requests to others are told by the window when it closes."""
    subject, scenes_in = scenes
    weights = {}
    window = visit(java_script_enabled=False)
    for scene in scenes_in(window):
        for name, (status, make) in PAGES[subject].items():
            make(scene)
            assert window.answer.status == status, name
            assert "default-src 'none'" in window.answer.headers["content-security-policy"]
            weights[f"{name} {scene.language}"] = len(gzip.compress(window.answer.body())) + WITH_EVERY_PAGE
    assert window.context.cookies() == []
    assert {name: weight for name, weight in weights.items() if weight >= WEIGHT} == {}


# --- by keyboard --------------------------------------------------------------------------------------------------

FOCUSED = """[document.activeElement].map(one => one.id || one.className || one.getAttribute("href") || one.tagName)[0]"""
RING = "getComputedStyle(document.activeElement).outlineStyle"


def stops(page):
    """Where the Tab key leads, until it leaves the page."""
    page.keyboard.press("Tab")
    while (here := page.evaluate(FOCUSED)) != "BODY":
        assert page.evaluate(RING) == "solid", f"nobody sees where they are: {here}"
        yield here
        page.keyboard.press("Tab")


def test_the_form_is_walked_through_in_the_order_it_is_read(visit):
    widen()
    window = visit()
    window.open("/en/consent/")
    contacts, ticks = ["id_email", "id_phone"], [f"{name}-2" for name in ("third_parties", "cross_border", "public_sources")]
    purposes = ["purpose-1", "purpose-2", *ticks, "purpose-3", "purpose-4"]
    languages, below = ["/kk/consent/", "/ru/consent/", "/en/consent/"], ["/en/mine/", "/en/policy/", "BUTTON", "button"]
    footer = ["/en/policy/", "/en/request/", "mailto:info@sergekgroup.com"]
    assert [*stops(window.page)] == ["skip", *languages, *contacts, *purposes, "SUMMARY", *below, *footer]


def test_the_first_stop_leads_past_the_head_of_the_page(visit):
    window = visit()
    window.open("/en/consent/")
    for key in ("Tab", "Enter", "Tab"):
        window.page.keyboard.press(key)
    assert window.page.evaluate(FOCUSED) == "id_email"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_form_begins_with_what_is_wrong_and_leads_there(visit, language):
    window = visit(java_script_enabled=False)
    window.open(f"/{language}/consent/")
    window.page.fill("#id_email", "aigul@")
    window.page.press("#id_email", "Enter")
    window.page.wait_for_selector("[role=alert] li:nth-child(2)")
    assert window.page.title().startswith(window.page.inner_text("#problem-title") + ":")
    assert window.page.input_value("#id_email") == "aigul@"
    assert window.page.evaluate(FOCUSED) == "problem"
    window.page.keyboard.press("Tab")
    for link, field, following in ((1, "id_email", "id_phone"), (2, "id_purposes", "purpose-1")):
        window.page.press(f"[role=alert] li:nth-child({link}) a", "Enter")
        assert window.page.evaluate(FOCUSED) == field
        window.page.keyboard.press("Tab")
        assert window.page.evaluate(FOCUSED) == following


# --- links in letters ---------------------------------------------------------------------------------------------


def letters_of_every_kind(scene):
    """Letters and messages of every kind lie in the folders."""
    scene.asked("site-news", "feedback")
    scene.asked(values={"phone": scene.number()})
    decisions.confirm(scene.minor().pk, now=scene.now)
    email, phone = scene.address(), scene.number()
    scene.person("advertising", "site-news", values={"email": email})
    asked = scene.asked("advertising", values={"phone": phone})
    decisions.confirm(asked.pk, now=scene.now, code=links.code(asked.pk, asked.asked_at))
    for category, typed in (("email", email), ("phone", phone)):
        linking.ask_for_link(category, normalise(category, typed).canonical, language=scene.language, now=scene.now)
    linking.send_links(scene.now)
    mail.send_due(scene.now, clock=timezone.now)
    widen("advertising")
    campaigns.start(PolicyVersion.objects.get(), "soft", by=staff("starting"), now=scene.now)
    campaigns.ask_anew(scene.now)
    mail.send_due(scene.now, clock=timezone.now)
    sent = OutgoingMessage.objects.filter(state=OutgoingMessage.State.SENT)
    assert set(sent.values_list("letter", flat=True)) == {"confirm", "code", "represent", "receipt", "link", "reconsent"}


def urls(folders):
    for path in (path for folder in folders for path in folder.iterdir()):
        text = path.read_text("utf-8")
        if path.suffix == ".eml":
            letter = message_from_bytes(path.read_bytes(), policy=default)
            text = f"{letter['List-Unsubscribe']} {letter.get_content()}"
        yield from re.findall(r"http[^\s<>]+", text)


def contents():
    """A digest of every table."""
    with connection.cursor() as cursor:
        for table in row_counts():
            cursor.execute(f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {table} AS t")
            yield table, cursor.fetchone()[0]


def test_a_browser_that_opens_every_link_of_every_letter_and_runs_scripts_changes_nothing(
    visit, settings, monkeypatch, today
):
    window = visit()
    letters_of_every_kind(Scene(window, "ru", monkeypatch, today))
    found = sorted(set(urls([settings.MAIL_FOLDER, settings.SMS_FOLDER])))
    assert {url.removeprefix(window.home).split("/")[1:3][-1] for url in found} >= {"confirm", "represent", "receipt", "mine"}
    before = dict(contents())
    tabs = [window.context.new_page() for _ in found]
    for tab, url in zip(tabs, found, strict=True):
        assert tab.goto(url, wait_until="commit").status == 200, url
    tabs[0].wait_for_timeout(10_000)
    assert dict(contents()) == before
    next(tab for tab in tabs if "/u/" in tab.url).click("main button")
    changed = {table for table, digest in contents() if digest != before[table]}
    assert "consent_consentrecord" in changed


@pytest.mark.parametrize("language", LANGUAGES)
def test_unsubscribing_by_hand_takes_one_press_and_stays_done(visit, language, today):
    asked = question(email=f"away.{language}@example.kz", language=language, now=today)
    decisions.confirm(asked.pk, now=today)
    window = visit(java_script_enabled=False)
    for _ in range(2):
        window.open(links.unsubscribe_url(asked.subject_id))
        window.page.click("main button")
        assert Processing.objects.filter(subject=asked.subject, state="withdrawn").count() == 1
