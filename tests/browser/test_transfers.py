"""Transfers in a browser, under the strict policy: from looking to the file on the disk, and every page about them in three
languages and two widths. No page says a value; the file does."""

import hashlib
import os
from datetime import date
from importlib.resources import files
from pathlib import Path

import pyrage
import pytest
from django.urls import reverse
from django.utils import timezone

from consent import decisions, links
from registry import blocking, figures, tasks, transfer_letters, transfers
from registry.models import AccessSettings, DataCategory, PersonNotice, Recipient, RecipientNotice, Transfer
from registry.processing import Scope
from registry.transfers import Asked, notices, telling
from tests.factories import DAY, EMAIL, PHONE, person, purpose, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CANARIES = (EMAIL, "Aigul", "77015551234", "701 555")
BOTH = Scope(third_parties=True, cross_border=True)


def axe(page):
    """`preload` would have axe write styles of its own into the page, against its policy."""
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run({runOnly: rules, preload: false})", RULES)
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]]


def shot(visitor, name):
    if folder := os.environ.get("SHOTS"):
        visitor.page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


def speak(visitor, language):
    visitor.page.locator(f'.languages button[value="{language}"]').click()
    assert visitor.page.locator("html").get_attribute("lang") == language


def at(name, *arguments):
    return reverse(f"admin:{name}", args=arguments)


@pytest.fixture(autouse=True)
def quietly(settings, tmp_path, monkeypatch, shipped):
    """A worker is not woken: the tests build themselves."""
    settings.HOME = tmp_path
    monkeypatch.setattr(tasks, "wake_transfers", lambda: None)
    yield
    AccessSettings.objects.update(plain_export_people=20)


@pytest.fixture
def lab():
    """A partner with a key and without an address, named by the purpose before anybody agrees."""
    key = pyrage.x25519.Identity.generate()
    made = Recipient.objects.create(
        code="lab", kind="partner", name_kk="Бұлбұл зертханасы", name_ru="Лаборатория «Соловей»", name_en="Lab Nightingale",
        country_id="KZ", contract_number="7", contract_on=date(2026, 1, 1), public_key=str(key.to_public()),
    )  # fmt: skip
    made.categories.set(DataCategory.objects.filter(kind__in=DataCategory.CONTACTS))
    news = purpose()
    news.third_parties = "asked"
    news.save()
    news.recipients.add(made)
    return made


@pytest.fixture
def court():
    return Recipient.objects.create(
        code="court", kind="state_body", name_kk="Бұлбұл соты", name_ru="Соловьиный суд", name_en="Court", country_id="KZ"
    )


@pytest.fixture
def aigul(lab, today):
    """Agreed to the partner, and wants to be told."""
    subject = person(email=EMAIL, phone=PHONE, now=today - DAY)
    decisions.give(subject, [purpose()], now=today - DAY, scope=BOTH)
    telling.ask_to_be_told(subject, by=None, now=today - DAY)
    return subject


def send(recipient, by, now, ground="a", **also):
    email = tuple(DataCategory.objects.filter(code="email"))
    asked = Asked(Recipient.objects.select_related("country").get(pk=recipient.pk), Transfer.Ground(ground), purpose(), email, **also)
    return transfers.ask(asked, file_format=Transfer.Format.CSV, reason="№ 10", by=by, now=now)


def hand_over(row, by, now):
    transfers.build_waiting(clock=lambda: now)
    row.refresh_from_db()
    transfers.take(row, by=by, now=now).close()


@pytest.fixture
def everything(lab, court, aigul, today):
    """A transfer in each state worth seeing, and what recipients and the person must be told."""
    clerk, then = staff("1001"), today.replace(day=1) - 5 * DAY
    for _number in range(6):
        person(now=then)
    hand_over(given := send(lab, clerk, today), clerk, today)
    by_law = {"request_number": "12-4", "requested_on": date(2026, 11, 1), "article": "№ 9"}
    AccessSettings.objects.update(plain_export_people=0)
    waits = send(court, clerk, today, "b", **by_law)
    AccessSettings.objects.update(plain_export_people=20)
    built = send(court, clerk, today, "b", **by_law)
    transfers.build_waiting(clock=lambda: today)
    building = send(court, clerk, today, "b", **by_law)
    notices.open_for([aigul.pk], notices.Event.CORRECTED, now=today)
    blocking.block(aigul, by=clerk, reason="№ 11", now=today)
    transfer_letters.queue_due(today)
    figures.count(today)
    return clerk, [given, waits, built, building]


