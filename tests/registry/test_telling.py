"""People who made it a condition are told of each transfer of theirs, once, and nobody else is.

Broken and seen to fail: a condition that ended, a line that was dropped, the grounds that are not told, letters that did not
go, blocked and erased people told by a letter or left to the staff, the right of noting and of telling, a letter after staff
told it, the trigger that freezes what was told.
"""

import json
from datetime import date

import pytest
from django.core import mail as postbox
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from consent import decisions
from consent.models import ConsentRecord
from registry import blocking, demands, mail, transfer_letters, transfers, work
from registry.models import (
    AuditEntry,
    Deadline,
    LegalGround,
    OutgoingMessage,
    PersonNotice,
    Recipient,
    Transfer,
    TransferCondition,
    TransferLine,
)
from registry.transfers import telling
from registry.transfers.notices import due_on
from tests.factories import DAY, EMAIL, enter, person, purpose, staff
from tests.registry.test_transfers import BOTH, NOBODY, gave, partner, send, take_all  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def by():
    return staff("sender")


def wants(subject, now, by=None):
    assert telling.ask_to_be_told(subject, by=by, reason="asked on the phone" if by else "", now=now)
    return subject


def hand_over(partner, by, now):  # noqa: F811
    transfer = send(partner, by, now)
    take_all(transfer, by, now)
    return Transfer.objects.get(pk=transfer.pk)


def opened():
    return list(PersonNotice.objects.order_by("pk").values_list("subject", flat=True))


def deliver(now):
    mail.send_due(now, clock=lambda: now)
    return postbox.outbox


def entries(subject):
    about = AuditEntry.objects.filter(subject=subject, object_type__in=["registry.transfercondition", "registry.personnotice"])
    return list(about.order_by("pk").values_list("operation", "actor__username", "system", "reason"))


# --- the condition ----------------------------------------------------------------------------------------------------
def test_a_condition_is_made_ended_and_made_again(today):
    subject = person(now=today)
    assert not telling.stands(subject)
    wants(subject, today)
    assert telling.stands(subject) and not telling.ask_to_be_told(subject, by=None, now=today + DAY)
    assert telling.end_condition(subject, by=None, now=today + DAY)
    assert not telling.end_condition(subject, by=None, now=today + DAY)
    wants(subject, today + 2 * DAY)
    row = TransferCondition.objects.get()
    assert (row.asked_at, row.ended_at, row.history.count()) == (today + 2 * DAY, None, 3)
    made, ended = ("change", None, "page", "condition_made"), ("change", None, "page", "condition_ended")
    assert entries(subject) == [made, ended, made]


def test_staff_note_it_with_a_right_an_appointment_and_a_reason(today, by):
    subject = person(now=today)
    for outsider in (staff("a", superuser=False), staff("b", appointed=False)):
        with pytest.raises(PermissionDenied):
            telling.ask_to_be_told(subject, by=outsider, reason="asked", now=today)
    with pytest.raises(ValidationError):
        telling.ask_to_be_told(subject, by=by, now=today)
    with pytest.raises(ValidationError):
        telling.ask_to_be_told(subject, by=by, reason=f"wrote from {EMAIL}", now=today)
    assert not TransferCondition.objects.exists()
    wants(subject, today, by)
    assert TransferCondition.objects.get().noted_by == by
    assert entries(subject) == [("change", "sender", "", "asked on the phone")]
    assert AuditEntry.objects.filter(operation="refused", object_type="registry.datasubject").count() == 2


def test_nobody_who_is_erased_can_make_one(today, by):
    subject = person(now=today)
    demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=by, now=today)
    demands.finish_due(today)
    with pytest.raises(ValidationError):
        telling.ask_to_be_told(subject, by=None, now=today)


# --- who is told ------------------------------------------------------------------------------------------------------
def test_a_notice_is_opened_for_who_is_in_the_file_and_wants_it(partner, today, by):  # noqa: F811
    told, silent, stays, ended = gave(BOTH, now=today), gave(BOTH, now=today), gave(NOBODY, now=today), gave(BOTH, now=today)
    for subject in (told, stays, ended):
        wants(subject, today)
    telling.end_condition(ended, by=None, now=today)
    transfer = hand_over(partner, by, today)
    assert TransferLine.objects.filter(transfer=transfer, subject=silent).exists()
    assert opened() == [told.pk]
    assert PersonNotice.objects.get().transfer == transfer


