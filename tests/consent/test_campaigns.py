"""Asking anew: exactly those whose consent became too narrow, once each, whatever interrupts it.

Broken and seen to fail: `lacking` without countries and without ticks, the look for a later consent and for its being in
force, the second look under the lock, `looked_until` left where it was, `pause` in soft mode and left out in hard mode, its
history row, the gate's `paused_at`, other ticks that ended the waiting, blocked people written to, the letter without its
look at what the person answered and at the stop, the notice left out, the room of the outbox, any version started.
"""

import logging

import pytest
from django.contrib.auth.models import Permission
from django.core import mail as mailbox
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.translation import override

from config.logs import LineFormatter
from consent import campaigns, decisions, links, tasks, wording
from consent.models import Campaign, CampaignMember, ConsentRecord, PolicyVersion, Wording
from consent.policy import publish
from registry import jobs, mail
from registry.models import (
    AuditEntry,
    DataCategory,
    DataSubject,
    JobRun,
    OutgoingMessage,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
    StaffMember,
)
from registry.processing import Scope, may_process
from tests.consent.test_policy import draft, recipient
from tests.factories import DAY, EMAIL, PHONE, block, enter, person, purpose, staff

pytestmark = pytest.mark.django_db
NEWS, ADVERTISING = "site-news", "advertising"
LINK = ConsentRecord.Channel.LINK


def widen(code=NEWS, country="KZ", name="lab"):
    """The purpose now asks to give data to one more recipient."""
    one = purpose(code)
    one.third_parties = "asked"
    one.cross_border = "asked" if country != "KZ" or one.cross_border == "asked" else "no"
    one.save()
    one.recipients.add(recipient(name, country))
    return one


@pytest.fixture
def asked(today):
    """A person with news and advertising, one with advertising only; then news may go to a lab, under version 2."""
    both, other = person(NEWS, ADVERTISING, now=today - DAY), person(ADVERTISING, now=today - DAY)
    widen()
    return both, other


@pytest.fixture
def second(today, asked):
    return publish(draft(today), by=None, now=today)


def start(policy, now, mode="soft"):
    by = StaffMember.objects.filter(username="starting").first() or staff("starting")
    return campaigns.start(policy, mode, by=by, now=now)


def written_to():
    letters = OutgoingMessage.objects.filter(letter="reconsent")
    return sorted(letters.values_list("subject", flat=True))


def send(now):
    OutgoingMessage.objects.exclude(letter="reconsent").filter(state="queued").update(state="cancelled")
    mailbox.outbox.clear()
    mail.send_due(now, clock=lambda: now)
    return mailbox.outbox


def test_exactly_those_are_asked_whose_consent_does_not_cover_it(today, asked, second):
    campaign = start(second, today)
    assert campaigns.ask_anew(today) == 1
    assert written_to() == [asked[0].pk]
    campaign.refresh_from_db()
    assert (campaign.state, campaign.finished_at) == ("done", today)
    assert campaign.wider == {NEWS: {"people": 1, "recipients": ["lab"], "ticks": ["third_parties"]}}


@pytest.mark.parametrize(
    ("before", "after", "lack"),
    [
        (lambda: None, widen, {"recipients": ["lab"], "ticks": ["third_parties"]}),
        (widen, lambda: widen(name="shop"), {"recipients": ["shop"]}),
        (
            widen,
            lambda: widen(country="DE", name="shop"),
            {"recipients": ["shop"], "countries": ["DE"], "ticks": ["cross_border"]},
        ),
        (
            lambda: widen(country="DE"),
            lambda: widen(country="FR", name="shop"),
            {"recipients": ["shop"], "countries": ["FR"]},
        ),
        (
            lambda: None,
            lambda: ProcessingPurpose.objects.filter(code=NEWS).update(public_sources="asked"),
            {"ticks": ["public_sources"]},
        ),
        (
            lambda: purpose().categories.remove(DataCategory.objects.get(code="phone")),
            lambda: purpose().categories.add(DataCategory.objects.get(code="phone")),
            {"categories": ["phone"]},
        ),
    ],
    ids=["third parties", "a recipient", "abroad", "a country", "publishing", "a category"],
)
def test_what_became_wider_is_told_by_code(today, before, after, lack):
    before()
    person(NEWS, now=today - DAY)
    assert campaigns.wider(today) == {}
    after()
    assert campaigns.wider(today) == {NEWS: {"people": 1, **lack}}


