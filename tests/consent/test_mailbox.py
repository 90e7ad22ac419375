"""The contact mailbox: what a message becomes. The server is a real one.

Broken and seen to fail: the question to an address nobody has confirmed, automatic replies and our own letters, another
person's request, a finished one, the answer to our letter, a made-up token, the month of ignored messages, `imaps` alone,
right and appointment to settle, the seal and the term of a message, forgetting those of closed requests, both triggers, the
store of own traces; the days of filed and of unsubscribed messages, what was destroyed here left there, when a message left
and came back, one above the day's number ignored, the messages of a claimant, and the end they had, left behind.
"""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from consent import links, mailbox
from consent.mailbox import originals
from consent.models import MailboxState, ReceivedMail
from registry import mail, purging, traces
from registry.models import AuditEntry, DataSubject, OutgoingMessage, PersonalDatum, SubjectRequest
from registry.normalise import normalise
from registry.processing import may_process, refresh_due
from registry.registration import record_datum
from registry.requests import handling, papers, verifying
from tests.consent.pages import deliver
from tests.factories import DAY, EMAIL, block, enter, person, purpose, staff
from tests.mail_servers import CANARY, ERASE, Mailbox, configuration, imap_server, letter

Kind, State = SubjectRequest.Kind, SubjectRequest.State
Mail, Why = ReceivedMail.State, ReceivedMail.Why


# --- the server of these tests ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("version", "is_old"),
    [("2.3.19.1 (9b53102964)", True), ("2.3.21 (47349e2482)", True), ("2.4.1-4 (7d8c0e5759)", False), ("2.10.0", False)],
)
def test_the_server_gets_the_configuration_of_its_version(version, is_old):
    """Debian 12 has 2.3; 2.4, in Debian 13, takes none of the old names and wants its version before all else."""
    told = configuration(version)
    first = next(line for line in told.splitlines() if line)
    assert first.startswith("dovecot_config_version") is not is_old
    for name in ("mail_location", "ssl_cert ", "ssl_key ", "args ", "driver = static", "%u"):
        assert (name in told) is is_old, name


# --- filing -----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def server():
    with imap_server() as running:
        yield running


@pytest.fixture
def box(db, server, settings, monkeypatch, request):
    """An empty mailbox that the product reads."""
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    found = Mailbox(server, f"box{abs(hash(request.node.name))}")
    settings.MAILBOX_URL, settings.EMAIL_BACKEND = found.url, "config.mail_folder.EmailBackend"
    return found


def outcome():
    return list(ReceivedMail.objects.order_by("pk").values_list("state", "why"))


def asked():
    return SubjectRequest.objects.order_by("-pk").first()


def test_a_letter_opens_a_request_and_the_question_goes_to_the_address_on_record(box, now):
    subject = person(email=EMAIL, now=now)
    box.put(letter(subject="Hens"), at=now - DAY)
    assert mailbox.read(now) == "1 filed" and box.flags() == [{r"\Seen"}]
    request = asked()
    assert (request.subject, request.kind, request.channel, request.state) == (subject, "erasure", "mail", "unverified")
    assert (request.language, request.received_at) == ("ru", now - DAY)
    assert request.contact_id == subject.data.live().contacts().get().pk
    assert papers.read(request.text_id) == f"Hens\n\n{ERASE}. {CANARY}"
    [question] = [one for one in deliver(now) if "/request/confirm/" in one.text]
    assert question.to == EMAIL and ERASE not in question.text


def test_the_message_lies_under_seal_for_its_own_term_and_its_row_holds_numbers(box, now):
    person(email=EMAIL, now=now)
    box.put(letter(subject=CANARY))
    mailbox.read(now)
    row = ReceivedMail.objects.get()
    kept = originals.read(papers.read(row.datum_id))
    assert (kept.sender, kept.subject, CANARY in kept.text) == (EMAIL, CANARY, True)
    assert now + 170 * DAY < PersonalDatum.objects.get(pk=row.datum_id).term.until < now + 190 * DAY
    told = str([*ReceivedMail.objects.values_list(), *MailboxState.objects.values_list()])
    assert CANARY not in told and "canary" not in told.lower() and "example.kz" not in told


def test_an_unknown_address_opens_a_request_and_gets_nothing(box, now):
    box.put(letter(sender="Stranger <stranger.canary@example.kz>", Reply_To="forger@example.org"))
    mailbox.read(now)
    request = asked()
    assert request.subject.status == DataSubject.Status.PENDING and request.state == State.UNVERIFIED
    assert papers.read(request.contact_id) == "stranger.canary@example.kz"
    assert deliver(now) == [] and not OutgoingMessage.objects.exists()