def pages(rows, subject, lab):
    yield "journal", at("registry_transfer_changelist")
    yield "ask", at("transfer_ask")
    yield "statistics", at("transfer_statistics")
    for name, row in zip(("given", "waits", "ready", "building"), rows, strict=True):
        yield name, at("registry_transfer_change", row.pk)
    yield "recipients", at("registry_recipient_changelist")
    yield "recipient", at("registry_recipient_change", lab.pk)
    yield "notices", at("registry_recipientnotice_changelist")
    yield "notice", at("registry_recipientnotice_change", RecipientNotice.objects.first().pk)
    yield "people-to-tell", at("registry_personnotice_changelist") + "?show=by_hand"
    yield "person-notice", at("registry_personnotice_change", PersonNotice.objects.get().pk)
    yield "person", at("registry_datasubject_change", subject.pk)
    yield "condition", at("telling_condition", subject.pk)
    yield "today", at("index")
    yield "sizes", at("registry_sizeclass_changelist")


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize(("language", "scheme"), [("kk", "light"), ("ru", "dark"), ("en", "light")])
def test_the_pages_read_well_everywhere(visit, everything, aigul, lab, language, scheme, width):
    clerk, rows = everything
    visitor = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    visitor.enter(clerk)
    visitor.open(at("index"))
    speak(visitor, language)
    for name, address in pages(rows, aigul, lab):
        assert visitor.open(address).status == 200
        shot(visitor, f"{name}-{language}-{width}")
        assert visitor.page.evaluate(OVERFLOW) <= 0, name
        assert axe(visitor.page) == [], name
        assert not [canary for canary in CANARIES if canary in visitor.page.content()], name


def fill(page, recipient, ground):
    page.select_option('select[name="recipient"]', str(recipient.pk))
    page.check(f'input[name="ground"][value="{ground}"]')
    page.check(f'input[name="purpose"][value="{purpose().pk}"]')
    email = DataCategory.objects.get(code="email")
    page.check(f'input[name="categories"][value="{email.pk}"]')


def seen(visitor, name):
    """A picture of where the walk has come to; nothing of a value is on it."""
    shot(visitor, f"walk-{name}")
    assert axe(visitor.page) == [], name
    assert visitor.page.evaluate(OVERFLOW) <= 0, name
    assert not [canary for canary in CANARIES if canary in visitor.page.content()], name


def test_from_looking_to_the_file_on_the_disk(visit, court, aigul, today):
    AccessSettings.objects.update(plain_export_people=0)
    clerk, second = visit(viewport={"width": 1280, "height": 900}), visit(viewport={"width": 360, "height": 700})
    clerk.enter(staff("clerk"))
    second.enter(staff("second"))
    clerk.open(at("registry_transfer_changelist"))
    speak(clerk, "en")
    seen(clerk, "journal-empty")
    clerk.page.click(f'.object-tools a[href="{at("transfer_ask")}"]')
    fill(clerk.page, court, "b")
    clerk.page.click('button[value="look"]')
    assert "names number and date" in clerk.page.locator(".errorlist").first.inner_text()
    seen(clerk, "refused")
    clerk.page.fill('input[name="request_number"]', "12-4")
    clerk.page.fill('input[name="requested_on"]', "2026-11-20")
    clerk.page.fill('input[name="article"]', "art. 9")
    clerk.page.click('button[value="look"]')
    assert clerk.page.locator(".banner dd").first.inner_text() == "1"
    seen(clerk, "looked")
    assert not Transfer.objects.exists()
    clerk.page.fill('input[name="reason"]', "inquiry of a court")
    clerk.page.check('input[name="file_format"][value="csv"]')
    clerk.page.click('button[value="ask"]')
    row = Transfer.objects.get()
    page = at("registry_transfer_change", row.pk)
    assert row.state == "waiting" and clerk.page.locator('button[value="approve"]').count() == 0
    seen(clerk, "waiting")
    second.open(page)
    seen(second, "to-approve")
    second.page.click('button[value="approve"]')
    seen(second, "approved")
    assert transfers.build_waiting(clock=timezone.now) == 1
    clerk.open(page)
    seen(clerk, "ready")
    with clerk.page.expect_download() as coming:
        clerk.page.click(f'form[action="{at("transfer_take", row.pk)}"] [type=submit]')
    content = Path(coming.value.path()).read_bytes()
    assert coming.value.suggested_filename == f"{row.number}.csv" and EMAIL in content.decode()
    clerk.open(page)
    assert hashlib.sha256(content).hexdigest() in clerk.page.content()
    seen(clerk, "taken")
    clerk.open(at("registry_transfer_changelist"))
    assert row.number in clerk.page.content()
    seen(clerk, "journal")


