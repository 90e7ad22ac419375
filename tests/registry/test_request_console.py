"""Requests in the console: the list as a queue, one page, its acts, the answer, the letter, the desk.

Broken and seen to fail: the right asked for by every page of an act and by the desk; the right of the kind asked for before
the transaction (its record was lost with it); the fresh second factor before destroying; the kind the page was shown for;
what is offered in which state and outcome; the letter on paper; the tabs; the last day shown as the midnight after it; the
moment of receipt; the checklist in the same transaction; a known contact entered as somebody new; the later scan; what the
page said was so already, and the second factor not asked for then; the ground on paper; a contact answering does not need.
Of a copy at the desk: the right (page and operation), the second factor, the checklist, the answer before it, whom a letter
reaches, a number where no messages go.
"""

import html
import io
import zipfile
from datetime import date, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone, translation

from registry import demands, purging, roles, scans, tasks
from registry.admin.request_page import due_of
from registry.admin.request_show import reason_for
from registry.models import (
    AuditEntry,
    CopyPackage,
    DataSubject,
    ErasureCertificate,
    LegalGround,
    OutgoingMessage,
    PersonalDatum,
    ReplyTemplate,
    StaffMember,
    StaffSession,
    SubjectRequest,
)
from registry.registration import accept, register
from registry.requests import answering, copying, handling, letters, opening, papers, verifying
from tests.factories import DAY, EMAIL, PHONE, block, enter, hold, person, staff
from tests.house import member

pytestmark = pytest.mark.django_db
State, Kind, Channel = SubjectRequest.State, SubjectRequest.Kind, SubjectRequest.Channel
ASKED, ANSWER = "my hens must be forgotten", "your hens are forgotten"
LIST, PAGE = "registry_subjectrequest_changelist", "registry_subjectrequest_change"
PNG = b"\x89PNG\r\n\x1a\n and a hen"


@pytest.fixture(autouse=True)
def _quietly(settings, monkeypatch):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for name in ("wake_mail", "wake_erasures", "wake_copies"):
        monkeypatch.setattr(tasks, name, lambda: None)


@pytest.fixture
def clerk(client):
    """An operator who is signed in and reads English."""
    found = member("clerk", roles.OPERATOR)
    come_in(client, found)
    return found


@pytest.fixture
def officer():
    return member("chief", roles.OFFICER)


def come_in(client, somebody):
    enter(client, somebody)
    client.cookies["language"] = "en"


def received(subject=None, kind=Kind.OTHER, *, now=None, channel=Channel.PAGE, text=ASKED, has_contact=True, **also):
    subject = subject or person(now=timezone.now() - DAY)
    contact = subject.data.live().contacts().first() if has_contact else None
    return opening.receive(
        subject, kind, channel=channel, language="ru", now=now or timezone.now() - timedelta(hours=1), text=text,
        contact_id=contact.pk if contact else None, **also,
    )  # fmt: skip


def in_work(subject=None, kind=Kind.OTHER, **also):
    request = received(subject, kind, **also)
    assert verifying.confirm(request.pk, now=timezone.now() - timedelta(minutes=30)) == verifying.Outcome.DONE
    return SubjectRequest.objects.get(pk=request.pk)


def address(name, *arguments, query=""):
    return reverse(f"admin:{name}", args=arguments) + query


def body_of(client, name, *arguments, query=""):
    answer = client.get(address(name, *arguments, query=query))
    assert answer.status_code == 200
    return answer.content.decode()


def do(client, name, request, **fields):
    return client.post(address(f"request_{name}", request.pk), fields)


def answer(client, request, outcome="granted", text=ANSWER, **fields):
    given = {"kind": request.kind, "text": text} | fields
    return client.post(address("request_answer", request.pk, query=f"?outcome={outcome}"), given)


def again(request):
    return SubjectRequest.objects.get(pk=request.pk)


# The list


def listed(client, query=""):
    body = body_of(client, LIST, query=query)
    return {request.number for request in SubjectRequest.objects.all() if request.number in body}


def test_the_list_is_a_queue_with_tabs(client, clerk):
    now = timezone.now()
    late = received(now=now - 30 * DAY, received_at=now - 30 * DAY)
    mine, nobodys = in_work(), in_work()
    handling.take(mine, by=clerk, now=now)
    done = in_work(kind=Kind.WITHDRAWAL)
    assert listed(client) == {late.number, mine.number, nobodys.number, done.number}
    assert listed(client, "?show=overdue") == {late.number}
    assert listed(client, "?show=mine") == {mine.number}
    assert listed(client, "?show=unassigned") == {late.number, nobodys.number}


def test_due_today_is_the_last_day_of_the_term(client, clerk):
    today = timezone.localdate()
    rows = [in_work() for _ in range(3)]
    for days, row in zip((-1, 0, 1), rows, strict=True):
        SubjectRequest.objects.filter(pk=row.pk).update(due_on=today + days * DAY)
    assert listed(client, "?show=today") == {rows[1].number}
    assert listed(client, "?show=overdue") == {rows[0].number}


def test_the_list_filters_by_state_kind_channel_and_person(client, clerk):
    one, other = in_work(kind=Kind.ACCESS), received(channel=Channel.MAIL)
    for query, found in [
        ("?state__exact=open", one), ("?kind__exact=other", other), ("?channel__exact=mail", other),
        (f"?person={one.subject.reference}", one),
    ]:  # fmt: skip
        assert listed(client, query) == {found.number}, query


