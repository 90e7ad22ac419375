"""Preview, brake, approval. Guarded lines were broken and seen to fail: the digest not compared in approve, expires_at
not looked at in _begin, the match of ground and rule version left out of erasure.APPROVED, `_refuse_same` emptied (the
constraints then refuse), the FROM of TAKE_APPROVED turned to the whole queue."""

from datetime import timedelta
from hashlib import sha256
from io import StringIO

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.utils import timezone

from consent import decisions
from registry import approving, previewing, purging
from registry.models import (
    AuditEntry,
    ErasureRecord,
    PersonalDatum,
    PreviewLine,
    Processing,
    ProcessingPurpose,
    PurgePreview,
    PurgeRun,
    RetentionSettings,
)
from registry.processing import refresh_due
from tests.factories import DAY, MOMENT, block, hold, keep_until, person, purpose, question, staff
from tests.traces import database_digest

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def over(count=1, *, now=MOMENT):
    """People whose term is over."""
    people = [person(now=now - 9 * DAY) for _ in range(count)]
    for subject in people:
        keep_until(subject, now - DAY)
    return people


def brake(**settings):
    RetentionSettings.objects.update(**settings)


def waiting(people=3):
    over(people)
    brake(brake_people=people - 1)
    preview = approving.daily(MOMENT).waiting
    assert preview is not None
    return preview


def approved(preview, name="second"):
    approving.approve(preview, preview.digest, by=staff(name), reason="looked through", now=timezone.now())
    preview.refresh_from_db()
    return preview


# --- preview --------------------------------------------------------------------------------------------------------
def test_a_preview_changes_nothing_and_the_run_removes_exactly_that():
    over(3), person(), hold(over()[0]), block(over()[0]), question(now=MOMENT - 5 * DAY)
    before = database_digest()
    rows = list(previewing.lines(MOMENT))
    summary = previewing.summarise(rows)
    assert database_digest() == before
    assert (summary.data, summary.subjects) == (4, 4)
    assert summary.counts == {("site-news", "term_over"): 3, ("confirmation", "unconfirmed"): 1}
    purging.purge(MOMENT)
    assert {row[0] for row in rows} == set(ErasureRecord.objects.values_list("datum_id", flat=True))


def test_the_kept_preview_has_the_digest_of_the_exported_list():
    over(3)
    text = "".join(previewing.as_text(previewing.lines(MOMENT)))
    kept = previewing.keep(MOMENT, taken_at=MOMENT)
    assert text == "".join(previewing.as_text(previewing.kept_lines(kept)))
    assert kept.digest == sha256(text.encode()).hexdigest() == previewing.summarise(previewing.lines(MOMENT)).digest
    assert text.count("\n") == 4 and previewing.is_intact(kept)


def test_the_digest_changes_with_the_set():
    over(2)
    first = previewing.summarise(previewing.lines(MOMENT)).digest
    over(1)
    assert previewing.summarise(previewing.lines(MOMENT)).digest != first


def test_two_days_are_compared():
    stays, leaves = over(2)
    one = previewing.keep(MOMENT, taken_at=MOMENT)
    decisions.give(leaves, [purpose()], now=MOMENT)
    comes = over(1)[0]
    other = previewing.keep(MOMENT, taken_at=MOMENT)
    assert [line.subject for line in previewing.only_in(one, other)] == [leaves]
    assert [line.subject for line in previewing.only_in(other, one)] == [comes]
    assert stays.data.exists()


def test_looking_costs_the_same_queries_for_few_and_for_many(django_assert_num_queries):
    over(2)
    with django_assert_num_queries(2):
        list(previewing.lines(MOMENT))
    over(5)
    with django_assert_num_queries(2):
        list(previewing.lines(MOMENT))


# --- the brake ------------------------------------------------------------------------------------------------------
def test_an_ordinary_run_goes_by_itself():
    over(2)
    outcome = approving.daily(MOMENT)
    assert (outcome.data, outcome.waiting) == (2, None)


def test_too_many_people_wait_and_nothing_goes():
    over(3)
    brake(brake_people=2)
    outcome = approving.daily(MOMENT)
    assert (outcome.data, outcome.waiting.reasons, outcome.waiting.state) == (0, "people", "waiting")
    assert PersonalDatum.objects.count() == 3 and not PurgeRun.objects.exists()


def test_as_many_as_the_brake_allows_go():
    over(3)
    brake(brake_people=3)
    assert approving.daily(MOMENT).data == 3


@pytest.mark.parametrize(("share", "goes"), [(29, False), (30, True)])
def test_too_large_a_share_waits(share, goes):
    over(3), [person() for _ in range(7)]
    brake(brake_share=share, brake_share_from=10)
    assert (approving.daily(MOMENT).waiting is None) is goes


