"""A person on one screen: everything the staff may see, nothing readable, the same cost for whoever has much.

Guarded lines broken and seen to fail: the permission of the parts, of each act, of the link and the form that show a
value; the appointment of each act; the limit of the entries and their order, which is the index's; the last day of a
hold counted without the day itself; data of others offered for a hold; the last day of a demand, an
answer that was late."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from consent import decisions
from consent.models import ConsentRecord
from registry import demands
from registry.admin import subject_parts
from registry.models import AccessSettings, AuditEntry, DataSubject, LegalGround, OutgoingMessage, SubjectRequest
from registry.requests import answering, opening, verifying
from tests.factories import DAY, EMAIL, MOMENT, PHONE, block, enter, hold, person, question, staff

pytestmark = pytest.mark.django_db
Kind = SubjectRequest.Kind
VIEWS = [
    "view_datasubject", "view_personaldatum", "view_processing", "view_legalhold", "view_erasurecertificate",
    "view_erasurerecord", "view_outgoingmessage", "view_auditentry", "view_consentrecord", "view_subjectrequest",
]  # fmt: skip
PARTS = [
    "Data held", "Consents", "Requests", "Processing", "Holds", "Demanded erasures", "Messages",
    "Who looked and who changed",
]  # fmt: skip


@pytest.fixture
def subject():
    return person("site-news", email=EMAIL, phone=PHONE, now=timezone.now())


def member(*codenames, name="clerk", appointed=True):
    found = staff(name, superuser=False, appointed=appointed)
    found.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return found


def page(client, subject) -> str:
    client.cookies["language"] = "en"
    answer = client.get(reverse("admin:registry_datasubject_change", args=[subject.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def act(client, name, pk, **fields):
    client.cookies["language"] = "en"
    return client.post(reverse(f"admin:{name}", args=[pk]), fields)


def test_everything_of_a_person_is_on_one_screen_and_nothing_readable(client, subject):
    hold(subject)
    enter(client, member(*VIEWS))
    body = page(client, subject)
    assert all(f">{part}</h2>" in body for part in PARTS)
    assert "A•••@example.kz" in body and "+7 701 •••-••-34" in body and "policy version 1" in body
    assert "receipt of a consent" in body and subject.receipts.get().number in body
    assert EMAIL not in body and "77015551234" not in body and "Aigul" not in body


def test_opening_the_page_is_not_recorded_and_changes_nothing(client, subject):
    enter(client, member(*VIEWS))
    before = AuditEntry.objects.count()
    page(client, subject)
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("missing", [name for name in VIEWS if name not in {"view_datasubject", "view_erasurerecord"}])
def test_each_part_wants_its_own_permission(client, subject, missing):
    allowed = member(*VIEWS, name="all")
    enter(client, allowed)
    whole = {part for part in PARTS if f">{part}</h2>" in page(client, subject)}
    enter(client, member(*(name for name in VIEWS if name != missing)))
    assert len(whole - {part for part in PARTS if f">{part}</h2>" in page(client, subject)}) == 1


def test_who_only_looks_is_offered_no_act_and_no_value(client, subject):
    hold(subject)
    acting = ["reveal_personaldatum", "place_legalhold", "block_datasubject", "demand_erasure"]
    enter(client, member(*VIEWS, *acting, name="operator"))
    offered = page(client, subject)
    enter(client, member(*VIEWS, name="auditor"))
    looked = page(client, subject)
    for word in ("/reveal/", "/hold/", "/block/", "/demand/", "/release/"):
        assert word in offered and word not in looked


@pytest.mark.parametrize("appointed", [True, False])
def test_outsiders_and_who_is_not_appointed_see_no_person(client, subject, appointed):
    enter(client, member(*([] if appointed else VIEWS), appointed=appointed))
    answer = client.get(reverse("admin:registry_datasubject_change", args=[subject.pk]))
    assert answer.status_code in ({302, 403} if appointed else {403})  # Django leads who lacks the permission home
    assert AuditEntry.objects.filter(operation="refused").exists() is not appointed


def test_an_erased_person_leaves_the_proof_and_says_so(client, subject):
    officer = staff()
    demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=officer, now=timezone.now())
    demands.finish_due(timezone.now())
    subject.refresh_from_db()
    enter(client, officer)
    body = page(client, subject)
    assert subject.status == "erased" and "the data of this person were destroyed" in body
    assert "Erasure certificate" in body and "/reveal/" not in body


def test_replaced_values_and_evidence_are_folded(client, subject):
    question(email="claims@example.kz", phone="87015551235")
    claimant = question(email="claims@example.kz", phone="87015551236").subject
    enter(client, member(*VIEWS))
    contacts, folded = page(client, claimant).split('<details class="more">')
    assert "•••-••-36" in contacts and "•••-••-35" not in contacts
    assert "•••-••-35" in folded and "replaced by a newer value" in folded


def much_more(subject):
    """Of everything that grows, twice what the page shows."""
    many = range(2 * subject_parts.MOST)
    record = subject.consents.last()
    AuditEntry.objects.bulk_create(AuditEntry(at=MOMENT, operation="use", subject=subject) for _ in many)
    letter = {"letter": "link", "about_id": 1, "subject": subject, "datum_id": 1, "purpose": record.purpose}
    OutgoingMessage.objects.bulk_create(
        OutgoingMessage(**letter, language="kk", queued_at=MOMENT, next_try_at=MOMENT) for _ in many
    )
    for number in many:
        hold(subject)
        request = opening.receive(subject, Kind.ACCESS, channel="page", language="ru", now=MOMENT + number * DAY)
        verifying.disown(request.pk, now=MOMENT)
    ConsentRecord.objects.bulk_create(
        ConsentRecord(
            subject=subject, purpose=record.purpose, act="refused", at=MOMENT, language="kk", channel="page",
            place=1000 + number,
        )
        for number in range(60)
    )  # fmt: skip


def test_the_page_costs_the_same_and_shows_no_more_for_who_has_much(client, subject):
    enter(client, member(*VIEWS))
    page(client, subject)  # what a process keeps afterwards: keys, content types
    with CaptureQueriesContext(connection) as little:
        page(client, subject)
    much_more(subject)
    page(client, subject)  # the process looks after its ledger anew
    with CaptureQueriesContext(connection) as much:
        body = page(client, subject)
    assert len(little) == len(much) <= 30
    assert body.count("<time") == 50 + 4 * subject_parts.MOST  # acts; requests, holds, messages and entries
    assert "Only the newest are shown here." in body


def test_the_newest_entries_are_read_by_the_index_of_the_person_without_sorting(subject):
    with CaptureQueriesContext(connection) as queries:
        assert subject_parts.audit(subject, MOMENT)["rows"]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")  # few rows are sorted faster than that; ten thousand are not
        cursor.execute(f"EXPLAIN {queries[0]['sql']}")
        plan = str(cursor.fetchall())
    assert "audit_of_person" in plan and "Sort" not in plan


def test_the_acts_of_consent_are_a_timeline_with_who_entered_them(client, subject):
    decisions.withdraw(subject, None, now=timezone.now(), channel="page")
    enter(client, member(*VIEWS))
    timeline = page(client, subject).split(">Consents</h2>")[1].split("</section>")[0]
    assert timeline.index("withdrawn") < timeline.index("confirmed") < timeline.index("asked for")
    assert timeline.count("policy version 1") == 2 and "?person=" + subject.reference in timeline


# Requests and demanded erasures


def part(client, subject, title):
    return page(client, subject).split(f">{title}</h2>")[1].split("</section>")[0]


def test_requests_stand_there_with_number_state_and_deadline_and_without_their_text(client, subject):
    now = timezone.now()
    contact = subject.data.get(category__code="email")
    request = opening.receive(
        subject, Kind.ACCESS, channel="page", language="ru", now=now, contact_id=contact.pk, text="about my hens"
    )
    enter(client, member(*VIEWS))
    shown = part(client, subject, "Requests")
    assert request.number in shown and "waits for confirmation" in shown and "hens" not in page(client, subject)
    SubjectRequest.objects.filter(pk=request.pk).update(due_on=timezone.localdate(now) - 3 * DAY)
    assert "overdue" in part(client, subject, "Requests")
    assert "has asked for nothing" in part(client, person(now=now), "Requests")


def test_an_answer_says_whether_it_was_in_time(client, subject):
    now, clerk = timezone.now(), staff("other")
    enter(client, member(*VIEWS))
    for due, told in ((timezone.localdate(now), "in time"), (timezone.localdate(now) - DAY, "answered late")):
        request = opening.receive(subject, Kind.OTHER, channel="page", language="ru", now=now)
        verifying.confirm(request.pk, now=now)
        SubjectRequest.objects.filter(pk=request.pk).update(due_on=due, alarm_on=due)
        answering.answer(request, SubjectRequest.Outcome.GRANTED, "Hens.", by=clerk, now=now)
        assert told in part(client, subject, "Requests")


def test_a_demand_is_due_by_the_calendar_or_by_the_request_it_carries_out(client, subject):
    officer, ground = staff(), LegalGround.objects.first()
    at = datetime(2026, 3, 20, 7, tzinfo=UTC)
    hold(subject)
    demands.demand(subject, ground=ground, reason="asked", by=officer, now=at)
    enter(client, member(*VIEWS))
    shown = part(client, subject, "Demanded erasures")
    assert "15.04.2026" in shown.replace("April 15, 2026", "15.04.2026") and "late" in shown


# Blocking


def test_blocking_says_what_it_means_wants_a_reason_and_is_undone(client, subject):
    enter(client, member(*VIEWS, "block_datasubject"))
    assert client.get(reverse("admin:block_subject", args=[subject.pk])).status_code == 200
    assert act(client, "block_subject", subject.pk, reason=" ").status_code == 200
    assert DataSubject.objects.get(pk=subject.pk).status == "active"
    assert act(client, "block_subject", subject.pk, reason="accuracy is disputed").status_code == 302
    assert DataSubject.objects.get(pk=subject.pk).status == "blocked"
    assert "/unblock/" in page(client, subject)
    act(client, "unblock_subject", subject.pk, reason="settled")
    assert DataSubject.objects.get(pk=subject.pk).status == "active"
    assert list(AuditEntry.objects.filter(operation="block").values_list("reason", flat=True).order_by("pk")) == [
        "accuracy is disputed", "settled",
    ]  # fmt: skip


def test_a_second_window_is_told_that_nothing_changed(client, subject):
    enter(client, member(*VIEWS, "block_datasubject"))
    block(subject)
    act(client, "block_subject", subject.pk, reason="asked")
    assert "Nothing was changed" in page(client, subject)


ACTS = {"block_subject": "block_datasubject", "unblock_subject": "block_datasubject", "place_hold": "place_legalhold"}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("appointed", [True, False])
def test_an_act_wants_its_permission_and_an_appointment(client, subject, name, appointed):
    others = set(ACTS.values()) - {ACTS[name]}
    enter(client, member(*VIEWS, *others, *([] if appointed else [ACTS[name]]), appointed=appointed))
    address, ground = reverse(f"admin:{name}", args=[subject.pk]), LegalGround.objects.first()
    assert client.get(address).status_code == 403
    assert client.post(address, {"reason": "asked", "ground": ground.pk}).status_code == 403
    assert DataSubject.objects.get(pk=subject.pk).status == "active" and not subject.holds.exists()


# Holds


def test_a_hold_is_placed_on_everything_or_on_one_value_chosen_by_its_hint(client, subject):
    enter(client, member(*VIEWS, "place_legalhold"))
    ground, phone = LegalGround.objects.first(), subject.data.get(category__code="phone")
    form = client.get(reverse("admin:place_hold", args=[subject.pk])).content.decode()
    assert "+7 701 •••-••-34" in form and "77015551234" not in form
    act(client, "place_hold", subject.pk, ground=ground.pk, reason="court")
    act(client, "place_hold", subject.pk, ground=ground.pk, reason="court", datum=phone.pk)
    assert list(subject.holds.values_list("datum", "until").order_by("pk")) == [(None, None), (phone.pk, None)]
    assert AuditEntry.objects.filter(operation="hold", subject=subject).count() == 2


def test_a_hold_stands_to_the_end_of_its_last_day(client, subject):
    enter(client, member(*VIEWS, "place_legalhold"))
    today, ground = timezone.localdate(), LegalGround.objects.first()
    yesterday = act(client, "place_hold", subject.pk, ground=ground.pk, reason="court", last_day=today - DAY)
    assert yesterday.status_code == 200 and not subject.holds.exists()
    act(client, "place_hold", subject.pk, ground=ground.pk, reason="court", last_day=today)
    assert timezone.localtime(subject.holds.get().until).date() == today + DAY


def test_a_hold_on_somebody_elses_value_is_refused(client, subject):
    enter(client, member(*VIEWS, "place_legalhold"))
    stranger, ground = person(), LegalGround.objects.first()
    foreign = stranger.data.first()
    offered = [client.get(reverse("admin:place_hold", args=[one.pk])).content.decode() for one in (stranger, subject)]
    assert ["p•••@example.kz" in form for form in offered] == [True, False]
    answer = act(client, "place_hold", subject.pk, ground=ground.pk, reason="court", datum=foreign.pk)
    assert answer.status_code == 200 and not subject.holds.exists()


def test_a_hold_is_released_once_with_a_reason_by_who_may(client, subject):
    placed = hold(subject)
    enter(client, member(*VIEWS, name="auditor"))
    assert act(client, "release_hold", placed.pk, reason="over").status_code == 403
    enter(client, member(*VIEWS, "place_legalhold"))
    assert act(client, "release_hold", placed.pk).status_code == 200
    act(client, "release_hold", placed.pk, reason="over")
    act(client, "release_hold", placed.pk, reason="again")
    placed.refresh_from_db()
    assert placed.release_reason == "over" and "was released before" in page(client, subject)


# Showing a value


@pytest.fixture
def datum(subject):
    return subject.data.get(category__code="email")


def operator():
    return member(*VIEWS, "reveal_personaldatum", name="operator")


@pytest.mark.parametrize(
    ("fields", "recorded"),
    [
        ({"usual": "asked"}, "The person asked us"),
        ({"usual": "identity", "reason": "by phone"}, "To check who is asking: by phone"),
        ({"reason": "court order"}, "court order"),
    ],
)
def test_a_usual_reason_or_ones_own_words_are_enough(client, datum, fields, recorded):
    enter(client, operator())
    assert EMAIL in act(client, "reveal", datum.pk, **fields).content.decode()
    assert AuditEntry.objects.get(operation="reveal").reason == recorded


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"usual": ""},
        {"usual": "other"},
        {"usual": "asked", "reason": "a@example.kz"},
        {"usual": "asked", "reason": "x" * 201},
    ],
)
def test_no_reason_or_one_that_quotes_a_value_shows_nothing(client, datum, fields):
    enter(client, operator())
    answer = act(client, "reveal", datum.pk, **fields)
    assert answer.status_code == 200 and EMAIL not in answer.content.decode()
    assert not AuditEntry.objects.filter(operation="reveal").exists()


def test_the_page_says_how_many_are_left_and_what_to_do_when_none_is(client, datum):
    AccessSettings.objects.update(reveals_per_day=1)
    enter(client, operator())
    assert (
        "today: 1"
        in client.get(reverse("admin:reveal", args=[datum.pk]), headers={"accept-language": "en"}).content.decode()
    )
    assert EMAIL in act(client, "reveal", datum.pk, usual="asked").content.decode()
    refused = act(client, "reveal", datum.pk, usual="asked").content.decode()
    assert EMAIL not in refused and "ask the responsible person" in refused


def test_who_may_not_open_values_gets_no_form_and_no_value(client, datum):
    enter(client, member(*VIEWS, name="auditor"))
    address = reverse("admin:reveal", args=[datum.pk])
    assert client.get(address).status_code == 403
    assert client.post(address, {"reason": "asked"}).status_code == 403
    assert client.post(address, {}).status_code == 403
    assert AuditEntry.objects.filter(operation="refused").count() == 1