def test_the_badge_of_the_term_has_a_word_not_only_a_colour(client, clerk):
    late = received(now=timezone.now() - 30 * DAY, received_at=timezone.now() - 30 * DAY)
    assert "overdue" in body_of(client, LIST) and "overdue" in body_of(client, PAGE, late.pk)


@pytest.mark.parametrize(
    ("moment", "tone"), [("2026-11-26T12:00", ""), ("2026-12-01T23:59", "soon"), ("2026-12-02T00:01", "bad")]
)
def test_the_badge_names_the_last_day_and_not_the_midnight_after_it(moment, tone):
    request = SubjectRequest(state=State.OPEN, due_on=date(2026, 12, 1))
    now = timezone.make_aware(datetime.fromisoformat(moment))
    with translation.override("ru"):
        found = due_of(request, now)
    assert found[0] == tone and (tone or found[1] == "01.12.2026")


def test_the_list_costs_the_same_for_one_and_for_many(client, clerk, django_assert_max_num_queries):
    in_work()
    body_of(client, LIST)
    for _ in range(8):
        in_work()
    with django_assert_max_num_queries(20):
        body_of(client, LIST)


def test_an_empty_list_says_what_it_is_for(client, clerk):
    assert "enter what came on paper" in body_of(client, LIST)


# The page of a request


def test_the_page_says_everything_but_the_text(client, clerk):
    subject = person(email=EMAIL, now=timezone.now() - DAY)
    request = in_work(subject, Kind.ACCESS)
    body = body_of(client, PAGE, request.pk)
    for words in (
        request.number,
        subject.reference,
        "A•••@example.kz",
        "in work",
        "identity confirmed",
        "Show the text",
    ):
        assert words in body
    assert request.explained("en") in body.replace("&#x27;", "'")
    assert ASKED not in body and EMAIL not in body


def test_opening_the_page_is_not_recorded_and_opens_nothing(client, clerk):
    request = in_work()
    before = AuditEntry.objects.count()
    body_of(client, PAGE, request.pk)
    assert AuditEntry.objects.count() == before


def test_the_text_opens_with_the_number_as_the_reason(client, clerk):
    request = in_work()
    form = body_of(client, "request_text", request.pk)
    assert f'value="{request.number}"' in form and ASKED not in form
    assert ASKED in do(client, "text", request, usual="request", reason=request.number).content.decode()
    entry = AuditEntry.objects.get(operation="reveal")
    assert entry.reason == f"To answer a request: {request.number}" and entry.object_id == request.text_id


def test_a_number_that_looks_like_a_telephone_s_is_left_out_of_the_reason():
    request = SubjectRequest(pk=12, number="RQ-2345-6789")
    assert reason_for(request) == "№ 12"
    request.number = "RQ-7K3F-9Q2M"
    assert reason_for(request) == request.number


def test_a_scan_is_taken_away_as_a_file(client, clerk):
    request = received(channel=Channel.DESK, scan=PNG, by=clerk)
    answered = do(client, "scan", request, usual="request")
    assert answered.content == PNG and answered["Content-Disposition"].startswith("attachment")
    assert AuditEntry.objects.filter(operation="reveal").count() == 1


def test_a_text_that_a_purge_took_is_said_to_be_destroyed(client, clerk):
    request = received()
    handling.close_as_spam(request, by=clerk, reason="nonsense", now=timezone.now())
    purging.purge(timezone.now())
    assert "destroyed" in body_of(client, PAGE, request.pk)
    assert client.get(address("request_text", request.pk)).status_code == 404


def test_the_auditor_sees_the_page_and_no_act_and_no_text(client):
    request = in_work()
    come_in(client, member("looker", roles.AUDITOR))
    body = body_of(client, PAGE, request.pk)
    assert "/answer/" not in body and "/take/" not in body and "/text/" not in body and "under seal" in body


# Acts


def offered(client, request):
    body = body_of(client, PAGE, request.pk)
    names = ["answer", "take", "check", "ask", "kind", "extend", "doubt", "contact", "copy", "join", "spam"]
    return {name for name in names if f"/{request.pk}/{name}/" in body}


def test_what_is_offered_fits_the_state(client, clerk):
    waits = received(channel=Channel.MAIL)
    assert offered(client, waits) == {"answer", "take", "check", "ask", "kind", "extend", "doubt", "spam"}
    works = in_work(kind=Kind.ACCESS)
    assert offered(client, works) == {"answer", "take", "kind", "extend", "doubt", "copy", "spam"}
    verifying.doubt(works, by=clerk, reason="strange", now=timezone.now())
    assert offered(client, works) == {"answer", "take", "check", "kind", "spam"}
    handling.close_as_spam(works, by=clerk, reason="nonsense", now=timezone.now())
    assert offered(client, works) == set()


def test_take(client, clerk):
    request = in_work()
    assert do(client, "take", request).status_code == 302
    assert again(request).assignee == clerk


