"""The console's look, everywhere: every list, form and history under the strict policy, for a screen reader, on a phone, in
the dark, on paper; and its keyboard.

Each page is opened once; its language, its width and its colours go round. axe takes longest: it looks at every list and
at every form once, and at one history and one version, for those are one page with other words.

Broken and seen to fail: a style in a tag, quiet text in the dark, cells wider than a phone; the switch of the keys, the
test for a field, the place of a key on a Cyrillic keyboard; the head on paper.
"""

from importlib.resources import files

import pytest
from django.contrib.admin import site
from django.urls import reverse

from registry import approving, demands, rules
from registry.admin.base import ConfigurationAdmin
from registry.models import (
    LegalGround,
    ReplyTemplate,
    RetentionSettings,
    RuleChange,
    SavedFilter,
)
from registry.simulating import Proposal
from tests.factories import DAY, hold, keep_until, person, purpose, staff

pytestmark = pytest.mark.django_db(transaction=True)
LANGUAGES = ["kk", "ru", "en"]
LOOKS = [(1280, "light"), (320, "dark")]  # width in CSS pixels, colour scheme
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def everything(today):
    """Rows for most lists: a purge and a rule that wait, an erasure that is held, a text, a filter, versions of a setting."""
    officer = staff("officer")
    for subject in [person(now=today - 9 * DAY) for _ in range(3)]:
        keep_until(subject, today - DAY)
    RetentionSettings.objects.update(brake_people=1)
    approving.daily(today)
    present = purpose()
    rule = {field: getattr(present, field) for field in RuleChange.RULE} | {"term_value": 12}
    proposal = Proposal(present, categories=tuple(present.categories.values_list("pk", flat=True)), **rule)
    rules.propose(proposal, by=officer, reason="too long", now=today)
    held = person("site-news", phone="87015551234", now=today - DAY)
    hold(held)
    ground = LegalGround.objects.order_by("pk")[0]
    demands.demand(held, ground=ground, reason="asked", by=officer, now=today)
    texts = {f"{part}_{one}": f"{part} {one}" for part in ("title", "text") for one in LANGUAGES}
    template = ReplyTemplate.objects.create(code="copy", **texts)
    template.text_kk = "жаңа мәтін " * 20
    template.save()
    SavedFilter.objects.create(
        person=officer, page="registry_legalground", name="тексерілген", query="is_reviewed__exact=1"
    )
    yield officer
    RetentionSettings.objects.update(brake_people=1000)


def addresses():
    """Name and address of the console's pages: Today, the password, and of every model its list, form, history."""
    yield "index", reverse("admin:index")
    yield "password_change", reverse("admin:password_change")
    for model, model_admin in site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        yield f"{name} list", reverse(f"admin:{name}_changelist")
        yield f"{name} add", reverse(f"admin:{name}_add")
        row = model._default_manager.order_by("pk").last()
        if row is None:
            continue
        yield f"{name} change", reverse(f"admin:{name}_change", args=[row.pk])
        yield f"{name} history", reverse(f"admin:{name}_history", args=[row.pk])
        if isinstance(model_admin, ConfigurationAdmin) and (version := row.history.first()):
            yield f"{name} version", reverse(f"admin:{name}_simple_history", args=[row.pk, version.pk])


def speak(window, language):
    window.context.add_cookies([{"name": "language", "value": language, "url": f"{window.home}/admin/"}])


# Django's own scripts write these; what they mark up works for a screen reader all the same.
KNOWN = {
    "aria-allowed-attr": 'id="nav-sidebar"',  # nav_sidebar.js sets aria-expanded on the <nav> it folds
    "aria-prohibited-attr": "search-label-icon",  # SelectFilter2.js names the magnifying glass beside a labelled field
    "aria-input-field-name": "select2-selection",  # Select2 hides the labelled <select> behind its own box
}


def findings(page, width, scheme, *, is_read_out=True):
    """What is too wide in either width, and what axe says about one look."""
    for look in (width, *{1280, 320} - {width}):
        page.set_viewport_size({"width": look, "height": 900})
        if (wide := page.evaluate(OVERFLOW)) > 0:
            yield f"{wide} pixels wider than {look}"
    if not is_read_out:
        return
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(AXE)
    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    for rule in page.evaluate("options => axe.run(options)", options)["violations"]:
        nodes = [node for node in rule["nodes"] if KNOWN.get(rule["id"], node["html"] + "?") not in node["html"]]
        if nodes:
            yield width, scheme, rule["id"], [node["html"][:200] for node in nodes[:3]]


def test_every_page_is_for_everybody_and_keeps_the_strict_policy(visit, everything):
    """The window notes a violation of the policy and an error of a script."""
    window = visit()
    window.enter(everything)
    found, forms = {}, set()
    for place, (name, address) in enumerate(addresses()):
        language, (width, scheme) = LANGUAGES[place % 3], LOOKS[place % 2]
        speak(window, language)
        window.page.emulate_media(color_scheme=scheme)
        answer = window.open(address)
        assert "unsafe" not in answer.headers["content-security-policy"], name
        if answer.status == 403:
            continue  # nobody adds evidence by hand
        assert window.problems == [], name
        model, _, kind = name.rpartition(" ")
        form = kind if kind in {"history", "version"} else f"{model} {'form' if kind in {'add', 'change'} else kind}"
        if problems := list(findings(window.page, width, scheme, is_read_out=form not in forms)):
            found[f"{name} {language}"] = problems
        forms.add(form)
        window.problems.clear()  # axe itself measures with a style in a tag, and the policy stops it
    assert found == {}


