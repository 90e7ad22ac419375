"""What an attacker, a clerk and an inspector tried on requests: answers that reach the wrong person, steps that break.

Broken and seen to fail, each guarded line taken out: the row saved before it is joined, the same one in work when doubting,
the standing of the contact that is asked, who is known when a joined one leads on, what may be joined to what, contacts that
move with a correction, `agrees`, the moment of entry in `lapse`, who has confirmed a typed contact, the contact the desk
names last, the reminder of another last day, the contact refused on the page, `refresh_due` in `papers.drop`.
"""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from consent import links
from registry import demands, memory, purging, roles, tasks
from registry.models import LegalGround, OutgoingMessage, PersonalDatum, SubjectRequest
from registry.registration import accept, register
from registry.requests import answering, handling, opening, papers, verifying
from registry.requests.answering import Details
from registry.requests.verifying import Outcome as Link
from tests.factories import DAY, EMAIL, PHONE, enter, hold, person, question, shown_form, staff
from tests.house import member

pytestmark = pytest.mark.django_db
State, Kind, Channel, Outcome = (
    SubjectRequest.State,
    SubjectRequest.Kind,
    SubjectRequest.Channel,
    SubjectRequest.Outcome,
)


@pytest.fixture
def clerk(db):
    return staff("clerk")


def received(subject, kind=Kind.ACCESS, *, now, channel=Channel.PAGE, contact=None, **also):
    contact = contact or subject.data.live().contacts().order_by("pk").first()
    return opening.receive(subject, kind, channel=channel, language="ru", now=now, contact_id=contact.pk, **also)


def in_work(subject, kind=Kind.ACCESS, *, now, **also):
    request = received(subject, kind, now=now, **also)
    assert verifying.confirm(request.pk, now=now) == Link.DONE
    return read(request)


def claimed(kind=Kind.ACCESS, *, now, email=EMAIL):
    """As the page does it: whoever typed the address."""
    claimant = register(accept({"email": email}, [papers.purpose()]), claim="email", language="kk", now=now)
    return received(claimant, kind, now=now, text="my hens")


def read(request):
    return SubjectRequest.objects.get(pk=request.pk)


# --- who is asked, and who is answered ----------------------------------------------------------------------------------
def test_a_request_of_a_claimant_is_joined_to_the_same_one_of_whom_it_is_from(now):
    owner = person(email=EMAIL, now=now)
    first, second = in_work(owner, now=now), claimed(now=now)
    claimant = second.subject
    assert verifying.confirm(second.pk, now=now) == Link.JOINED
    second = read(second)
    assert (second.subject, second.joined_to, second.state) == (owner, first, State.JOINED)
    assert papers.read(second.text_id) == "my hens"
    assert claimant.processing.get(purpose__code=papers.PURPOSE).state == "closed"


def test_the_question_never_goes_to_a_contact_that_nobody_has_confirmed(now, clerk):
    subject = person("feedback", email=EMAIL, phone=PHONE, now=now)
    number = subject.data.live().get(category__code="phone")
    assert number.standing == PersonalDatum.Standing.STATED
    request = received(subject, channel=Channel.DESK, contact=number, now=now, by=clerk)
    with pytest.raises(ValidationError):
        handling.ask(request, by=clerk, now=now)
    assert not OutgoingMessage.objects.filter(letter=opening.CONFIRM).exists()


def test_a_confirmed_contact_and_a_claim_are_asked(now, clerk):
    known, unknown = received(person(now=now), now=now), claimed(now=now)
    assert handling.ask(known, by=clerk, now=now) is handling.ask(unknown, by=clerk, now=now) is None
    assert OutgoingMessage.objects.filter(letter=opening.CONFIRM).count() == 2


def test_a_request_joined_while_in_doubt_leads_nobody_to_the_other(client, now, clerk):
    subject = person(now=now)
    doubted, other = in_work(subject, Kind.OTHER, now=now), in_work(subject, now=now)
    path = links.request_state_url(doubted.pk, "en").removeprefix("http://testserver")
    verifying.doubt(doubted, by=clerk, reason="the mailbox was stolen", now=now)
    handling.join(doubted, other, by=clerk, now=now)
    body = client.get(path).content.decode()
    assert "together with your other request" in body
    assert other.number not in body and links.token(links.STATE, other.pk) not in body