def test_a_kind_that_ends_something_is_said_to_wait_for_the_person_before_and_after(client, clerk):
    request = in_work()
    assert offered(client, request) & {"check", "ask"} == set()
    assert "wait until they confirm this too" in body_of(client, "request_kind", request.pk)
    done = client.post(address("request_kind", request.pk), {"kind": "erasure"}, follow=True).content.decode()
    assert "carried out when the person has confirmed this" in done and "confirmed another kind of request" in done
    assert offered(client, request) >= {"check", "ask"}
    body = body_of(client, "request_answer", request.pk)
    assert "confirmed another kind of request" in body and "?outcome=granted" not in body
    do(client, "check", request, checks=["document"])
    assert offered(client, request) & {"check", "ask"} == set()


def test_a_kind_that_ends_nothing_is_corrected_without_a_word(client, clerk):
    request = in_work()
    done = client.post(address("request_kind", request.pk), {"kind": "access"}, follow=True).content.decode()
    assert "confirmed another kind of request" not in done and "Done and recorded" in done


def test_an_extension_names_its_ground_and_shows_it(client, clerk):
    request = in_work()
    ground = LegalGround.objects.exclude(pk=request.deadline.ground_id).first()
    do(client, "extend", request, days=2, reason="many papers", ground=ground.pk)
    body = body_of(client, PAGE, request.pk)
    assert f"many papers; {letters.cited(ground)}" in html.unescape(body)
    assert do(client, "extend", request, days=2, reason="x" * 241, ground=ground.pk).status_code == 200
    assert again(request).extra_days == 2


def test_what_is_late_is_extended_by_nobody(client, clerk):
    request = in_work()
    SubjectRequest.objects.filter(pk=request.pk).update(due_on=timezone.localdate() - DAY)
    assert "extend" not in offered(client, request)


def test_a_request_that_was_late_before_its_pause_is_overdue_in_the_list(client, clerk):
    request = in_work(received_at=timezone.now() - 30 * DAY)
    verifying.doubt(request, by=clerk, reason="strange", now=timezone.now())
    assert listed(client, "?show=overdue") == {request.number}
    assert "overdue" in body_of(client, PAGE, request.pk)


def test_an_erasure_is_offered_no_question_to_be_joined_to(client, clerk):
    question = in_work()
    erasure = in_work(question.subject, Kind.ERASURE)
    assert "join" not in offered(client, erasure) and "join" in offered(client, question)
    do(client, "join", erasure, other=question.pk)
    assert again(erasure).state == State.OPEN


def test_correct_the_kind(client, clerk):
    request = received()
    do(client, "kind", request, kind="erasure")
    assert again(request).kind == "erasure"
    assert "another question → destruction" in body_of(client, PAGE, request.pk)


def test_check_identity_wants_enough(client, clerk):
    request = received(channel=Channel.DESK, by=clerk)
    refused = do(client, "check", request, checks=["contact"])
    assert "not enough to know who asks" in refused.content.decode() and again(request).state == State.UNVERIFIED
    do(client, "check", request, checks=["document"])
    assert again(request).state == State.OPEN
    assert "An identity document was shown" in body_of(client, PAGE, request.pk)


def test_checking_the_second_of_two_joins_it_and_says_so(client, clerk):
    first = in_work(kind=Kind.ACCESS)
    second = received(first.subject, Kind.ACCESS, channel=Channel.DESK, by=clerk)
    answered = client.post(address("request_check", second.pk), {"checks": ["document"]}, follow=True)
    assert again(second).joined_to == first and "was joined to it" in answered.content.decode()


def test_the_person_is_asked_at_the_contact_of_the_request(client, clerk):
    request = received(channel=Channel.MAIL)
    do(client, "ask", request)
    letter = OutgoingMessage.objects.get(letter="request", about_id=request.pk)
    assert letter.datum_id == request.contact_id
    assert AuditEntry.objects.filter(actor=clerk, object_id=request.pk, reason="asked to confirm").count() == 1


def test_a_request_without_a_contact_can_t_be_asked_about(client, clerk):
    request = received(channel=Channel.DESK, has_contact=False, by=clerk)
    assert "ask" not in offered(client, request)
    assert "no contact that could be asked" in do(client, "ask", request).content.decode()


def test_doubt_extend_join_and_spam_do_what_they_say(client, clerk):
    first, second = in_work(), in_work(kind=Kind.ACCESS)
    due = first.due_on
    do(client, "extend", first, days=2, reason="many papers", ground=LegalGround.objects.first().pk)
    assert again(first).extra_days == 2 and again(first).due_on > due
    do(client, "doubt", first, reason="another signature")
    assert again(first).state == State.PAUSED
    third = received(second.subject, Kind.OTHER)
    do(client, "join", third, other=second.pk)
    assert again(third).joined_to == second
    do(client, "spam", second, reason="advertising")
    assert again(second).state == State.SPAM


@pytest.mark.parametrize("name", ["doubt", "extend", "spam"])
@pytest.mark.parametrize("reason", ["", "write to hen@example.kz"])
def test_a_reason_is_given_and_quotes_nothing(client, clerk, name, reason):
    request = in_work()
    ground = LegalGround.objects.first().pk
    assert do(client, name, request, reason=reason, days=1, ground=ground).status_code == 200
    assert again(request).state == State.OPEN and again(request).extra_days == 0


def test_a_request_of_somebody_else_is_never_joined_to(client, clerk):
    mine, foreign = in_work(), in_work()
    assert do(client, "join", mine, other=foreign.pk).status_code == 200
    assert again(mine).state == State.OPEN