def test_a_mistyped_key_is_refused_at_its_field(visit, lab):
    visitor = visit(viewport={"width": 1280, "height": 900})
    visitor.enter(staff("officer"))
    visitor.open(at("registry_recipient_change", lab.pk))
    speak(visitor, "en")
    key = lab.public_key
    visitor.page.fill('[name="public_key"]', key[:-1] + ("q" if key[-1] != "q" else "p"))
    visitor.page.click('[name="_save"]')
    assert "no public key of age" in visitor.page.locator(".errorlist").inner_text()
    seen(visitor, "key-mistyped")
    assert Recipient.objects.get(pk=lab.pk).public_key == key


def test_what_is_to_be_told_is_told_by_the_staff(visit, everything, aigul, lab):
    clerk, _rows = everything
    visitor = visit(viewport={"width": 1280, "height": 900})
    visitor.enter(clerk)
    visitor.open(at("index"))
    speak(visitor, "en")
    recipient, mine = RecipientNotice.objects.first(), PersonNotice.objects.get()
    assert "Tell a person of a transfer" in visitor.page.content() and "Tell a recipient" in visitor.page.content()
    for row, model in ((recipient, "recipientnotice"), (mine, "personnotice")):
        visitor.open(at(f"registry_{model}_change", row.pk))
        visitor.page.click(".act form button.button")
        assert visitor.page.locator(".messagelist .success").count() == 1
        seen(visitor, f"told-{model}")
    recipient.refresh_from_db(), mine.refresh_from_db()
    assert recipient.sent_at and mine.told_by == clerk
    visitor.open(at("telling_condition", aigul.pk))
    seen(visitor, "condition-ends")
    visitor.page.fill('input[name="reason"]', "said so on the phone")
    visitor.page.click(".act button.button")
    assert not telling.stands(aigul)
    seen(visitor, "person-after")


def test_statistics_are_looked_at_and_handed_over(visit, everything, lab):
    clerk, _rows = everything
    visitor = visit(viewport={"width": 360, "height": 800})
    visitor.enter(clerk)
    visitor.open(at("transfer_statistics"))
    visitor.page.select_option('select[name="recipient"]', str(lab.pk))
    visitor.page.check('input[name="file_format"][value="json"]')
    visitor.page.fill('input[name="reason"]', "research")
    with visitor.page.expect_download() as coming:
        visitor.page.click(".act button.button")
    content = Path(coming.value.path()).read_text()
    row = Transfer.objects.get(ground="d")
    assert coming.value.suggested_filename == f"{row.number}.json" and '"people": 5' in content
    visitor.open(at("registry_transfer_change", row.pk))
    seen(visitor, "statistics-given")


def test_a_person_makes_and_ends_the_condition_on_the_page_of_consents(visit, aigul, today):
    visitor = visit(viewport={"width": 360, "height": 800}, java_script_enabled=False)
    visitor.open(links.mine_url(aigul.pk, "en", timezone.now()))
    assert visitor.page.is_checked("#tell")
    visitor.page.uncheck("#tell")
    visitor.page.click('button[value="save"]')
    assert not telling.stands(aigul) and not visitor.page.is_checked("#tell")
    visitor.page.check("#tell")
    visitor.page.click('button[value="save"]')
    assert telling.stands(aigul)
    shot(visitor, "mine-360")


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_the_tick_reads_well_everywhere(visit, aigul, language, width):
    visitor = visit(viewport={"width": width, "height": 900})
    visitor.open(links.mine_url(aigul.pk, language, timezone.now()))
    shot(visitor, f"mine-{language}-{width}")
    assert axe(visitor.page) == [] and visitor.page.evaluate(OVERFLOW) <= 0
    assert visitor.page.locator("#tell").is_checked()