@pytest.mark.parametrize(
    "after",
    [
        lambda: purpose(NEWS).recipients.clear(),  # noqa: PLW0108 (a query)
        lambda: ProcessingPurpose.objects.filter(code=NEWS).update(name_en="News", description_kk="-"),
        lambda: ProcessingPurpose.objects.filter(code=NEWS).update(third_parties="no", cross_border="no"),
        lambda: purpose().categories.remove(DataCategory.objects.get(code="phone")),
    ],
    ids=["nothing left", "renamed", "no third parties", "fewer data"],
)
def test_less_than_before_asks_nobody(today, after):
    widen(country="DE")
    person(NEWS, now=today - DAY)
    after()
    assert campaigns.wider(today) == {}


def test_who_agreed_anew_in_between_is_covered(today, asked):
    decisions.give(asked[0], [purpose()], now=today)
    assert campaigns.wider(today) == {}
    decisions.give(asked[0], [purpose()], now=today, scope=Scope(third_parties=True))
    assert campaigns.wider(today) == {}


def test_a_person_counts_once_however_many_purposes_became_wider(today, asked):
    assert campaigns.people(campaigns.wider(today), today) == 1
    widen(ADVERTISING, name="shop")
    found = campaigns.wider(today)
    assert [one["people"] for one in found.values()] == [1, 2]
    assert campaigns.people(found, today) == 2


def test_a_recipient_that_moves_abroad_makes_it_wider(today):
    one = widen(country="KZ")
    person(NEWS, now=today - DAY)
    ProcessingPurpose.objects.filter(code=NEWS).update(cross_border="asked")
    one.recipients.update(country="DE")
    assert campaigns.wider(today)[NEWS]["countries"] == ["DE"]


@pytest.mark.parametrize("interrupted", [False, True])
def test_nobody_is_asked_twice_whatever_interrupts_it(today, asked, second, interrupted, monkeypatch):
    people = [asked[0].pk, *(_old_consent(second, today) for _ in range(4))]
    start(second, today)
    monkeypatch.setattr(campaigns, "PORTION", 2)
    if interrupted:
        monkeypatch.setattr(campaigns, "lock_subjects", _dies_the_second_time(campaigns.lock_subjects))
        with pytest.raises(KeyboardInterrupt):
            _all(today, most=2)
        assert written_to() == people[:2]
        monkeypatch.undo()
    _all(today, most=2)
    assert written_to() == people == sorted(CampaignMember.objects.values_list("subject", flat=True))
    assert campaigns.ask_anew(today) == 0
    tasks.ask_anew()
    assert written_to() == people


def _all(now, most):
    number = Campaign.objects.get().pk
    while campaigns.advance(number, now, most=most) is not None:
        pass


def _dies_the_second_time(lock):
    calls = []

    def dying(subject_ids):
        calls.append(subject_ids)
        if len(calls) == 2:
            raise KeyboardInterrupt
        lock(subject_ids)

    return dying


def _old_consent(policy, now):
    """Somebody who agreed to the old wording, as it stands in the archive."""
    subject = person(NEWS, ADVERTISING, now=now)
    old = Wording.objects.exclude(policy=policy).get(purpose__code=NEWS, language="kk")
    given = ConsentRecord.objects.filter(subject=subject, purpose__code=NEWS, act="confirmed").get()
    decisions.acts.append(ConsentRecord.Act.GIVEN, subject, [decisions.acts.Line(given.purpose, old)], LINK, now=now)
    return subject.pk


def test_hard_stops_what_became_wider_at_once_and_soft_does_not(today, asked, second):
    both, other = asked
    start(second, today, "soft")
    campaigns.ask_anew(today)
    assert may_process(both, purpose(NEWS), today)
    start(second, today, "hard")
    assert may_process(both, purpose(NEWS), today)  # not looked at yet
    campaigns.ask_anew(today)
    assert not may_process(both, purpose(NEWS), today)
    assert may_process(both, purpose(ADVERTISING), today) and may_process(other, purpose(ADVERTISING), today)
    paused = Processing.objects.get(subject=both, purpose__code=NEWS)
    assert (paused.state, paused.paused_at) == ("open", today)
    newest = paused.history.latest("history_id")
    assert (newest.history_type, newest.paused_at) == ("~", today)


