"""The pages of transfers, notices and recipients: what each may see and do, in order.

Broken and seen to fail: asking for what was not looked at, a button pressed twice, the second factor of fetching and of
approving, the permission of the lines and of noting, fields of another ground kept, references passed over, a key that is
not checked, the last day of a contract and of a notice, why a person was left out, the recipients on the act, a notice
that was told and still waits.
"""

from datetime import date, timedelta

import pyrage
import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from consent import decisions
from consent.models import ConsentRecord
from registry import demands, figures, tasks, transfers, work
from registry.admin import today_charts
from registry.incidents import opening
from registry.models import (
    AccessSettings,
    AuditEntry,
    DataCategory,
    LegalGround,
    Recipient,
    RecipientKey,
    RecipientNotice,
    StaffMember,
    StaffSession,
    Transfer,
)
from registry.processing import Scope
from registry.transfers import notices
from tests.factories import DAY, EMAIL, PHONE, enter, person, purpose, staff
from tests.house import transfer_to

pytestmark = pytest.mark.django_db
State, BOTH = Transfer.State, Scope(third_parties=True, cross_border=True)
LIST, ASK, STATISTICS = "registry_transfer_changelist", "transfer_ask", "transfer_statistics"
NOT_GIVEN = "осы тізілім арқылы берілген жоқ"
CANARIES = (EMAIL, "Aigul", "77015551234")


@pytest.fixture(autouse=True)
def quietly(settings, tmp_path, monkeypatch):
    """A worker is not woken: the tests build themselves."""
    settings.HOME = tmp_path
    monkeypatch.setattr(tasks, "wake_transfers", lambda: None)


@pytest.fixture
def court():
    return Recipient.objects.create(
        code="court",
        kind="state_body",
        name_kk="Бұлбұл соты",
        name_ru="Соловьиный суд",
        name_en="Court",
        country_id="KZ",
    )


@pytest.fixture
def aigul(today):
    return person(email=EMAIL, phone=PHONE, now=today - DAY)


def may(name, *permissions, appointed=True):
    member = staff(name, appointed=appointed, superuser=False)
    views = ["view_transfer", "view_recipientnotice", "view_transferline"]
    member.user_permissions.set(Permission.objects.filter(codename__in=[*permissions, *views]))
    return member


def address(name, *arguments):
    return reverse(f"admin:{name}", args=arguments)


def page_of(row):
    return address(f"registry_{row._meta.model_name}_change", row.pk)


def text_of(client, page):
    client.cookies["language"] = "en"
    answer = client.get(page)
    assert answer.status_code == 200
    return answer.content.decode()


def fields(recipient, **changed):
    by_law = {"ground": "b", "request_number": "7", "requested_on": "2026-11-20", "article": "art. 9"}
    emails = list(DataCategory.objects.filter(code="email").values_list("pk", flat=True))
    return {"recipient": recipient.pk, "purpose": purpose().pk, "categories": emails} | by_law | changed


def look(client, recipient, **changed):
    client.cookies["language"] = "en"
    return client.post(address(ASK), fields(recipient, **changed) | {"act": "look"})


def ask(client, recipient, reason="inquiry", file_format="csv", **changed):
    """As a browser does: what the look answered is sent back."""
    mark = look(client, recipient, **changed).context["mark"]
    rest = {"act": "ask", "seen": mark, "reason": reason, "file_format": file_format}
    return client.post(address(ASK), fields(recipient, **changed) | rest)


def build():
    return transfers.build_waiting(clock=timezone.now)


def fetched(client, row):
    answer = client.post(address("transfer_take", row.pk))
    content = b"".join(answer.streaming_content)
    return answer, content.decode()


def is_stale():
    StaffSession.objects.update(verified_at=timezone.now() - timedelta(hours=1))


# --- asking -----------------------------------------------------------------------------------------------------------