def test_a_blocked_person_may_ask(box, now):
    subject = person(email=EMAIL, now=now)
    block(subject)
    box.put(letter("Please unblock my data"))
    mailbox.read(now)
    assert (asked().subject, asked().kind) == (subject, "unblocking")
    assert [one.to for one in deliver(now)] == [EMAIL]


@pytest.mark.parametrize(
    ("heads", "why"),
    [({"Auto_Submitted": "auto-replied"}, Why.AUTOMATIC), ({"List_Id": "<x>"}, Why.LIST), ({"Return_Path": "<>"}, Why.REPORT)],
)  # fmt: skip
def test_what_nobody_wrote_is_ignored_and_never_answered(box, now, heads, why):
    person(email=EMAIL, now=now)
    box.put(letter(**heads))
    assert mailbox.read(now) == "1 ignored"
    assert outcome() == [(Mail.IGNORED, why)] and box.flags() == [{r"\Seen"}]
    assert not SubjectRequest.objects.exists() and not OutgoingMessage.objects.filter(letter="request").exists()


def test_our_own_letters_are_ignored(box, now):
    operator = mail.Operator.objects.get()
    subject = person(email=EMAIL, now=now)
    ours = mail.queue("request", about=subject, datum=subject.data.get(), purpose=purpose(), language="kk", now=now)
    box.put(letter("x", sender=operator.contact_email.upper()), letter("y", Message_ID=f"<{mail.message_id(ours)}>"))
    mailbox.read(now)
    assert outcome() == [(Mail.IGNORED, Why.OWN)] * 2


def test_ignored_messages_leave_the_mailbox_after_a_month(box, now):
    box.put(letter(Precedence="bulk"))
    mailbox.read(now)
    mailbox.read(now + 29 * DAY)
    assert len(box.flags()) == 1
    mailbox.read(now + 31 * DAY)
    assert box.flags() == []


def test_filed_and_unsubscribed_messages_stay_in_the_mailbox_for_their_days(box, settings, now):
    subject = person(email=EMAIL, now=now)
    box.put(letter(), letter("", subject=f"unsubscribe {links.token(links.UNSUBSCRIBE, subject.pk, purpose().pk)}"))
    mailbox.read(now)
    mailbox.read(now + 14 * DAY - DAY / 24)
    assert box.flags() == [{r"\Seen"}] * 2 and not ReceivedMail.objects.exclude(left_at=None).exists()
    mailbox.read(now + 14 * DAY)
    assert box.flags() == [] and set(ReceivedMail.objects.values_list("left_at", flat=True)) == {now + 14 * DAY}
    settings.MAILBOX_DAYS = 0
    box.put(letter("Пришлите копию"))
    assert mailbox.read(now) == "1 filed" and box.flags() == []


def test_a_filed_message_whose_sealed_one_is_destroyed_leaves_the_mailbox_at_once(box, now):
    subject, kept = person(email=EMAIL, now=now), person(email="kept@example.kz", now=now)
    box.put(letter(), letter(sender="kept@example.kz"))
    mailbox.read(now)
    subject.data.filter(category__code="request-mail").update(superseded_at=now, keep_until=now)
    refresh_due([subject.pk])
    purging.purge(now + DAY)
    mailbox.read(now + DAY)
    assert len(box.flags()) == 1 and ReceivedMail.objects.get(left_at=None).request.subject == kept


def test_what_somebody_took_out_of_the_mailbox_has_left_it_and_what_came_back_has_not(box, now):
    person(email=EMAIL, now=now)
    box.put(letter())
    mailbox.read(now)
    box.empty()
    mailbox.read(now)
    assert ReceivedMail.objects.get().left_at == now
    box.put(letter())
    assert mailbox.read(now) == "1 filed" and ReceivedMail.objects.get().left_at is None
    assert SubjectRequest.objects.count() == 1


def test_an_answer_to_our_letter_belongs_to_its_request(box, now):
    subject = person(email=EMAIL, now=now)
    box.put(letter())
    mailbox.read(now)
    question = OutgoingMessage.objects.get(letter="request")
    box.put(letter("Пришлите копию", In_Reply_To=f"<{mail.message_id(question)}>"))
    mailbox.read(now)
    assert subject.requests.count() == 1 and asked().steps.last().step == "written"
    assert asked().mails.count() == 2 and OutgoingMessage.objects.filter(letter="request").count() == 1


