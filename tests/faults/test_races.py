"""People and jobs that come at the same moment. Threads with connections of their own, real locks, real waiting.

Broken and seen to fail: the row lock of lock_subjects, the lock of an address in registry_claimant, FOR UPDATE SKIP LOCKED of
purging.TAKE, the second look (`until <= now`) of erasure.DUE, `of=("self",)` of the locks of confirm and refuse.
"""

import random
from threading import Event

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from consent import decisions, links
from consent.decisions import Outcome, giving
from consent.models import Confirmation, ConsentRecord
from registry import holds, previewing, purging
from registry.models import (
    DataSubject,
    DatumKey,
    DatumTerm,
    ErasureRecord,
    LegalGround,
    LegalHold,
    OutgoingMessage,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
    PurgeRun,
    RetentionDue,
    StaffMember,
)
from tests.factories import DAY, EMAIL, keep_until, person, purpose, question, shown_form, staff
from tests.faults.parallel import all_at_once, start
from tests.registry.test_purging import SECOND

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]


def wait_until(holds):
    for _ in range(6000):
        if holds():
            return
        Event().wait(0.01)
    raise AssertionError("never came")


def waiting_for_a_lock():
    """How many connections to this database wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # one transaction sees one moment otherwise
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0]


def check_invariants():
    """What must be true whatever has happened."""
    assert not PersonalDatum.objects.filter(key=None).exists()
    assert DatumKey.objects.count() == PersonalDatum.objects.count()
    assert not PersonalDatum.objects.filter(pk__in=ErasureRecord.objects.values("datum_id")).exists()
    identifying = PersonalDatum.objects.live().exclude(standing="stated")
    found = [(bytes(index), standing) for index, standing in identifying.values_list("index", "standing")]
    assert len(found) == len(set(found))
    for due in RetentionDue.objects.all():
        ends = DatumTerm.objects.filter(subject=due.subject_id).exclude(until=None).values_list("until", flat=True)
        assert due.due_at == min(ends, default=None)


class HeldPurge:
    """A purge stopped after it has locked its people and before it decides about them."""

    def __init__(self, monkeypatch, now):
        self.has_locked, self.may_go_on = Event(), Event()
        decide = purging.erase_due

        def stopped(*arguments, **named):
            self.has_locked.set()
            assert self.may_go_on.wait(30)
            return decide(*arguments, **named)

        monkeypatch.setattr(purging, "erase_due", stopped)
        self.worker = start(purging.purge, now)
        assert self.has_locked.wait(30)

    def go_on(self):
        self.may_go_on.set()
        return self.worker.finish()

    def go_on_once_waited_for(self, writer):
        """Lets the purge go on when the writer stands behind its lock; returns the run and what the writer got."""
        wait_until(waiting_for_a_lock)
        assert writer.is_alive()
        return self.go_on(), writer.finish()


# --- a consent while the purge holds its batch --------------------------------------------------------------------
def test_asking_while_the_purge_holds_the_claim_makes_a_new_one(monkeypatch, today):
    old = question(now=today - 5 * DAY)
    purge = HeldPurge(monkeypatch, today)
    run, new = purge.go_on_once_waited_for(start(lambda: question(now=timezone.now())))
    assert run.data == 1
    assert new.subject != old.subject
    assert new.subject.data.live().get().standing == "claimed"
    assert decisions.confirm(new.pk, now=timezone.now()) == Outcome.DONE
    check_invariants()


def test_a_consent_confirmed_while_the_purge_holds_the_person_counts_or_says_that_it_came_too_late(monkeypatch, today):
    asked = question(now=today)
    Processing.objects.filter(subject=asked.subject).update(lapses_at=today)
    RetentionDue.objects.update(due_at=today)
    purge = HeldPurge(monkeypatch, timezone.now())
    _, outcome = purge.go_on_once_waited_for(start(lambda: decisions.confirm(asked.pk, now=timezone.now())))
    assert outcome == Outcome.EXPIRED
    assert not ConsentRecord.objects.filter(act="confirmed").exists()
    assert not PersonalDatum.objects.exists()
    check_invariants()


def test_a_known_person_s_consent_while_the_purge_holds_them_is_not_recorded_for_nobody(monkeypatch, today):
    subject = person("feedback", now=today - DAY)
    keep_until(subject, today, "feedback")
    purge = HeldPurge(monkeypatch, today)
    writer = start(lambda: decisions.give(subject, [purpose()], now=timezone.now()))
    wait_until(waiting_for_a_lock)
    purge.go_on()
    writer.join(30)
    assert not subject.data.exists()
    assert writer.error, "came too late, and nobody was told"
    assert not ConsentRecord.objects.filter(act="given").exists()
    assert not Processing.objects.filter(subject=subject, purpose=purpose()).exists()
    check_invariants()


# --- a hold while the purge holds its batch -----------------------------------------------------------------------
def place(subject, datum=None):
    wanted = LegalHold(subject=subject, datum=datum, ground=LegalGround.objects.all()[0], reason="court")
    return holds.place(wanted, by=StaffMember.objects.get(), now=timezone.now())


def test_a_hold_placed_before_the_purge_takes_the_person_keeps_everything(monkeypatch, today):
    subject, _officer = person(now=today - DAY), staff()
    keep_until(subject, today)
    placed = Event()

    def place_and_wait():
        with transaction.atomic():
            place(subject)
            placed.set()
            Event().wait(0.5)

    holder = start(place_and_wait)
    assert placed.wait(30)
    assert purging.purge(today).data == 0
    holder.finish()
    assert purging.purge(today).data == 0 and subject.data.exists()
    check_invariants()


@pytest.mark.parametrize("on_the_value", [False, True])
def test_a_hold_placed_while_the_purge_holds_the_person_waits_and_comes_too_late(monkeypatch, today, on_the_value):
    subject, _officer = person(now=today - DAY), staff()
    keep_until(subject, today)
    datum = subject.data.get() if on_the_value else None
    purge = HeldPurge(monkeypatch, today)
    writer = start(place, subject, datum)
    wait_until(waiting_for_a_lock)
    assert purge.go_on().data == 1
    writer.join(30)
    assert bool(writer.error) is on_the_value  # there is nothing left to hold on that value, and the officer is told
    assert not subject.data.exists() and ErasureRecord.objects.count() == 1
    check_invariants()


def test_a_consent_given_while_an_approved_run_is_under_way_keeps_its_value(monkeypatch, today):
    first, second = person(now=today - 9 * DAY), person(now=today - 9 * DAY)
    for subject in (first, second):
        keep_until(subject, today - DAY)
    preview = previewing.keep(today, taken_at=today)
    run = PurgeRun.objects.create(started_at=today, as_of=today)

    def consent_between_batches(_run):
        if second.data.exists():
            decisions.give(second, [purpose()], now=timezone.now())

    purging.purge_approved(preview, run, batch=1, report=consent_between_batches)
    assert not first.data.exists() and second.data.exists()
    check_invariants()


def test_somebody_else_s_consent_waits_for_no_purge(monkeypatch, today):
    keep_until(person(now=today - DAY), today)
    other = person(now=today - DAY)
    purge = HeldPurge(monkeypatch, today)
    start(lambda: decisions.give(other, [purpose("feedback")], now=timezone.now())).finish(5)
    assert question(email="third@example.kz", now=today).subject.data.exists()
    purge.go_on()
    assert other.data.exists()


def test_a_consent_that_came_before_the_lock_keeps_everything(monkeypatch, today):
    """The queue still says "due", as if the consent had been committed after the purge had read it."""
    subject = person("feedback", now=today - DAY)
    keep_until(subject, today, "feedback")
    decisions.give(subject, [purpose()], now=today)
    RetentionDue.objects.filter(subject=subject).update(due_at=today - DAY)
    assert purging.purge(today).data == 0
    assert subject.data.exists()
    check_invariants()


def test_a_consent_under_way_is_left_alone_by_the_purge(monkeypatch, today):
    subject = person("feedback", now=today - DAY)
    keep_until(subject, today, "feedback")
    has_written, may_commit = Event(), Event()
    append = giving.append

    def slow(*arguments, **named):
        appended = append(*arguments, **named)
        has_written.set()
        assert may_commit.wait(30)
        return appended

    monkeypatch.setattr(giving, "append", slow)
    writer = start(lambda: decisions.give(subject, [purpose()], now=today))
    assert has_written.wait(30)
    assert purging.purge(today).subjects == 0
    may_commit.set()
    writer.finish()
    assert purging.purge(today).data == 0
    assert subject.data.exists()
    check_invariants()


def test_a_withdrawal_while_the_purge_holds_the_person_waits_for_the_next_purge(monkeypatch, today):
    subject = person(now=today - DAY)
    keep_until(subject, today)
    Processing.objects.filter(subject=subject, purpose=purpose()).update(lapses_at=today + DAY)
    purge = HeldPurge(monkeypatch, today)
    writer = start(withdraw, subject)
    run, ended = purge.go_on_once_waited_for(writer)
    assert (run.data, len(ended)) == (0, 1)
    assert purging.purge(timezone.now()).data == 1
    check_invariants()


def withdraw(subject, code=None):
    found = purpose(code) if code else None
    return decisions.withdraw(subject, found, now=timezone.now(), channel=ConsentRecord.Channel.LINK)


# --- the same thing many times at once ------------------------------------------------------------------------------
def post(path, **fields):
    answer = Client().post(path, {"shown": shown_form()} | fields)
    assert answer.status_code == 200, answer.content.decode()[:2000]
    return answer


def send_form(**fields):
    return lambda: post("/kk/consent/", **fields)


def test_fifty_equal_consents_are_one_person_one_question_one_letter_and_one_processing():
    all_at_once([send_form(email=EMAIL, phone="87015551234", purposes=["site-news", "feedback"])] * 50)
    asked = Confirmation.objects.get()
    assert DataSubject.objects.get().data.contacts().count() == PersonalDatum.objects.contacts().count() == 2
    assert PersonalDatum.objects.count() == 3, "and the technical data of the one question"
    assert OutgoingMessage.objects.count() == 1
    assert ConsentRecord.objects.count() == 2
    path = links.confirm_url(asked.pk, "kk").removeprefix("http://testserver")
    all_at_once([lambda: post(path, answer="confirm")] * 50)
    assert PersonalDatum.objects.live().get(standing="confirmed").subject == asked.subject
    assert Processing.objects.live(timezone.now()).filter(purpose__ground=None).count() == 2
    assert ConsentRecord.objects.filter(act="confirmed").count() == 2
    assert OutgoingMessage.objects.filter(letter="receipt").count() == 1
    check_invariants()


EMAILS = ["canary@example.kz", "Canary@Example.KZ", " CANARY@example.kz ", "cAnArY@EXAMPLE.kz", "\tcanary@example.kz"]
PHONES = ["87015551234", "8 (701) 555-12-34", "+7 701 555 12 34", "7015551234", "77015551234", "8-701-555-12-34"]


def test_thirty_spellings_at_once_are_one_person_with_two_values():
    spellings = [(email, phone) for email in EMAILS for phone in PHONES]
    all_at_once([send_form(email=email, phone=phone, purposes="feedback") for email, phone in spellings])
    assert DataSubject.objects.count() == Confirmation.objects.count() == OutgoingMessage.objects.count() == 1
    assert sorted(PersonalDatum.objects.contacts().values_list("category__code", flat=True)) == ["email", "phone"]
    check_invariants()


def test_different_people_at_once_wait_for_each_other_but_all_get_in():
    codes = ["site-news", "feedback"]
    forms = [send_form(email=f"person{n}@example.kz", purposes=codes[:: 1 if n % 2 else -1]) for n in range(20)]
    all_at_once(forms)
    assert DataSubject.objects.count() == Confirmation.objects.count() == 20
    check_invariants()


def test_two_letters_to_one_address_confirmed_at_once_make_one_person(today):
    first, second = question("feedback", now=today), question("site-news", now=today)
    confirm_both = [lambda pk=asked.pk: decisions.confirm(pk, now=timezone.now()) for asked in (first, second)] * 5
    outcomes = all_at_once(confirm_both)
    assert outcomes.count(Outcome.DONE) == 2
    assert Processing.objects.live(timezone.now()).filter(purpose__ground=None).count() == 2
    assert PersonalDatum.objects.get().standing == "confirmed"
    check_invariants()


@pytest.mark.parametrize("turn", range(5))
def test_confirming_and_refusing_at_once_has_one_answer(turn, today):
    asked = question(now=today)
    answers = [decisions.confirm, decisions.refuse] * 3
    all_at_once([lambda act=act: act(asked.pk, now=timezone.now()) for act in answers])
    asked.refresh_from_db()
    acts = set(ConsentRecord.objects.exclude(act="asked").values_list("act", flat=True))
    assert acts == {asked.answer} and asked.answer in {"confirmed", "refused"}
    check_invariants()


@pytest.mark.parametrize("turn", range(8))
def test_confirming_and_purging_at_once_keeps_all_or_says_too_late(turn, today):
    asked = question(now=today)
    Processing.objects.filter(subject=asked.subject).update(lapses_at=today)
    RetentionDue.objects.update(due_at=today)
    outcome, run = all_at_once(
        [lambda: decisions.confirm(asked.pk, now=timezone.now()), lambda: purging.purge(timezone.now())]
    )
    kept = outcome == Outcome.DONE
    assert outcome in {Outcome.DONE, Outcome.EXPIRED}
    assert (PersonalDatum.objects.count(), run.data) == ((1, 0) if kept else (0, 1))
    assert ConsentRecord.objects.filter(act="confirmed").exists() == kept
    check_invariants()


def test_what_is_entered_while_a_confirmation_waits_is_not_confirmed_by_it(today):
    mine = question(phone="87015551234", now=today)
    with transaction.atomic():
        question(phone="87015559999", now=today + SECOND)
        answer = start(lambda: decisions.confirm(mine.pk, now=today + 2 * SECOND))
        wait_until(waiting_for_a_lock)
    assert answer.finish() == Outcome.SUPERSEDED
    assert not ConsentRecord.objects.filter(act="confirmed").exists()
    assert not PersonalDatum.objects.filter(standing="confirmed").exists()


@pytest.mark.parametrize("turn", range(5))
def test_asking_and_confirming_at_once_wait_for_each_other_in_one_order(turn, today):
    """Both lock the person and refer to them: an order that differs between the two would be a deadlock."""
    asked = question("feedback", now=today)
    acts = [
        lambda: decisions.confirm(asked.pk, now=timezone.now()),
        *[lambda n=n: question("site-news", phone=f"870155512{n:02}", now=timezone.now()) for n in range(6)],
    ]
    all_at_once(acts)
    check_invariants()


def test_a_link_opened_while_the_person_unsubscribes_waits_in_the_same_order(monkeypatch, today):
    """The confirmation must not lock what a record of the person refers to before it has the person's own lock."""
    subject = person("feedback", email=EMAIL, now=today)
    asked = Confirmation.objects.create(subject=subject, language="kk", asked_at=today, expires_at=today + DAY)
    has_locked, may_go_on = Event(), Event()
    record = giving.auditing.record

    def slow(*arguments, **named):
        if named.get("system") == "link":
            has_locked.set()
            may_go_on.wait(30)
        return record(*arguments, **named)

    monkeypatch.setattr(giving.auditing, "record", slow)
    leaving = start(withdraw, subject)
    assert has_locked.wait(30)
    refusing = start(lambda: decisions.refuse(asked.pk, now=timezone.now()))
    wait_until(waiting_for_a_lock)
    may_go_on.set()
    assert leaving.finish()
    assert refusing.finish() == Outcome.REFUSED


