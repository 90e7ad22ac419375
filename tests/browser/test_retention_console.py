"""The console's pages of retention in a real browser, under the strict policy, in three languages and two widths."""

import pytest
from django.urls import reverse

from registry import approving, demands, rules
from registry.models import LegalGround, PersonalDatum, PurgePreview, RetentionSettings, RuleChange, StaffMember
from registry.simulating import Proposal
from tests.factories import DAY, hold, keep_until, person, purpose, staff

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def everything(today):
    """A list that waits, a rule that waits, a demand that is held, and a person it is about."""
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
    demands.demand(held, ground=LegalGround.objects.all()[0], reason="asked", by=officer, now=today)
    yield held
    RetentionSettings.objects.update(brake_people=1000)


def pages(held):
    preview, change, certificate = PurgePreview.objects.get(), RuleChange.objects.get(), held.certificates.get()
    here = purpose("feedback").pk
    return [
        ("index", []), ("purge_now", []), ("registry_purgepreview_changelist", []),
        ("registry_purgepreview_change", [preview.pk]), ("registry_rulechange_change", [change.pk]),
        ("rule_propose", [here]), ("purpose_close", [here]), ("registry_retentionsettings_change", [1]),
        ("findings", []), ("traces", []), ("counts", []), ("registry_datasubject_change", [held.pk]),
        ("registry_erasurecertificate_change", [certificate.pk]), ("registry_legalhold_changelist", []),
    ]  # fmt: skip


def sign_in(visit, name, **options):
    window = visit(**options)
    window.enter(StaffMember.objects.get(username=name))
    window.open(reverse("admin:index"))
    return window


@pytest.mark.parametrize(("language", "width"), [("kk", 1280), ("ru", 1280), ("en", 360)])
def test_every_page_opens_under_the_strict_policy_and_fits(visit, everything, language, width):
    window = sign_in(visit, "officer", viewport={"width": width, "height": 800})
    window.page.click(f"button[value={language}]")
    for name, arguments in pages(everything):
        answer = window.open(reverse(f"admin:{name}", args=arguments))
        assert answer.status == 200, name
        assert "unsafe" not in answer.headers["content-security-policy"]
        overflow = window.page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth")
        assert overflow <= 0 or name.endswith("changelist"), f"{name} is wider than the window by {overflow}"


def test_a_second_person_looks_and_approves_and_the_night_does_the_rest(visit, everything, today):
    staff("second")
    preview = PurgePreview.objects.get()
    window = sign_in(visit, "second")
    window.page.click(f'a[href="{reverse("admin:registry_purgepreview_change", args=[preview.pk])}"]')
    window.page.fill("#id_reason", "looked through")
    window.page.click("button[value=approve]")
    preview.refresh_from_db()
    assert preview.state == "approved"
    approving.daily(today)
    assert set(PersonalDatum.objects.values_list("subject", flat=True)) == {everything.pk}
    window.page.reload()
    assert window.page.locator("button[value=refuse]").count() == 0
