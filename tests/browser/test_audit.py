"""The page of the verification and the report of internal control in the browser: two widths, two colours, on paper.

Seen to fail: a public key wider than a telephone, a box that scrolls and no keyboard reaches.
"""

import os
from importlib.resources import files
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from registry import auditing, seals
from registry.disclosure import reveal
from registry.models import AuditVerification, DataExport
from tests.factories import hold, person, purpose, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PAGES = {"verification": reverse("admin:audit_verification"), "report": reverse("admin:control_report")}


@pytest.fixture
def auditor(today):
    """Somebody who looks at a month in which something happened."""
    member = staff("auditor")
    for datum in person("site-news", phone="87015551234", now=today).data.all():
        reveal(datum, by=member, reason="asked", now=today)
    hold(person(now=today))
    auditing.record("refused", now=today, system="sign-in")
    DataExport.objects.create(
        kind="masked", purpose=purpose(), reason="a mailing", state="taken", people=1204, requested_by=member,
        requested_at=today, taken_at=today,
    )  # fmt: skip
    seals.seal(today)
    seals.run(today, clock=timezone.now)
    AuditVerification.objects.create(started_at=today, finished_at=today, outcome="missing", first_bad=17)
    return member


def axe(page):
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]]


@pytest.mark.parametrize(
    ("language", "width", "scheme"), [("kk", 1280, "light"), ("ru", 320, "dark"), ("en", 1280, "dark")]
)
def test_the_pages_read_well_everywhere(visit, auditor, language, width, scheme):
    visitor = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    visitor.enter(auditor)
    today = timezone.localdate().isoformat()
    for name, address in PAGES.items():
        visitor.open(f"{address}?first={today}&last={today}" if name == "report" else address)
        visitor.page.locator(f'.languages button[value="{language}"]').click()
        assert visitor.page.locator("html").get_attribute("lang") == language
        assert visitor.page.evaluate(OVERFLOW) <= 0
        assert axe(visitor.page) == []
        if folder := os.environ.get("SHOTS"):
            visitor.page.screenshot(path=Path(folder, f"{name}-{language}-{width}.png"), full_page=True)


def test_on_paper_there_is_the_report_alone(visit, auditor):
    visitor = visit(viewport={"width": 800, "height": 1100})
    visitor.enter(auditor)
    today = timezone.localdate().isoformat()
    visitor.open(f"{PAGES['report']}?first={today}&last={today}")
    visitor.page.emulate_media(media="print")
    assert visitor.page.locator(".report .line").first.is_visible()
    for other in ("#header", ".breadcrumbs", ".period", "#nav-sidebar"):
        assert not visitor.page.locator(other).is_visible(), other
    assert visitor.page.locator(".report").bounding_box()["width"] > 700, "the menu's place is left empty"
    if folder := os.environ.get("SHOTS"):
        visitor.page.screenshot(path=Path(folder, "report-print.png"), full_page=True)