def test_who_was_left_out_at_the_last_moment_is_told_nothing(partner, today, by):  # noqa: F811
    goes, leaves = wants(gave(BOTH, now=today), today), wants(gave(BOTH, now=today), today)
    transfer = send(partner, by, today)
    transfers.build_waiting(clock=lambda: today)
    decisions.withdraw(leaves, None, now=today, channel=ConsentRecord.Channel.LINK)
    transfer.refresh_from_db()
    transfers.take(transfer, by=by, now=today).close()
    assert opened() == [goes.pk]


def test_what_was_not_handed_over_is_not_told(partner, today, by):  # noqa: F811
    wants(gave(BOTH, now=today), today)
    transfer = send(partner, by, today)
    transfers.build_waiting(clock=lambda: today)
    transfer.refresh_from_db()
    transfers.cancel(transfer, by=by, now=today)
    assert opened() == []


def test_a_condition_made_or_ended_later_changes_nothing_about_what_was_given(partner, today, by):  # noqa: F811
    first, second = wants(gave(BOTH, now=today), today), gave(BOTH, now=today)
    hand_over(partner, by, today)
    wants(second, today), telling.end_condition(first, by=None, now=today)
    assert opened() == [first.pk] and transfer_letters.queue_due(today) == 1


def test_a_state_body_that_acts_by_law_is_not_told_of(partner, today, by):  # noqa: F811
    court = Recipient.objects.create(code="court", kind="state_body", name_kk="Сот", country_id="KZ")
    wants(gave(BOTH, now=today), today)
    also = {"request_number": "12-4", "requested_on": date(2026, 11, 1), "article": "9(1)"}
    take_all(send(court, by, today, ground="b", **also), by, today)
    assert opened() == []


def test_the_due_day_is_the_tenth_working_day(partner, today, by):  # noqa: F811
    assert due_on(telling.DEADLINE, date(2026, 11, 23)) == date(2026, 12, 7)
    assert due_on(telling.DEADLINE, date(2026, 12, 14)) == date(2026, 12, 29)  # over Independence Day
    wants(gave(BOTH, now=today), today)
    hand_over(partner, by, today)
    assert PersonNotice.objects.get().due_on == due_on(telling.DEADLINE, timezone.localdate(today))
    Deadline.objects.filter(code=telling.DEADLINE).update(length=1)
    assert due_on(telling.DEADLINE, date(2026, 11, 23)) == date(2026, 11, 24)


def test_opening_costs_the_same_for_one_and_for_many(partner, today, by):  # noqa: F811
    def queries(people):
        for _number in range(people):
            wants(gave(BOTH, now=today), today)
        transfer = send(partner, by, today)
        transfers.build_waiting(clock=lambda: today)
        transfer.refresh_from_db()
        with CaptureQueriesContext(connection) as seen:
            transfers.take(transfer, by=by, now=today).close()
        return len(seen)

    assert queries(1) == queries(5)
    assert len(opened()) == 1 + 6


# --- the letter -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("language", "words"),
    [("kk", ["Зертхана", "Германия"]), ("ru", ["Лаборатория"]), ("en", ["Lab", "To whom:", "You asked to be told"])],
)
def test_the_letter_says_to_whom_what_for_and_what_and_no_value(partner, today, by, language, words):  # noqa: F811
    subject = wants(gave(BOTH, now=today, email=EMAIL), today)
    type(subject).objects.filter(pk=subject.pk).update(language=language)
    transfer = hand_over(partner, by, today)
    assert transfer_letters.queue_due(today) == 1 and transfer_letters.queue_due(today) == 0
    letter = deliver(today)[-1]
    with translation.override(language):
        words = [*words, transfer.number, str(purpose()), str(transfer.get_ground_display())]
    assert letter.to == [EMAIL]
    assert all(word in letter.body for word in words), letter.body
    assert "Canary" not in letter.body and "Canary" not in letter.subject
    notice = PersonNotice.objects.get()
    assert (notice.told_at, notice.told_by, notice.is_by_hand) == (today, None, False)
    assert ("use", None, "telling", "told_at") in entries(subject)
    assert transfer_letters.queue_due(today + DAY) == 0