def test_from_looking_to_the_file(client, court, aigul):
    enter(client, staff("clerk"))
    answer = look(client, court)
    assert (answer.context["counts"].people, Transfer.objects.count()) == (1, 0)
    answer = ask(client, court)
    row = Transfer.objects.get()
    assert answer["Location"] == page_of(row) and "<progress" in text_of(client, page_of(row))
    assert build() == 1
    assert address("transfer_take", row.pk) in text_of(client, page_of(row))
    answer, content = fetched(client, row)
    assert EMAIL in content and aigul.reference in content
    assert answer["Content-Disposition"] == f'attachment; filename="{row.number}.csv"'
    assert "no-store" in answer["Cache-Control"]
    row.refresh_from_db()
    shown = text_of(client, page_of(row))
    assert row.digest in shown and address("transfer_take", row.pk) not in shown


def test_a_value_stands_in_the_file_and_on_no_page(client, court, aigul):
    enter(client, staff("clerk"))
    pages = [look(client, court).content.decode(), ask(client, court).content.decode()]
    build()
    row = Transfer.objects.get()
    for name in ("transfer_take", "transfer_decide"):
        assert client.get(address(name, row.pk))["Location"] == page_of(row)
    pages += [text_of(client, page) for page in (page_of(row), address(LIST), address(ASK))]
    assert Transfer.objects.get().state == State.READY
    assert EMAIL in fetched(client, row)[1]
    pages += [text_of(client, page) for page in (page_of(row), address(LIST))]
    assert not [canary for page in pages for canary in CANARIES if canary in page]
    assert row.number in pages[-1] and aigul.reference in pages[-2]


def test_looking_opens_nothing_and_is_recorded_only_where_it_is_refused(client, court, aigul):
    enter(client, staff("clerk"))
    before = AuditEntry.objects.count()
    look(client, court)
    assert AuditEntry.objects.count() == before
    answer = look(client, court, article="")
    assert "names number and date" in answer.content.decode() and "counts" not in answer.context
    assert AuditEntry.objects.filter(operation="refused", object_type="registry.recipient").count() == 1


def test_who_is_left_out_is_counted_by_reason(client, aigul, today):
    partner = Recipient.objects.create(
        code="lab", kind="partner", name_kk="Зертхана", name_en="Lab", country_id="KZ", contract_number="7",
        contract_on=date(2026, 1, 1),
    )  # fmt: skip
    partner.categories.set(DataCategory.objects.filter(code="email"))
    news = purpose()
    news.third_parties = "asked"
    news.save()
    news.recipients.add(partner)
    decisions.give(person(now=today), [purpose()], now=today, scope=BOTH)
    enter(client, staff("clerk"))
    answer = look(client, partner, ground="a")
    assert answer.context["counts"].people == 1
    assert "No consent for third parties" in answer.content.decode()
    ask(client, partner, ground="a")
    row = Transfer.objects.get()
    assert (row.article, row.requested_on) == ("", None)
    assert "No consent for third parties" in text_of(client, page_of(row))


def test_only_the_people_named_go_and_what_was_typed_is_not_repeated(client, court, aigul, today):
    person(now=today)
    enter(client, staff("clerk"))
    assert look(client, court).context["counts"].people == 2
    assert look(client, court, references=aigul.reference.lower()).context["counts"].people == 1
    answer = look(client, court, references="DS-2222-2222")
    assert list(answer.context["form"].errors) == ["references"] and "counts" not in answer.context


def test_what_was_not_looked_at_is_not_asked_for(client, court, aigul):
    enter(client, staff("clerk"))
    mark = look(client, court).context["mark"]
    rest = {"act": "ask", "seen": mark, "reason": "inquiry", "file_format": "csv"}
    answer = client.post(address(ASK), fields(court, article="art. 10") | rest)
    assert answer.status_code == 200 and answer.context["mark"] != mark
    assert not Transfer.objects.exists()