def test_a_new_consent_ends_the_waiting_and_is_the_answer(today, asked, second):
    both, _ = asked
    start(second, today, "hard")
    campaigns.ask_anew(today)
    later = today + DAY
    decisions.give(both, [purpose()], now=later)
    assert may_process(both, purpose(), later)
    assert CampaignMember.objects.get(subject=both).answered_at == later
    assert campaigns.wider(later) == {}


def test_other_ticks_under_the_old_text_are_no_answer(today, second):
    both = DataSubject.objects.get(pk=_old_consent(second, today))
    again = widen(name="shop")
    decisions.give(both, [again], now=today, scope=Scope(third_parties=True))
    widen(name="third")
    start(second, today, "hard")
    campaigns.ask_anew(today)
    decisions.choose(both, {NEWS: Scope(), ADVERTISING: Scope()}, now=today, language="kk")
    news = Processing.objects.get(subject=both, purpose__code=NEWS)
    assert (news.third_parties, may_process(both, purpose(), today)) == (False, False)
    digest = wording.offer(today, "kk").texts[NEWS].digest
    wanted = {NEWS: Scope(third_parties=True), ADVERTISING: Scope()}
    decisions.choose(both, wanted, seen=[digest], anew=[NEWS], now=today, language="kk")
    assert may_process(both, purpose(), today)


def test_the_same_people_are_asked_by_a_second_campaign_only_if_they_have_not_agreed(today, asked, second):
    more = [_old_consent(second, today) for _ in range(2)]
    start(second, today, "hard")
    campaigns.ask_anew(today)
    decisions.give(asked[0], [purpose()], now=today)
    start(second, today, "hard")
    assert campaigns.ask_anew(today) == 2
    assert sorted(CampaignMember.objects.order_by("-pk").values_list("subject", flat=True)[:2]) == more


def test_who_withdraws_while_the_portion_waits_for_the_lock_is_not_asked(today, asked, second, monkeypatch):
    lock = campaigns.lock_subjects

    def withdrawing(subject_ids):
        decisions.withdraw(asked[0], purpose(), now=today, channel=LINK)
        lock(subject_ids)

    start(second, today, "hard")
    monkeypatch.setattr(campaigns, "lock_subjects", withdrawing)
    assert campaigns.ask_anew(today) == 0
    assert not CampaignMember.objects.exists() and written_to() == []


@pytest.mark.parametrize("everything", [True, False])
def test_who_withdraws_before_the_letter_goes_gets_none(today, asked, second, everything):
    start(second, today)
    campaigns.ask_anew(today)
    decisions.withdraw(asked[0], None if everything else purpose(), now=today, channel=LINK)
    assert send(today) == []
    assert OutgoingMessage.objects.get(letter="reconsent").state == "cancelled"
    assert not ConsentRecord.objects.filter(act="notice_shown").exists()


def test_who_agrees_before_the_letter_goes_gets_none(today, asked, second):
    start(second, today)
    campaigns.ask_anew(today)
    decisions.give(asked[0], [purpose()], now=today)
    assert send(today) == []


def test_the_letter_says_what_became_wider_and_how_to_answer_and_is_proved(today, asked, second):
    subject = asked[0]
    subject.language = "en"
    subject.save()
    before = list(ConsentRecord.objects.filter(subject=subject).values_list("place", flat=True))
    start(second, today)
    campaigns.ask_anew(today)
    (letter,) = send(today)
    for said in ("Site news", "Third parties: Lab (Kazakhstan)", "/en/mine/", "/en/policy/compare/1/2/", "/u/"):
        assert said in letter.body
    assert "Information and advertising" not in letter.body and "goes on as it was" in letter.body
    assert "List-Unsubscribe" not in letter.extra_headers
    notice = ConsentRecord.objects.get(act="notice_shown")
    assert (notice.subject, notice.purpose.code, notice.channel, notice.at) == (subject, NEWS, "job", today)
    assert notice.place == max(before) + 1 and notice.digest
    assert may_process(subject, purpose(), today)