def test_one_joined_by_its_own_link_leads_to_the_other(client, now):
    subject = person(now=now)
    first, second = in_work(subject, now=now), received(subject, now=now)
    assert verifying.confirm(second.pk, now=now) == Link.JOINED
    body = client.get(links.request_state_url(second.pk, "en").removeprefix("http://testserver")).content.decode()
    assert links.token(links.STATE, first.pk) in body


def test_what_is_in_work_is_joined_to_nothing_that_waits_for_its_confirmation(now, clerk):
    subject = person(now=now)
    mine, forged = in_work(subject, now=now), received(subject, Kind.OTHER, channel=Channel.MAIL, now=now)
    with pytest.raises(ValidationError):
        handling.join(mine, forged, by=clerk, now=now)
    handling.join(forged, mine, by=clerk, now=now)
    assert (read(mine).state, read(forged).state) == (State.OPEN, State.JOINED)


def test_a_corrected_contact_gets_the_answer_and_what_else_waits(now, clerk):
    subject = person("feedback", email=EMAIL, phone=PHONE, now=now)
    wrong = subject.data.live().get(category__code="phone")
    asked = received(subject, Kind.RECTIFICATION, channel=Channel.DESK, contact=wrong, now=now, by=clerk)
    verifying.check(asked, ["document"], by=clerk, now=now)
    other = received(subject, Kind.OTHER, channel=Channel.DESK, contact=wrong, now=now, by=clerk)
    details = Details(datum=wrong, value="8 701 555 00 99")
    answering.answer(asked, Outcome.GRANTED, "Corrected.", by=clerk, now=now, details=details)
    fresh = subject.data.live().get(category__code="phone")
    assert OutgoingMessage.objects.get(letter=answering.LETTER).datum_id == fresh.pk != wrong.pk
    assert read(asked).contact_id == read(other).contact_id == fresh.pk


# --- asking agrees to nothing --------------------------------------------------------------------------------------------
def test_a_question_takes_back_no_demanded_erasure_that_a_hold_puts_off(now, clerk):
    owner = person(email=EMAIL, now=now)
    held = hold(owner)
    demands.demand(owner, ground=LegalGround.objects.first(), reason="asked", by=clerk, now=now)
    address = owner.data.live().contacts().get()
    assert address.keep_until == now and held.released_at is None
    assert verifying.confirm(claimed(Kind.ERASURE, now=now + DAY).pk, now=now + DAY) == Link.DONE
    address.refresh_from_db()
    assert address.keep_until == now


def test_a_question_ends_no_memory_that_somebody_must_not_be_contacted(now):
    category = papers.purpose().categories.get(kind="email")
    memory.remember(person(now=now), [(category, EMAIL.lower())], now=now)
    assert verifying.confirm(claimed(now=now).pk, now=now) == Link.DONE
    assert memory.is_suppressed(category.code, EMAIL.lower(), now=now)


def test_a_question_takes_over_nothing_that_somebody_else_stated_at_the_same_address(now):
    owner = person("feedback", email=EMAIL, phone=PHONE, now=now)
    forged = question("feedback", email=EMAIL, phone="+7 701 000 00 66", now=now)
    mine = owner.data.live().get(category__code="phone")
    request = claimed(now=now)
    assert request.subject == forged.subject
    assert verifying.confirm(request.pk, now=now) == Link.DONE
    assert owner.data.live().get(category__code="phone") == mine


# --- steps that break ----------------------------------------------------------------------------------------------------
def test_the_second_of_a_kind_is_not_paused_beside_the_first(now, clerk):
    subject = person(now=now)
    first, second = in_work(subject, now=now), received(subject, channel=Channel.DESK, now=now, by=clerk)
    with pytest.raises(ValidationError):
        verifying.doubt(second, by=clerk, reason="another signature", now=now)
    assert (read(first).state, read(second).state) == (State.OPEN, State.UNVERIFIED)