def test_a_second_window_is_told_that_somebody_was_faster(client, clerk):
    request = in_work()
    do(client, "spam", request, reason="advertising")
    assert "Somebody was faster" in do(client, "take", request).content.decode()


def test_the_copy_is_asked_for_and_its_state_shown(client, clerk):
    request = in_work(kind=Kind.ACCESS)
    do(client, "copy", request)
    assert CopyPackage.objects.get(request=request).asked_by == clerk
    assert "being built" in body_of(client, PAGE, request.pk) and "copy" not in offered(client, request)


# Who may


ACTS = {
    "take": {}, "kind": {"kind": "erasure"}, "check": {"checks": ["document"]}, "ask": {}, "doubt": {"reason": "strange"},
    "extend": {"days": 1, "reason": "slow"}, "join": {}, "hand_over": {}, "spam": {"reason": "spam"}, "copy": {},
    "answer": {"kind": "access", "text": ANSWER},
}  # fmt: skip


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("who", ["auditor", "outsider", "unappointed"])
def test_an_outsider_s_act_is_refused_and_recorded(client, name, who):
    request = in_work(kind=Kind.ACCESS)
    somebody = {
        "auditor": lambda: member("looker", roles.AUDITOR),
        "outsider": lambda: member("outsider"),
        "unappointed": lambda: staff("stranger", appointed=False),
    }[who]()
    come_in(client, somebody)
    assert do(client, name, request, **ACTS[name]).status_code == 403
    assert client.get(address(f"request_{name}", request.pk)).status_code == 403
    assert AuditEntry.objects.filter(operation="refused", actor=somebody).count() == 2
    same = again(request)
    assert (same.state, same.kind, same.assignee, same.extra_days) == (State.OPEN, "access", None, 0)


@pytest.mark.parametrize("code", roles.MATRIX)
def test_the_text_appears_only_for_who_may_reveal(client, code):
    request = in_work()
    come_in(client, member("somebody", code))
    answered = do(client, "text", request, usual="request")
    may = code in {roles.OPERATOR, roles.OFFICER}
    assert (ASKED in answered.content.decode()) is may
    pages = [client.get(address(name, *rest)) for name, *rest in [(LIST,), (PAGE, request.pk)]]
    assert not any(ASKED in page.content.decode() for page in pages)


# Answering


@pytest.fixture
def template(db):
    texts = {f"text_{code}": f"{code}: {{number}}" for code in ("kk", "ru", "en")}
    titles = {f"title_{code}": "hens" for code in ("kk", "ru", "en")}
    for name in ("other-granted", "request-refused"):
        ReplyTemplate.objects.update_or_create(code=name, defaults=texts | titles | {"text_ru": f"{name}: {{number}}"})


def test_the_draft_is_in_the_person_s_language_and_follows_the_outcome(client, clerk, template):
    request = in_work()
    granted = body_of(client, "request_answer", request.pk)
    assert f"other-granted: {request.number}" in granted and 'lang="ru"' in granted
    refused = body_of(client, "request_answer", request.pk, query="?outcome=refused")
    assert f"request-refused: {request.number}" in refused and 'name="ground"' in refused


def test_a_letter_with_something_left_open_is_not_sent(client, clerk):
    request = in_work()
    refused = answer(client, request, text="We keep: [write what]")
    assert "square brackets" in refused.content.decode() and again(request).state == State.OPEN


def test_an_answer_goes_to_the_contact_and_stands_nowhere_readable(client, clerk):
    request = in_work()
    answered = answer(client, request)
    assert answered.status_code == 302 and again(request).state == State.ANSWERED
    letter = OutgoingMessage.objects.get(letter="request_answer")
    assert letter.datum_id == request.contact_id and papers.read(again(request).answer_id) == ANSWER
    body = body_of(client, PAGE, request.pk)
    assert ANSWER not in body and "in time" in body


def test_a_refusal_names_its_ground(client, clerk):
    request = in_work(kind=Kind.ERASURE)
    assert answer(client, request, "refused").status_code == 200 and again(request).state == State.OPEN
    answer(client, request, "refused", ground=LegalGround.objects.first().pk)
    assert again(request).outcome == "refused" and not ErasureCertificate.objects.exists()


def test_only_a_refusal_is_offered_while_nobody_knows_who_asks(client, clerk):
    request = received(channel=Channel.MAIL)
    body = body_of(client, "request_answer", request.pk)
    assert "?outcome=refused" in body and "?outcome=granted" not in body
    assert answer(client, request).status_code == 200 and again(request).state == State.UNVERIFIED
    answer(client, request, "refused", ground=LegalGround.objects.first().pk)
    assert again(request).state == State.ANSWERED


def test_a_value_is_chosen_by_its_hint_and_corrected(client, clerk):
    subject = person(email=EMAIL, phone=PHONE, now=timezone.now() - DAY)
    request = in_work(subject, Kind.RECTIFICATION)
    number = subject.data.live().get(category__code="phone")
    form = body_of(client, "request_answer", request.pk)
    assert "+7 701 •••-••-34" in form and "77015551234" not in form
    wrong = answer(client, request, datum=number.pk, value="no number")
    assert wrong.status_code == 200 and again(request).state == State.OPEN
    answer(client, request, datum=number.pk, value="8 701 555 00 99")
    number.refresh_from_db()
    assert again(request).state == State.ANSWERED and number.superseded_at is not None