def test_a_letter_that_names_a_request_belongs_to_it_if_it_is_the_persons(box, now):
    person(email=EMAIL, now=now)
    box.put(letter())
    mailbox.read(now)
    mine = asked()
    box.put(letter("вот", subject=f"Re: {mine.number.lower()}"))
    box.put(letter("вот", subject=f"Re: {mine.number}", sender="neighbour@example.kz"))
    mailbox.read(now)
    assert mine.mails.count() == 2 and SubjectRequest.objects.count() == 2


def test_the_same_question_again_belongs_to_the_one_that_waits(box, now):
    subject = person(email=EMAIL, now=now)
    for text in ("Удалите мои данные", "Я прошу: удалите!"):
        box.put(letter(text))
        mailbox.read(now)
    verifying.confirm(asked().pk, now=now)
    box.put(letter("Когда же удалите?"))
    mailbox.read(now)
    assert subject.requests.count() == 1 and asked().mails.count() == 3


def test_a_letter_about_a_finished_request_is_a_new_one(box, now):
    subject = person(email=EMAIL, now=now)
    box.put(letter())
    mailbox.read(now)
    verifying.disown(asked().pk, now=now)
    box.put(letter("удалите же", subject=asked().number))
    mailbox.read(now)
    assert subject.requests.count() == 2


def test_another_question_in_work_takes_no_other_question_in(box, now):
    subject = person(email=EMAIL, now=now)
    box.put(letter("Здравствуйте"))
    mailbox.read(now)
    verifying.confirm(asked().pk, now=now)
    box.put(letter("Добрый день"))
    mailbox.read(now)
    assert subject.requests.count() == 2


def test_above_so_many_a_day_a_letter_goes_to_the_last_request_that_waits(box, now):
    subject = person(email=EMAIL, now=now)
    kinds = ["Удалите", "Пришлите копию", "Исправьте", "Заблокируйте", "Отзываю", "Возражаю"]
    box.put(*[letter(text) for text in kinds], at=now)
    mailbox.read(now)
    assert subject.requests.count() == 5 and asked().mails.count() == 2
    for request in subject.requests.all():
        verifying.disown(request.pk, now=now)
    box.put(letter("Разблокируйте"), at=now)
    mailbox.read(now)
    assert outcome()[-1] == (Mail.QUARANTINED, Why.TOO_MANY) and subject.requests.count() == 5
    assert box.flags()[-1] == {r"\Flagged"} and ReceivedMail.objects.to_look_at().count() == 1
    mailbox.read(now + 400 * DAY)
    assert box.flags() == [{r"\Flagged"}], "what nobody has looked at is never lost"


@pytest.mark.parametrize("one", [True, False])
def test_a_mail_program_unsubscribes_by_letter(box, now, one):
    subject = person("site-news", "advertising", email=EMAIL, now=now)
    token = links.token(links.UNSUBSCRIBE, subject.pk, purpose().pk if one else links.EVERY_PURPOSE)
    box.put(letter("", sender="other@example.kz", subject=f"unsubscribe {token}", Auto_Submitted="auto-generated"))
    assert mailbox.read(now) == "1 unsubscribed" and box.flags() == [{r"\Seen"}]
    assert not may_process(subject, purpose(), now) and may_process(subject, purpose("advertising"), now) == one
    assert (
        not SubjectRequest.objects.exists() and not PersonalDatum.objects.filter(category__code="request-mail").exists()
    )


def test_a_made_up_token_unsubscribes_nobody(box, now):
    subject = person(email=EMAIL, now=now)
    box.put(letter("", subject=f"unsubscribe {'A' * 40}"))
    mailbox.read(now)
    assert may_process(subject, purpose(), now) and asked().kind == "withdrawal"


def test_the_receipt_says_how_to_unsubscribe_by_letter_where_somebody_reads_it(box, settings, now):
    subject = person(email=EMAIL, now=now)
    [receipt] = [one for one in deliver(now) if "List-Unsubscribe" in one.headers]
    by_page, by_mail = receipt.headers["List-Unsubscribe"].split(", ")
    assert by_page.startswith("<http") and by_mail.startswith(
        f"<mailto:{mail.Operator.objects.get().contact_email}?subject="
    )
    box.put(letter("", subject=by_mail.partition("subject=")[2].rstrip(">").replace("%20", " ")))
    mailbox.read(now)
    assert not may_process(subject, purpose(), now)
    settings.MAILBOX_URL = ""
    person(email="second@example.kz", now=now)
    [receipt] = [one for one in deliver(now) if "List-Unsubscribe" in one.headers]
    assert "mailto" not in receipt.headers["List-Unsubscribe"]