def test_one_letter_a_transfer(partner, today, by):  # noqa: F811
    wants(gave(BOTH, now=today), today)
    first, second = (hand_over(partner, by, today).number for _ in range(2))
    assert transfer_letters.queue_due(today) == 2
    bodies = [letter.body for letter in deliver(today)[-2:]]
    assert first in bodies[0] and second in bodies[1]


def test_the_link_of_the_letter_leads_to_where_it_ends(client, partner, today, by):  # noqa: F811
    now = timezone.now()
    subject = wants(gave(BOTH, now=now), now)
    hand_over(partner, by, now)
    transfer_letters.queue_due(now)
    address = next(line for line in deliver(now)[-1].body.splitlines() if line.startswith("http"))
    page = client.get("/" + address.split("/", 3)[3]).content.decode()
    assert 'name="tell" value="1" checked' in page
    assert telling.stands(subject)


# --- by hand ----------------------------------------------------------------------------------------------------------
def waits_for(member, now):
    queue = work.waiting(member, now, sees_people=True)
    return [item.row.pk for item in queue.items if isinstance(item.row, PersonNotice)]


def without_email(subject):
    email = subject.data.live().get(category__code="email")
    type(email).objects.filter(pk=email.pk).update(superseded_at=email.recorded_at, keep_until=email.recorded_at + 99 * DAY)


def test_without_an_email_it_waits_on_today_until_staff_say_so(partner, today, by):  # noqa: F811
    subject = wants(gave(BOTH, now=today), today)
    hand_over(partner, by, today)
    without_email(subject)
    assert transfer_letters.queue_due(today) == 0 and not OutgoingMessage.objects.filter(letter=transfer_letters.LETTER).exists()
    notice = PersonNotice.objects.get()
    assert waits_for(by, today) == [notice.pk]
    assert waits_for(staff("reads", superuser=False), today) == []
    with pytest.raises(PermissionDenied):
        telling.note_told(notice, by=staff("outsider", superuser=False), now=today)
    telling.note_told(notice, by=by, now=today)
    assert entries(subject)[-1] == ("use", "sender", "", "told_at")
    assert waits_for(by, today) == []
    with pytest.raises(ValidationError):
        telling.note_told(notice, by=by, now=today)


def test_a_blocked_person_gets_no_letter(partner, today, by):  # noqa: F811
    subject = wants(gave(BOTH, now=today), today)
    hand_over(partner, by, today)
    blocking.block(subject, by=by, reason="asked", now=today)
    assert transfer_letters.queue_due(today) == 0 and waits_for(by, today) == opened_numbers()
    blocking.unblock(subject, by=by, reason="asked", now=today)
    assert transfer_letters.queue_due(today) == 1 and waits_for(by, today) == []


def opened_numbers():
    return list(PersonNotice.objects.values_list("pk", flat=True))


def test_a_letter_that_does_not_go_leaves_it_to_the_staff(partner, today, by):  # noqa: F811
    wants(gave(BOTH, now=today), today)
    hand_over(partner, by, today)
    transfer_letters.queue_due(today)
    OutgoingMessage.objects.filter(letter=transfer_letters.LETTER).update(state="failed")
    assert transfer_letters.queue_due(today) == 0 and waits_for(by, today) == opened_numbers()


def test_told_by_staff_the_letter_does_not_go(partner, today, by):  # noqa: F811
    wants(gave(BOTH, now=today), today)
    hand_over(partner, by, today)
    transfer_letters.queue_due(today)
    telling.note_told(PersonNotice.objects.get(), by=by, now=today)
    number = PersonNotice.objects.get().transfer.number
    assert not [letter for letter in deliver(today) if number in letter.body]
    assert OutgoingMessage.objects.get(letter=transfer_letters.LETTER).state == "cancelled"
    assert PersonNotice.objects.get().told_by == by