def test_a_button_pressed_twice_asks_once_and_fetches_once(client, court, aigul):
    enter(client, staff("clerk"))
    first, second = ask(client, court), ask(client, court)
    assert first["Location"] == second["Location"] and Transfer.objects.count() == 1
    ask(client, court, reason="another inquiry")
    assert Transfer.objects.count() == 2
    build()
    row = Transfer.objects.order_by("pk")[0]
    assert EMAIL in fetched(client, row)[1]
    assert client.post(address("transfer_take", row.pk))["Location"] == page_of(row)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"incident": "IN-2222-2222"}, "incident"),
        ({"article": "call 87015551234"}, "article"),
        ({"categories": []}, "categories"),
    ],
)
def test_what_can_t_be_is_said_at_its_field(client, court, aigul, changed, field):
    enter(client, staff("clerk"))
    assert list(look(client, court, **changed).context["form"].errors) == [field]


def test_a_reason_with_a_number_is_refused(client, court, aigul):
    enter(client, staff("clerk"))
    answer = ask(client, court, reason="call 87015551234")
    assert list(answer.context["send"].errors) == ["reason"] and not Transfer.objects.exists()


def test_nobody_to_give_is_said_and_no_button_is_shown(client, court):
    enter(client, staff("clerk"))
    answer = look(client, court)
    assert answer.context["counts"].people == 0 and 'value="ask"' not in answer.content.decode()


# --- rights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ASK, STATISTICS])
@pytest.mark.parametrize(("permissions", "appointed"), [([], True), (["ask_transfer"], False)])
def test_asking_wants_permission_and_appointment(client, court, name, permissions, appointed):
    enter(client, may("nobody", *permissions, appointed=appointed))
    assert [client.get(address(name)).status_code, client.post(address(name)).status_code] == [403, 403]


def test_every_file_and_every_asking_want_the_second_factor_anew(client, court, aigul):
    enter(client, staff("clerk"))
    ask(client, court)
    build()
    row = Transfer.objects.get()
    is_stale()
    ways = [client.get(address(ASK)), client.post(address(ASK), fields(court)), client.get(address(STATISTICS))]
    ways += [client.post(address("transfer_take", row.pk))]
    assert all(way.status_code == 302 and way["Location"].startswith(address("step_up")) for way in ways)
    assert Transfer.objects.get().state == State.READY


def test_a_second_person_approves_and_does_not_fetch(client, court, aigul):
    AccessSettings.objects.update(plain_export_people=0)
    enter(client, staff("clerk"))
    ask(client, court)
    row = Transfer.objects.get()
    decide = address("transfer_decide", row.pk)
    assert 'value="approve"' not in text_of(client, page_of(row))
    client.post(decide, {"act": "approve"})
    assert Transfer.objects.get().state == State.WAITING
    enter(client, staff("second"))
    assert 'value="approve"' in text_of(client, page_of(row))
    is_stale()
    assert client.post(decide, {"act": "approve"})["Location"].startswith(address("step_up"))
    enter(client, staff("third"))
    client.post(decide, {"act": "approve"})
    assert Transfer.objects.get().state == State.BUILDING
    build()
    assert client.post(address("transfer_take", row.pk)).status_code == 403


def test_a_refusal_needs_a_reason_and_is_shown_to_who_asked(client, court, aigul):
    AccessSettings.objects.update(plain_export_people=0)
    clerk = staff("clerk")
    enter(client, clerk)
    ask(client, court)
    row = Transfer.objects.get()
    enter(client, staff("second"))
    client.post(address("transfer_decide", row.pk), {"act": "refuse", "reason": ""})
    assert Transfer.objects.get().state == State.WAITING
    client.post(address("transfer_decide", row.pk), {"act": "refuse", "reason": "no such court"})
    enter(client, clerk)
    assert "no such court" in text_of(client, page_of(row))