def test_somebody_else_s_value_can_t_be_chosen(client, clerk):
    request, foreign = in_work(kind=Kind.RECTIFICATION), person().data.get()
    assert answer(client, request, datum=foreign.pk, value="new@example.kz").status_code == 200
    assert again(request).state == State.OPEN


def test_blocking_and_unblocking(client, clerk):
    subject = person(now=timezone.now() - DAY)
    answer(client, in_work(subject, Kind.BLOCKING))
    assert DataSubject.objects.get(pk=subject.pk).status == "blocked"
    answer(client, in_work(subject, Kind.UNBLOCKING))
    assert DataSubject.objects.get(pk=subject.pk).status == "active"


def test_an_act_that_can_t_be_carried_out_says_why_and_changes_nothing(client, clerk):
    request = in_work(kind=Kind.UNBLOCKING)
    assert "is another one meanwhile" in answer(client, request).content.decode()
    assert again(request).state == State.OPEN and not OutgoingMessage.objects.filter(letter="request_answer").exists()


def test_what_is_so_already_is_granted_and_the_page_says_that_nothing_is_done(client, clerk):
    subject = person(now=timezone.now() - DAY)
    block(subject)
    request = in_work(subject, Kind.BLOCKING)
    body = body_of(client, "request_answer", request.pk)
    assert "is blocked already" in body and "Block and answer" not in body and "уже заблокированы" in body
    assert answer(client, request, was_so="blocked").status_code == 302
    assert again(request).outcome == "granted"
    assert "done; it was blocked already" in body_of(client, PAGE, request.pk)


def test_what_is_so_no_longer_is_shown_anew_and_not_done_unseen(client, clerk):
    subject = person(now=timezone.now() - DAY)
    request = in_work(subject, Kind.BLOCKING)
    stale = answer(client, request, was_so="blocked").content.decode()
    assert "is another one meanwhile" in stale and again(request).state == State.OPEN
    assert DataSubject.objects.get(pk=subject.pk).status == "active"


def test_a_second_erasure_needs_no_ground_and_no_second_factor(client, officer):
    subject = person(now=timezone.now() - DAY)
    request = in_work(subject, Kind.ERASURE)
    hold(subject)
    demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=officer, now=timezone.now())
    come_in(client, officer)
    StaffSession.objects.update(verified_at=timezone.now() - timedelta(hours=1))
    body = body_of(client, "request_answer", request.pk)
    assert "is destroyed, or is being so" in body and 'name="ground"' not in body
    assert answer(client, request, was_so="erased").status_code == 302
    assert again(request).outcome == "granted" and ErasureCertificate.objects.count() == 1


def test_a_demand_says_which_requests_wait(client, officer):
    request = in_work()
    come_in(client, officer)
    body = body_of(client, "demand_erasure", request.subject_id)
    assert "still waits, and is answered as usual" in body and request.number in body
    assert "•••@example.kz" not in body  # the contact does not go at once
    client.post(address("demand_erasure", request.subject_id), {"ground": LegalGround.objects.first().pk, "reason": "x"})
    act = body_of(client, "registry_erasurecertificate_change", ErasureCertificate.objects.get().pk)
    with translation.override("kk"):
        told = translation.gettext("Kept until what this person has asked is answered, and destroyed then: %(n)s.")
    assert told % {"n": 2} in act and request.number not in act


def test_a_copy_is_built_before_it_is_promised(client, clerk):
    request = in_work(kind=Kind.ACCESS)
    assert "Build the copy first" in body_of(client, "request_answer", request.pk)
    assert answer(client, request).status_code == 200 and again(request).state == State.OPEN


def test_an_erasure_shows_what_goes_and_what_stays_and_is_the_officer_s(client, clerk, officer):
    subject = person(email=EMAIL, phone=PHONE, now=timezone.now() - DAY)
    hold(subject, datum=subject.data.get(category__code="phone"))
    request = in_work(subject, Kind.ERASURE)
    ground = LegalGround.objects.first().pk
    assert "?outcome=granted" not in body_of(client, "request_answer", request.pk)
    assert answer(client, request, ground=ground).status_code == 403
    assert AuditEntry.objects.filter(operation="refused", actor=clerk).count() == 1
    come_in(client, officer)
    body = body_of(client, "request_answer", request.pk)
    goes, _, stays = body.partition("This stays for now")
    assert "A•••@example.kz" in goes and "+7 701 •••-••-34" in stays
    answer(client, request, ground=ground, is_remembered="on")
    certificate = ErasureCertificate.objects.get()
    assert again(request).certificate == certificate and certificate.is_remembered
    assert certificate.spared == sorted([request.contact_id, again(request).answer_id])


def test_destroying_wants_a_fresh_second_factor(client, officer):
    request = in_work(kind=Kind.ERASURE)
    come_in(client, officer)
    StaffSession.objects.update(verified_at=timezone.now() - timedelta(hours=1))
    for answered in (client.get(address("request_answer", request.pk)), answer(client, request)):
        assert answered.status_code == 302 and "/step-up/" in answered.url.replace("again", "step-up")
    assert again(request).state == State.OPEN and not ErasureCertificate.objects.exists()


