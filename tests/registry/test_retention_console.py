"""The pages of the brake, of retention rules and of holds, through the console as people use it."""

from hashlib import sha256

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from registry import approving, previewing, rules
from registry.models import (
    AuditEntry,
    LegalHold,
    PersonalDatum,
    ProcessingPurpose,
    PurgePreview,
    RetentionSettings,
    RuleChange,
)
from tests.factories import DAY, enter, hold, keep_until, person, purpose, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def over(today):
    """Three people whose term is over."""
    people = [person(now=today - 9 * DAY) for _ in range(3)]
    for subject in people:
        keep_until(subject, today - DAY)
    return people


@pytest.fixture
def waiting(over, today):
    RetentionSettings.objects.update(brake_people=1)
    return approving.daily(today).waiting


def may(name, *codes):
    member = staff(name, superuser=False)
    member.user_permissions.set(Permission.objects.filter(codename__in=["view_purgepreview", "view_rulechange", *codes]))
    return member


def decide(client, preview, act, **given):
    data = {"act": act, "digest": preview.digest, "reason": "looked through"} | given
    answer = client.post(reverse("admin:purge_decide", args=[preview.pk]), data)
    preview.refresh_from_db()
    return answer


def page(client, name, *args):
    answer = client.get(reverse(f"admin:{name}", args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def test_looking_shows_what_would_go_and_why_it_would_wait(client, over, today):
    enter(client, staff())
    RetentionSettings.objects.update(brake_people=1)
    text = page(client, "purge_now")
    summary = previewing.summarise(previewing.lines(today))
    assert summary.digest in text and purpose().text("name") in text
    assert not PurgePreview.objects.exists()


def test_a_kept_list_is_exported_with_its_digest(client, over):
    enter(client, staff())
    client.post(reverse("admin:purge_keep"))
    preview = PurgePreview.objects.get()
    answer = client.post(reverse("admin:purge_export", args=[preview.pk]))
    assert sha256(b"".join(answer.streaming_content)).hexdigest() == preview.digest
    assert preview.digest in page(client, "registry_purgepreview_change", preview.pk)
    assert AuditEntry.objects.filter(operation="export").count() == 1


def test_two_kept_lists_are_compared(client, over):
    enter(client, staff())
    client.post(reverse("admin:purge_keep"))
    client.post(reverse("admin:purge_keep"))
    one, other = PurgePreview.objects.order_by("pk")
    answer = client.get(reverse("admin:purge_compare", args=[one.pk]), {"other": other.pk})
    assert answer.status_code == 200


def test_the_index_says_that_a_purge_waits(client, waiting):
    enter(client, staff())
    assert reverse("admin:registry_purgepreview_change", args=[waiting.pk]) in page(client, "index")


def test_a_second_person_approves_and_a_third_carries_out(client, waiting):
    enter(client, may("second", "approve_purge"))
    decide(client, waiting, "approve")
    assert waiting.state == "approved"
    decide(client, waiting, "carry_out")
    assert waiting.run is None
    third = may("third", "request_purge")
    enter(client, third)
    decide(client, waiting, "carry_out")
    assert waiting.executed_by == third
    approving.daily(waiting.as_of)
    assert not PersonalDatum.objects.exists()
    assert "3" in page(client, "registry_purgepreview_change", waiting.pk)


def test_who_only_looks_is_refused(client, waiting):
    enter(client, may("auditor"))
    text = page(client, "registry_purgepreview_change", waiting.pk)
    assert "value=\"approve\"" not in text and "value=\"carry_out\"" not in text
    for act in ("approve", "refuse", "request", "carry_out"):
        assert decide(client, waiting, act).status_code == 403
    assert waiting.state == "waiting"
    assert client.post(reverse("admin:purge_keep")).status_code == 403


def test_an_approval_of_another_digest_or_without_a_reason_is_refused(client, waiting):
    enter(client, may("second", "approve_purge"))
    decide(client, waiting, "approve", digest="0" * 64)
    decide(client, waiting, "approve", reason=" ")
    decide(client, waiting, "approve", reason="ask aigul@example.kz")
    assert waiting.state == "waiting"
    assert decide(client, waiting, "no such act").status_code == 400


def test_without_an_appointment_there_is_no_preview(client, waiting):
    enter(client, staff("unappointed", appointed=False))
    for name in ("purge_now", "registry_purgepreview_changelist"):
        assert client.get(reverse(f"admin:{name}")).status_code == 403
    assert client.get(reverse("admin:registry_purgepreview_change", args=[waiting.pk])).status_code == 403
    assert client.post(reverse("admin:purge_export", args=[waiting.pk])).status_code == 403
    assert decide(client, waiting, "approve").status_code == 403


# --- rules ----------------------------------------------------------------------------------------------------------
def proposed(**changes):
    present = purpose()
    rule = {field: getattr(present, field) or "" for field in RuleChange.RULE}
    return rule | {"categories": [category.pk for category in present.categories.all()]} | changes


def test_a_rule_is_simulated_asked_for_and_approved_by_another(client, today):
    person(now=today - 400 * DAY)
    enter(client, may("one", "propose_rulechange"))
    url = reverse("admin:rule_propose", args=[purpose().pk])
    assert client.get(url).status_code == 200
    seen = client.post(url, proposed(term_value=12, act="simulate"))
    assert seen.context["simulation"]["newly_due"] == [(purpose().text("name"), 1)]
    assert not RuleChange.objects.exists()
    client.post(url, proposed(term_value=12, act="ask", reason="too long"))
    change = RuleChange.objects.get()
    decide_rule = reverse("admin:rule_decide", args=[change.pk])
    assert client.post(decide_rule, {"act": "approve", "reason": "mine"}).status_code == 403
    enter(client, may("two", "approve_rulechange"))
    assert "value=\"approve\"" in page(client, "registry_rulechange_change", change.pk)
    client.post(decide_rule, {"act": "approve", "reason": "right"})
    change.refresh_from_db()
    assert change.state == "approved" and purpose().term_value == 24


def test_a_bad_rule_is_refused_with_a_word(client):
    enter(client, staff())
    url = reverse("admin:rule_propose", args=[purpose().pk])
    answer = client.post(url, proposed(clock="fixed", act="ask", reason="x"))
    assert answer.status_code == 200 and answer.context["form"].errors["ends_on"]
    answer = client.post(url, proposed(act="ask", reason="the same"), follow=True)
    assert not RuleChange.objects.exists() and list(answer.context["messages"])


def test_the_form_of_a_purpose_in_use_does_not_take_another_rule(client):
    person()
    enter(client, staff())
    answer = client.get(reverse("admin:registry_processingpurpose_change", args=[purpose().pk]))
    fields = set(answer.context["adminform"].form.fields)
    assert not fields & {*RuleChange.RULE, "categories", "closes_at", "code"}
    assert reverse("admin:rule_propose", args=[purpose().pk]) in answer.content.decode()


def test_a_purpose_is_closed_with_a_reason(client, today):
    person()
    enter(client, staff())
    url = reverse("admin:purpose_close", args=[purpose().pk])
    assert client.get(url).context["people"] == 1
    client.post(url, {"reason": ""})
    assert ProcessingPurpose.objects.get(code="site-news").closes_at is None
    client.post(url, {"reason": "achieved"})
    assert purpose().closes_at is not None
    assert rules.apply_due(today + DAY) == 0 and purpose().processing_set.get().state == "closed"


# --- holds ----------------------------------------------------------------------------------------------------------
def test_holds_are_released_with_a_reason(client):
    placed = [hold(person()), hold(person())]
    enter(client, staff())
    url = reverse("admin:registry_legalhold_changelist")
    chosen = {"action": "release", "_selected_action": [one.pk for one in placed]}
    assert client.post(url, chosen).status_code == 200
    client.post(url, chosen | {"confirmed": "1", "reason": ""})
    assert LegalHold.objects.filter(released_at=None).count() == 2
    client.post(url, chosen | {"confirmed": "1", "reason": "the case is over"})
    assert {one.release_reason for one in LegalHold.objects.exclude(released_at=None)} == {"the case is over"}


@pytest.mark.parametrize("name", ["purgepreview", "rulechange", "erasurecertificate"])
@pytest.mark.parametrize("number", ["77", "no-number"])
def test_a_page_that_does_not_exist_is_no_error_of_ours(client, name, number):
    enter(client, staff())
    answer = client.get(reverse(f"admin:registry_{name}_change", args=[number]))
    assert answer.status_code == 302 and answer.headers["Location"] == reverse("admin:index")