def test_how_far_a_file_is_stands_on_its_page_and_in_the_list(client, court, aigul):
    enter(client, staff("clerk"))
    ask(client, court)
    row = Transfer.objects.get()
    Transfer.objects.filter(pk=row.pk).update(people=5000, written=2000)
    shown = text_of(client, page_of(row))
    assert "People written: 2,000 of 5,000" in shown and '<a href="">' in shown  # look again: nothing moves by itself
    assert 'value="cancel"' in shown
    assert "being built: 2,000 of 5,000" in text_of(client, address(LIST))
    client.post(address("transfer_decide", row.pk), {"act": "cancel"})
    assert "being built: " not in text_of(client, address(LIST))


def test_giving_up_and_acts_nobody_knows(client, court, aigul):
    enter(client, staff("clerk"))
    ask(client, court)
    decide = address("transfer_decide", Transfer.objects.get().pk)
    assert client.post(decide, {"act": "publish"}).status_code == 400
    client.post(decide, {"act": "cancel"})
    assert Transfer.objects.get().state == State.CANCELLED


def test_the_lines_are_shown_to_whoever_may_see_them(client, court, aigul, today):
    row = transfer_to(court, staff("clerk"), today)
    enter(client, may("auditor"))
    assert aigul.reference in text_of(client, page_of(row))
    reader = may("reader")
    reader.user_permissions.remove(Permission.objects.get(codename="view_transferline"))
    enter(client, reader)
    assert aigul.reference not in text_of(client, page_of(row))


@pytest.mark.parametrize("state", State.values)
def test_every_state_has_its_page(client, court, today, state):
    me = staff("clerk")
    enter(client, me)
    by_program = {"key": a_key(court, me, today), "expires_at": today} if state == State.SENDING else {}
    row = Transfer.objects.create(
        recipient=court, country="KZ", ground="c", purpose=purpose(), categories=["email"], is_cross_border=False,
        reason="news", format="csv", state=state, people=3, requested_by=me, requested_at=today,
        incident=an_incident(me, today), **by_program,
    )  # fmt: skip
    assert row.get_state_display() in text_of(client, page_of(row))


def a_key(recipient, member, now):
    moments = {"made_at": now, "expires_at": now + DAY}
    return RecipientKey.objects.create(recipient=recipient, prefix="abcdefgh", digest="0" * 64, made_by=member, **moments)


def an_incident(member, now):
    data = DataCategory.objects.all()[:1]
    return opening.open_incident("loss", "a letter", data, discovered_at=now, by=member, now=now)


# --- encrypted, statistics, the journal -------------------------------------------------------------------------------


def test_with_a_public_key_the_file_is_readable_by_its_owner_only(client, court, aigul):
    key = pyrage.x25519.Identity.generate()
    Recipient.objects.update(public_key=str(key.to_public()))
    enter(client, staff("clerk"))
    ask(client, court, file_format="json")
    build()
    answer = client.post(address("transfer_take", Transfer.objects.get().pk))
    content = b"".join(answer.streaming_content)
    assert answer["Content-Type"] == "application/octet-stream" and answer["Content-Disposition"].endswith('.json.age"')
    assert EMAIL.encode() not in content and EMAIL.encode() in pyrage.decrypt(content, [key])


def test_statistics_are_shown_handed_over_and_in_the_journal(client, court, today):
    last_month = today.replace(day=1) - 5 * DAY
    for _number in range(6):
        person(now=last_month)
    enter(client, staff("clerk"))
    assert look(client, court, ground="d")["Location"] == address(STATISTICS)
    assert f"{last_month:%m.%Y}" in text_of(client, address(STATISTICS))
    answer = client.post(address(STATISTICS), {"recipient": court.pk, "file_format": "json", "reason": "research"})
    row = Transfer.objects.get()
    assert (row.ground, row.people) == ("d", 0) and b'"people": 5' in answer.content
    assert answer["Content-Disposition"] == f'attachment; filename="{row.number}.json"'
    assert row.number in text_of(client, address(LIST)) and row.digest in text_of(client, page_of(row))


