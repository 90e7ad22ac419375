"""Doubt about who asks: what settles it, what does not, and where letters go afterwards.

Broken and seen to fail: a link older than a doubt let through (at once, after another contact was chosen, after a second
doubt), the contact left in use, a letter on its way to it, the copy and the state by an old link, a doubt about whom nobody
knows; of the choice the person, the standing, the present contact, the same value confirmed anew, the right and the entry; the
question that goes there, and none in work; links from before.
"""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone

from consent import links
from registry import roles, tasks
from registry.models import AuditEntry, OutgoingMessage, PersonalDatum, SubjectRequest
from registry.normalise import normalise
from registry.registration import record_datum
from registry.requests import answering, contacts, copying, handling, opening, papers, verifying
from registry.requests.verifying import Outcome as Link
from tests.consent.pages import deliver, post
from tests.factories import DAY, EMAIL, PHONE, enter, person, staff
from tests.house import member
from tests.registry.test_requests_review import claimed, in_work, read, received

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
State, Kind, Channel = SubjectRequest.State, SubjectRequest.Kind, SubjectRequest.Channel
CONFIRM, DISOWN, FETCH = ("answer", "confirm"), ("answer", "disown"), ("answer", "fetch")


@pytest.fixture(autouse=True)
def _quietly(settings, monkeypatch, tmp_path):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND, settings.SMS_BACKEND = "config.mail_folder.EmailBackend", "config.sms_folder.send"
    settings.HOME = tmp_path / "home"
    settings.HOME.mkdir()
    for name in ("wake_mail", "wake_copies"):
        monkeypatch.setattr(tasks, name, lambda: None)


@pytest.fixture
def clerk(db):
    return staff("clerk")


@pytest.fixture
def subject(today):
    """Somebody with two contacts of their own: an address and, confirmed later, a number."""
    found = person("feedback", email=EMAIL, phone=PHONE, now=today - DAY)
    found.data.filter(category__code="phone").update(standing="confirmed", confirmed_at=today - DAY)
    return found


def address(subject):
    return subject.data.live().get(category__code="email")


def number(subject):
    return subject.data.live().get(category__code="phone")


def doubted(subject, clerk, today, kind=Kind.ACCESS):
    """In work, confirmed by a link to the address, and then in doubt."""
    request = in_work(subject, kind, now=today, contact=address(subject))
    deliver(today)
    verifying.doubt(request, by=clerk, reason="the mailbox was stolen", now=today)
    return read(request)


def path(request, doubts=0, page="request_url"):
    return getattr(links, page)(request.pk, "en", doubts).removeprefix("http://testserver")


# --- what settles it -----------------------------------------------------------------------------------------------------
def test_a_doubt_sends_nothing_and_takes_the_contact_out_of_use(subject, clerk, today):
    request = doubted(subject, clerk, today)
    assert (request.state, request.contact_id, request.doubted) == (State.PAUSED, None, [address(subject).pk])
    assert deliver(today) == []
    with pytest.raises(ValidationError):
        handling.ask(request, by=clerk, now=today)


def test_an_old_link_of_the_doubted_contact_settles_nothing(client, subject, clerk, today):
    request = doubted(subject, clerk, today)
    for button in (CONFIRM, DISOWN):
        page = post(client, path(request), [button])
        assert page.status_code == 410 and "must be sure who asks" in page.content.decode()
        assert read(request).state == State.PAUSED
    assert request.number not in client.get(path(request)).content.decode()


def test_an_old_link_settles_nothing_after_another_contact_was_chosen_either(client, subject, clerk, today):
    request = doubted(subject, clerk, today)
    contacts.use(request, number(subject), by=clerk, now=today)
    assert post(client, path(request), [CONFIRM]).status_code == 410
    assert read(request).state == State.PAUSED


def test_the_link_to_another_confirmed_contact_settles_it(client, subject, clerk, today):
    request = doubted(subject, clerk, today)
    contacts.use(request, number(subject), by=clerk, now=today)
    (question,) = deliver(today)
    assert "@" not in question.to
    assert post(client, question.path("request/confirm"), [CONFIRM]).status_code == 200
    request = read(request)
    assert (request.state, request.identity, request.contact_id) == (State.OPEN, "link", number(subject).pk)


def test_the_checklist_settles_it_and_the_answer_is_printed(subject, clerk, today):
    request = doubted(subject, clerk, today, Kind.OTHER)
    assert verifying.check(request, ["document"], by=clerk, now=today) == Link.DONE
    answering.answer(request, "granted", "Hens.", by=clerk, now=today)
    assert deliver(today) == [] and not OutgoingMessage.objects.filter(letter=answering.LETTER).exists()


def test_a_letter_that_was_on_its_way_to_the_doubted_contact_does_not_go(subject, clerk, today):
    request = received(subject, Kind.OTHER, channel=Channel.MAIL, contact=address(subject), now=today)
    opening.ask_to_confirm(request, now=today)
    verifying.doubt(request, by=clerk, reason="the mailbox was stolen", now=today)
    contacts.use(request, number(subject), by=clerk, now=today)
    assert ["@" in letter.to for letter in deliver(today) if "request/confirm" in letter.text] == [False]


def test_a_second_doubt_ends_the_links_of_the_second_contact(client, subject, clerk, today):
    request = doubted(subject, clerk, today)
    contacts.use(request, number(subject), by=clerk, now=today)
    second = deliver(today)[0].path("request/confirm")
    assert post(client, second, [CONFIRM]).status_code == 200
    verifying.doubt(read(request), by=clerk, reason="the telephone, too", now=today)
    assert post(client, second, [CONFIRM]).status_code == 410 and not contacts.choices(read(request)).exists()