@pytest.fixture
def desk(visit):
    """Somebody at Today, in English."""
    window = visit(viewport={"width": 1280, "height": 900})
    window.enter(staff())
    speak(window, "en")
    window.open(reverse("admin:index"))
    return window


def press(page, key, code):
    """A key of another layout: what it says, and where it lies."""
    event = {"key": key, "code": code, "bubbles": True, "cancelable": True}
    page.evaluate("event => document.body.dispatchEvent(new KeyboardEvent('keydown', event))", event)


def test_keys_lead_to_the_places(desk):
    subjects = reverse("admin:registry_datasubject_changelist")
    desk.page.keyboard.press("g")
    desk.page.keyboard.press("s")
    desk.page.wait_for_url(f"**{subjects}")
    for key, code in [("п", "KeyG"), ("ф", "KeyA")]:
        press(desk.page, key, code)
    desk.page.wait_for_url(f"**{reverse('admin:registry_auditentry_changelist')}")
    desk.page.keyboard.press("/")
    assert desk.page.evaluate("document.activeElement.name") == "term"


def test_keys_are_letters_in_a_field(desk):
    desk.page.keyboard.press("/")
    desk.page.keyboard.type("g s ?/")
    assert desk.page.input_value("#find-term") == "g s ?/"
    assert desk.page.url.endswith(reverse("admin:index")) and not desk.page.locator("#keyboard").is_visible()


def test_single_keys_can_be_switched_off(desk):
    desk.page.keyboard.press("?")
    desk.page.locator("#keyboard").get_by_role("checkbox").uncheck()
    desk.page.keyboard.press("Escape")
    desk.open(reverse("admin:registry_country_changelist"))
    desk.page.keyboard.press("?")
    assert not desk.page.locator("#keyboard").is_visible()
    desk.page.keyboard.press("/")
    assert desk.page.evaluate("document.activeElement.name") != "term"
    desk.page.click(".help-key")
    desk.page.locator("#keyboard").get_by_role("checkbox").check()
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("?")
    assert desk.page.locator("#keyboard").is_visible()


def test_the_search_stays_out_of_the_address(desk):
    desk.page.fill("#find-term", "nobody.canary@example.kz")
    with desk.page.expect_navigation():
        desk.page.keyboard.press("Enter")
    assert desk.answer.request.method == "POST" and "canary" in desk.answer.request.post_data
    assert "canary" not in desk.page.url and "canary" not in desk.page.content()


def test_without_scripts_the_help_and_the_menu_open(visit, everything):
    window = visit(java_script_enabled=False)
    window.enter(everything)
    window.open(reverse("admin:registry_country_changelist"))
    assert not window.page.locator("#keyboard").is_visible()
    window.page.click(".help-key")
    assert window.page.locator("#keyboard").is_visible()
    window.page.click(".menu summary")
    assert window.page.locator("#logout-form button").is_visible()


def test_light_and_dark_are_chosen_and_remembered(desk):
    def ground():
        return desk.page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = ground()
    desk.page.click(".theme-toggle")
    assert ground() != light
    desk.page.reload()
    assert ground() != light


def test_a_row_is_a_card_on_a_phone(desk):
    desk.page.set_viewport_size({"width": 320, "height": 700})
    desk.open(reverse("admin:registry_country_changelist"))
    cell = desk.page.locator("#result_list tbody tr").first.locator("td").first
    label = cell.evaluate("cell => getComputedStyle(cell, '::before').content.replaceAll('\"', '')")
    assert label and label == desk.page.locator("#result_list thead th .text").nth(1).text_content().strip()
    assert desk.page.locator(".results").evaluate("box => box.scrollWidth - box.clientWidth") == 0


def test_on_paper_stands_what_who_and_when_without_the_menus(desk):
    desk.open(reverse("admin:registry_country_changelist"))
    desk.page.emulate_media(media="print")
    shown = {
        one: desk.page.locator(one).first.is_visible() for one in ("#header", "#nav-sidebar", "#changelist-filter")
    }
    assert not any(shown.values()), shown
    assert desk.page.locator("#content h1").is_visible() and desk.page.locator("#result_list").is_visible()
    assert "officer" in desk.page.locator(".print-only").inner_text()


def test_a_filter_is_saved_and_chosen_again(desk):
    grounds = reverse("admin:registry_legalground_changelist")
    desk.open(f"{grounds}?is_reviewed__exact=0")
    desk.page.fill("#filter-name", "to be checked")
    desk.page.click(".saved-filters .save button")
    assert desk.page.url.endswith(f"{grounds}?is_reviewed__exact=0")
    desk.open(grounds)
    desk.page.click("text=to be checked")
    assert desk.page.url.endswith("?is_reviewed__exact=0")
    desk.page.click(".saved-filters li button")
    assert SavedFilter.objects.count() == 0