def test_a_share_of_few_people_is_not_counted():
    over(3)
    brake(brake_share=1, brake_share_from=4)
    assert approving.daily(MOMENT).data == 3


@pytest.mark.parametrize(("hours", "goes"), [(72, True), (73, False)])
def test_a_run_after_a_long_silence_waits(hours, goes):
    over()
    earlier = MOMENT - timedelta(hours=hours)
    PurgeRun.objects.create(started_at=earlier, as_of=earlier, finished_at=earlier)
    outcome = approving.daily(MOMENT)
    assert (outcome.waiting is None) is goes
    assert goes or outcome.waiting.reasons == "late"


def test_a_clock_apart_from_the_database_waits(monkeypatch):
    over()
    monkeypatch.setattr(approving, "database_clock", lambda: timezone.now() + timedelta(minutes=3))
    assert approving.daily(MOMENT).waiting.reasons == "clock"
    assert PersonalDatum.objects.exists()


def test_a_clock_ahead_of_the_database_destroys_nothing_even_if_approved(monkeypatch):
    over()
    monkeypatch.setattr(purging, "database_clock", lambda: MOMENT - DAY)
    with pytest.raises(purging.ClockError):
        approving.daily(MOMENT)


def test_nothing_due_is_no_reason_to_wait():
    person()
    earlier = MOMENT - 90 * DAY
    PurgeRun.objects.create(started_at=earlier, as_of=earlier, finished_at=earlier)
    assert approving.daily(MOMENT).waiting is None


def test_the_list_of_the_next_night_replaces_one_nobody_decided_about():
    first = waiting()
    second = approving.daily(MOMENT).waiting
    first.refresh_from_db()
    assert (first.state, second.state) == ("expired", "waiting")


# --- approval -------------------------------------------------------------------------------------------------------
def test_what_was_approved_goes_with_the_next_run():
    preview = approved(waiting())
    outcome = approving.daily(MOMENT)
    assert outcome.data == 3 and not PersonalDatum.objects.exists()
    preview.refresh_from_db()
    assert (preview.state, preview.run.data, preview.executed_by) == ("done", 3, None)
    assert not previewing.dropped(preview).exists()


def test_what_changed_since_drops_out_and_is_listed():
    preview = approved(waiting(6))
    lines = PreviewLine.objects.filter(preview=preview).order_by("pk")
    consents, held, blocked, withdrawn, longer, goes = [line.subject for line in lines]
    decisions.give(consents, [purpose()], now=MOMENT)
    hold(held), block(blocked)
    Processing.objects.filter(subject=withdrawn).update(state="withdrawn")  # another ground than the approved one
    Processing.objects.filter(subject=longer).update(rule_version=2)
    refresh_due([withdrawn.pk, longer.pk])
    brake(brake_people=0)
    outcome = approving.daily(MOMENT)
    assert outcome.data == 1 and not goes.data.exists()
    preview.refresh_from_db()
    assert {line.subject for line in previewing.dropped(preview)} == {consents, held, blocked, withdrawn, longer}
    assert outcome.waiting.subjects == 2  # withdrawn and longer: due in another way, they wait anew


def test_what_became_due_since_is_not_in_the_approval():
    preview = approved(waiting())
    later = over(1)[0]
    approving.carry_out(preview, by=None, now=timezone.now())
    assert later.data.exists()


def test_an_approval_is_bound_to_the_digest_that_was_seen():
    preview = waiting()
    with pytest.raises(ValidationError):
        approving.approve(preview, "0" * 64, by=staff(), reason="looked", now=MOMENT)
    PreviewLine.objects.create(
        preview=preview, subject=person(), datum_id=77, category_id=1, ground="term_over", rule_version=1
    )
    with pytest.raises(ValidationError):
        approving.approve(preview, preview.digest, by=staff("other"), reason="looked", now=MOMENT)


def test_a_line_added_after_the_approval_stops_the_run():
    preview = approved(waiting())
    stranger = over(1)[0]
    PreviewLine.objects.create(
        preview=preview, subject=stranger, datum_id=stranger.data.get().pk, category_id=1,
        purpose=purpose(), ground="term_over", rule_version=1,
    )  # fmt: skip
    with pytest.raises(ValidationError):
        approving.carry_out(preview, by=None, now=timezone.now())
    assert PersonalDatum.objects.count() == 4


def test_an_approval_expires():
    preview = approved(waiting())
    with pytest.raises(ValidationError):
        approving.carry_out(preview, by=None, now=preview.expires_at)
    assert approving.expire(preview.expires_at) == 1
    preview.refresh_from_db()
    assert preview.state == "expired" and PersonalDatum.objects.count() == 3


