"""Who is whom, and what counts. Guarded lines broken and seen to fail: the carry-over to the confirmed person replaced
by confirming the claim, `withdraw` without the end of processing, the CHANGED state left out."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from consent import decisions
from consent.decisions import Outcome
from consent.models import Confirmation, ConsentRecord, Wording
from registry import purging
from registry.keyring import keyring
from registry.models import (
    DataSubject,
    LegalGround,
    Operator,
    OutgoingMessage,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
)
from registry.processing import may_process
from tests.factories import DAY, EMAIL, MOMENT, PHONE, block, person, purpose, question

pytestmark = pytest.mark.django_db
LINK = ConsentRecord.Channel.LINK


def test_asking_opens_nothing_but_the_confirmation():
    asked = question("site-news", "feedback", phone=PHONE)
    assert asked.subject.status == DataSubject.Status.PENDING
    assert [processing.purpose.code for processing in Processing.objects.all()] == ["confirmation"]
    assert list(ConsentRecord.objects.values_list("act", flat=True)) == ["asked", "asked"]


def test_confirming_opens_what_was_asked():
    asked = question("site-news", phone=PHONE)
    assert decisions.confirm(asked.pk, now=MOMENT) == Outcome.DONE
    asked.subject.refresh_from_db()
    assert asked.subject.status == DataSubject.Status.ACTIVE
    assert may_process(asked.subject, purpose("site-news"), MOMENT)
    assert not may_process(asked.subject, purpose("feedback"), MOMENT)


def test_confirming_twice_counts_once():
    asked = question()
    assert decisions.confirm(asked.pk, now=MOMENT) == Outcome.DONE
    assert decisions.confirm(asked.pk, now=MOMENT) == Outcome.USED
    assert ConsentRecord.objects.filter(act="confirmed").count() == 1


def test_the_wording_shown_is_kept_once_and_names_what_the_law_wants():
    question("site-news"), question("site-news", email="other@example.kz")
    text = Wording.objects.get().text
    operator = Operator.objects.get()
    for wanted in (operator.legal_name_kk.rstrip("."), operator.bin, purpose().name_kk, "телефон нөмірі", "24 ай"):
        assert wanted in text


@pytest.mark.parametrize("spelling", [EMAIL, EMAIL.lower(), f"  {EMAIL}\t", EMAIL.replace("example.kz", "EXAMPLE.KZ")])
def test_spellings_of_one_address_meet_in_one_pending_person(spelling):
    first, second = question(email=EMAIL), question("feedback", email=spelling)
    assert first.subject == second.subject
    assert PersonalDatum.objects.count() == 1


def test_a_claim_touches_nobody_who_confirmed_the_address():
    owner = person("site-news", email=EMAIL, phone="87015550000")
    before = list(owner.data.values_list("pk", "superseded_at"))
    claim = question("advertising", email=EMAIL, phone=PHONE)
    assert claim.subject != owner
    assert list(owner.data.values_list("pk", "superseded_at")) == before
    assert not may_process(owner, purpose("advertising"), MOMENT)


def test_confirming_a_known_address_adds_to_its_person():
    owner = person("site-news", email=EMAIL)
    claim = question("advertising", email=EMAIL, phone=PHONE)
    assert decisions.confirm(claim.pk, now=MOMENT) == Outcome.DONE
    assert may_process(owner, purpose("advertising"), MOMENT)
    phone = owner.data.get(category__code="phone")
    assert phone.unseal(keyring().masters) == "+77015551234"
    purging.purge(MOMENT)
    claim.subject.refresh_from_db()
    assert claim.subject.status == DataSubject.Status.ERASED
    assert owner.data.count() == 2


def test_refusing_leaves_nothing_after_the_purge():
    asked = question(phone=PHONE)
    assert decisions.refuse(asked.pk, now=MOMENT) == Outcome.REFUSED
    assert decisions.confirm(asked.pk, now=MOMENT) == Outcome.REFUSED
    purging.purge(MOMENT)
    assert not PersonalDatum.objects.exists()


@pytest.mark.parametrize(("at", "outcome"), [(-timedelta(seconds=1), Outcome.DONE), (timedelta(0), Outcome.EXPIRED)])
def test_a_link_is_good_until_its_end(at, outcome):
    asked = question()
    assert decisions.confirm(asked.pk, now=asked.expires_at + at) == outcome


def test_unanswered_questions_are_noted_as_expired():
    late, waiting = question(now=MOMENT - 9 * DAY), question(email="other@example.kz")
    assert decisions.expire_unconfirmed(MOMENT) == 1
    assert decisions.expire_unconfirmed(MOMENT) == 0
    late.refresh_from_db(), waiting.refresh_from_db()
    assert (late.answer, waiting.answer) == (Confirmation.Answer.EXPIRED, Confirmation.Answer.WAITING)
    assert late.records.filter(act="expired").count() == 1


def test_a_changed_wording_is_asked_anew():
    asked = question()
    ProcessingPurpose.objects.filter(code="site-news").update(term_value=36)
    assert decisions.confirm(asked.pk, now=MOMENT) == Outcome.CHANGED
    assert not ConsentRecord.objects.filter(act="confirmed").exists()


def test_a_closed_purpose_can_neither_be_asked_nor_confirmed():
    asked = question()
    ProcessingPurpose.objects.filter(code="site-news").update(closes_at=MOMENT)
    assert decisions.confirm(asked.pk, now=MOMENT) == Outcome.CHANGED


def test_a_blocked_person_gets_nothing_recorded():
    owner = person(email=EMAIL)
    block(owner)
    claim = question("advertising", email=EMAIL)
    assert decisions.confirm(claim.pk, now=MOMENT) == Outcome.BLOCKED
    assert not owner.consents.filter(purpose=purpose("advertising")).exists()


def test_withdrawing_shuts_the_gate_at_once_and_repeats_quietly():
    subject = person("site-news", "feedback")
    assert decisions.withdraw(subject, purpose("site-news"), now=MOMENT, channel=LINK) == [purpose("site-news")]
    assert not may_process(subject, purpose("site-news"), MOMENT)
    assert may_process(subject, purpose("feedback"), MOMENT)
    assert decisions.withdraw(subject, purpose("site-news"), now=MOMENT, channel=LINK) == []
    assert ConsentRecord.objects.filter(act="withdrawn").count() == 1


def test_a_new_consent_after_withdrawing_counts():
    subject = person("site-news")
    decisions.withdraw(subject, None, now=MOMENT, channel=LINK)
    decisions.give(subject, [purpose("site-news")], now=MOMENT)
    assert may_process(subject, purpose("site-news"), MOMENT)
    purging.purge(MOMENT)
    assert subject.data.exists()


def test_the_same_question_sends_one_letter_a_minute_and_five_a_day():
    question(), question()
    assert OutgoingMessage.objects.count() == 1
    for minute in range(1, 9):
        question(now=MOMENT + timedelta(minutes=2 * minute))
    assert OutgoingMessage.objects.count() == decisions.MOST_LETTERS


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ({"email": "aigul@"}, ["site-news"]),
        ({"email": EMAIL, "phone": "12345"}, ["site-news"]),
        ({"email": EMAIL, "iin": "990101500006"}, ["site-news"]),
        ({"email": EMAIL}, []),
        ({"phone": PHONE}, ["site-news"]),
    ],
)
def test_what_is_refused_leaves_nothing(values, codes, settings):
    settings.SMS_BACKEND = ""
    with pytest.raises(ValidationError):
        decisions.ask(values, [purpose(code) for code in codes], language="kk", now=MOMENT)
    assert not DataSubject.objects.exists() and not ConsentRecord.objects.exists()


def test_a_category_no_chosen_purpose_needs_is_refused():
    purpose("site-news").categories.remove(*purpose("site-news").categories.filter(code="phone"))
    with pytest.raises(ValidationError):
        question("site-news", phone=PHONE)
    assert question("site-news", "feedback", phone=PHONE)


def test_a_letter_confirms_only_what_it_showed():
    mine = question(phone="87015551234")
    strangers = question(phone="87015559999", now=MOMENT + timedelta(minutes=5))
    assert decisions.confirm(mine.pk, now=MOMENT + timedelta(minutes=6)) == Outcome.SUPERSEDED
    assert strangers != mine
    assert decisions.confirm(strangers.pk, now=MOMENT + timedelta(minutes=6)) == Outcome.DONE


def test_a_question_about_to_end_is_asked_anew():
    first = question()
    again = question(now=first.expires_at - timedelta(hours=1))
    assert again != first and again.expires_at > first.expires_at + DAY


def test_a_consent_can_be_withdrawn_whatever_became_of_its_purpose():
    subject = person("site-news")
    ProcessingPurpose.objects.filter(code="site-news").update(ground=LegalGround.objects.first())
    assert decisions.withdraw(subject, None, now=MOMENT, channel=LINK) == [purpose("site-news")]


def test_nothing_is_written_to_a_blocked_person():
    owner = person(email=EMAIL)
    block(owner)
    claim = question("advertising", email=EMAIL, phone=PHONE)
    decisions.confirm(claim.pk, now=MOMENT)
    assert owner.data.count() == 1