def test_a_kind_corrected_in_another_window_is_not_carried_out_unseen(client, officer):
    request = in_work()
    come_in(client, officer)
    handling.correct_kind(request, Kind.BLOCKING, by=officer, now=timezone.now())
    stale = client.post(address("request_answer", request.pk, query="?outcome=granted"), {"kind": "other", "text": "x"})
    assert "corrected meanwhile" in stale.content.decode()
    assert DataSubject.objects.get(pk=request.subject_id).status == "active"


def test_a_finished_request_leads_back_to_its_page(client, clerk):
    request = in_work()
    answer(client, request)
    assert client.get(address("request_answer", request.pk)).status_code == 302


# The letter


def test_who_has_no_contact_gets_the_letter_on_paper_at_once(client, clerk):
    request = received(channel=Channel.DESK, has_contact=False, by=clerk)
    verifying.check(request, ["document"], by=clerk, now=timezone.now())
    shown = answer(client, again(request)).content.decode()
    assert ANSWER in shown and request.number in shown and 'lang="ru"' in shown
    assert not OutgoingMessage.objects.filter(letter="request_answer").exists()


def test_a_refusal_on_paper_names_act_and_article_and_where_to_complain(client, clerk):
    request = received(channel=Channel.DESK, has_contact=False, by=clerk)
    ground = LegalGround.objects.exclude(article="").first()
    shown = html.unescape(answer(client, request, "refused", ground=ground.pk).content.decode())
    assert ground.act_ru in shown and ground.article in shown and "Правовое основание отказа" in shown
    later = html.unescape(do(client, "letter", again(request), usual="request").content.decode())
    assert ground.act_ru in later and ground.article in later


# The copy at the desk


@pytest.fixture
def _home(settings, tmp_path):
    settings.HOME = tmp_path


def with_a_copy(clerk, *, subject=None, contact=None, has_contact=False, is_answered=True):
    request = received(subject, Kind.ACCESS, channel=Channel.DESK, has_contact=has_contact, by=clerk)
    if contact:
        SubjectRequest.objects.filter(pk=request.pk).update(contact_id=contact.pk)
    verifying.check(request, ["document"], by=clerk, now=timezone.now())
    copying.ask(request, by=clerk, now=timezone.now())
    assert copying.build_waiting(clock=timezone.now) == 1
    if is_answered:
        answering.answer(request, "granted", ANSWER, by=clerk, now=timezone.now())
    return again(request)


def given(client, request):
    answered = client.post(address("request_hand_over", request.pk))
    return b"".join(answered.streaming_content) if answered.streaming else b""


@pytest.mark.usefixtures("_home")
def test_who_has_no_contact_gets_the_copy_at_the_desk_once(client, clerk):
    request = with_a_copy(clerk)
    assert "/hand-over/" in body_of(client, PAGE, request.pk)
    assert "It is given once" in body_of(client, "request_hand_over", request.pk)
    file = given(client, request)
    assert ASKED in zipped(file) and CopyPackage.objects.get().state == "taken"
    entry = AuditEntry.objects.get(operation="export", actor=clerk)
    assert (entry.reason, entry.subject_id) == ("copy handed over", request.subject_id)
    assert given(client, request) == b"" and "/hand-over/" not in body_of(client, PAGE, request.pk)


def zipped(file):
    with zipfile.ZipFile(io.BytesIO(file)) as opened:
        return "".join(opened.read(name).decode(errors="replace") for name in opened.namelist())


@pytest.mark.usefixtures("_home")
def test_whom_a_letter_reaches_fetches_the_copy_alone(client, clerk):
    request = with_a_copy(clerk, has_contact=True)
    assert "/hand-over/" not in body_of(client, PAGE, request.pk) and given(client, request) == b""
    with pytest.raises(ValidationError):
        copying.take(request, by=clerk, now=timezone.now())
    assert CopyPackage.objects.get().state == "ready"


@pytest.mark.usefixtures("_home")
@pytest.mark.parametrize("backend", ["", "config.sms_folder.send"])
def test_a_number_reaches_nobody_where_no_messages_go(client, clerk, settings, backend):
    settings.SMS_BACKEND = backend
    subject = person(phone=PHONE, now=timezone.now() - DAY)
    request = with_a_copy(clerk, subject=subject, contact=subject.data.get(category__code="phone"))
    assert ("/hand-over/" in body_of(client, PAGE, request.pk)) is not bool(backend)
    assert bool(given(client, request)) is not bool(backend)


@pytest.mark.usefixtures("_home")
def test_before_the_answer_or_to_somebody_not_seen_nothing_is_handed_over(client, clerk):
    request = with_a_copy(clerk, is_answered=False)
    assert given(client, request) == b""
    answering.answer(request, "granted", ANSWER, by=clerk, now=timezone.now())
    CopyPackage.objects.update(expires_at=timezone.now())
    assert given(client, request) == b"" and CopyPackage.objects.get().state == "ready"


@pytest.mark.usefixtures("_home")
def test_to_whom_nobody_has_seen_nothing_is_handed_over(client, clerk):
    request = in_work(kind=Kind.ACCESS)  # by the link in a letter
    SubjectRequest.objects.filter(pk=request.pk).update(contact_id=None)
    copying.ask(request, by=clerk, now=timezone.now())
    assert copying.build_waiting(clock=timezone.now) == 1
    answering.answer(request, "granted", ANSWER, by=clerk, now=timezone.now())
    assert "/hand-over/" not in body_of(client, PAGE, request.pk) and given(client, request) == b""


