"""Asking about one's own data by page: the form, the answers once more, the question by letter, number and day, the state.

Broken and seen to fail: sending from the first step, a kind chosen beforehand, the trap, both limits and the 429 of a
claimant's day, letters one after the other and without an end (of one request, of all), the letter for known addresses
only, the text kept in the open, details not asked for, a number where no messages go, answering by GET, a POST without a
button, the contact and the new address in the clear, steps of the staff on the page, both ends of the ninety days, a
request in work no longer shown, the copy offered or given before the answer, kept by caches.
"""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from consent import limits, links
from consent.asking_requests import MOST_IN_ALL
from consent.request_forms import LONGEST_DETAILS, SAID
from registry.models import (
    CopyPackage,
    Deadline,
    LegalGround,
    OutgoingMessage,
    PersonalDatum,
    Processing,
    SubjectRequest,
)
from registry.requests import answering, copying, handling, opening, papers, verifying
from registry.requests.answering import Details
from tests.consent import test_alike as alike
from tests.consent.pages import deliver, forms_of, path_of, post
from tests.consent.test_languages import foreign_words
from tests.factories import DAY, EMAIL, PHONE, block, person, shown_form, staff
from tests.faults.tables import row_counts, rows_written

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
Kind, State, Outcome = SubjectRequest.Kind, SubjectRequest.State, SubjectRequest.Outcome
CANARY = "Zhalpy-kanareika: түзетіңіз"
FORM = "/en/request/"
HIDDEN = "a•••@example.kz"
CONFIRM, DISOWN, FETCH = ("answer", "confirm"), ("answer", "disown"), ("answer", "fetch")


@pytest.fixture(autouse=True)
def _folders(settings, tmp_path):
    settings.EMAIL_BACKEND, settings.SMS_BACKEND = "config.mail_folder.EmailBackend", "config.sms_folder.send"
    settings.HOME = tmp_path / "home"
    settings.HOME.mkdir()


# --- what a person does ------------------------------------------------------------------------------------------------
def typed(kind="access", contact=EMAIL, details="", **more):
    fields = {"shown": shown_form(), "website": "", "kind": kind, "contact": contact, "details": details} | more
    return list(fields.items())


def check(client, *fields, path=FORM, **more):
    return post(client, path, [*(fields or typed(**more)), ("answer", "check")])


def send(client, path=FORM, **more):
    """The form, and the last button on the page with the answers."""
    (form,) = forms_of(check(client, path=path, **more))
    return form.press(client, ("answer", "send"))


def asked(client, kind="access", contact=EMAIL, details="", path=FORM):
    assert send(client, path, kind=kind, contact=contact, details=details).status_code == 200
    return SubjectRequest.objects.latest("pk")


def question(client, *arguments, **more):
    """Somebody asked; the path of the link in the letter."""
    asked(client, *arguments, **more)
    return deliver(timezone.now())[-1].path("request/confirm")


def in_work(client, *arguments, **more):
    """Asked and confirmed."""
    assert post(client, question(client, *arguments, **more), [CONFIRM]).status_code == 200
    return SubjectRequest.objects.latest("pk")


def state_path(request, language="en"):
    return path_of(links.request_state_url(request.pk, language))


