"""Requests in the console, in a browser under the strict policy: one of each kind from the desk to its answer, in Russian;
the list, the pages and the letter in three languages, narrow and wide, light and dark."""

import os
from importlib.resources import files
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from registry import tasks
from registry.models import DataSubject, LegalGround, SubjectRequest
from registry.requests import copying, handling, opening, verifying
from tests.factories import DAY, EMAIL, PHONE, block, hold, person, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
Kind, State = SubjectRequest.Kind, SubjectRequest.State
LOOKS = [("kk", 1280, "light"), ("ru", 320, "dark"), ("en", 1280, "dark")]
ANSWER = "На ваше обращение отвечаем: сделано."


@pytest.fixture(autouse=True)
def _quietly(settings, tmp_path, monkeypatch):
    settings.HOME = tmp_path
    for name in ("wake_mail", "wake_erasures", "wake_copies"):
        monkeypatch.setattr(tasks, name, lambda: None)


def speak(window, language):
    window.context.add_cookies([{"name": "language", "value": language, "url": f"{window.home}/admin/"}])


def shot(window, name):
    if folder := os.environ.get("SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        window.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def checked(window, name, widths=(320, 1280)):
    """Fits and is readable for everybody, at each width."""
    before = window.page.viewport_size
    for width in widths:
        window.page.set_viewport_size({"width": width, "height": 900})
        assert window.page.evaluate(OVERFLOW) <= 0, (name, width)
        window.page.evaluate(AXE)
        found = window.page.evaluate(f"axe.run({{runOnly: {RULES}}})")["violations"]
        assert not found, (name, width, [(one["id"], one["nodes"][0]["html"]) for one in found])
    window.page.set_viewport_size(before)
    shot(window, name)


def press(window):
    """The one button of the page's own form."""
    window.page.click("#content form .actions-row button")


def entered(window, subject, kind):
    """At the desk, with the document seen; the request it became."""
    window.open(reverse("admin:request_enter"))
    window.page.fill("#term", subject.reference)
    window.page.click("form.search .button")
    assert window.page.url.endswith(reverse("admin:request_enter_for", args=[subject.pk]))
    window.page.check(f"input[name=kind][value={kind}]")
    window.page.check("input[name=language][value=ru]")
    window.page.fill("textarea[name=text]", "прошу заняться моими курами")
    window.page.check("input[name=checks][value=document]")
    if kind == Kind.ACCESS:
        checked(window, f"desk-{kind}")
    press(window)
    return SubjectRequest.objects.get(subject=subject, kind=kind)


def filled(window, kind):
    """What the kind needs beside the letter."""
    if kind == Kind.RECTIFICATION:
        window.page.locator("input[name=datum]").last.check()
        window.page.fill("input[name=value]", "8 701 555 00 99")
    if kind == Kind.ERASURE:
        window.page.select_option("select[name=ground]", index=1)


def test_one_of_each_kind_from_the_desk_to_its_answer(visit, today):
    window = visit(viewport={"width": 1280, "height": 900}, bypass_csp=True)  # axe is a script
    window.enter(staff("officer"))
    speak(window, "ru")
    for kind in Kind:
        subject = person(phone=f"8701555{1200 + list(Kind).index(kind)}", now=today - DAY)
        if kind == Kind.UNBLOCKING:
            block(subject)
        request = entered(window, subject, kind)
        if kind == Kind.WITHDRAWAL:  # by then it is carried out
            assert request.state == State.ANSWERED
            continue
        page = reverse("admin:registry_subjectrequest_change", args=[request.pk])
        checked(window, f"page-{kind}")
        if kind == Kind.ACCESS:
            window.page.click(f"a[href='{reverse('admin:request_copy', args=[request.pk])}']")
            press(window)
            assert copying.build_waiting(clock=timezone.now) == 1
            window.open(page)
        window.page.click(f"a[href='{reverse('admin:request_answer', args=[request.pk])}']")
        window.page.fill("textarea[name=text]", ANSWER)
        filled(window, kind)
        checked(window, f"answer-{kind}")
        press(window)
        assert window.page.url.endswith(page), kind
        request.refresh_from_db()
        assert (request.state, request.outcome) == (State.ANSWERED, "granted"), kind
    checked(window, "answered")
    window.open(reverse("admin:registry_subjectrequest_changelist"))
    checked(window, "list-of-all")


@pytest.fixture
def busy(today):
    """Late, due today, paused, mine, from a stranger, with a hold on it."""
    officer, subject = staff("officer"), person(email=EMAIL, phone=PHONE, now=today - 9 * DAY)
    hold(subject, datum=subject.data.get(category__code="phone"))
    contact = subject.data.get(category__code="email")
    asked = {"language": "ru", "contact_id": contact.pk, "text": "прошу удалить", "now": today - 4 * DAY}
    erasure = opening.receive(subject, Kind.ERASURE, channel="mail", **asked)
    verifying.confirm(erasure.pk, now=today - 3 * DAY)
    handling.take(SubjectRequest.objects.get(pk=erasure.pk), by=officer, now=today)
    late = opening.receive(subject, Kind.RECTIFICATION, channel="page", received_at=today - 30 * DAY, **asked)
    paused = opening.receive(subject, Kind.ACCESS, channel="desk", by=officer, scan=b"%PDF-", **asked)
    verifying.doubt(paused, by=officer, reason="another signature", now=today)
    opening.receive(person(now=today), Kind.OTHER, channel="mail", language="kk", now=today)
    return officer, erasure, late, paused


@pytest.mark.parametrize(("language", "width", "scheme"), LOOKS)
def test_every_page_about_requests_fits_and_is_accessible(visit, busy, language, width, scheme):
    officer, erasure, late, paused = busy
    window = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    window.enter(officer)
    speak(window, language)
    names = ["take", "kind", "extend", "doubt", "join", "spam", "answer", "text"]
    pages = {f"erasure-{name}": reverse(f"admin:request_{name}", args=[erasure.pk]) for name in names}
    pages |= {f"paused-{name}": reverse(f"admin:request_{name}", args=[paused.pk]) for name in ("check", "ask", "scan")}
    pages |= {
        "list": reverse("admin:registry_subjectrequest_changelist"),
        "overdue": reverse("admin:registry_subjectrequest_changelist") + "?show=overdue",
        "erasure": reverse("admin:registry_subjectrequest_change", args=[erasure.pk]),
        "paused": reverse("admin:registry_subjectrequest_change", args=[paused.pk]),
        "refuse": reverse("admin:request_answer", args=[late.pk]) + "?outcome=refused",
        "find": reverse("admin:request_enter"),
        "new": reverse("admin:request_enter_new"),
        "for": reverse("admin:request_enter_for", args=[erasure.subject_id]),
    }
    for name, address in pages.items():
        assert window.open(address).status == 200, name
        assert window.page.get_attribute("html", "lang") == language
        assert EMAIL not in window.page.content() and "прошу удалить" not in window.page.content(), name
        checked(window, f"{language}-{width}-{scheme}-{name}", widths=(width,))


def test_a_text_is_read_without_scripts_and_stays_nowhere(visit, busy):
    officer, erasure, *_ = busy
    window = visit(java_script_enabled=False)
    window.enter(officer)
    window.open(reverse("admin:registry_subjectrequest_change", args=[erasure.pk]))
    window.page.click(f"a[href='{reverse('admin:request_text', args=[erasure.pk])}']")
    press(window)
    assert "прошу удалить" in window.page.inner_text("#text")
    window.page.click(".act .button")
    assert "прошу удалить" not in window.page.content() + window.page.url + str(window.context.storage_state())


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_the_letter_prints_alone_in_the_language_of_the_person(visit, today, language):
    officer, subject = staff("officer"), person(now=today - DAY)
    request = opening.receive(subject, Kind.OTHER, channel="desk", language=language, by=officer, now=today - DAY)
    verifying.check(request, ["document"], by=officer, now=today - DAY)
    window = visit(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    window.enter(officer)
    speak(window, "en" if language == "kk" else "kk")
    window.open(reverse("admin:request_answer", args=[request.pk]))
    window.page.fill("textarea[name=text]", f"{ANSWER}\n\nҚұрметпен")
    press(window)
    assert window.page.get_attribute("article.letter", "lang") == language
    assert ANSWER in window.page.inner_text("article.letter")
    checked(window, f"letter-{language}")
    window.page.emulate_media(media="print")
    assert window.page.locator("article.letter").is_visible() and not window.page.locator("#header").is_visible()
    shot(window, f"letter-{language}-on-paper")


def test_g_r_leads_to_the_requests(visit, busy):
    window = visit()
    window.enter(busy[0])
    window.open(reverse("admin:index"))
    window.page.keyboard.press("g")
    with window.page.expect_navigation():
        window.page.keyboard.press("r")
    assert window.page.url.endswith(reverse("admin:registry_subjectrequest_changelist"))


def test_an_erasure_for_somebody_without_a_contact_gives_the_letter_at_once(visit, today):
    officer, subject = staff("officer"), person(now=today - DAY)
    request = opening.receive(subject, Kind.ERASURE, channel="desk", language="ru", by=officer, now=today - DAY)
    verifying.check(request, ["document"], by=officer, now=today - DAY)
    window = visit(viewport={"width": 320, "height": 900}, bypass_csp=True)
    window.enter(officer)
    window.open(reverse("admin:request_answer", args=[request.pk]))
    window.page.select_option("select[name=ground]", str(LegalGround.objects.order_by("pk")[0].pk))
    window.page.fill("textarea[name=text]", ANSWER)
    press(window)
    assert ANSWER in window.page.inner_text("article.letter")
    checked(window, "letter-of-an-erasure")
    assert DataSubject.objects.get(pk=subject.pk).certificates.count() == 1
