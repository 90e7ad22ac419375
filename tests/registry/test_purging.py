"""What goes and what stays. Guarded lines were broken and seen to fail: `until <= now` turned to `<` in erasure.DUE,
the hold taken out of the view, `lapses_at` null counted as over, the key's DELETE left out."""

from datetime import timedelta

import pytest
from django.db import connection

from registry import erasure, holds, previewing, purging
from registry.models import (
    DataSubject,
    DatumKey,
    DestructionGround,
    ErasureRecord,
    PersonalDatum,
    ProcessingPurpose,
    PurgeRun,
)
from registry.processing import recount
from tests.factories import DAY, MOMENT, block, hold, keep_until, person, purpose, question, staff

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("end", "left"), [(MOMENT + SECOND, 1), (MOMENT, 0), (MOMENT - SECOND, 0)])
def test_a_value_goes_when_its_term_is_over(end, left):
    subject = person(now=MOMENT - DAY)
    keep_until(subject, end)
    purging.purge(MOMENT)
    assert subject.data.count() == left
    assert DatumKey.objects.count() == left


def test_nothing_goes_while_no_end_is_known():
    subject = person(now=MOMENT - DAY)
    keep_until(subject, None)
    purging.purge(MOMENT)
    assert subject.data.exists()


def test_the_longest_purpose_wins():
    subject = person("site-news", "feedback", now=MOMENT - DAY)
    keep_until(subject, MOMENT - SECOND, "feedback")
    purging.purge(MOMENT)
    assert subject.data.exists()
    keep_until(subject, MOMENT - SECOND, "site-news")
    purging.purge(MOMENT)
    assert not subject.data.exists()


def test_a_category_no_remaining_purpose_needs_goes_alone():
    ProcessingPurpose.objects.get(code="site-news").categories.remove(1)  # the phone
    subject = person("site-news", "feedback", phone="87015551234", now=MOMENT - DAY)
    keep_until(subject, MOMENT, "feedback")
    purging.purge(MOMENT)
    assert [datum.category.code for datum in subject.data.all()] == ["email"]


@pytest.mark.parametrize("until", [None, MOMENT + SECOND])
def test_a_hold_keeps_everything_of_a_person(until):
    subject = person(now=MOMENT - DAY)
    keep_until(subject, MOMENT)
    hold(subject, until=until)
    purging.purge(MOMENT)
    assert subject.data.exists()


def test_two_holds_the_longer_one_counts():
    subject = person(now=MOMENT - DAY)
    keep_until(subject, MOMENT - DAY)
    hold(subject, until=MOMENT)
    hold(subject, until=MOMENT + SECOND)
    purging.purge(MOMENT)
    assert subject.data.exists()
    purging.purge_batch(PurgeRun.objects.create(started_at=MOMENT, as_of=MOMENT + SECOND), 10)
    assert not subject.data.exists()


def test_a_hold_on_one_datum_keeps_only_that():
    subject = person(phone="87015551234", now=MOMENT - DAY)
    keep_until(subject, MOMENT)
    hold(subject, datum=subject.data.get(category__code="phone"))
    purging.purge(MOMENT)
    assert [datum.category.code for datum in subject.data.all()] == ["phone"]


def test_a_blocked_person_is_kept_and_not_used():
    subject = person(now=MOMENT - DAY)
    keep_until(subject, MOMENT)
    block(subject)
    purging.purge(MOMENT)
    assert subject.data.exists()


def test_an_unconfirmed_address_goes_after_its_days():
    asked = question(now=MOMENT - 5 * DAY)
    assert asked.subject.data.exists()
    purging.purge(MOMENT)
    assert not asked.subject.data.exists()
    assert ErasureRecord.objects.get().ground == "unconfirmed"


def test_a_replaced_value_goes_and_the_newer_stays():
    subject = question(phone="87015551234").subject
    question(phone="87015551235")
    purging.purge(MOMENT)
    assert subject.data.filter(category__code="phone").count() == 1
    assert ErasureRecord.objects.get().ground == "superseded"