def test_the_letter_of_a_hard_campaign_says_that_we_wait_and_mentions_new_purposes(today, asked, second):
    new = purpose(ADVERTISING)
    new.pk, new.code, new.name_kk, new.clock = None, "contest", "БАЙҚАУ", "consent_given"
    new.save()
    new.categories.set(DataCategory.objects.filter(kind__in=DataCategory.CONTACTS))
    start(second, today, "hard")
    campaigns.ask_anew(today)
    (letter,) = send(today)
    assert "БАЙҚАУ" in letter.body
    with override("kk"):
        assert campaigns.told({"recipients": ["lab"]})[0] in letter.body
    assert not ConsentRecord.objects.filter(act="notice_shown", purpose=new).exists()


def test_a_purpose_that_was_there_before_is_not_new(today, second):
    assert campaigns.added(second, today) == []
    assert campaigns.added(PolicyVersion.objects.get(number=1), today) == []


def test_a_blocked_person_is_not_written_to_and_in_hard_mode_waits(today, asked, second):
    block(asked[0])
    campaign = start(second, today, "hard")
    assert campaigns.ask_anew(today) == 0
    campaign.refresh_from_db()
    assert campaign.state == "done" and campaigns.not_reached(campaign, today) == 1
    assert Processing.objects.get(subject=asked[0], purpose__code=NEWS).paused_at == today


def test_a_number_is_written_to_where_there_is_no_address(today, settings):
    settings.SMS_BACKEND = "config.sms_folder.send"
    before = today - DAY
    question = decisions.ask({"phone": PHONE}, [purpose()], language="en", now=before)
    decisions.confirm(question.pk, now=before, code=links.code(question.pk, before))
    widen()
    policy = publish(draft(today), by=None, now=today)
    campaign = start(policy, today)
    assert campaigns.ask_anew(today) == 1
    send(today)
    (message,) = settings.SMS_FOLDER.iterdir()
    assert "/en/mine/" in message.read_text() and "/u/" in message.read_text()
    settings.SMS_BACKEND = ""
    campaign = start(policy, today)
    assert campaigns.ask_anew(today) == 0
    campaign.refresh_from_db()
    assert campaigns.not_reached(campaign, today) == 1


def test_only_a_confirmed_address_is_written_to(today, asked, second):
    decisions.withdraw(asked[1], None, now=today, channel=LINK)
    with_number = person(NEWS, email=EMAIL, phone=PHONE, now=today)
    start(second, today)
    campaigns.ask_anew(today)
    assert with_number.pk not in written_to()  # agreed to the text in force
    confirmed = PersonalDatum.objects.filter(subject=asked[0], standing="confirmed").get()
    assert OutgoingMessage.objects.get(letter="reconsent").datum_id == confirmed.pk


def test_a_campaign_waits_for_the_outbox(today, asked, second, monkeypatch):
    for _ in range(3):
        _old_consent(second, today)
    monkeypatch.setattr(campaigns, "MOST_WAITING", 2)
    start(second, today)
    number = Campaign.objects.get().pk
    campaigns.advance(number, today, most=2)
    assert campaigns.ask_anew(today) == 0 and len(written_to()) == 2
    send(today)
    assert campaigns.ask_anew(today) == 2


def test_a_portion_costs_the_same_for_more_people(today, asked, second):
    for _ in range(7):
        _old_consent(second, today)
    number = start(second, today, "hard").pk

    def cost(most):
        with CaptureQueriesContext(connection) as captured:
            assert campaigns.advance(number, today, most=most) == most
        return len(captured)

    assert cost(1) == cost(6)


def test_it_begins_only_about_the_version_in_force_only_if_something_is_wider_and_once(today, asked, second):
    coming = publish(draft(today + DAY, number=3), by=None, now=today)
    for version in (coming, draft(today + DAY, number=4), PolicyVersion.objects.get(number=1)):
        with pytest.raises(ValidationError):
            start(version, today)
    start(second, today)
    with pytest.raises(ValidationError):
        start(second, today, "hard")
    assert Campaign.objects.count() == 1
    campaigns.stop(Campaign.objects.get(), by=staff("stopping"), now=today)
    decisions.withdraw(asked[0], None, now=today, channel=LINK)
    with pytest.raises(ValidationError):
        start(second, today)