@pytest.mark.usefixtures("_home")
def test_handing_over_is_a_right_of_its_own_and_wants_an_appointment(client, clerk):
    request, outsider = with_a_copy(clerk), member("handler")
    for code in ("handle_subjectrequest", "view_subjectrequest", "view_datasubject"):
        outsider.user_permissions.add(Permission.objects.get(codename=code))
    outsider = StaffMember.objects.get(pk=outsider.pk)
    with pytest.raises(PermissionDenied):
        copying.take(request, by=outsider, now=timezone.now())
    unappointed = staff("stranger", appointed=False)
    with pytest.raises(PermissionDenied):
        copying.take(request, by=unappointed, now=timezone.now())
    come_in(client, outsider)
    assert "/hand-over/" not in body_of(client, PAGE, request.pk)
    assert client.get(address("request_hand_over", request.pk)).status_code == 403
    assert client.post(address("request_hand_over", request.pk)).status_code == 403
    assert AuditEntry.objects.filter(operation="refused", reason=copying.HAND_OVER).count() == 4
    assert CopyPackage.objects.get().state == "ready"


@pytest.mark.usefixtures("_home")
def test_handing_over_wants_a_fresh_second_factor(client, clerk):
    request = with_a_copy(clerk)
    StaffSession.objects.update(verified_at=timezone.now() - timedelta(hours=1))
    for answered in (
        client.get(address("request_hand_over", request.pk)), client.post(address("request_hand_over", request.pk)),
    ):  # fmt: skip
        assert answered.status_code == 302 and "/step-up/" in answered.url.replace("again", "step-up")
    assert CopyPackage.objects.get().state == "ready"


@pytest.mark.usefixtures("_home")
def test_the_answer_to_who_has_no_contact_says_that_the_copy_is_handed_over(client, clerk):
    request = with_a_copy(clerk, is_answered=False)
    assert "handed over at the desk" in body_of(client, "request_answer", request.pk)


def test_the_letter_opens_through_the_one_door_and_prints_in_the_person_s_language(client, clerk):
    request = in_work()
    answer(client, request)
    assert ANSWER not in body_of(client, "request_letter", request.pk)
    shown = do(client, "letter", request, usual="request").content.decode()
    assert ANSWER in shown and "БИН" in shown
    assert AuditEntry.objects.get(operation="reveal").object_id == again(request).answer_id


# The desk


