"""A breach from its entry to its end in a browser, in three languages and two widths; the notice on paper."""

import os
from importlib.resources import files
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from registry.incidents import acts, asked, opening, sources
from registry.models import DataCategory, Incident
from tests.factories import DAY, EMAIL, person, purpose, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
ACTS = ["measure", "finding", "sent", "no_notice", "close", "source_audit", "source_list", "source_purpose"]


def axe(page):
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]]


def shot(visitor, name):
    if folder := os.environ.get("SHOTS"):
        visitor.page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


def speak(visitor, language):
    visitor.page.locator(f'.languages button[value="{language}"]').click()
    assert visitor.page.locator("html").get_attribute("lang") == language


@pytest.fixture
def officer():
    return staff("officer")


@pytest.fixture
def incident(officer, today):
    """One with something of everything."""
    who = {"by": officer, "now": today}
    data = DataCategory.objects.filter(code__in=["email", "phone"])
    row = opening.open_incident(
        "disclosure", "A list lay open.\nOn the stairs.", data, discovered_at=today - DAY, **who
    )
    one = person(now=today - 2 * DAY)
    questions = [
        asked.of_purpose(purpose(), row),
        asked.of_references(one.reference),
        asked.of_audit(today - DAY, today, asked.SEEN, now=today, member=officer),
    ]
    for question in questions:
        seen = sources.preview_source(row, question, **who).found
        sources.add_source(row, question, seen=seen, reason="the log of the door", **who)
    acts.note_measure(row, "The lock was changed", at=today, secures=True, **who)
    acts.note_finding(row, "The list was found", at=today, **who)
    return Incident.objects.get(pk=row.pk)


def pages(incident):
    yield "list", reverse("admin:registry_incident_changelist")
    yield "enter", reverse("admin:incident_enter")
    yield "page", reverse("admin:registry_incident_change", args=[incident.pk])
    for name in (*ACTS, "people", "notice"):
        yield name, reverse(f"admin:incident_{name}", args=[incident.pk])


@pytest.mark.parametrize(
    ("language", "width", "scheme"), [("kk", 1280, "light"), ("ru", 320, "dark"), ("en", 1280, "dark")]
)
def test_the_pages_read_well_everywhere(visit, officer, incident, language, width, scheme):
    visitor = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    visitor.enter(officer)
    visitor.open(reverse("admin:index"))
    speak(visitor, language)
    for name, address in pages(incident):
        assert visitor.open(address).status == 200
        shot(visitor, f"incident-{name}-{language}-{width}")
        assert visitor.page.evaluate(OVERFLOW) <= 0, name
        assert axe(visitor.page) == [], name


def test_a_breach_is_entered_counted_told_and_closed(visit, officer, today):
    subject = person(email=EMAIL, now=today - DAY)
    visitor = visit(viewport={"width": 1280, "height": 900})
    page = visitor.page
    visitor.enter(officer)
    visitor.open(reverse("admin:registry_incident_changelist"))
    speak(visitor, "en")
    page.click(f'a[href="{reverse("admin:incident_enter")}"]')
    moment = timezone.localtime(today).strftime("%Y-%m-%dT%H:%M")
    page.check('input[name="kind"][value="loss"]')
    page.fill('input[name="discovered_at"]', moment)
    page.fill('textarea[name="happened"]', f"A letter to {EMAIL} was lost")
    page.check('input[name="categories"] >> nth=0')
    page.click(".act button.button")
    assert page.locator(".errorlist").count() == 1, "an address is refused"
    page.fill('textarea[name="happened"]', "A letter was lost")
    page.click(".act button.button")
    incident = Incident.objects.get()
    page.click(f'a[href="{reverse("admin:incident_source_audit", args=[incident.pk])}"]')
    page.click('.tabs a[href="../references/"]')
    page.fill('textarea[name="references"]', subject.reference)
    page.click('button[value="look"]')
    shot(visitor, "incident-looked-at")
    assert axe(page) == []
    page.fill('input[name="reason"]', "the post office told us")
    page.click('button[value="keep"]')
    page.click(f'a[href="{reverse("admin:incident_sent", args=[incident.pk])}"]')
    page.fill('input[name="sent_at"]', moment)
    page.check('input[name="how"][value="portal"]')
    page.click(".act button.button")
    page.click(f'a[href="{reverse("admin:incident_close", args=[incident.pk])}"]')
    page.fill('input[name="reason"]', "the letter came back")
    page.click(".act button.button")
    shot(visitor, "incident-closed")
    incident.refresh_from_db()
    assert (incident.state, incident.people) == ("closed", 1)
    assert page.locator(".actions-row a.button").count() == 0
    assert subject.reference in page.content() and "Aigul" not in page.content()


def test_on_paper_there_is_the_notice_alone(visit, officer, incident):
    visitor = visit(viewport={"width": 800, "height": 1100})
    visitor.enter(officer)
    visitor.open(reverse("admin:incident_notice", args=[incident.pk]))
    visitor.page.emulate_media(media="print")
    assert visitor.page.locator("article.act").count() == 2
    assert visitor.page.locator("article.act .line").first.is_visible()
    for other in ("#header", ".breadcrumbs", ".help", "#nav-sidebar"):
        assert not visitor.page.locator(other).first.is_visible(), other
    shot(visitor, "incident-print")
