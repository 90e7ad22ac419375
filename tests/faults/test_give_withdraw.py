"""Giving, withdrawing and answering at the same moment: the last act stands, none is lost, nobody waits for ever.

Broken and seen to fail: the person's lock when giving and when withdrawing, the one order of addresses and people when
asking and when answering for a minor, data entered while the parent's answer waits, the gate not asked for a letter, a
withdrawal that leaves it open.
"""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from threading import Event

import pytest
from django.db import transaction
from django.utils import timezone

from consent import decisions, links, proof, receipts, wording
from consent.decisions import Outcome, asking
from consent.models import Confirmation, ConsentRecord, Receipt
from registry import mail
from registry.models import OutgoingMessage, PersonalDatum, Processing
from registry.processing import Scope
from tests.consent.pages import path_of
from tests.factories import DAY, PHONE, person, purpose, question
from tests.faults.parallel import all_at_once, start
from tests.faults.test_races import check_invariants, wait_until, waiting_for_a_lock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
LINK = ConsentRecord.Channel.LINK
PAIRS, HANDS = 200, 40


def withdraw(subject, code="site-news"):
    return decisions.withdraw(subject, purpose(code), now=timezone.now(), channel=LINK)


def give(subject, code="site-news"):
    decisions.give(subject, [purpose(code)], now=timezone.now(), channel=LINK)


def chain_of(subject):
    return list(ConsentRecord.objects.filter(subject=subject).select_related("purpose", "wording").order_by("place"))


def check_chain(subject):
    """Places without a gap in the order of the numbers, and digests that the records of today give again."""
    records = chain_of(subject)
    assert [record.place for record in records] == list(range(1, len(records) + 1))
    assert [record.pk for record in records] == sorted(record.pk for record in records)
    lines = proof.lines(records, subject.reference)
    assert all(f'"digest":"{record.digest}"' in line for record, line in zip(records, lines, strict=True))


def check_standing(subject):
    """What may be done agrees with the last act for each purpose."""
    open_now = set(Processing.objects.live(timezone.now()).filter(subject=subject).values_list("purpose", flat=True))
    last = {record.purpose_id: record.act for record in chain_of(subject)}
    assert open_now == {purpose_id for purpose_id, act in last.items() if act in {"given", "confirmed"}}