def fields(**others):
    moment = timezone.localtime(timezone.now() - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M")
    return {"kind": "access", "received_at": moment, "language": "kk", "text": ASKED} | others


def entered(client, subject, **others):
    return client.post(address("request_enter_for", subject.pk), fields(**others))


def test_the_desk_finds_the_person_and_keeps_nothing_of_the_term(client, clerk):
    subject = person(email=EMAIL, now=timezone.now() - DAY)
    found = client.post(address("request_enter"), {"term": EMAIL.lower()})
    assert found.status_code == 302 and found.url == address("request_enter_for", subject.pk)
    nobody = client.post(address("request_enter"), {"term": "nobody@example.kz"}).content.decode()
    assert "Nobody was found" in nobody and "nobody@example.kz" not in nobody
    assert AuditEntry.objects.filter(operation="search", actor=clerk).count() == 2


def test_the_person_s_page_leads_to_the_desk_for_who_may(client, clerk):
    subject = person(now=timezone.now() - DAY)
    link = address("request_enter_for", subject.pk)
    assert link in body_of(client, "registry_datasubject_change", subject.pk)
    come_in(client, member("looker", roles.AUDITOR))
    assert link not in body_of(client, "registry_datasubject_change", subject.pk)


def test_a_paper_is_entered_with_its_scan_and_waits(client, clerk):
    subject = person(now=timezone.now() - DAY)
    contact = subject.data.get()
    entered(client, subject, contact=contact.pk, scan=SimpleUploadedFile("hen.png", PNG, "image/png"))
    request = SubjectRequest.objects.get()
    assert (request.channel, request.state, request.entered_by) == ("desk", State.UNVERIFIED, clerk)
    assert papers.read(request.text_id) == ASKED and request.contact_id == contact.pk and request.scan_id


def test_the_same_asked_again_at_the_desk_keeps_the_later_paper(client, clerk):
    subject = person(now=timezone.now() - DAY)
    for picture in (PNG, PNG + b"s"):
        entered(client, subject, scan=SimpleUploadedFile("hen.png", picture, "image/png"))
    request = SubjectRequest.objects.get()
    assert papers.read(request.scan_id) == scans.to_text(PNG + b"s")
    assert subject.data.filter(category__code=papers.SCAN, superseded_at=None).count() == 1


def test_with_the_checklist_ticked_it_is_in_work_at_once(client, clerk):
    entered(client, person(now=timezone.now() - DAY), checks=["document"])
    request = SubjectRequest.objects.get()
    assert (request.state, request.identity) == (State.OPEN, "checklist")


def test_a_checklist_that_is_not_enough_enters_nothing(client, clerk):
    answered = entered(client, person(now=timezone.now() - DAY), checks=["contact"])
    assert "not enough" in answered.content.decode() and not SubjectRequest.objects.exists()


def test_a_moment_to_come_and_one_long_ago_are_refused_and_the_term_runs_from_the_receipt(client, clerk):
    subject, now = person(now=timezone.now() - DAY), timezone.localtime()
    for moment in (now + timedelta(minutes=5), now - 400 * DAY):
        entered(client, subject, received_at=moment.strftime("%Y-%m-%dT%H:%M"))
    assert not SubjectRequest.objects.exists()
    entered(client, subject, received_at=(now - 20 * DAY).strftime("%Y-%m-%dT%H:%M"))
    assert timezone.localdate(SubjectRequest.objects.get().received_at) == (now - 20 * DAY).date()
    assert SubjectRequest.objects.get().due_on < now.date()


def test_a_scan_of_another_kind_is_refused(client, clerk):
    answered = entered(client, person(), scan=SimpleUploadedFile("hen.exe", b"MZ", "image/png"))
    assert "Attach the scan" in answered.content.decode() and not SubjectRequest.objects.exists()


def test_somebody_new_is_a_claim_and_can_be_asked(client, clerk):
    client.post(address("request_enter_new"), fields(contact="8 701 555 77 88"))
    request = SubjectRequest.objects.get()
    assert request.subject.status == "pending" and "check" not in offered(client, request)
    assert PersonalDatum.objects.get(pk=request.contact_id).standing == "claimed"
    do(client, "ask", request)
    assert OutgoingMessage.objects.get(letter="request").datum_id == request.contact_id


def test_a_contact_somebody_has_confirmed_is_not_somebody_new(client, clerk):
    person(email=EMAIL, now=timezone.now() - DAY)
    answered = client.post(address("request_enter_new"), fields(contact=EMAIL))
    assert "find them" in answered.content.decode() and not SubjectRequest.objects.exists()
    assert AuditEntry.objects.filter(operation="search", actor=clerk).count() == 1


@pytest.mark.parametrize(("kind", "contact"), [("phone", "8 701 555 77 88"), ("email", "hen@example.kz")])
def test_a_contact_that_answering_needs_no_more_is_refused_at_the_desk(client, clerk, kind, contact):
    papers.purpose().categories.remove(*papers.purpose().categories.filter(kind=kind))
    answered = client.post(address("request_enter_new"), fields(contact=contact))
    assert answered.status_code == 200 and "ask for another one" in answered.content.decode()
    assert not SubjectRequest.objects.exists()


def test_a_contact_that_is_none_is_refused(client, clerk):
    answered = client.post(address("request_enter_new"), fields(contact="hen"))
    assert answered.status_code == 200 and not SubjectRequest.objects.exists()


def test_who_asks_too_often_is_told_at_the_desk_too(client, clerk):
    subject = person(now=timezone.now() - DAY)
    for kind in list(Kind)[: opening.PER_DAY]:
        received(subject, kind)
    answered = entered(client, subject, kind=list(Kind)[opening.PER_DAY])
    assert "several requests today" in answered.content.decode()
    assert SubjectRequest.objects.count() == opening.PER_DAY


@pytest.mark.parametrize("name", ["request_enter", "request_enter_new", "request_enter_for"])
def test_only_who_handles_requests_enters_them(client, name):
    subject = person(now=timezone.now() - DAY)
    auditor = member("looker", roles.AUDITOR)
    come_in(client, auditor)
    arguments = [subject.pk] if name == "request_enter_for" else []
    assert client.post(address(name, *arguments), fields(term=EMAIL, contact=EMAIL)).status_code == 403
    assert AuditEntry.objects.filter(operation="refused", actor=auditor).count() == 1
    assert not SubjectRequest.objects.exists()


def test_an_erased_person_has_no_form_at_the_desk(client, clerk):
    subject = person(now=timezone.now() - DAY)
    DataSubject.objects.filter(pk=subject.pk).update(status="erased")
    assert client.get(address("request_enter_for", subject.pk)).status_code == 404


def test_a_blocked_person_may_ask_at_the_desk(client, clerk):
    subject = person(now=timezone.now() - DAY)
    block(subject)
    entered(client, subject, kind="unblocking", checks=["document"])
    assert SubjectRequest.objects.get().state == State.OPEN


def test_the_texts_typed_at_the_desk_are_in_no_address_and_no_message(client, clerk):
    answered = client.post(address("request_enter_for", person(now=timezone.now() - DAY).pk), fields(), follow=True)
    assert ASKED not in answered.content.decode() and "hens" not in str(answered.redirect_chain)
    assert papers.read(SubjectRequest.objects.get().text_id) == ASKED


def test_a_mail_from_an_unknown_address_is_the_clerk_s_decision(client, clerk):
    accepted = accept({"email": "stranger@example.kz"}, [papers.purpose()])
    claimant = register(accepted, claim="email", language="kk", now=timezone.now())
    request = received(claimant, Kind.ERASURE, channel=Channel.MAIL)
    assert not OutgoingMessage.objects.exists() and "check" not in offered(client, request)
    do(client, "ask", request)
    assert OutgoingMessage.objects.get().datum_id == request.contact_id
    refused = do(client, "check", request, checks=["document"])
    assert "no record to compare with" in refused.content.decode()