def text_of(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


# --- the form ----------------------------------------------------------------------------------------------------------
def test_nothing_is_chosen_beforehand_and_every_kind_says_what_happens_and_by_when(client):
    page = client.get(FORM)
    assert page.content.decode().count('type="radio"') == len(Kind) == len(SAID)
    assert "checked" not in page.content.decode()
    text = text_of(page)
    assert all(str(about) in text for _name, about in SAID.values())
    assert text.count("within 3 working days") == 3 and text.count("within 1 working day.") == 3
    assert text.count("within 15 working days") == 1 and "/en/mine/" in page.content.decode()


def test_a_term_changed_in_the_console_is_the_one_on_the_page(client):
    Deadline.objects.filter(code="access_info").update(length=5, unit="calendar_days")
    assert "within 5 days" in text_of(client.get(FORM))


def test_the_answers_are_shown_before_anything_is_written(client):
    before = rows_written()
    page = check(client, kind="rectification", details=f"{CANARY}\r\n<b>")
    assert page.status_code == 200 and rows_written() == before
    for shown in ("Correct", EMAIL, CANARY, "<br>&lt;b&gt;"):
        assert shown in page.content.decode()
    (form,) = forms_of(page)
    assert form.buttons == [("answer", "send"), ("answer", "change")]


def test_going_back_to_change_keeps_everything(client):
    (form,) = forms_of(check(client, kind="other", details=CANARY))
    page = form.press(client, ("answer", "change")).content.decode()
    assert 'value="other" checked' in page and CANARY in page and f'value="{EMAIL}"' in page
    assert page.count("checked") == 1 and "There is a problem" not in page


def test_the_answers_of_a_withdrawal_say_that_all_consents_end_and_lead_to_single_ones(client):
    assert "All your consents end at once" in text_of(check(client, kind="withdrawal"))
    assert "All your consents end at once" not in text_of(check(client, kind="access"))


WRONG = {
    "no kind": ({"kind": ""}, "kind"),
    "no such kind": ({"kind": "everything"}, "kind"),
    "no contact": ({"contact": ""}, "contact"),
    "no address": ({"contact": "aigul@"}, "contact"),
    "no number": ({"contact": "12"}, "contact"),
    "correct what?": ({"kind": "rectification"}, "details"),
    "white space": ({"kind": "other", "details": " \r\n "}, "details"),
    "too long": ({"details": "ә" * (LONGEST_DETAILS + 1)}, "details"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("button", ["check", "send"])
def test_a_wrong_form_comes_back_with_what_is_wrong_and_writes_nothing(client, name, button):
    more, field = WRONG[name]
    before = rows_written()
    page = post(client, FORM, [*typed(**more), ("answer", button)])
    assert page.status_code == 422 and rows_written() == before
    assert set(page.context["form"].errors) == {field}
    assert 'role="alert"' in page.content.decode() and f'href="#id_{field}"' in page.content.decode()


def test_a_new_line_counts_as_one_character(client):
    assert check(client, details="\r\n".join("a" * (LONGEST_DETAILS // 2))).status_code == 200


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=24)])
def test_a_form_sent_too_fast_or_too_late_comes_back(client, age):
    before = rows_written()
    shown = links.form_token(timezone.now() - age)
    assert check(client, shown=shown).status_code == 422
    assert post(client, FORM, [*typed(shown=shown), ("answer", "send")]).status_code == 422
    assert rows_written() == before


@pytest.mark.parametrize("button", ["check", "send", ""])
def test_a_program_that_fills_in_everything_is_told_that_all_went_well(client, button):
    good, before = send(client), rows_written()
    answer = post(client, FORM, [*typed(website="x"), ("answer", button)])
    assert (answer.status_code, answer.templates[0].name) == (200, good.templates[0].name)
    assert answer.headers.keys() == good.headers.keys() and rows_written() == before


# --- sending -----------------------------------------------------------------------------------------------------------
def test_sending_opens_one_request_and_asks_the_address(client):
    page = send(client, kind="erasure")
    request = SubjectRequest.objects.get()
    assert (request.kind, request.state, request.channel, request.language) == ("erasure", "unverified", "page", "en")
    (letter,) = deliver(timezone.now())
    assert letter.to == EMAIL.lower() or letter.to == EMAIL
    assert page.status_code == 200 and HIDDEN in text_of(page).lower()
    assert request.number not in text_of(page) + letter.text, "nothing is told before it is confirmed"


def test_the_text_is_sealed_and_nowhere_else(client, caplog, today):
    caplog.set_level("DEBUG")
    request = asked(client, "other", details=CANARY)
    assert papers.read(request.text_id) == CANARY
    assert CANARY not in deliver(timezone.now())[-1].text
    for table in row_counts():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE %s", [f"%{CANARY[:14]}%"])
            assert cursor.fetchone() == (0,), table
    assert CANARY[:14] not in "".join(one.getMessage() for one in caplog.records if one.name != "django.db.backends")


def test_the_same_again_writes_no_second_request_and_no_second_letter_at_once(client):
    first = asked(client, "other", details=CANARY)
    again = asked(client, "other", details=CANARY)
    assert first == again and papers.read(again.text_id) == CANARY
    assert OutgoingMessage.objects.filter(letter=opening.CONFIRM).count() == 1


def test_the_question_is_sent_again_after_a_minute_and_three_times_a_day(client, monkeypatch):
    begin = timezone.now()
    page = send(client)
    (form,) = forms_of(page)
    for minutes, letters in ((0, 1), (2, 2), (4, 3), (6, 3), (60 * 24, 3), (60 * 25, 4)):
        monkeypatch.setattr(timezone, "now", lambda minutes=minutes: begin + timedelta(minutes=minutes))
        answer = form.press(client)
        assert (answer.status_code, answer.templates[0].name) == (200, "request_sent.html")
        assert OutgoingMessage.objects.filter(letter=opening.CONFIRM).count() == letters, minutes


def test_one_mailbox_gets_no_more_than_so_many_questions_a_day(client, monkeypatch):
    begin, pages = timezone.now(), [send(client, kind=kind) for kind in ("access", "blocking", "erasure")]
    for minutes in range(2, 20, 2):
        monkeypatch.setattr(timezone, "now", lambda minutes=minutes: begin + timedelta(minutes=minutes))
        for page in pages:
            assert forms_of(page)[0].press(client).status_code == 200
    assert OutgoingMessage.objects.filter(letter=opening.CONFIRM).count() == MOST_IN_ALL == 8


def test_nothing_is_sent_again_once_it_is_answered(client):
    (form,) = forms_of(send(client))
    post(client, deliver(timezone.now())[-1].path("request/confirm"), [DISOWN])
    before = rows_written()
    assert form.press(client).status_code == 200 and rows_written() == before
    assert post(client, "/en/request/again/cut/", []).status_code == 404


def test_a_number_in_any_spelling_gets_a_message_with_the_link(client):
    page = send(client, contact=PHONE)
    (message,) = deliver(timezone.now())
    assert message.to == "+77015551234" and "request/confirm" in message.text
    assert "+7 701 •••-••-34" in text_of(page)


def test_where_no_messages_can_be_sent_a_number_is_refused(client, settings):
    settings.SMS_BACKEND = ""
    page = check(client, contact=PHONE)
    assert page.status_code == 422 and "phone" not in text_of(page)


def test_too_many_requests_of_one_claimant_a_day_are_put_off(client):
    kinds = [kind.value for kind in Kind]
    for kind in kinds[: opening.PER_DAY]:
        assert send(client, kind=kind, details="x").status_code == 200
    before = row_counts()
    page = send(client, kind=kinds[-1], details=CANARY)
    assert page.status_code == 429 and page["Retry-After"] == str(24 * 3600)
    assert CANARY in page.content.decode(), "what was typed is kept on the page"
    assert {name for name, count in row_counts().items() if count != before[name]} <= {"consent_attempt"}


def test_one_network_and_one_address_have_their_limits(client, monkeypatch):
    for place in ("BY_NETWORK", "BY_TARGET"):
        with monkeypatch.context() as patch:
            patch.setitem(getattr(limits, place), "request", limits.Limit(0, timedelta(minutes=5)))
            before = SubjectRequest.objects.count()
            page = post(client, FORM, [*typed(), ("answer", "send")])
            assert page.status_code == 429 and SubjectRequest.objects.count() == before


# --- known and unknown --------------------------------------------------------------------------------------------------
def ask_request(contact):
    return post(Client(), "/kk/request/", [*typed(contact=contact, details="x"), ("answer", "send")])


@pytest.mark.parametrize("who", [*alike.BY_MAIL, *alike.BY_NUMBER])
def test_the_answer_is_the_same_whoever_stands_behind_the_address(today, who):
    nobody = alike.number() if who in alike.BY_NUMBER else alike.address()
    expected, actual = alike.told(ask_request(nobody)), alike.told(ask_request(who(today)))
    assert expected[0] == 200
    assert actual == expected


def added(contact):
    before = row_counts()
    ask_request(contact)
    return {name: count - before[name] for name, count in row_counts().items() if count != before[name]}


@pytest.mark.parametrize("who", [alike.known, alike.blocked, alike.erased, alike.purged])
def test_the_same_rows_are_written_whoever_stands_behind_the_address(today, who):
    ask_request(alike.address())
    contact = who(today)
    assert added(alike.address()) == added(contact) != {}


@pytest.mark.parametrize("who", [alike.known, alike.blocked, alike.erased, alike.purged])
def test_the_same_is_asked_of_the_database_whoever_stands_behind_the_address(today, who):
    contact = who(today)
    ask_request(alike.address())
    expected = alike.statements(ask_request, alike.address())
    assert len(expected) > 2 and alike.statements(ask_request, contact) == expected


@pytest.mark.django_db(transaction=True)
def test_the_time_does_not_tell_known_from_unknown(today, monkeypatch):
    """As for consents (tests/consent/test_alike.py): known beside unknown must drown in unknown beside unknown."""
    monkeypatch.setitem(alike.ROUNDS, ask_request, 60)
    for _ in range(5):
        ask_request(alike.address())
    assert not all(alike.told_apart(ask_request, today) for _ in range(alike.ATTEMPTS))
    assert SubjectRequest.objects.count() >= 3 * alike.ADDRESSES


# --- "did you ask for this?" -------------------------------------------------------------------------------------------
def test_the_link_shows_what_is_confirmed(client):
    path = question(client, "other", details=CANARY)
    before = rows_written()
    for _ in range(3):
        page = client.get(path)
        assert client.head(path).status_code == page.status_code == 200
    assert "Another question" in text_of(page) and CANARY in text_of(page) and rows_written() == before
    (form,) = forms_of(page)
    assert form.buttons == [CONFIRM, DISOWN]


def test_confirming_tells_number_and_last_day_and_why_at_once(client):
    path = question(client)
    page = post(client, path, [CONFIRM])
    request = SubjectRequest.objects.get()
    assert (request.state, request.identity) == ("open", "link")
    assert request.number in text_of(page) and request.explained("en") in text_of(page)
    (letter,) = deliver(timezone.now())
    assert request.number in letter.text and path_of(letter.urls[0]) == state_path(request)
    assert client.get(state_path(request)).status_code == 200


@pytest.mark.parametrize(("button", "state"), [(CONFIRM, "open"), (DISOWN, "disowned")])
def test_pressing_twice_acts_once_and_the_other_button_comes_too_late(client, button, state):
    path = question(client)
    first = post(client, path, [button])
    before = rows_written()
    for again in (button, CONFIRM, DISOWN):
        assert text_of(post(client, path, [again])) == text_of(first)
    assert rows_written() == before and SubjectRequest.objects.get().state == state


def test_a_post_without_a_button_is_no_answer(client):
    path = question(client)
    before = rows_written()
    assert client.post(path).status_code == client.post(path, {"answer": "yes"}).status_code == 400
    assert rows_written() == before


def test_disowned_tells_nothing_and_the_text_goes_with_the_next_purge(client):
    page = post(client, question(client, "other", details=CANARY), [DISOWN])
    request = SubjectRequest.objects.get()
    assert "closed" in text_of(page) and request.number not in text_of(page)
    assert not PersonalDatum.objects.live().filter(pk=request.text_id).exists()


def test_what_is_in_work_already_is_joined_and_tells_its_number_and_day(client, today):
    first = in_work(client)
    page = post(client, question(client), [CONFIRM])
    second = SubjectRequest.objects.latest("pk")
    assert second.state == State.JOINED and first.number in text_of(page) and second.number not in text_of(page)
    assert f"/state/{links.token(links.STATE, first.pk)}/" in page.content.decode()


def test_a_withdrawal_is_done_at_once(client, today):
    subject = person("site-news", "feedback", email=EMAIL, now=today - DAY)
    path = question(client, "withdrawal")
    first = post(client, path, [CONFIRM])
    request = SubjectRequest.objects.get()
    assert request.state == State.ANSWERED and "Your consents are withdrawn" in text_of(first)
    assert not Processing.objects.ongoing(timezone.now()).filter(subject=subject, purpose__ground=None).exists()
    assert text_of(post(client, path, [CONFIRM])) == text_of(first)
    assert "withdrawn" in deliver(timezone.now())[-1].text


def test_a_blocked_person_may_ask_and_is_answered(client, today):
    subject = person("site-news", email=EMAIL, now=today - DAY)
    block(subject)
    request = in_work(client, "unblocking")
    assert request.subject == subject and request.state == State.OPEN
    assert request.number in deliver(timezone.now())[-1].text
    answering.answer(request, Outcome.GRANTED, CANARY, by=staff(), now=timezone.now())
    assert CANARY in deliver(timezone.now())[-1].text


def test_after_its_time_the_link_says_so(client, monkeypatch):
    path = question(client)
    later = timezone.now() + 7 * DAY
    assert verifying.lapse(later) == 1
    monkeypatch.setattr(timezone, "now", lambda: later)
    for page in (client.get(path), post(client, path, [CONFIRM])):
        assert "not confirmed in time" in text_of(page)
    assert SubjectRequest.objects.get().state == State.LAPSED


def test_a_kind_corrected_while_the_page_was_open_is_shown_anew_and_not_confirmed(client):
    path = question(client, "other", details=CANARY)
    (form,) = forms_of(client.get(path))
    handling.correct_kind(SubjectRequest.objects.get(), Kind.WITHDRAWAL, by=staff(), now=timezone.now())
    page = form.press(client)
    assert "Nothing is confirmed yet" in text_of(page) and "Withdrawal of consent" in text_of(page)
    assert SubjectRequest.objects.get().state == State.UNVERIFIED
    (form,) = forms_of(page)
    assert "Your consents are withdrawn" in text_of(form.press(client))


def test_another_kind_than_was_confirmed_is_asked_and_told(client):
    request = in_work(client, "other", details=CANARY)
    handling.correct_kind(request, Kind.ERASURE, by=staff(), now=timezone.now())
    assert "Waits until you confirm it" in text_of(client.get(state_path(request)))
    letter = next(one for one in deliver(timezone.now()) if "request/confirm" in one.text)
    assert "destruction" in letter.text
    (form,) = forms_of(client.get(path_of(letter.urls[0])))
    assert "Your request is in work" in text_of(form.press(client))
    assert "Your request is in work" in text_of(client.get(state_path(request)))


def test_links_that_are_cut_or_of_another_use_open_nothing(client):
    token = links.token(links.STATE, asked(client).pk)
    for path in ("request/confirm/cut/", f"request/confirm/{token}/", f"request/state/{token[:-1]}/", "new_address/x/"):
        assert client.get(f"/en/{path}").status_code == 404
        assert client.post(f"/en/{path}", {"answer": "confirm"}).status_code == 404
    assert client.get(f"/en/request/state/{links.token(links.STATE, 10**9)}/").status_code == 404


# --- the state ---------------------------------------------------------------------------------------------------------
def answered(client, outcome=Outcome.GRANTED, kind="other"):
    request = in_work(client, kind, details="x")
    ground = LegalGround.objects.get(code="access") if outcome == Outcome.REFUSED else None
    details = Details(ground=ground)
    return answering.answer(request, outcome, CANARY, by=staff(), now=timezone.now(), details=details)


def test_the_state_shows_the_steps_a_person_may_see_and_nobody_who_took_them(client, today):
    request, clerk = in_work(client), staff("clerk.canary")
    now = timezone.now()
    handling.take(request, by=clerk, now=now)
    handling.extend(request, 5, by=clerk, reason="secret reason", now=now)
    verifying.doubt(request, by=clerk, reason="secret doubt", now=now)
    request.refresh_from_db()
    text = text_of(client.get(state_path(request)))
    assert "we must be sure that it is you" in text and request.explained("en") in text
    assert "We answer at the latest on" in text, "of the day after the term was extended"
    for told in ("Received", "Identity confirmed", "Term extended", "Paused"):
        assert told in text
    for kept in ("clerk", "secret", "Taken"):
        assert kept not in text


def test_the_answer_is_not_on_the_page_and_where_it_went_is_masked(client):
    request = answered(client)
    assert CANARY in deliver(timezone.now())[-1].text
    text = text_of(client.get(state_path(request)))
    assert "Answered on" in text and HIDDEN in text.lower() and CANARY not in text and EMAIL not in text


def test_a_refusal_tells_its_ground_and_where_to_complain(client):
    request = answered(client, Outcome.REFUSED)
    letter = deliver(timezone.now())[-1].text
    for text in (text_of(client.get(state_path(request))), letter):
        assert (
            f"Order No. 395/НҚ of 21 October 2020), {request.ground}" in text
            and "authorised body" in text
            and "court" in text
        )


def test_the_state_is_shown_for_ninety_days_after_the_answer(client, monkeypatch):
    request = answered(client)
    for days, status in ((89, 200), (90, 410), (91, 410)):
        monkeypatch.setattr(timezone, "now", lambda days=days: request.answered_at + days * DAY)
        assert client.get(state_path(request)).status_code == status


def test_a_request_in_work_is_shown_however_long_it_takes(client, monkeypatch):
    request = in_work(client)
    monkeypatch.setattr(timezone, "now", lambda: request.received_at + 400 * DAY)
    assert client.get(state_path(request)).status_code == 200


# --- the copy ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def ready(client, today):
    """A request for a copy, answered, and its copy built."""
    person("site-news", email=EMAIL, now=today - DAY)
    request, clerk = in_work(client), staff()
    copying.ask(request, by=clerk, now=timezone.now())
    assert copying.build_waiting(clock=timezone.now) == 1
    return answering.answer(request, Outcome.GRANTED, "Here it is", by=clerk, now=timezone.now())


def test_the_copy_is_fetched_once_by_a_button(client, ready):
    letter = deliver(timezone.now())[-1]
    assert path_of(letter.urls[0]) == state_path(ready) and "once" in letter.text
    before = rows_written()
    page = client.get(state_path(ready))
    assert forms_of(page)[0].buttons == [FETCH] and rows_written() == before
    file = post(client, state_path(ready), [FETCH])
    content = b"".join(file.streaming_content)
    assert content[:2] == b"PK" and file["Content-Type"] == "application/zip" and file["Cache-Control"] == "no-store"
    assert file["Content-Disposition"].startswith("attachment")
    again = post(client, state_path(ready), [FETCH])
    assert again.status_code == 410 and "cannot be fetched any more" in text_of(again)
    assert "Fetched on" in text_of(client.get(state_path(ready))) and forms_of(again) == []


def test_after_its_days_the_copy_is_gone(client, ready, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: ready.answered_at + 8 * DAY)
    page = client.get(state_path(ready))
    assert "was kept until" in text_of(page) and forms_of(page) == []
    assert post(client, state_path(ready), [FETCH]).status_code == 410
    assert CopyPackage.objects.get().taken_at is None


def test_a_copy_is_given_to_nobody_before_the_answer(client, today):
    request = in_work(client)
    copying.ask(request, by=staff(), now=timezone.now())
    assert copying.build_waiting(clock=timezone.now) == 1
    assert forms_of(client.get(state_path(request))) == []
    assert post(client, state_path(request), [FETCH]).status_code == 409
    assert CopyPackage.objects.get().state == CopyPackage.State.READY


# --- a new address -----------------------------------------------------------------------------------------------------
NEW = "new.canary@example.kz"


@pytest.fixture
def corrected(client, today):
    """An address corrected by the staff; the path of the link in the letter to the new one."""
    person("site-news", email=EMAIL, now=today - DAY)
    request = in_work(client, "rectification", details="x")
    old = request.subject.data.get(category__code="email")
    details = Details(datum=old, value=NEW)
    answering.answer(request, Outcome.GRANTED, "Done", by=staff(), now=timezone.now(), details=details)
    letter = next(one for one in deliver(timezone.now()) if one.to == NEW)
    return letter.path("new_address"), old, PersonalDatum.objects.latest("pk")


def test_a_new_address_is_confirmed_by_the_button_and_not_by_looking(client, corrected):
    path, old, _ = corrected
    before = rows_written()
    page = client.get(path)
    assert "n•••@example.kz" in text_of(page) and NEW not in text_of(page) and rows_written() == before
    first = post(client, path, [CONFIRM])
    fresh = PersonalDatum.objects.identifying(bytes(PersonalDatum.objects.get(confirmed_at__gt=old.confirmed_at).index))
    assert "we write here" in text_of(first) and fresh.count() == 1
    before = rows_written()
    assert text_of(post(client, path, [CONFIRM])) == text_of(client.get(path)) == text_of(first)
    assert rows_written() == before


def test_a_new_address_that_is_somebody_elses_meanwhile_is_not_taken(client, corrected, today):
    path, old, _ = corrected
    person("site-news", email=NEW, now=today)
    page = post(client, path, [CONFIRM])
    old.refresh_from_db()
    assert page.status_code == 410 and "Nothing was corrected" in text_of(page) and old.superseded_at is None


def test_an_address_that_is_gone_cannot_be_confirmed(client, corrected):
    path, _old, _fresh = corrected
    fresh = PersonalDatum.objects.get(standing="stated", category__code="email", superseded_at=None)
    PersonalDatum.objects.filter(pk=fresh.pk).update(superseded_at=timezone.now(), keep_until=timezone.now())
    assert client.get(path).status_code == 410
    assert client.post(path, {}).status_code == 400


# --- languages ---------------------------------------------------------------------------------------------------------
def scenes(client, language):
    """Every page in every state, in one language."""
    form = f"/{language}/request/"
    yield client.get(form)
    yield check(client, path=form, kind="", contact="x", details="ы" * (LONGEST_DETAILS + 1))
    for kind in SAID:
        yield check(client, path=form, kind=kind.value, details="ы")
    yield send(client, form)
    (path,) = [deliver(timezone.now())[-1].path("request/confirm")]
    yield from (client.get(path), post(client, path, [CONFIRM]))
    yield client.get(state_path(SubjectRequest.objects.latest("pk"), language))
    yield from (client.get(question(client, "withdrawal", path=form)), client.get(question(client, path=form)))
    for button in (CONFIRM, DISOWN):
        yield post(client, question(client, "other", details="ы", path=form), [button])
    for request in SubjectRequest.objects.all():
        yield client.get(state_path(request, language))


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_pages_say_nothing_in_another_language(client, language):
    pages = list(scenes(client, language))
    assert len(pages) > 18
    for page in pages:
        assert foreign_words(page.content.decode().replace(EMAIL, ""), language) == [], page.templates[0].name