# --- 200 pairs --------------------------------------------------------------------------------------------------------
def test_of_two_hundred_pairs_at_once_no_act_is_lost_and_the_last_one_stands():
    subject = person(now=timezone.now() - DAY)
    before = len(chain_of(subject))

    def one_hand():
        ended = 0
        for _ in range(PAIRS // HANDS):
            give(subject)
            ended += len(withdraw(subject))
        return ended

    ended = sum(all_at_once([one_hand] * HANDS))
    acts = [record.act for record in chain_of(subject)[before:]]
    assert Counter(acts) == {"given": PAIRS, "withdrawn": ended}
    # Each withdrawal ended something: never two of them without a consent in between.
    assert ("withdrawn", "withdrawn") not in set(pairwise(acts))
    check_chain(subject)
    check_standing(subject)
    history = Processing.history.filter(subject=subject, purpose=purpose())
    assert history.count() == 1 + PAIRS + ended
    issued = Receipt.objects.filter(subject=subject)
    assert issued.count() == 1 + PAIRS
    assert receipts.bundle(issued.latest("pk"), now=timezone.now())
    check_invariants()


def test_whole_choices_at_once_leave_one_of_them_and_no_mixture():
    """Each of them wants exactly two purposes: after all of them two are open, those of the last one."""
    subject = person("site-news", "feedback", now=timezone.now() - DAY)
    wishes = [("site-news", "feedback"), ("advertising", "service-quality")] * 10

    def choose(wish):
        now = timezone.now()
        digests = offered_digests(now)
        decisions.choose(subject, dict.fromkeys(wish, Scope()), now=now, language="kk", seen=digests)

    all_at_once([lambda wish=wish: choose(wish) for wish in wishes])
    held = Processing.objects.live(timezone.now()).filter(subject=subject, purpose__ground=None)
    assert set(held.values_list("purpose__code", flat=True)) in [set(wish) for wish in wishes]
    check_chain(subject)
    check_standing(subject)


def offered_digests(now):
    return {text.digest for text in wording.offer(now, "kk").texts.values()}


# --- withdrawn while a batch is being sent ------------------------------------------------------------------------------
class HeldSending:
    """A worker that sends a batch, stopped after the first letter was handed over."""

    def __init__(self, monkeypatch, now):
        self.handed_over, self.may_go_on = Event(), Event()
        self.sent_to = []
        carry = mail.CARRIERS["email"]

        def held(letter, address, message):
            carry.hand_over(letter, address, message)
            self.sent_to.append(message.subject_id)
            self.handed_over.set()
            assert self.may_go_on.wait(30)

        monkeypatch.setitem(mail.CARRIERS, "email", carry._replace(hand_over=held))
        self.worker = start(lambda: mail.send_due(now, clock=timezone.now))
        assert self.handed_over.wait(30)

    def go_on(self):
        self.may_go_on.set()
        return self.worker.finish()


@pytest.mark.parametrize("how", ["operation", "one click"])
def test_who_withdraws_while_a_batch_is_being_sent_is_out_of_it_at_once(monkeypatch, client, how, settings):
    settings.EMAIL_BACKEND = "config.mail_folder.EmailBackend"
    now = timezone.now()
    people = [person(now=now - DAY) for _ in range(4)]
    OutgoingMessage.objects.all().delete()
    monkeypatch.setitem(mail.writers, "news", mail.Writing(lambda *_: mail.Letter("News", "News"), False, False, None))
    for one in people:
        datum = one.data.contacts().get()
        mail.queue("news", about=one, datum=datum, purpose=purpose(), language="kk", now=now)
    sending = HeldSending(monkeypatch, now)
    assert sending.sent_to == [people[0].pk]
    if how == "operation":
        withdraw(people[2])
    else:
        url = path_of(links.unsubscribe_url(people[2].pk, purpose().pk))
        assert client.post(url, {"List-Unsubscribe": "One-Click"}).status_code == 200
    selected = Processing.objects.live(timezone.now()).filter(purpose=purpose()).values_list("subject", flat=True)
    assert sorted(selected) == [people[0].pk, people[1].pk, people[3].pk]
    assert sending.go_on() == 3
    states = OutgoingMessage.objects.order_by("pk").values_list("subject", "state")
    assert dict(states) == {
        people[0].pk: "sent", people[1].pk: "sent", people[2].pk: "cancelled", people[3].pk: "sent",
    }  # fmt: skip
    assert people[2].pk not in sending.sent_to
    assert len(list(settings.MAIL_FOLDER.glob("*.eml"))) == 3


# --- minors and their parents ------------------------------------------------------------------------------------------
CHILD, PARENT = "child@example.kz", "a.parent@example.kz"  # one before the other, whatever sorts them


def for_a_minor(child=CHILD, parent=PARENT, *codes, now=None):
    now = now or timezone.now()
    return decisions.ask(
        {"email": child},
        [purpose(code) for code in codes or ("site-news",)],
        language="kk",
        now=now,
        representative={"email": parent},
        adult_at=timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=200),
    )


def test_a_parent_who_answers_while_they_are_asked_something_else_is_not_locked_out(monkeypatch):
    """Both need the parent's address and the parent: in two orders they would wait for each other."""
    waiting = for_a_minor()
    assert decisions.confirm(waiting.pk, now=timezone.now()) == Outcome.PASSED_ON
    held = HeldIdentity(monkeypatch)
    answering = start(lambda: decisions.represent(waiting.pk, now=timezone.now()))
    assert held.has_begun.wait(30)
    asking = start(lambda: question("feedback", email=PARENT, now=timezone.now()))
    asking.join(1)
    held.may_go_on.set()
    assert answering.finish() == Outcome.DONE
    assert asking.finish()
    check_invariants()