def test_statistics_are_no_spreadsheet(client, court):
    enter(client, staff("clerk"))
    answer = client.post(address(STATISTICS), {"recipient": court.pk, "file_format": "xlsx", "reason": "research"})
    assert list(answer.context["form"].errors) == ["file_format"] and not Transfer.objects.exists()


@pytest.mark.parametrize(
    ("query", "found"),
    [("country=KZ", 1), ("country=DE", 0), ("ground__exact=b", 1), ("ground__exact=a", 0), ("state__exact=taken", 0),
     ("requested_at__from=2999-01-01", 0), ("recipient__id__exact=0", 0)],
)  # fmt: skip
def test_the_journal_is_cut_by_recipient_country_ground_and_day(client, court, aigul, today, query, found):
    row = transfer_to(court, staff("clerk"), today)
    Recipient.objects.create(code="other", kind="partner", name_kk="n", country_id="KZ")
    enter(client, staff("reader"))
    assert (row.number in text_of(client, f"{address(LIST)}?{query}")) is bool(found)


def test_a_person_s_page_names_every_transfer_and_why_one_was_left_out(client, court, aigul, today):
    clerk, other = staff("clerk"), person(now=today - DAY)
    row = transfer_to(court, clerk, today)
    build()
    decisions.withdraw(aigul, None, now=today, channel=ConsentRecord.Channel.LINK)
    row.refresh_from_db()
    transfers.take(row, by=clerk, now=timezone.now()).close()
    enter(client, clerk)
    assert row.number in text_of(client, page_of(other)) and "left out" not in text_of(client, page_of(other))
    assert "left out: consent withdrawn" in text_of(client, page_of(aigul))
    assert "before it was fetched" in text_of(client, page_of(row))


# --- recipients and notices -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "said"),
    [(None, "without an end"), (-1, "ended: "), (0, "until: "), (30, "until: "), (31, "until: ")],
)
def test_a_contract_that_ends_is_seen(client, until, said):
    day = until if until is None else timezone.localdate() + timedelta(days=until)
    Recipient.objects.create(
        code="lab", kind="partner", name_kk="Lab", country_id="KZ", contract_number="7", contract_on=date(2026, 1, 1),
        contract_until=day,
    )  # fmt: skip
    enter(client, staff("clerk"))
    page = text_of(client, address("registry_recipient_changelist"))
    tone = {None: "ok", -1: "bad", 0: "soon", 30: "soon", 31: "ok"}[until]
    assert f'<span class="badge {tone}">{said}' in page


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"public_key": "age1" + "q" * 58}, "public_key"), ({"bin": "230440900089"}, "bin"), ({}, None)],
)
def test_a_recipient_with_a_wrong_number_or_key_is_not_saved(client, changed, field):
    enter(client, staff("clerk"))
    names = {f"name_{language}": "Lab" for language in ("kk", "ru", "en")}
    key = str(pyrage.x25519.Identity.generate().to_public())
    given = {"code": "lab", "kind": "processor", "country": "KZ", "bin": "230440900088", "public_key": key} | names
    answer = client.post(address("registry_recipient_add"), given | changed)
    assert Recipient.objects.filter(code="lab").exists() is (field is None)
    if field:
        assert list(answer.context["adminform"].form.errors) == [field]


@pytest.fixture
def notice(court, aigul, today):
    """The court has the address and must be told that it was corrected."""
    clerk = staff("sender")
    row = transfer_to(court, clerk, today)
    build()
    row.refresh_from_db()
    transfers.take(row, by=clerk, now=timezone.now()).close()
    notices.open_for([aigul.pk], notices.Event.CORRECTED, now=today)
    return RecipientNotice.objects.get()


