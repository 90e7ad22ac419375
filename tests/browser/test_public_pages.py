"""Every public page in every state: readable by a screen reader, on an old phone, without JavaScript, light and dark."""

import gzip

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from consent import decisions, links
from registry.models import Processing
from tests.factories import DAY, block, person, purpose, question

pytestmark = pytest.mark.django_db(transaction=True)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
LANGUAGES = ["kk", "ru", "en"]


def states(language):
    """Path and status of every page in every state."""
    now = timezone.now()

    def asked(name, at=now):
        return question(email=f"{name}.{language}@example.kz", language=language, now=at)

    waiting, used, refused, late = asked("open"), asked("used"), asked("refused"), asked("late", now - 9 * DAY)
    decisions.confirm(used.pk, now=now)
    decisions.refuse(refused.pk, now=now)
    blocked = person(email=f"blocked.{language}@example.kz", now=now)
    block(blocked)
    subject = person("site-news", "feedback", email=f"stays.{language}@example.kz", now=now)
    yield f"/{language}/policy/", 200
    yield f"/{language}/consent/", 200
    yield f"/{language}/nowhere/", 404
    yield f"/{language}/confirm/cut/", 404
    yield links.confirm_url(waiting.pk, language), 200
    yield links.confirm_url(used.pk, language), 200
    yield links.confirm_url(refused.pk, language), 200
    yield links.confirm_url(late.pk, language), 410
    yield links.unsubscribe_url(subject.pk), 200
    yield links.unsubscribe_url(subject.pk, purpose().pk), 200
    yield "/u/cut/", 404


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_accessible_light_and_without_traces(visit, language):
    looks = [{"viewport": {"width": 320, "height": 700}, "color_scheme": "dark"},
             {"viewport": {"width": 800, "height": 900}, "color_scheme": "light"}]  # fmt: skip
    pages = list(states(language))
    before = Processing.objects.count()
    for look in looks:
        window = visit(bypass_csp=True, **look)  # axe is a script; the policy itself is watched in the story
        for path, status in pages:
            response = window.open(path)
            assert response.status == status, path
            assert window.page.get_attribute("html", "lang") in ({language} if "/u/" not in path else LANGUAGES)
            assert window.page.evaluate("document.documentElement.scrollWidth") <= look["viewport"]["width"], path
            assert len(gzip.compress(response.body())) < 15_000
            assert problems(window) == [], path
    assert Processing.objects.count() == before  # looking changed nothing


def problems(window):
    found = Axe().run(window.page, options={"runOnly": RULES["runOnly"]}).response["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_form_says_what_and_where(visit, language):
    window = visit(bypass_csp=True)
    window.open(f"/{language}/consent/")
    window.page.fill("#id_email", "aigul@")
    window.page.click("button")
    assert window.page.locator("[role=alert] a").count() == 2  # address and purposes
    assert window.page.input_value("#id_email") == "aigul@"
    assert problems(window) == []
    window.page.click("[role=alert] a >> nth=1")
    assert window.page.url.endswith("#purpose-1")


@pytest.mark.parametrize("language", LANGUAGES)
def test_unsubscribing_by_hand_takes_one_press_and_stays_done(visit, language):
    subject = question(email=f"away.{language}@example.kz", language=language, now=timezone.now())
    decisions.confirm(subject.pk, now=timezone.now())
    window = visit(java_script_enabled=False)
    window.open(links.unsubscribe_url(subject.subject_id))
    window.page.click("button")
    assert Processing.objects.filter(subject=subject.subject, state="withdrawn").count() == 1
    window.open(links.unsubscribe_url(subject.subject_id))
    window.page.click("button")
    assert Processing.objects.filter(subject=subject.subject, state="withdrawn").count() == 1