class HeldIdentity:
    """The first answer that begins to confirm an identity stops there."""

    def __init__(self, monkeypatch):
        self.has_begun, self.may_go_on = Event(), Event()
        confirm = decisions.answering.confirm_identity

        def held(claimant, **named):
            if not self.has_begun.is_set():
                self.has_begun.set()
                assert self.may_go_on.wait(30)
            return confirm(claimant, **named)

        monkeypatch.setattr(decisions.answering, "confirm_identity", held)


def test_asking_for_two_people_takes_them_in_the_order_of_everybody_else(monkeypatch):
    """Both are known as claims, the parent later than the child; whoever refuses for both takes the child first."""
    question("feedback", email=CHILD, now=timezone.now())
    waiting = for_a_minor()
    assert waiting.subject_id < waiting.representative_id
    registered, has_locked, may_go_on = [], Event(), Event()
    register = asking.register

    def held(*arguments, **named):
        registered.append(register(*arguments, **named))
        if len(registered) == 1:
            has_locked.set()
            assert may_go_on.wait(30)
        return registered[-1]

    monkeypatch.setattr(asking, "register", held)
    again = start(lambda: for_a_minor(CHILD, PARENT, "advertising"))
    assert has_locked.wait(30)
    refusing = start(lambda: decisions.refuse(waiting.pk, now=timezone.now()))
    wait_until(waiting_for_a_lock)
    may_go_on.set()
    assert again.finish() and refusing.finish() == Outcome.REFUSED


def test_what_is_entered_while_the_parent_s_answer_waits_is_not_answered_for():
    known = person("feedback", email=CHILD, now=timezone.now() - DAY)
    waiting = for_a_minor()
    decisions.confirm(waiting.pk, now=timezone.now())
    with transaction.atomic():
        decisions.ask({"email": CHILD, "phone": PHONE}, [purpose()], language="kk", now=timezone.now())
        answer = start(lambda: decisions.represent(waiting.pk, now=timezone.now()))
        wait_until(waiting_for_a_lock)
    assert answer.finish() == Outcome.SUPERSEDED
    assert not known.consents.filter(purpose=purpose()).exists()
    assert waiting.representative.data.get().standing == "claimed"


@pytest.mark.parametrize("turn", range(6))
def test_parents_and_children_all_at_once_wait_for_each_other_in_one_order(turn):
    """Two who name each other, both of them answering, asked again, refused and expired, in every order."""
    there, back = for_a_minor(), for_a_minor(PARENT, CHILD)
    for waiting in (there, back):
        decisions.confirm(waiting.pk, now=timezone.now())
    overdue = for_a_minor("late@example.kz", PARENT, now=timezone.now() - 9 * DAY)
    acts = [
        lambda: decisions.represent(there.pk, now=timezone.now()),
        lambda: decisions.represent(back.pk, now=timezone.now()),
        lambda: for_a_minor(CHILD, PARENT, "feedback"),
        lambda: for_a_minor(PARENT, CHILD, "feedback"),
        lambda: question("advertising", email=PARENT, now=timezone.now()),
        lambda: question("advertising", email=CHILD, now=timezone.now()),
        lambda: decisions.refuse(back.pk, now=timezone.now()),
        lambda: decisions.expire_unconfirmed(timezone.now()),
    ]
    all_at_once(acts)
    overdue.refresh_from_db()
    assert overdue.answer == Confirmation.Answer.EXPIRED
    confirmed = ConsentRecord.objects.filter(act="confirmed")
    assert not confirmed.filter(represented_by=None).exists()
    for number in confirmed.values_list("subject", flat=True).distinct():
        check_chain(PersonalDatum.objects.filter(subject=number)[0].subject)
    check_invariants()