def test_a_notice_is_told_and_then_confirmed(client, notice, aigul):
    enter(client, may("clerk", "handle_recipientnotice"))
    note = address("notice_note", notice.pk)
    shown = text_of(client, page_of(notice))
    assert 'value="told"' in shown and 'value="confirmed"' not in shown and aigul.reference in shown
    for act in ("confirmed", "told", "told", "confirmed", "confirmed"):
        assert client.post(note, {"act": act})["Location"] == page_of(notice)
    notice.refresh_from_db()
    assert notice.sent_at and notice.acknowledged_by.username == "clerk"
    assert AuditEntry.objects.filter(object_type="registry.recipientnotice", actor__isnull=False).count() == 2
    shown = text_of(client, page_of(notice))
    assert '<button class="button" name="act"' not in shown
    assert client.post(note, {"act": "burn"}).status_code == 400


def test_noting_wants_its_own_permission_and_get_notes_nothing(client, notice):
    enter(client, may("reader"))
    note = address("notice_note", notice.pk)
    assert 'value="told"' not in text_of(client, page_of(notice))
    assert client.post(note, {"act": "told"}).status_code == 403
    assert client.get(note)["Location"] == page_of(notice)
    notice.refresh_from_db()
    assert notice.sent_at is None


@pytest.mark.parametrize(
    ("tab", "before", "after"), [("untold", 1, 0), ("told", 0, 1), ("late", 0, 0), ("confirmed", 0, 0)]
)
def test_the_tabs_follow_a_notice(client, notice, tab, before, after):
    enter(client, staff("clerk"))
    page = f"{address('registry_recipientnotice_changelist')}?show={tab}"
    assert (page_of(notice) in text_of(client, page)) is bool(before)
    client.post(address("notice_note", notice.pk), {"act": "told"})
    assert (page_of(notice) in text_of(client, page)) is bool(after)


@pytest.mark.parametrize(("days", "is_late"), [(0, False), (1, True)])
def test_a_notice_is_late_the_day_after_its_last_day(client, notice, days, is_late):
    RecipientNotice.objects.update(due_on=timezone.localdate() - timedelta(days=days))
    enter(client, staff("clerk"))
    page = text_of(client, f"{address('registry_recipientnotice_changelist')}?show=late")
    assert (page_of(notice) in page) is is_late and ("late; due: " in page) is is_late


def test_today_asks_to_approve_and_to_tell(client, notice, court, today):
    AccessSettings.objects.update(plain_export_people=0)
    sender = StaffMember.objects.get(username="sender")
    waits = transfer_to(court, sender, today)
    second = staff("second")
    queue = work.waiting(second, today, sees_people=True)
    rows = {item.row: item for item in work.in_tab(queue, "all", today)}
    assert rows[waits].is_offered and timezone.localdate(rows[notice].due_at) > notice.due_on
    mine = work.waiting(sender, today, sees_people=True)
    assert not next(item for item in mine.items if item.row == waits).is_offered
    notices.note_told(notice, by=second, now=today)
    assert notice not in [item.row for item in work.waiting(second, today, sees_people=True).items]


def test_an_act_of_destruction_names_who_was_told(client, notice, aigul, today):
    clerk = staff("clerk")
    demanded = {"ground": LegalGround.objects.first(), "reason": "asked", "by": clerk, "now": today}
    certificate, other = demands.demand(aigul, **demanded), demands.demand(person(now=today), **demanded)
    enter(client, clerk)
    page = text_of(client, page_of(certificate))
    assert "Бұлбұл соты" in page and "Соловьиный суд" in page and NOT_GIVEN not in page
    page = text_of(client, page_of(other))
    assert "Бұлбұл соты" not in page and NOT_GIVEN in page


def test_few_people_given_to_a_country_are_hidden_from_who_may_not_see_people(client, notice, today):
    figures.count(timezone.now())
    board = figures.read()
    assert board.of("countries") == {"KZ": 1}
    drawn = [today_charts.charts(board, smallest)["countries"].rows for smallest in (None, 5)]
    assert [rows[0][1] for rows in drawn] == [["1"], ["< 5"]]