# --- everything at once -------------------------------------------------------------------------------------------
def test_five_seconds_of_everything_at_once_end_well(today):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    people = [f"person{n}@example.kz" for n in range(4)]
    codes = list(ProcessingPurpose.objects.asked_of_people(today).values_list("code", flat=True))
    until = timezone.now() + 5 * SECOND

    def live(number):
        chance = random.Random(seed + number)
        acts = 0
        while timezone.now() < until:
            one_act(chance, chance.choice(people), chance.sample(codes, 2))
            acts += 1
        return acts

    done = all_at_once([lambda n=n: live(n) for n in range(8)])
    print(f"{sum(done)} acts, {ErasureRecord.objects.count()} data destroyed")
    assert min(done) > 0
    check_invariants()
    finished = PurgeRun.objects.exclude(finished_at=None)
    assert sum(finished.values_list("data", flat=True)) == ErasureRecord.objects.count()


def one_act(chance, email, codes):
    now = timezone.now()
    match chance.randrange(6):
        case 0 | 1:
            question(*codes, email=email, phone=f"870155512{chance.randrange(10, 14)}", now=now)
        case 2 | 3:
            waiting = Confirmation.objects.filter(answer="waiting").order_by("?").first()
            answer = decisions.refuse if chance.random() < 0.2 else decisions.confirm
            if waiting:
                answer(waiting.pk, now=now)
        case 4:
            known = DataSubject.objects.filter(status="active").order_by("?").first()
            if known:
                withdraw(known, chance.choice([None, *codes]))
        case 5:
            purging.purge(now, batch=2)
            decisions.expire_unconfirmed(now)
