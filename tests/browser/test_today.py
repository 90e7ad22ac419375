"""The page Today in a real browser: three languages, two widths, light and dark, with and without JavaScript."""

import os
from importlib.resources import files
from pathlib import Path

import pytest
from django.urls import reverse

from consent import decisions
from consent.decisions import desk
from registry import demands, figures, rules
from registry.models import JobRun, LegalGround, PurgePreview, PurgeRun, RuleChange, StaffMember, SubjectRequest
from registry.requests import answering, handling, opening, verifying
from registry.simulating import Proposal
from tests.factories import DAY, hold, keep_until, person, purpose, staff

Kind = SubjectRequest.Kind
pytestmark = pytest.mark.django_db(transaction=True)
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SHOTS = os.environ.get("SHOTS", "")


@pytest.fixture
def busy(today):
    """A registry at work: consents of some months, a demand that is late, lists and rules that wait, a job that is late."""
    officer = staff("officer")
    clerk = staff("clerk")
    for months, number in ((0, 7), (1, 4), (3, 9), (7, 2)):
        for _ in range(number):
            person(now=today - months * 30 * DAY)
    for subject in [person(now=today - 9 * DAY) for _ in range(6)]:
        decisions.withdraw(subject, None, now=today - DAY, channel="link")
    for days, number in ((0, 2), (12, 6), (45, 3), (70, 8)):
        for _ in range(number):
            keep_until(person(now=today - 20 * DAY), today + days * DAY)
    for days in (30, 9, 3):
        held = person(now=today - 40 * DAY)
        hold(held)
        demands.demand(held, ground=LegalGround.objects.all()[0], reason="asked", by=officer, now=today - days * DAY)
    PurgePreview.objects.create(taken_at=today, as_of=today, state="waiting", reasons="people", subjects=2, data=2)
    desk.enter({"phone": "87010000001"}, [purpose()], way="telephone", language="kk", by=clerk, now=today)
    present = purpose()
    rule = {field: getattr(present, field) for field in RuleChange.RULE} | {"term_value": 12}
    proposal = Proposal(present, categories=tuple(present.categories.values_list("pk", flat=True)), **rule)
    rules.propose(proposal, by=clerk, reason="too long", now=today)
    ask(today, clerk, officer)
    for days in range(4, 0, -1):
        at = today - days * DAY
        PurgeRun.objects.create(started_at=at, as_of=at, finished_at=at, subjects=12 * days, data=19 * days)
    JobRun.objects.create(name="purge", started_at=today, finished_at=today, succeeded_at=today - 2 * DAY)
    figures.count(today)


def ask(today, clerk, officer):
    """Requests of people: one overdue that the officer has, one in time, one by mail, one paused, two answered."""
    requests = {}
    for name, days, kind in (
        ("overdue", 9, "access"),
        ("open", 0, "erasure"),
        ("paused", 1, "access"),
        ("answered", 1, "other"),
        ("late", 9, "other"),
    ):
        at = today - days * DAY
        requests[name] = opening.receive(person(now=at), Kind(kind), channel="page", language="ru", now=at)
        verifying.confirm(requests[name].pk, now=at)
    opening.receive(person(now=today), Kind.ACCESS, channel="mail", language="kk", now=today)
    handling.take(requests["overdue"], by=officer, now=today)
    verifying.doubt(requests["paused"], by=clerk, reason="another signature", now=today)
    for name in ("answered", "late"):
        answering.answer(requests[name], SubjectRequest.Outcome.GRANTED, "Hens.", by=clerk, now=today)


def opened(visit, language="en", name="officer", **options):
    window = visit(**options)
    window.enter(StaffMember.objects.get(username=name))
    window.open(reverse("admin:index"))
    if language != "kk":
        window.page.locator(f"button[value={language}]").click()
    return window


def keep(window, name):
    if SHOTS:
        window.page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("language", "width", "scheme"),
    [("kk", 1280, "light"), ("ru", 320, "light"), ("en", 1280, "dark"), ("kk", 320, "dark"), ("ru", 1280, "light")],
)
def test_it_fits_and_breaks_no_policy(visit, busy, language, width, scheme):
    window = opened(visit, language, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert "unsafe" not in window.answer.headers["content-security-policy"]
    keep(window, f"{language}-{width}-{scheme}")
    assert window.page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth") <= 0
    assert window.page.locator("svg.chart").count() == 5
    assert window.page.locator("[style]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit, busy, scheme):
    window = opened(
        visit, bypass_csp=True, viewport={"width": 1280, "height": 800}, color_scheme=scheme
    )  # axe is a script
    for summary in window.page.locator("main summary, #content summary").all():
        summary.click()
    window.page.evaluate(AXE)
    found = window.page.evaluate("options => axe.run(options)", {"runOnly": {"type": "tag", "values": WCAG}})
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]] == []


def test_tabs_and_tables_work_without_javascript(visit, busy):
    window = opened(visit, java_script_enabled=False)
    window.page.click("a.tile[href*=overdue]")
    assert "q=overdue" in window.page.url and window.page.locator(".work li").count() == 2
    window.page.click(".tabs a[href*=mine]")
    assert window.page.locator(".work li").count() == 4
    window.page.locator("#answers-name ~ details summary").click()
    assert "50 %" in window.page.locator("#answers-name ~ details tbody").inner_text()
    window.page.locator("#months-name ~ details summary").click()
    assert window.page.locator("#months-name ~ details tbody tr").count() == 12


def test_a_new_registry_says_what_to_do(visit, today):
    staff("officer")
    figures.count(today)
    window = opened(visit, "kk")
    assert window.page.locator(".check li").count() > 8 and window.page.locator("svg.chart").count() == 0
    keep(window, "new-kk")


def test_it_prints_without_the_menu(visit, busy):
    window = opened(visit)
    window.page.emulate_media(media="print")
    assert window.page.locator(".tiles").is_visible() and not window.page.locator(".menu-of-all").is_visible()
    keep(window, "print")