@pytest.mark.parametrize("channel", [Channel.MAIL, Channel.DESK])
def test_what_was_received_long_ago_still_waits_its_whole_time_for_confirmation(now, clerk, channel):
    by = clerk if channel == Channel.DESK else None
    request = received(person(now=now), channel=channel, now=now, received_at=now - 40 * DAY, by=by)
    assert verifying.waits_until(request) == now + 30 * DAY
    assert verifying.lapse(now + 30 * DAY - DAY / 24) == 0
    assert verifying.lapse(now + 30 * DAY) == 1


# --- the desk --------------------------------------------------------------------------------------------------------------
def test_a_number_that_a_relative_wrote_down_does_not_make_a_newcomer_the_relative(client, now, settings, monkeypatch):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    monkeypatch.setattr(tasks, "wake_mail", lambda: None)
    relative = person("feedback", email=EMAIL, phone=PHONE, now=timezone.now() - DAY)
    enter(client, member("desk", roles.OPERATOR))
    minute = timezone.localtime().strftime("%Y-%m-%dT%H:%M")
    typed = {"contact": PHONE, "kind": "access", "received_at": minute, "language": "ru", "text": "my hens"}
    assert client.post(reverse("admin:request_enter_new"), typed).status_code == 302
    request = SubjectRequest.objects.get()
    assert request.subject != relative and request.subject.status == "pending"


def test_the_contact_that_the_desk_names_last_is_the_one_that_counts(now, clerk):
    subject = person("feedback", email=EMAIL, phone=PHONE, now=now)
    address, number = subject.data.live().contacts().order_by("category__kind")
    first = received(subject, channel=Channel.DESK, contact=number, now=now, by=clerk)
    again = received(subject, channel=Channel.DESK, contact=address, now=now, by=clerk)
    assert again.pk == first.pk and read(first).contact_id == address.pk


# --- the clock and the page ------------------------------------------------------------------------------------------------
def test_of_another_last_day_staff_are_reminded_anew(now, clerk):
    request = in_work(person(now=now), now=now)
    SubjectRequest.objects.filter(pk=request.pk).update(reminded_at=now)
    handling.take(request, by=clerk, now=now)
    assert read(request).reminded_at == now
    handling.extend(request, 3, by=clerk, reason="many papers", now=now)
    assert read(request).reminded_at is None


def test_a_contact_that_answering_needs_no_more_is_refused_on_the_page(client, settings):
    settings.SMS_BACKEND = "config.sms_folder.send"
    papers.purpose().categories.remove(*papers.purpose().categories.filter(kind="phone"))
    typed = {"shown": shown_form(), "kind": "access", "contact": PHONE, "details": "", "answer": "send"}
    answer = client.post("/en/request/", typed)
    assert answer.status_code == 422 and "Enter an e-mail address" in answer.content.decode()
    assert not SubjectRequest.objects.exists()


# --- what goes -------------------------------------------------------------------------------------------------------------
def test_a_text_that_is_dropped_goes_with_the_next_purge_though_another_request_waits(now, clerk):
    subject = person(now=now)
    waiting, spam = in_work(subject, now=now), received(subject, Kind.OTHER, now=now, text="my hens")
    assert papers.read(spam.text_id) == "my hens"
    handling.close_as_spam(spam, by=clerk, reason="nonsense", now=now)
    purging.purge(now + DAY)
    assert not PersonalDatum.objects.filter(pk=spam.text_id).exists() and read(waiting).state == State.OPEN


def test_a_text_that_was_written_anew_goes_with_the_next_purge(now):
    subject = person(now=now)
    desk = {"channel": "desk", "by": staff()}
    first = received(subject, now=now, text="my hens", **desk)
    received(subject, now=now, text="my geese", **desk)
    purging.purge(now + DAY)
    assert not PersonalDatum.objects.filter(pk=first.text_id).exists()
    assert papers.read(read(first).text_id) == "my geese"
