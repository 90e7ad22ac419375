"""How long texts of requests are kept: each for the term of its own request, whatever is asked later.

Broken and seen to fail: no ends of their own, what was joined, what came to nothing, an end set before, the next moment of
the purge while another request waits, the ground of an own end.
"""

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from registry import demands, purging, reasons
from registry.models import (
    Appointment,
    DatumTerm,
    ErasureRecord,
    LegalGround,
    PersonalDatum,
    RetentionDue,
    SubjectRequest,
)
from registry.requests import answering, handling, opening, papers, verifying
from tests.factories import DAY, person, staff
from tests.registry.test_requests_review import in_work, received

pytestmark = pytest.mark.django_db
Kind, Channel = SubjectRequest.Kind, SubjectRequest.Channel
BEGAN = datetime(2024, 11, 22, 9, 0, tzinfo=UTC)  # long ago: a purge does not run ahead of its clock
LATER = BEGAN + 300 * DAY


@pytest.fixture
def clerk(db):
    member = staff("clerk")
    Appointment.objects.update(ordered_on=BEGAN.date(), valid_from=BEGAN.date())
    return member


def answered(subject, clerk, now, kind=Kind.OTHER, text="my hens"):
    request = in_work(subject, kind, now=now, text=text)
    return answering.answer(request, "granted", "Hens.", by=clerk, now=now)


def until(*numbers):
    return [DatumTerm.objects.get(pk=number).until for number in numbers]


def term(now):
    return papers.purpose().lapse(now)


def test_a_later_request_prolongs_nothing_that_was_written_before(clerk):
    subject = person(now=BEGAN)
    first = answered(subject, clerk, BEGAN)
    assert until(first.text_id, first.answer_id) == [term(BEGAN)] * 2
    waiting = in_work(subject, Kind.OTHER, now=LATER, text="my geese")
    assert until(first.text_id, first.answer_id) == [term(BEGAN)] * 2 and until(waiting.text_id) == [None]
    second = answering.answer(waiting, "granted", "Geese.", by=clerk, now=LATER)
    assert until(first.text_id, first.answer_id) == [term(BEGAN)] * 2
    assert until(second.text_id, second.answer_id) == [term(LATER)] * 2


def test_the_purge_takes_the_old_text_and_leaves_the_new_one(clerk):
    subject = person(now=BEGAN)
    first, second = answered(subject, clerk, BEGAN), answered(subject, clerk, LATER)
    purging.purge(term(BEGAN) - DAY / 24)
    assert PersonalDatum.objects.filter(pk__in=[first.text_id, second.text_id]).count() == 2
    purging.purge(term(BEGAN))
    assert list(PersonalDatum.objects.filter(category__code=papers.TEXT).values_list("pk", flat=True)) == sorted(
        [second.text_id, second.answer_id]
    )
    assert ErasureRecord.objects.get(datum_id=first.text_id).ground == "closed"


def test_while_another_is_in_work_the_term_of_an_old_text_is_over_all_the_same(clerk):
    subject = person(now=BEGAN)
    first = answered(subject, clerk, BEGAN)
    in_work(subject, Kind.OTHER, now=LATER, text="my geese")
    why = reasons.why(PersonalDatum.objects.filter(pk=first.text_id), LATER)[first.text_id]
    assert (why.verdict.ground, why.own_end.ground, why.own_end.is_decisive) == ("term_over", "term_over", True)
    purging.purge(term(BEGAN))
    assert not PersonalDatum.objects.filter(pk=first.text_id).exists()


def test_two_at_a_time_end_each_with_its_own_answer(clerk):
    subject = person(now=BEGAN)
    first, second = (in_work(subject, Kind.OTHER, now=BEGAN, text=text) for text in ("hens", "geese"))
    answering.answer(first, "granted", "Hens.", by=clerk, now=BEGAN)
    assert RetentionDue.objects.get(pk=subject.pk).due_at == term(BEGAN)
    answering.answer(second, "granted", "Geese.", by=clerk, now=LATER)
    assert until(first.text_id, second.text_id) == [term(BEGAN), term(LATER)]


def test_what_was_joined_ends_with_the_one_that_answers_it(clerk):
    subject = person(now=BEGAN)
    first, second = (in_work(subject, Kind.OTHER, now=BEGAN, text=text) for text in ("hens", "geese"))
    handling.join(second, first, by=clerk, now=BEGAN)
    assert until(second.text_id) == [None]
    answering.answer(first, "granted", "Hens.", by=clerk, now=LATER)
    assert until(second.text_id) == [term(LATER)]


def test_a_joined_text_goes_when_the_other_request_comes_to_nothing(clerk):
    subject = person(now=BEGAN)
    answered(subject, clerk, BEGAN)
    first = received(subject, Kind.OTHER, now=BEGAN, text="hens")
    second = received(subject, Kind.OTHER, channel=Channel.MAIL, now=BEGAN, text="geese")
    handling.join(second, first, by=clerk, now=BEGAN)
    verifying.disown(first.pk, now=LATER)
    assert until(second.text_id) == [LATER]


def test_the_own_end_of_a_text_is_no_demand_and_a_demand_is_one(clerk):
    subject = person(now=BEGAN)
    first = answered(subject, clerk, BEGAN)
    assert DatumTerm.objects.get(pk=first.text_id).ground == "closed"
    demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=clerk, now=LATER)
    told = DatumTerm.objects.get(pk=first.text_id)
    assert (told.ground, told.until) == ("on_demand", LATER)


def test_what_was_dropped_is_prolonged_by_nothing(clerk):
    subject = person(now=BEGAN)
    spam = received(subject, Kind.OTHER, now=BEGAN, text="spam")
    handling.close_as_spam(spam, by=clerk, reason="nonsense", now=BEGAN)
    answered(subject, clerk, LATER)
    assert until(spam.text_id) == [BEGAN]


def test_the_queries_do_not_grow_with_the_requests(clerk, monkeypatch):
    monkeypatch.setattr(opening, "PER_DAY", 100)
    subject = person(now=BEGAN)
    for _ in range(2):
        answered(subject, clerk, BEGAN)
    few = counted(subject)
    for _ in range(8):
        answered(subject, clerk, BEGAN)
    assert counted(subject) == few


def counted(subject):
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        papers.let_go(subject, now=LATER)
    return len(queries)