def test_links_from_before_doubts_were_counted_still_work(client, subject, today):
    request = received(subject, contact=address(subject), now=today)
    old = links.token(links.REQUEST, request.pk)
    assert path(request).endswith(f"/{old}/") and links.request_and_doubts_of(old) == (request.pk, 0)
    assert post(client, path(request), [CONFIRM]).status_code == 200


def test_there_is_no_doubt_about_whom_nobody_knows_yet(today, clerk):
    person(email=EMAIL, now=today)
    request = claimed(now=today)
    with pytest.raises(ValidationError):
        verifying.doubt(request, by=clerk, reason="another signature", now=today)
    assert read(request).state == State.UNVERIFIED


# --- what an old link shows afterwards -----------------------------------------------------------------------------------
def test_who_holds_an_old_link_gets_no_copy(client, subject, clerk, today):
    request = doubted(subject, clerk, today)
    old, new = (path(request, doubts, "request_state_url") for doubts in (0, 1))
    verifying.check(request, ["document"], by=clerk, now=today)
    contacts.use(request, number(subject), by=clerk, now=today)
    copying.ask(request, by=clerk, now=today)
    assert copying.build_waiting(clock=timezone.now) == 1
    answering.answer(request, "granted", "Fetch it.", by=clerk, now=today)
    assert 'value="fetch"' not in client.get(old).content.decode() and "•" not in client.get(old).content.decode()
    assert post(client, old, [FETCH]).status_code == 410
    assert 'value="fetch"' in client.get(new).content.decode()
    taken = post(client, new, [FETCH])
    assert b"".join(taken.streaming_content).startswith(b"PK")
    taken.close()


def test_the_old_question_leads_to_no_state_after_the_doubt_is_settled(client, subject, clerk, today):
    request = doubted(subject, clerk, today)
    verifying.check(request, ["document"], by=clerk, now=today)
    assert "request/state" not in client.get(path(request)).content.decode()
    assert "request/state" in client.get(path(request, 1)).content.decode()


# --- which contact -------------------------------------------------------------------------------------------------------
def test_only_another_live_confirmed_contact_of_the_person_will_do(subject, clerk, today):
    request, other = doubted(subject, clerk, today), person("feedback", phone="8 701 000 00 01", now=today)
    typed = other.data.live().get(category__code="phone")
    for wrong in (address(subject), typed, address(other)):
        with pytest.raises(ValidationError):
            contacts.use(request, wrong, by=clerk, now=today)
    subject.data.filter(category__code="phone").update(standing="stated", confirmed_at=None)
    with pytest.raises(ValidationError):
        contacts.use(request, number(subject), by=clerk, now=today)
    assert read(request).contact_id is None
    assert not OutgoingMessage.objects.filter(letter=opening.CONFIRM, about_id=request.pk).exists()


def test_the_same_address_confirmed_anew_is_still_the_doubted_one(subject, clerk, today):
    request, old = doubted(subject, clerk, today), address(subject)
    PersonalDatum.objects.filter(pk=old.pk).update(superseded_at=today, keep_until=today + DAY)
    again = record_datum(subject, old.category, normalise("email", EMAIL), standing="confirmed", now=today)
    assert again not in contacts.choices(request) and number(subject) in contacts.choices(request)


def test_in_work_later_letters_go_to_the_chosen_contact_and_no_question_goes(subject, clerk, today):
    request = in_work(subject, Kind.OTHER, now=today, contact=address(subject))
    deliver(today)
    assert list(contacts.choices(request)) == [number(subject)]
    contacts.use(request, number(subject), by=clerk, now=today)
    assert not OutgoingMessage.objects.filter(letter=opening.CONFIRM).exists()
    answering.answer(request, "granted", "Hens.", by=clerk, now=today)
    assert OutgoingMessage.objects.get(letter=answering.LETTER).datum_id == number(subject).pk


def test_choosing_wants_the_right_and_is_recorded(subject, clerk, today):
    request = doubted(subject, clerk, today)
    for outsider in (staff("one", superuser=False), staff("two", appointed=False)):
        with pytest.raises(PermissionDenied):
            contacts.use(request, number(subject), by=outsider, now=today)
    contacts.use(request, number(subject), by=clerk, now=today)
    entry = AuditEntry.objects.filter(object_type="registry.subjectrequest", object_id=request.pk).latest("pk")
    assert (entry.actor, entry.reason) == (clerk, contacts.CHOSEN)


def test_the_console_offers_the_contacts_by_their_hint(client, subject, clerk, today):
    request = doubted(subject, clerk, today)
    enter(client, member("desk", roles.OPERATOR))
    client.cookies["language"] = "en"
    where = reverse("admin:request_contact", args=[request.pk])
    assert where in client.get(reverse("admin:registry_subjectrequest_change", args=[request.pk])).content.decode()
    page = client.get(where).content.decode()
    assert "•" in page and EMAIL not in page and papers.read(number(subject).pk) not in page
    assert client.post(where, {"contact": address(subject).pk}).status_code == 200 and read(request).contact_id is None
    assert client.post(where, {"contact": number(subject).pk}).status_code == 302
    assert read(request).contact_id == number(subject).pk and len(deliver(timezone.now())) == 1
