"""Search and the page of a person in a real browser: three languages, two widths, light and dark, with and without
scripts, under the strict policy."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse

from consent import decisions
from registry import demands
from registry.models import AuditEntry, LegalGround
from tests.factories import DAY, EMAIL, PHONE, hold, person, purpose, question, staff

pytestmark = pytest.mark.django_db(transaction=True)
LOOKS = [("kk", 1280, "light"), ("ru", 320, "dark"), ("en", 1280, "dark"), ("kk", 320, "light")]


@pytest.fixture
def officer():
    return staff("officer")


@pytest.fixture
def subject(today, officer):
    """A person with something in every part of the page."""
    subject = person("site-news", "feedback", email=EMAIL, phone=PHONE, now=today - 3 * DAY)
    hold(subject)
    decisions.withdraw(subject, purpose("feedback"), now=today - DAY, channel="page")
    question(email=EMAIL, now=today)
    return subject


def overflow(window) -> int:
    return window.page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth")


def checked(window) -> None:
    """Fits, and nothing for axe to find."""
    assert overflow(window) <= 0, window.page.url
    found = Axe().run(window.page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(("language", "width", "scheme"), LOOKS)
def test_every_page_about_a_person_opens_fits_and_is_accessible(visit, subject, officer, language, width, scheme):
    window = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    window.enter(officer)
    window.open("/admin/registry/datasubject/find/")
    window.page.click(f"button[value={language}]")
    email = subject.data.get(category__code="email")
    for name, pk in [
        ("find", None), ("registry_datasubject_change", subject.pk), ("reveal", email.pk), ("block_subject", subject.pk),
        ("place_hold", subject.pk), ("release_hold", subject.holds.get().pk),
    ]:  # fmt: skip
        assert window.open(reverse(f"admin:{name}", args=[pk] if pk else [])).status == 200
        checked(window)
    window.open(reverse("admin:registry_datasubject_change", args=[subject.pk]))
    for fold in window.page.locator("summary").all():
        fold.click()
    checked(window)


def test_a_clerk_finds_a_person_and_opens_a_value_without_scripts(visit, subject, officer):
    window = visit(java_script_enabled=False)
    window.enter(officer)
    window.open("/admin/registry/datasubject/find/")
    window.page.fill("#term", "8 701 555 12 34")
    window.page.click("form.search button")
    assert window.page.url.endswith(f"/datasubject/{subject.pk}/change/")
    assert "+7 701 •••-••-34" in window.page.inner_text("#content") and EMAIL not in window.page.content()
    window.page.click(f"a[href='{reverse('admin:reveal', args=[subject.data.get(category__code='email').pk])}']")
    window.page.check("input[value=asked]")
    window.page.click("#content input[type=submit]")
    assert window.page.inner_text("#value") == EMAIL
    assert AuditEntry.objects.filter(operation="reveal", subject=subject).count() == 1


def test_what_was_typed_stays_nowhere_in_the_browser(visit, subject, officer):
    window = visit()
    window.enter(officer)
    window.open("/admin/registry/datasubject/find/")
    window.page.fill("#term", EMAIL)
    assert window.page.input_value("#term") == EMAIL
    window.page.click("form.search button")
    assert window.page.locator("#content tbody tr").count() == 2
    seen = window.page.content() + window.page.url + window.page.evaluate("document.referrer")
    seen += str(window.context.storage_state())
    assert EMAIL not in seen and "Aigul" not in seen


def test_an_erased_person_has_a_page_that_fits(visit, subject, officer, today):
    demands.demand(subject, ground=LegalGround.objects.all()[0], reason="asked", by=officer, now=today)
    subject.holds.all().update(released_at=today)
    demands.finish_due(today)
    window = visit(viewport={"width": 320, "height": 700})
    window.enter(officer)
    window.open(reverse("admin:registry_datasubject_change", args=[subject.pk]))
    assert window.page.locator(".empty").count() == 1
    checked(window)
