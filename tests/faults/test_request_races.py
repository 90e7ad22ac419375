"""Everything that may happen to one person's requests at one moment: asked, confirmed, disowned, answered, doubted, erased,
withdrawn, counted anew, purged. Threads with connections of their own, real locks, real waiting.

Nobody waits for ever, nothing breaks but by being too late, and what must be true is true afterwards.

Broken and seen to fail: see beside each test.
"""

import random
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from consent import asking_requests, decisions
from consent.models import ConsentRecord
from registry import demands, purging
from registry.models import ErasureCertificate, LegalGround, SubjectRequest
from registry.requests import answering, clock, handling, opening, steps, verifying
from registry.requests.answering import Details
from tests.factories import DAY, person, staff
from tests.faults.parallel import start
from tests.faults.test_races import check_invariants, wait_until, waiting_for_a_lock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
State, Kind, Channel, Outcome = (
    SubjectRequest.State,
    SubjectRequest.Kind,
    SubjectRequest.Channel,
    SubjectRequest.Outcome,
)
ROUNDS = 20


def in_work(subject, kind, now):
    contact = subject.data.live().contacts().get()
    request = opening.receive(
        subject, kind, channel=Channel.MAIL, language="kk", now=now, contact_id=contact.pk, text="hens"
    )
    verifying.confirm(request.pk, now=now)
    return SubjectRequest.objects.get(pk=request.pk)


def typed(email, kind, now):
    return asking_requests.ask("email", email, kind, channel=Channel.PAGE, language="kk", now=now, text="geese")


def acts_about(email, clerk, then):
    """One person with two requests in work and four that somebody typed; all that is done about them at once."""
    subject = person("site-news", email=email, now=then)
    question, erasure = in_work(subject, Kind.OTHER, then), in_work(subject, Kind.ERASURE, then)
    kinds = (Kind.ACCESS, Kind.WITHDRAWAL, Kind.OTHER, Kind.ERASURE)
    waiting = [typed(email, kind, then + timedelta(seconds=1)) for kind in kinds]
    who, now = {"by": clerk}, timezone.now
    ground = Details(ground=LegalGround.objects.first())
    acts = [
        *[lambda one=one: verifying.confirm(one.pk, now=now()) for one in waiting for _again in range(2)],
        lambda: verifying.disown(waiting[2].pk, now=now()),
        lambda: handling.take(waiting[0], now=now(), **who),
        lambda: verifying.doubt(waiting[0], reason="another signature", now=now(), **who),
        lambda: answering.answer(question, Outcome.GRANTED, "Hens.", now=now(), **who),
        lambda: answering.answer(erasure, Outcome.GRANTED, "Gone.", now=now(), details=ground, **who),
        lambda: decisions.withdraw(subject, None, now=now(), channel=ConsentRecord.Channel.LINK),
        lambda: clock.recount(now()),
        lambda: demands.finish_due(now()),
        lambda: purging.purge(now(), batch=2),
        lambda: typed(email, Kind.OBJECTION, now()),
    ]
    return subject, erasure, acts


def errors_of(acts):
    """All of them at once, in any order; what broke."""
    random.shuffle(acts)
    workers = [start(act) for act in acts]
    for worker in workers:
        worker.join(60)
        assert not worker.is_alive(), "somebody waits for ever"
    return [worker.error for worker in workers if worker.error]


def test_twenty_rounds_of_everything_about_one_person_end_well(today):
    """Broken: the row locked and joined with its person in one statement; what is dropped not put before the purge."""
    clerk, late = staff("clerk"), 0
    for turn in range(ROUNDS):
        subject, erasure, acts = acts_about(f"person{turn}@example.kz", clerk, timezone.now() - DAY)
        errors = errors_of(acts)
        assert all(isinstance(error, ValidationError) for error in errors), errors
        late += len(errors)
        demands.finish_due(timezone.now())
        purging.purge(timezone.now())
        check_erased(subject, erasure)
        check_invariants()
    print(f"{late} acts came too late")


def ask_again(request):
    asking_requests.ask_again(request.pk, now=timezone.now())


def check_erased(subject, erasure):
    """Whoever was faster: the erasure was carried out once, and of what was there before it nothing is left but that by
    which its answer is sent. What the person asked after it was demanded has texts of its own."""
    erasure.refresh_from_db()
    assert erasure.state == State.ANSWERED
    certificate = ErasureCertificate.objects.get(subject=subject)
    left = subject.data.exclude(pk__in=certificate.spared)
    assert not left.contacts().exists() and not left.filter(keep_until__lte=certificate.demanded_at).exists()


@pytest.mark.parametrize("act", [lambda request: clock.recount(timezone.now()), ask_again])
def test_who_waits_for_a_row_that_is_handed_over_finds_it(today, act):
    """Broken: the row locked and joined with its person in one statement. It was not found (DoesNotExist)."""
    owner = person(email="a@example.kz", now=today - DAY)
    request = typed("a@example.kz", Kind.OTHER, today)
    with transaction.atomic():
        verifying.confirm(request.pk, now=timezone.now())
        waiting = start(act, request)
        wait_until(waiting_for_a_lock)
    waiting.finish()
    request.refresh_from_db()
    assert (request.subject, request.state) == (owner, State.OPEN)


def test_an_act_locks_whose_the_request_is_by_now(today, monkeypatch):
    """Broken: `with_person` without its second look. The act went on with a person nobody had locked."""
    owner, clerk = person(email="a@example.kz", now=today - DAY), staff("clerk")
    request = typed("a@example.kz", Kind.OTHER, today)
    locked, lock = [], steps.lock_subjects
    monkeypatch.setattr(steps, "lock_subjects", lambda numbers: locked.append(list(numbers)) or lock(numbers))
    with transaction.atomic():
        verifying.confirm(request.pk, now=timezone.now())
        taking = start(lambda: handling.take(request, by=clerk, now=timezone.now()))
        wait_until(waiting_for_a_lock)
    taking.finish()
    request.refresh_from_db()
    assert (request.subject, request.assignee, request.state) == (owner, clerk, State.OPEN)
    assert locked[-1] == [owner.pk] and len(locked) == 2