def test_stopping_asks_nobody_else_and_keeps_letters_here(today, asked, second):
    campaign, by = start(second, today, "hard"), staff("stopping")
    campaigns.advance(campaign.pk, today)
    campaigns.stop(campaign, by=by, now=today)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.finished_at) == ("stopped", today)
    assert campaigns.advance(campaign.pk, today) is None
    assert send(today) == []
    assert OutgoingMessage.objects.get(letter="reconsent").state == "cancelled"
    assert not may_process(asked[0], purpose(), today)
    with pytest.raises(ValidationError):
        campaigns.stop(campaign, by=by, now=today)
    entries = AuditEntry.objects.filter(object_type="consent.campaign", object_id=campaign.pk)
    assert list(entries.values_list("operation", "actor__username")) == [
        ("configure", "stopping"),
        ("configure", "starting"),
    ]


def test_the_job_is_noted_and_watched(today, asked, second):
    start(second, today)
    tasks.ask_anew()
    assert JobRun.objects.get(name="ask_anew").outcome == "1 people asked anew"
    assert "ask_anew" in jobs.LATE_AFTER


def test_no_address_reaches_a_log(today, second, caplog):
    subject = person(ADVERTISING, email=EMAIL, now=today)
    old = Wording.objects.exclude(policy=second).get(purpose__code=NEWS, language="kk")
    decisions.give(subject, [purpose()], now=today)
    decisions.acts.append(ConsentRecord.Act.GIVEN, subject, [decisions.acts.Line(purpose(), old)], LINK, now=today)
    start(second, today)
    with caplog.at_level(logging.DEBUG):
        tasks.ask_anew()
        sent = send(timezone.now())
    assert EMAIL in [address for letter in sent for address in letter.to]  # present where it belongs
    told = "\n".join(LineFormatter("").format(record) for record in caplog.records)
    assert EMAIL.lower() not in told.lower() and "Aigul" not in told
    assert all(EMAIL not in str(row) for row in (*Campaign.objects.all(), *CampaignMember.objects.all()))


# --- the console -------------------------------------------------------------------------------------------------------


def member(*codenames):
    one = staff("limited", superuser=False)
    one.user_permissions.add(
        *Permission.objects.filter(codename__in=["view_campaign", "view_policyversion", *codenames])
    )
    return one


@pytest.fixture
def starting(second):
    return f"/admin/consent/campaign/start/{second.pk}/"


def test_the_console_shows_beforehand_who_and_why(client, asked, starting):
    enter(client, staff())
    client.cookies["language"] = "en"
    page = client.get(starting).content.decode()
    for said in ("Site news", "Third parties: Lab (Kazakhstan)", "Ask 1 person"):
        assert said in page
    assert "Information and advertising" not in page and not Campaign.objects.exists()
    assert client.post(starting, {"mode": "other"}).status_code == 200 and not Campaign.objects.exists()
    answer = client.post(starting, {"mode": "hard"}, follow=True)
    campaign = Campaign.objects.get()
    assert answer.redirect_chain == [(f"/admin/consent/campaign/{campaign.pk}/change/", 302)]
    assert (campaign.mode, campaign.started_by.username) == ("hard", "officer")
    client.post(f"/admin/consent/campaign/{campaign.pk}/stop/")
    campaign.refresh_from_db()
    assert campaign.state == "stopped"
    assert "Stop asking" not in client.get(f"/admin/consent/campaign/{campaign.pk}/change/").content.decode()


def test_without_the_permission_nobody_starts_or_stops(client, today, second, starting):
    campaign = start(second, today)
    enter(client, member())
    assert client.get(starting).status_code == client.post(starting, {"mode": "soft"}).status_code == 403
    assert client.post(f"/admin/consent/campaign/{campaign.pk}/stop/").status_code == 403
    shown = client.get(f"/admin/consent/campaign/{campaign.pk}/change/").content.decode()
    assert "/stop/" not in shown
    assert "campaign/start" not in client.get(f"/admin/consent/policyversion/{second.pk}/change/").content.decode()


def test_with_it_the_way_leads_from_the_published_version(client, second, starting, today):
    enter(client, member("start_campaign"))
    assert starting in client.get(f"/admin/consent/policyversion/{second.pk}/change/").content.decode()
    unpublished = draft(today, number=3)
    assert client.get(f"/admin/consent/campaign/start/{unpublished.pk}/").status_code == 404
    assert client.post(starting, {"mode": "soft"}).status_code == 302