def test_messages_of_requests_that_came_to_nothing_go_with_their_texts(box, now):
    spam, kept = person(email=EMAIL, now=now), person(email="kept@example.kz", now=now)
    box.put(letter(), letter(sender="kept@example.kz"))
    mailbox.read(now)
    assert len(box.flags()) == 2
    handling.close_as_spam(spam.requests.get(), by=staff(), reason="spam", now=now)
    gone, stays = ReceivedMail.objects.order_by("pk").values_list("datum_id", flat=True)
    assert (mailbox.forget_closed(now), mailbox.forget_closed(now)) == (1, 0)
    assert PersonalDatum.objects.get(pk=gone).keep_until == now < PersonalDatum.objects.get(pk=stays).keep_until
    assert kept.requests.get().state == State.UNVERIFIED
    mailbox.read(now)
    assert len(box.flags()) == 1


def test_the_message_of_a_claimant_goes_over_to_whom_it_is_from(box, now):
    box.put(letter())
    mailbox.read(now)
    request, claimed = asked(), ReceivedMail.objects.get().datum_id
    owner = person(email="owner@example.kz", now=now)
    claim = PersonalDatum.objects.get(pk=request.contact_id)
    record_datum(owner, claim.category, normalise("email", EMAIL), standing="confirmed", now=now)
    assert verifying.confirm(request.pk, now=now + DAY) == verifying.Outcome.DONE
    row = ReceivedMail.objects.get()
    assert row.request.subject == owner != request.subject and row.datum_id != claimed
    assert CANARY in originals.read(papers.read(row.datum_id)).text
    moved = PersonalDatum.objects.get(pk=row.datum_id)
    assert (moved.subject, moved.term.until) == (owner, papers.purpose(papers.MAIL_PURPOSE).lapse(now))
    purging.purge(now + 2 * DAY)
    assert not PersonalDatum.objects.filter(pk=claimed).exists() and papers.read(row.datum_id)


def test_a_message_is_never_moved_to_somebody_else(box, now):
    person(email=EMAIL, now=now)
    box.put(letter(), letter(sender="other@example.kz"))
    mailbox.read(now)
    mine, other = ReceivedMail.objects.order_by("pk")
    for number in (other.datum_id, mine.request.text_id, 10**9):
        with pytest.raises(IntegrityError), transaction.atomic():
            ReceivedMail.objects.filter(pk=mine.pk).update(datum_id=number)


def test_each_message_ends_with_its_own_term(box, now):
    person(email=EMAIL, now=now)
    for day in (now, now + 100 * DAY):
        box.put(letter(f"Удалите {day}"))
        mailbox.read(day)
    ends = [PersonalDatum.objects.get(pk=row.datum_id).term.until for row in ReceivedMail.objects.order_by("pk")]
    assert ends == [papers.purpose(papers.MAIL_PURPOSE).lapse(day) for day in (now, now + 100 * DAY)]


def test_without_an_address_nothing_is_read(db, settings, now):
    settings.MAILBOX_URL = ""
    assert mailbox.read(now) == "no mailbox" and not MailboxState.objects.exists()


@pytest.mark.parametrize(
    "url", ["imap://a:b@127.0.0.1/INBOX", "imaps://127.0.0.1", "imaps://a:b@127.0.0.1:x/", "nonsense"]
)
def test_an_address_that_is_none_is_told_by_its_kind(db, settings, now, url, caplog):
    settings.MAILBOX_URL = url
    assert mailbox.read(now) == "not read: WrongAddress"
    assert MailboxState.objects.get().last_error == "WrongAddress" and "127.0.0.1" not in caplog.text


# --- rows -------------------------------------------------------------------------------------------------------------
def quarantined(now, **also):
    row = {"uid": 1, "uid_validity": 1, "arrived_at": now, "seen_at": now, "size": 1}
    row |= {"state": Mail.QUARANTINED, "why": Why.UNREADABLE, "key": f"{ReceivedMail.objects.count():32}".encode()}
    return ReceivedMail.objects.create(**row | also)


def test_own_traces_of_mail_go_after_a_year_and_what_nobody_looked_at_stays(db, now):
    member, old = staff(), now - 400 * DAY
    left = {"left_at": old}
    quarantined(old, resolved_at=now, resolved_by=member, **left), quarantined(old, state=Mail.IGNORED, **left)
    kept = [quarantined(old), quarantined(old, state=Mail.TRIED, why="")]
    kept += [quarantined(now, state=Mail.IGNORED, **left), quarantined(old, state=Mail.IGNORED)]  # still in the mailbox
    assert traces.destroy_over(now)["received-mail"] == 2
    assert list(ReceivedMail.objects.order_by("pk")) == kept