def test_whoever_was_erased_is_told_nothing_and_the_notice_stays(partner, today, by):  # noqa: F811
    subject = wants(gave(BOTH, now=today, email=EMAIL), today)
    hand_over(partner, by, today)
    transfer_letters.queue_due(today)
    demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=by, now=today)
    demands.finish_due(today)
    subject.refresh_from_db()
    before = len(postbox.outbox)
    deliver(today)
    assert transfer_letters.queue_due(today + DAY) == 0
    assert subject.status == "erased" and waits_for(by, today) == [] and len(postbox.outbox) == before
    notice = PersonNotice.objects.get()
    assert (notice.told_at, notice.is_by_hand) == (None, False)
    with pytest.raises(ValidationError):
        telling.note_told(notice, by=by, now=today)


# --- evidence ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("field", ["transfer_id", "subject_id", "opened_at", "due_on"])
def test_what_was_opened_stays_as_it_was(partner, today, by, field):  # noqa: F811
    wants(gave(BOTH, now=today), today)
    hand_over(partner, by, today)
    changed = {"transfer_id": 1, "subject_id": 1, "opened_at": today - DAY, "due_on": date(2027, 1, 1)}
    with pytest.raises(DatabaseError), transaction.atomic():
        PersonNotice.objects.update(**{field: changed[field]})


def test_what_was_told_is_told_once(partner, today, by):  # noqa: F811
    wants(gave(BOTH, now=today), today)
    hand_over(partner, by, today)
    telling.note_told(PersonNotice.objects.get(), by=by, now=today)
    for change in ({"told_at": None}, {"told_at": today + DAY}, {"told_by": None}, {"is_by_hand": True}):
        with pytest.raises(DatabaseError), transaction.atomic():
            PersonNotice.objects.update(**change)


def test_a_condition_stays_its_person_s(today):
    wants(person(now=today), today), (other := person(now=today))
    with pytest.raises(DatabaseError), transaction.atomic():
        TransferCondition.objects.update(subject=other)


# --- the console ------------------------------------------------------------------------------------------------------
@pytest.fixture
def desk(by):
    client = Client()
    enter(client, by)
    return client


def test_staff_make_and_end_it_on_the_person_s_page(desk, today):
    subject = person(email=EMAIL, now=today)
    address, page = reverse("admin:telling_condition", args=[subject.pk]), reverse("admin:registry_datasubject_change", args=[subject.pk])
    assert address in desk.get(page).content.decode()
    assert "19" in desk.get(address).content.decode()
    desk.post(address, {"reason": ""})
    assert not telling.stands(subject)
    desk.post(address, {"reason": "asked on the phone"})
    assert telling.stands(subject)
    desk.post(address, {"reason": "not any more"})
    assert not telling.stands(subject)


def test_the_notice_stands_on_the_person_s_page_and_is_told_on_its_own(desk, partner, today, by):  # noqa: F811
    subject = wants(gave(BOTH, now=today, email=EMAIL), today)
    transfer = hand_over(partner, by, today)
    without_email(subject)
    transfer_letters.queue_due(today)
    notice = PersonNotice.objects.get()
    change = reverse("admin:registry_personnotice_change", args=[notice.pk])
    assert change in desk.get(reverse("admin:registry_datasubject_change", args=[subject.pk])).content.decode()
    text = desk.get(change).content.decode()
    assert transfer.number in text and "Canary" not in text
    assert transfer.number in desk.get(reverse("admin:registry_personnotice_changelist") + "?show=by_hand").content.decode()
    desk.post(reverse("admin:person_notice_note", args=[notice.pk]))
    notice.refresh_from_db()
    assert notice.told_by == by
    assert str(notice) not in desk.get(reverse("admin:registry_personnotice_changelist") + "?show=by_hand").content.decode()


def test_nothing_of_a_value_is_in_the_rows(partner, today, by):  # noqa: F811
    subject = wants(gave(BOTH, now=today, email=EMAIL), today)
    hand_over(partner, by, today)
    rows = [*PersonNotice.objects.values(), *TransferCondition.history.values(), *AuditEntry.objects.values()]
    assert subject.data.exists() and EMAIL not in json.dumps(rows, default=str)