def test_an_approved_run_that_was_interrupted_goes_on_even_past_its_expiry():
    preview = approved(waiting())

    def interrupt(run):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        approving.carry_out(preview, by=None, now=timezone.now(), batch=1, report=interrupt)
    assert PersonalDatum.objects.count() == 2
    preview.refresh_from_db()
    assert approving.expire(preview.expires_at + DAY) == 0
    run = approving.carry_out(preview, by=None, now=preview.expires_at + DAY)
    assert run.data == 3 and not PersonalDatum.objects.exists()


def test_a_refused_list_stays():
    preview = waiting()
    approving.refuse(preview, by=staff(), reason="wrong clock", now=MOMENT)
    approving.daily(MOMENT)
    assert PersonalDatum.objects.count() == 3


def test_an_approval_can_be_taken_back_until_it_is_used():
    preview = approved(waiting())
    approving.refuse(preview, by=staff("third"), reason="on second thought", now=MOMENT)
    brake(brake_people=0)
    approving.daily(MOMENT)
    assert PersonalDatum.objects.count() == 3


# --- three people ---------------------------------------------------------------------------------------------------
def asked_by(one):
    over(2)
    preview = previewing.keep(MOMENT, taken_at=MOMENT, by=one)
    approving.request(preview, by=one, now=MOMENT)
    preview.refresh_from_db()
    return preview


def test_who_asks_does_not_approve_and_neither_carries_out():
    one, two, three = staff("one"), staff("two"), staff("three")
    preview = asked_by(one)
    with pytest.raises(ValidationError):
        approving.approve(preview, preview.digest, by=one, reason="mine", now=timezone.now())
    approving.approve(preview, preview.digest, by=two, reason="looked", now=timezone.now())
    for same in (one, two):
        with pytest.raises(ValidationError):
            approving.carry_out(preview, by=same, now=timezone.now())
    assert approving.carry_out(preview, by=three, now=timezone.now()).data == 2


@pytest.mark.parametrize(("first", "second"), [("requested", "approved"), ("requested", "executed"), ("approved", "executed")])
def test_the_database_refuses_one_person_in_two_roles(first, second):
    preview, one = waiting(), staff("one")
    with pytest.raises(DatabaseError), transaction.atomic():
        PurgePreview.objects.filter(pk=preview.pk).update(**{f"{first}_by": one, f"{second}_by": one})


def test_the_database_refuses_to_rewrite_or_delete_what_was_decided():
    preview = approved(waiting())
    for change in ({"digest": "1" * 64}, {"data": 9}, {"approved_by": staff("another")}, {"as_of": MOMENT - DAY}):
        with pytest.raises(DatabaseError), transaction.atomic():
            PurgePreview.objects.filter(pk=preview.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        PreviewLine.objects.update(datum_id=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        PurgePreview.objects.filter(pk=preview.pk).delete()


def test_only_who_may_decides():
    preview = waiting()
    clerk = staff("clerk", superuser=False)
    for act in (
        lambda: approving.approve(preview, preview.digest, by=clerk, reason="x", now=MOMENT),
        lambda: approving.refuse(preview, by=clerk, reason="x", now=MOMENT),
        lambda: approving.request(preview, by=clerk, now=MOMENT),
        lambda: approving.carry_out(preview, by=clerk, now=MOMENT),
    ):
        with pytest.raises(PermissionDenied):
            act()


def test_every_decision_leaves_its_entry():
    preview = approved(waiting())
    approving.daily(MOMENT)
    entries = AuditEntry.objects.filter(operation="approve", object_id=preview.pk).order_by("pk")
    assert [entry.reason for entry in entries] == ["kept", "looked through", "carried out"]


# --- the rule changed between preview and run -------------------------------------------------------------------------
def test_a_rule_changed_between_preview_and_run_takes_its_people_off_the_list():
    preview = approved(waiting())
    ProcessingPurpose.objects.filter(code="site-news").update(position=9)  # not the rule: they stay on it
    Processing.objects.update(rule_version=2)
    approving.carry_out(preview, by=None, now=timezone.now())
    assert PersonalDatum.objects.count() == 3


# --- the command ----------------------------------------------------------------------------------------------------
def test_the_command_stops_at_the_brake_and_says_which_preview_waits():
    over(3)
    brake(brake_people=2)
    with pytest.raises(CommandError, match="3 data of 3 people wait"):
        call_command("purge", stdout=StringIO(), stderr=StringIO())
    assert PersonalDatum.objects.count() == 3


def test_the_dry_run_tells_the_digest_and_lists_what_would_go():
    over(2)
    said, listed = StringIO(), StringIO()
    call_command("purge", "--dry-run", stdout=said)
    call_command("purge", "--dry-run", "--list", stdout=listed)
    assert previewing.summarise(previewing.lines(timezone.now())).digest in said.getvalue()
    assert listed.getvalue() == "".join(previewing.as_text(previewing.lines(timezone.now())))
    assert PersonalDatum.objects.count() == 2