def test_what_went_is_proved_without_a_value():
    subject = person(now=MOMENT - DAY)
    datum = subject.data.get()
    keep_until(subject, MOMENT)
    run = purging.purge(MOMENT)
    record = ErasureRecord.objects.get()
    assert (record.datum_id, record.subject, record.ground, record.run) == (datum.pk, subject, "term_over", run)
    assert record.purpose == purpose("site-news")
    assert not {"value", "sealed", "index"} & {field.name for field in ErasureRecord._meta.fields}
    assert (run.subjects, run.data) == (1, 1)
    subject.refresh_from_db()
    assert subject.status == DataSubject.Status.ERASED


def test_a_second_run_does_nothing():
    keep_until(person(now=MOMENT - DAY), MOMENT)
    purging.purge(MOMENT)
    again = purging.purge(MOMENT)
    assert (again.subjects, again.data) == (0, 0)
    assert ErasureRecord.objects.count() == 1


def test_the_preview_is_what_goes_and_changes_nothing():
    for day in range(4):
        keep_until(person(now=MOMENT - DAY), MOMENT + (day - 1) * DAY)
    preview = previewing.summarise(previewing.lines(MOMENT))
    assert PersonalDatum.objects.count() == 4
    assert preview.data == purging.purge(MOMENT).data == 2


def test_a_moment_that_has_not_come_is_refused():
    with pytest.raises(purging.ClockError):
        purging.purge(MOMENT + 3650 * DAY)


def test_the_queries_of_a_batch_do_not_grow_with_its_people(django_assert_num_queries):
    for _ in range(7):
        keep_until(person(now=MOMENT - DAY), MOMENT)
    run = PurgeRun.objects.create(started_at=MOMENT, as_of=MOMENT)
    with django_assert_num_queries(5):  # begin, take, destroy, run, end
        purging.purge_batch(run, 100)


def test_what_is_demanded_goes_though_nothing_is_over():
    subject = person("site-news", phone="87015551234", now=MOMENT - DAY)
    phone = subject.data.get(category__code="phone")
    gone = erasure.erase([phone.pk], ground=DestructionGround.ON_DEMAND, now=MOMENT, actor_id=None, system="desk")
    assert gone == 1
    assert [datum.category.code for datum in subject.data.all()] == ["email"]
    assert ErasureRecord.objects.get().ground == "on_demand"


def test_what_is_demanded_stays_under_a_hold_and_nothing_is_written():
    subject = person(now=MOMENT - DAY)
    hold(subject)
    everything = subject.data.values_list("pk", flat=True)
    assert erasure.erase(everything, ground=DestructionGround.ON_DEMAND, now=MOMENT, actor_id=None) == 0
    assert subject.data.exists() and not ErasureRecord.objects.exists()


def test_a_released_hold_lets_the_next_purge_take_what_it_kept():
    subject = person(now=MOMENT - DAY)
    keep_until(subject, MOMENT)
    placed = hold(subject)
    purging.purge(MOMENT)
    holds.release(placed, by=staff(), reason="over", now=MOMENT)
    purging.purge(MOMENT)
    assert not subject.data.exists()


@pytest.mark.parametrize("ended", ["released", "expired"])
def test_a_hold_on_one_datum_that_is_over_does_not_stop_the_purge(ended):
    subject = person(now=MOMENT - DAY)
    keep_until(subject, MOMENT - SECOND)
    placed = hold(subject, datum=subject.data.get(), until=MOMENT - SECOND if ended == "expired" else None)
    if ended == "released":
        holds.release(placed, by=staff(), reason="over", now=MOMENT)
    purging.purge(MOMENT)
    connection.check_constraints()  # as the commit would
    assert not subject.data.exists()


def test_a_closed_purpose_keeps_nothing_and_a_changed_one_is_counted_anew():
    subject = person("site-news", phone="87015551234", now=MOMENT - DAY)
    purpose("site-news").categories.remove(subject.data.get(category__code="phone").category)
    assert purging.purge(MOMENT).data == 0  # nobody has looked again yet
    recount(purpose("site-news").pk)
    assert purging.purge(MOMENT).data == 1
    ProcessingPurpose.objects.filter(code="site-news").update(closes_at=MOMENT)
    assert recount() == 1
    purging.purge(MOMENT)
    assert not subject.data.exists()