@pytest.mark.parametrize("state", [Mail.TRIED, Mail.QUARANTINED])
def test_the_database_forgets_nothing_that_nobody_has_looked_at(db, now, state):
    row = quarantined(now, state=state)
    with pytest.raises(IntegrityError), transaction.atomic():
        row.delete()


@pytest.mark.parametrize(
    "change",
    [{"key": bytes(32)}, {"size": 2}, {"state": Mail.IGNORED}, {"why": Why.OWN}, {"attempts": 9}, {"datum_id": 5}],
)
def test_the_database_keeps_what_became_of_a_message(db, now, change):
    row = quarantined(now)
    with pytest.raises(IntegrityError), transaction.atomic():
        ReceivedMail.objects.filter(pk=row.pk).update(**change)
    assert ReceivedMail.objects.filter(pk=row.pk).update(uid=7, uid_validity=8) == 1


@pytest.mark.parametrize(
    "row",
    [{"state": Mail.FILED, "why": ""}, {"state": Mail.IGNORED, "why": ""}, {"state": Mail.TRIED, "resolved": True}],
)
def test_the_database_takes_no_row_that_says_half(db, now, row):
    settled = {"resolved_at": now, "resolved_by": staff()} if row.get("resolved") else {}
    with pytest.raises(IntegrityError), transaction.atomic():
        quarantined(now, **{name: row[name] for name in row if name != "resolved"}, **settled)


@pytest.mark.parametrize("appointed", [True, False])
def test_settling_a_quarantine_wants_right_and_appointment(db, now, appointed):
    outsider = staff("outsider", superuser=not appointed, appointed=appointed)
    row = quarantined(now)
    with pytest.raises(PermissionDenied):
        mailbox.resolve(row, by=outsider, now=now)
    assert AuditEntry.objects.filter(operation="refused", actor=outsider).count() == 1
    mailbox.resolve(row, by=(clerk := staff("clerk")), now=now)
    row.refresh_from_db()
    assert (row.resolved_at, row.resolved_by) == (now, clerk)
    with pytest.raises(ValidationError):
        mailbox.resolve(row, by=clerk, now=now)


# --- console ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def office(client):
    member = staff("root")
    enter(client, member)
    return client


def test_staff_see_what_became_of_a_message_and_read_it_for_a_reason(box, office, today):
    person(email=EMAIL, now=today - DAY)
    message = letter(subject="Hens")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="x.pdf")
    box.put(message)
    mailbox.read(today)
    row = ReceivedMail.objects.get()
    for path in ("", f"{row.pk}/change/", f"{row.pk}/read/"):
        page = office.get(f"/admin/consent/receivedmail/{path}")
        assert page.status_code == 200 and CANARY not in page.content.decode() and "anary@" not in page.content.decode()
    where, reason = f"/admin/consent/receivedmail/{row.pk}/read/", {"usual": "request"}
    assert CANARY not in office.post(where, {}).content.decode()
    page = office.post(where, reason).content.decode()
    assert CANARY in page and EMAIL in page
    taken = office.post(where, reason | {"file": "1"})
    assert taken["Content-Disposition"].startswith("attachment") and b"x.pdf" in taken.content
    assert AuditEntry.objects.filter(operation="reveal", subject_id=row.request.subject_id).count() == 2


def test_a_message_in_quarantine_is_settled_on_its_page(db, office, today):
    row = quarantined(today)
    assert "mail_resolve" not in office.get(f"/admin/consent/receivedmail/{row.pk}/change/").content.decode()
    assert office.get(f"/admin/consent/receivedmail/{row.pk}/resolve/").status_code == 405
    assert office.post(f"/admin/consent/receivedmail/{row.pk}/resolve/").status_code == 302
    assert ReceivedMail.objects.get().resolved_at is not None


def test_a_message_that_was_not_kept_cannot_be_read(db, office, today):
    row = quarantined(today)
    assert office.get(f"/admin/consent/receivedmail/{row.pk}/read/").status_code == 404


def test_today_says_what_waits_in_quarantine_and_since_when_nothing_was_read(db, office, settings, today):
    def shown():
        return office.get("/admin/", headers={"accept-language": "en"}).content.decode()

    assert "mailbox" not in shown()
    settings.MAILBOX_URL = "imaps://a:b@127.0.0.1/"
    assert "has not been read yet" in shown()
    MailboxState.objects.create(pk=1, tried_at=today, checked_at=today)
    assert "mailbox" not in shown()
    MailboxState.objects.update(checked_at=timezone.now() - DAY, last_error="TimeoutError")
    quarantined(today)
    assert "TimeoutError" in shown() and "wait for somebody to look: 1" in shown()
