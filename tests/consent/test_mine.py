"""My consents: one page for everything a person agreed to, and the link to it.

Broken and seen to fail: `choose` outside a transaction, a new term for fewer ticks, a text nobody saw, what is not
offered, ticks nobody was asked for, a blocked person giving, a destroyed person's purposes and receipts shown, a link
without an end, any text asked of the database, boxes ticked beforehand; of the link's letter, one to a claim or a blocked
person, in another language, requests kept.
"""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from consent import campaigns, decisions, linking, links, tasks, wording
from consent.decisions import choosing
from consent.models import Confirmation, ConsentRecord, LinkRequest, Receipt, Wording
from consent.policy import publish
from registry import demands, purging
from registry.models import DataSubject, LegalGround, OutgoingMessage, PersonalDatum, Processing, ProcessingPurpose
from registry.normalise import normalise
from registry.processing import Scope, may_process
from tests.consent.pages import deliver, forms_of, open_form, path_of, post
from tests.consent.test_campaigns import start, widen
from tests.consent.test_policy import draft
from tests.factories import DAY, EMAIL, PHONE, block, person, purpose, question, shown_form, staff
from tests.faults.tables import row_counts, rows_written

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
NEWS, FEEDBACK, ADVERTISING = "site-news", "feedback", "advertising"
LINK = ConsentRecord.Channel.LINK
SAVE, ALL, TELL = ("answer", "save"), ("answer", "withdraw_all"), ("tell", "1")


@pytest.fixture(autouse=True)
def _letters_as_files(settings):
    settings.EMAIL_BACKEND, settings.SMS_BACKEND = "config.mail_folder.EmailBackend", "config.sms_folder.send"


def box(code, name="purposes"):
    return name, code


def path(subject, now, language="en"):
    return path_of(links.mine_url(subject.pk, language, now))


def page(client, subject, now):
    """The page's form."""
    return open_form(client, path(subject, now))


def acts(subject, since=0):
    found = ConsentRecord.objects.filter(subject=subject, pk__gt=since).order_by("place")
    return list(found.values_list("act", "purpose__code"))


def last():
    return ConsentRecord.objects.latest("pk").pk


def held(subject):
    ongoing = Processing.objects.ongoing(timezone.now()).filter(subject=subject, purpose__ground=None)
    return {one.purpose.code: one for one in ongoing.select_related("purpose")}


@pytest.fixture
def subject(today):
    return person(NEWS, FEEDBACK, email=EMAIL, now=today - DAY)


# --- what it shows ----------------------------------------------------------------------------------------------------
def test_what_was_agreed_to_is_ticked_and_nothing_else(client, today, subject):
    widen(ADVERTISING)  # asks for a tick of its own
    form = page(client, subject, today)
    assert form.ticked == {box(NEWS), box(FEEDBACK)}
    assert {code for name, code in form.boxes if name == "purposes"} == set(wording.offer(today, "en").texts)
    assert form.boxes[box(ADVERTISING, "third_parties")] is False


def test_nothing_is_ticked_beforehand_on_the_form_either(client, today):
    widen(ADVERTISING)
    form = open_form(client, "/en/consent/")
    assert len(form.boxes) > 4 and not form.ticked
    assert {value for name, value in form.fields if name != "shown"} == {""}


def test_what_became_wider_is_asked_anew_and_not_ticked(client, today, subject):
    widen(NEWS)
    form = page(client, subject, today)
    assert form.boxes[box(NEWS, "anew")] is False
    assert box(NEWS, "third_parties") not in form.boxes, "the old consent has no such tick"


def test_a_withdrawn_one_is_offered_again_without_a_tick(client, today, subject):
    decisions.withdraw(subject, purpose(NEWS), now=today, channel=LINK)
    form = page(client, subject, today)
    assert form.boxes[box(NEWS)] is False


def test_a_closed_purpose_can_be_left_and_not_entered_again(client, today, subject):
    ProcessingPurpose.objects.filter(code__in=[NEWS, ADVERTISING]).update(closes_at=today + timedelta(seconds=1))
    ProcessingPurpose.objects.filter(code__in=[NEWS, ADVERTISING]).update(is_public=False)
    form = page(client, subject, today)
    assert box(ADVERTISING) not in form.boxes and form.boxes[box(NEWS)] is True
    assert "closed" in client.get(path(subject, today)).content.decode()
    form.press(client, SAVE, untick={box(NEWS)})
    assert set(held(subject)) == {FEEDBACK}
    assert box(NEWS) not in page(client, subject, today).boxes


def test_the_receipts_are_listed_and_open(client, today, subject):
    page(client, subject, today).press(client, SAVE, tick={box(ADVERTISING)})
    answer = client.get(path(subject, today))
    receipts = list(Receipt.objects.filter(subject=subject).order_by("-pk"))
    assert [one for one, _ in answer.context["receipts"]] == receipts and len(receipts) == 2
    for one, token in answer.context["receipts"]:
        opened = client.get(f"/en/receipt/{token}/")
        assert opened.status_code == 200 and one.number in opened.content.decode()


def test_it_costs_the_same_whatever_was_agreed_to(client, today, subject):
    few = person(NEWS, now=today - DAY)
    costs = []
    for one in (few, subject):
        client.get(path(one, today))
        with CaptureQueriesContext(connection) as queries:
            client.get(path(one, today))
        costs.append(len(queries))
    assert costs[0] == costs[1]


# --- saving -----------------------------------------------------------------------------------------------------------
def plain(subject, today):
    pass


def with_ticks(subject, today):
    widen(ADVERTISING)
    decisions.give(subject, [purpose(ADVERTISING)], now=today, scope=Scope(third_parties=True))


def wider(subject, today):
    widen(NEWS)


def waiting(subject, today):
    widen(NEWS)
    start(publish(draft(today), by=None, now=today), today, "hard")
    campaigns.ask_anew(today)
    assert not may_process(subject, purpose(NEWS), today)


@pytest.mark.parametrize("state", [plain, with_ticks, wider, waiting])
def test_saving_without_a_change_writes_nothing(client, today, subject, state):
    state(subject, today)
    form = page(client, subject, today)
    before = rows_written()
    for _ in range(2):
        assert form.press(client, SAVE).status_code == 200
        assert rows_written() == before


def test_ticking_gives_and_unticking_withdraws_in_one_go(client, today, subject):
    since = last()
    answer = page(client, subject, today).press(client, SAVE, tick={box(ADVERTISING)}, untick={box(NEWS)})
    assert answer.status_code == 200 and set(held(subject)) == {FEEDBACK, ADVERTISING}
    assert acts(subject, since) == [("withdrawn", NEWS), ("given", ADVERTISING)]
    records = ConsentRecord.objects.filter(pk__gt=since)
    assert len(set(records.values_list("at", flat=True))) == 1
    given = records.get(act="given")
    assert (given.language, given.channel, given.wording.language) == ("en", "link", "en")
    assert Receipt.objects.latest("pk").records == [given.pk]
    (again,) = forms_of(answer)
    assert again.ticked == {box(FEEDBACK), box(ADVERTISING)}


def test_a_choice_that_fails_half_way_changes_nothing(client, today, subject, monkeypatch):
    form = page(client, subject, today)
    counts = row_counts()

    def fail(*arguments, **named):
        raise RuntimeError

    monkeypatch.setattr(choosing, "record_consent", fail)
    with pytest.raises(RuntimeError):
        form.press(client, SAVE, tick={box(ADVERTISING)}, untick={box(NEWS)})
    assert row_counts() == counts and set(held(subject)) == {NEWS, FEEDBACK}


def test_sending_the_same_choice_twice_is_one_choice(client, today, subject):
    form = page(client, subject, today)
    choice = {"tick": {box(ADVERTISING)}, "untick": {box(NEWS)}}
    form.press(client, SAVE, **choice)
    before = rows_written()
    assert form.press(client, SAVE, **choice).status_code == 200
    assert rows_written() == before


def test_withdrawing_everything_ends_everything_once(client, today, subject):
    form = page(client, subject, today)
    since = last()
    for _ in range(2):
        answer = form.press(client, ALL)
        assert answer.status_code == 200
        assert acts(subject, since) == [("withdrawn", NEWS), ("withdrawn", FEEDBACK)]
    assert not held(subject) and ALL not in forms_of(answer)[0].buttons


def test_withdrawing_keeps_no_technical_data(client, today, subject):
    page(client, subject, today).press(client, SAVE, untick={box(NEWS)})
    page(client, subject, today).press(client, ALL)
    assert not PersonalDatum.objects.filter(category__code="technical").exists()
    page(client, subject, today).press(client, SAVE, tick={box(NEWS)})
    assert PersonalDatum.objects.get(category__code="technical").subject == subject


# --- ticks of their own ------------------------------------------------------------------------------------------------
@pytest.fixture
def both_ticks(today, subject):
    """Advertising with both ticks, given ten days ago."""
    widen(ADVERTISING, country="DE")
    scope = Scope(third_parties=True, cross_border=True)
    decisions.give(subject, [purpose(ADVERTISING)], now=today - 10 * DAY, scope=scope)
    return held(subject)[ADVERTISING]


def test_a_tick_taken_away_is_gone_and_the_end_stays(client, today, subject, both_ticks):
    since = last()
    page(client, subject, today).press(client, SAVE, untick={box(ADVERTISING, "cross_border")})
    now = held(subject)[ADVERTISING]
    assert (now.third_parties, now.cross_border) == (True, False)
    assert now.lapses_at == both_ticks.lapses_at
    assert acts(subject, since) == [("given", ADVERTISING)]
    given = ConsentRecord.objects.latest("pk")
    assert (given.third_parties, given.cross_border) == (True, False)


def test_a_tick_that_is_added_begins_a_new_term(client, today, subject, both_ticks):
    form = page(client, subject, today)
    form.press(client, SAVE, untick={box(ADVERTISING, "cross_border")})
    form.press(client, SAVE)
    now = held(subject)[ADVERTISING]
    assert now.cross_border and now.lapses_at > both_ticks.lapses_at


def test_a_tick_nobody_is_asked_for_cannot_be_given(client, today, subject):
    form = page(client, subject, today)
    ticks = [box(code, name) for code in (NEWS, ADVERTISING) for name in Wording.TICKS]
    post(client, path(subject, today), [*form.filled(), box(ADVERTISING), *ticks, SAVE])
    for one in (held(subject)[NEWS], held(subject)[ADVERTISING], ConsentRecord.objects.latest("pk")):
        assert not (one.third_parties or one.public_sources or one.cross_border)


# --- a text that has changed -------------------------------------------------------------------------------------------
def test_the_old_consent_goes_on_unless_the_new_text_is_agreed_to(client, today, subject):
    before = held(subject)[NEWS]
    widen(NEWS)
    form = page(client, subject, today)
    form.press(client, SAVE, tick={box(ADVERTISING)})
    assert held(subject)[NEWS].lapses_at == before.lapses_at
    assert ConsentRecord.objects.filter(subject=subject, purpose__code=NEWS, act="given").count() == 0
    page(client, subject, today).press(client, SAVE, tick={box(NEWS, "anew")})
    given = ConsentRecord.objects.get(subject=subject, purpose__code=NEWS, act="given")
    assert given.wording.digest == wording.offer(today, "en").texts[NEWS].digest and not given.third_parties
    assert held(subject)[NEWS].lapses_at > before.lapses_at
    assert box(NEWS, "anew") not in page(client, subject, today).boxes


@pytest.mark.parametrize("is_ticked", [False, True])
def test_a_new_text_asks_for_its_own_ticks_and_takes_none_over(client, today, subject, is_ticked):
    """The old tick named fewer recipients than the new one: it cannot stand for it."""
    widen(NEWS)
    decisions.give(subject, [purpose(NEWS)], now=today, scope=Scope(third_parties=True))
    widen(NEWS, name="shop")
    form = page(client, subject, today)
    assert form.boxes[box(NEWS, "third_parties")] is True
    assert form.boxes[box(NEWS, "anew_third_parties")] is False
    wanted = {box(NEWS, "anew")} | ({box(NEWS, "anew_third_parties")} if is_ticked else set())
    form.press(client, SAVE, tick=wanted)
    given = ConsentRecord.objects.filter(subject=subject, purpose__code=NEWS, act="given").latest("pk")
    assert "shop" in given.wording.recipients
    assert given.third_parties is held(subject)[NEWS].third_parties is is_ticked


def test_unticking_a_purpose_withdraws_it_whatever_else_is_ticked(client, today, subject):
    widen(NEWS)
    page(client, subject, today).press(client, SAVE, untick={box(NEWS)}, tick={box(NEWS, "anew")})
    assert NEWS not in held(subject)
    assert not ConsentRecord.objects.filter(subject=subject, purpose__code=NEWS, act="given").exists()
    assert ConsentRecord.objects.filter(subject=subject, purpose__code=NEWS, act="withdrawn").count() == 1


@pytest.mark.parametrize("change", ["the text", "the offer", "the policy"])
def test_what_changed_since_the_page_was_shown_is_not_agreed_to_and_nothing_is_saved(client, today, subject, change):
    form = page(client, subject, today)
    if change == "the text":
        ProcessingPurpose.objects.filter(code=ADVERTISING).update(name_en="Advertising and more")
    elif change == "the offer":
        ProcessingPurpose.objects.filter(code=ADVERTISING).update(is_public=False)
    else:
        publish(draft(today), by=None, now=today)
    counts = row_counts()
    answer = form.press(client, SAVE, tick={box(ADVERTISING)}, untick={box(NEWS)})
    assert answer.status_code == 409 and set(held(subject)) == {NEWS, FEEDBACK}
    assert row_counts() == counts
    (again,) = forms_of(answer)
    assert again.ticked == {box(NEWS), box(FEEDBACK)}
    if change != "the offer":
        assert again.press(client, SAVE, tick={box(ADVERTISING)}).status_code == 200
        assert ADVERTISING in held(subject)


def test_withdrawing_works_whatever_has_changed(client, today, subject):
    form = page(client, subject, today)
    publish(draft(today), by=None, now=today)
    ProcessingPurpose.objects.filter(code__in=[NEWS, FEEDBACK]).update(name_en="Other", is_public=False)
    assert form.press(client, SAVE, untick={box(NEWS)}).status_code == 200
    assert set(held(subject)) == {FEEDBACK}
    assert form.press(client, ALL).status_code == 200
    assert not held(subject)


# --- what is no choice -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("pairs", [[], [("answer", "")], [("answer", "all")], [box(ADVERTISING)]])
def test_only_a_pressed_button_counts(client, today, subject, pairs):
    before = rows_written()
    assert post(client, path(subject, today), pairs).status_code == 400
    assert rows_written() == before


@pytest.mark.parametrize("code", ["nothing", "confirmation", "proof", "consent-evidence", "SITE-NEWS", "é" * 5000])
def test_what_is_not_offered_is_not_given(client, today, subject, code):
    form = page(client, subject, today)
    before = rows_written()
    answer = post(client, path(subject, today), [*form.filled(), box(code), SAVE])
    assert answer.status_code in {200, 409} and rows_written() == before


@pytest.mark.parametrize("name", ["purposes", "anew", "seen", "third_parties", "answer"])
def test_a_character_no_database_takes_is_refused_in_every_body(client, today, subject, name):
    client.raise_request_exception = False
    before = rows_written()
    fields = {"purposes": [NEWS, FEEDBACK], "answer": "save"} | {name: "a\0b"}
    answer = client.post(path(subject, today), fields)  # as multipart/form-data
    assert answer.status_code in {200, 400, 409}
    assert rows_written() == before or answer.status_code == 200


# --- people who can do less --------------------------------------------------------------------------------------------
def test_a_blocked_person_can_withdraw_one_or_all_and_give_nothing(client, today, subject):
    block(subject)
    form = page(client, subject, today)
    assert set(form.boxes) == {box(NEWS), box(FEEDBACK), ("tell", "1")} and set(form.buttons) == {SAVE, ALL}
    since = last()
    form.press(client, SAVE, untick={box(NEWS)})
    assert acts(subject, since) == [("withdrawn", NEWS)]
    digests = [("seen", text.digest) for text in wording.offer(today, "en").texts.values()]
    before = rows_written()
    for more in (box(ADVERTISING), box(NEWS), box(FEEDBACK, "anew")):
        post(client, path(subject, today), [box(FEEDBACK), more, *digests, SAVE])
    assert rows_written() == before
    page(client, subject, today).press(client, ALL)
    assert acts(subject, since) == [("withdrawn", NEWS), ("withdrawn", FEEDBACK)]


def erase(subject, today):
    act = demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=staff(), now=today)
    assert demands.finish(act.pk, now=today)
    assert not subject.data.exists()


def withdraw_and_purge(subject, today):
    """What is left is the technical data of the consent, for their own term."""
    with_evidence = choosing.Circumstances("192.0.2.7", "Canary/1", "http://testserver/kk/mine/")
    digests = {text.digest for text in wording.offer(today, "en").texts.values()}
    wanted = dict.fromkeys([NEWS, FEEDBACK, ADVERTISING], Scope())
    decisions.choose(subject, wanted, now=today, language="en", seen=digests, circumstances=with_evidence)
    decisions.withdraw(subject, None, now=today, channel=LINK)
    purging.purge(today)
    assert [datum.category.code for datum in subject.data.all()] == ["technical"]


@pytest.mark.parametrize("destroy", [erase, withdraw_and_purge])
def test_who_was_destroyed_sees_nothing_and_can_do_nothing(client, today, subject, destroy, settings, tmp_path):
    settings.HOME = tmp_path / "home"
    settings.HOME.mkdir()
    form = page(client, subject, today)
    destroy(subject, today)
    answer = client.get(path(subject, today))
    assert answer.status_code == 200 and not forms_of(answer)
    assert not answer.context["receipts"] and "/receipt/" not in answer.content.decode()
    before = rows_written()
    for button in (SAVE, ALL):
        assert form.press(client, button, tick={box(ADVERTISING)}).status_code == 200
    assert rows_written() == before


# --- the link itself ---------------------------------------------------------------------------------------------------
def test_a_link_works_for_its_days_and_leads_to_a_new_one_after_them(client, today, subject, monkeypatch):
    link = path(subject, today)
    until = (today + links.MINE_IS_GOOD_FOR).replace(hour=0, minute=0, second=0, microsecond=0)
    monkeypatch.setattr(timezone, "now", lambda: until - timedelta(microseconds=1))
    assert client.get(link).status_code == 200
    monkeypatch.setattr(timezone, "now", lambda: until)
    form_pairs = [box(NEWS), SAVE]
    for answer in (client.get(link), post(client, link, form_pairs), post(client, link, [ALL])):
        assert answer.status_code == 410 and "/en/mine/" in answer.content.decode()
    assert set(held(subject)) == {NEWS, FEEDBACK}


def test_a_link_to_something_else_opens_no_consents(client, today, subject):
    asked = question(now=today)
    tokens = [
        links.token(links.UNSUBSCRIBE, subject.pk, 2**40),
        links.token(links.CONFIRM, asked.pk),
        links.token(links.MINE, subject.pk),
        links.token(links.MINE, 2**40, 2**40),
        path(subject, today).split("/")[3][:-1],
    ]
    for token in tokens:
        assert client.get(f"/en/mine/{token}/").status_code == 404
        assert post(client, f"/en/mine/{token}/", [ALL]).status_code == 404
    assert set(held(subject)) == {NEWS, FEEDBACK}


# --- send me my link ---------------------------------------------------------------------------------------------------
def ask_for(client, contact, language="en", **more):
    form = open_form(client, f"/{language}/mine/")
    return post(client, form.action, form.filled(**{"contact": contact, "shown": shown_form()} | more))


@pytest.mark.parametrize("typed", [EMAIL, f"  {EMAIL.upper()} "])
def test_the_link_goes_to_the_address_itself_in_the_language_of_the_page(client, today, subject, typed):
    deliver(today - DAY)
    assert ask_for(client, typed, "ru").status_code == 200
    assert LinkRequest.objects.count() == 1
    tasks.send_links()
    assert not LinkRequest.objects.exists()
    (letter,) = deliver(today + DAY)
    assert letter.to == EMAIL and letter.path("mine").startswith("/ru/mine/")
    assert open_form(client, letter.path("mine")).ticked == {box(NEWS), box(FEEDBACK)}


def test_several_requests_for_one_address_send_one_letter(client, today, subject):
    deliver(today - DAY)
    for _ in range(3):
        ask_for(client, EMAIL)
    assert linking.send_links(today) == 1 == len(deliver(today))


@pytest.mark.parametrize("portion", [1, 2, 100])
def test_every_request_is_looked_at_once_however_many(today, subject, monkeypatch, portion):
    monkeypatch.setattr(linking, "PORTION", portion)
    known = [person(now=today - DAY) for _ in range(3)]
    addresses = [datum.unseal(linking.keyring().masters) for one in known for datum in one.data.contacts()]
    for address in [*addresses, "nobody@example.kz", "nobody2@example.kz"]:
        linking.ask_for_link("email", normalise("email", address).canonical, language="kk", now=today)
    assert linking.send_links(today) == 3
    assert linking.send_links(today) == 0 == LinkRequest.objects.count()
    assert OutgoingMessage.objects.filter(letter="link").count() == 3


def test_a_worker_that_dies_while_it_looks_loses_no_request(today, subject, monkeypatch):
    linking.ask_for_link("email", EMAIL.lower(), language="kk", now=today)
    with monkeypatch.context() as broken:
        broken.setattr(linking.mail, "queue_all", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            linking.send_links(today)
    assert LinkRequest.objects.count() == 1
    assert linking.send_links(today) == 1


@pytest.mark.parametrize("who", ["nobody", "a claim", "a stated number", "somebody erased", "somebody blocked"])
def test_whoever_has_not_confirmed_it_or_may_not_be_written_to_gets_no_letter(client, today, who, settings, tmp_path):
    settings.HOME = tmp_path / "home"
    settings.HOME.mkdir()
    contact = EMAIL
    if who == "a claim":
        question(email=EMAIL, now=today - DAY)
    elif who == "a stated number":
        person(phone=PHONE, now=today - DAY)
        contact = PHONE
    elif who == "somebody erased":
        erase(person(email=EMAIL, now=today - DAY), today)
    elif who == "somebody blocked":
        block(person(email=EMAIL, now=today - DAY))
    deliver(today - DAY)
    assert ask_for(client, contact).status_code == 200
    linking.send_links(today)
    assert deliver(today) == []


@pytest.mark.parametrize("contact", ["", "aigul@", "8701", "x" * 321, "a\0b@example.kz"])
def test_what_is_no_contact_is_refused_and_stays_on_the_page(client, contact):
    answer = client.post("/en/mine/", {"contact": contact, "shown": shown_form()})
    assert answer.status_code in {400, 422} and not LinkRequest.objects.exists()
    if answer.status_code == 422 and contact:
        assert dict(forms_of(answer)[0].fields)["contact"] == contact


# --- no harder than giving ---------------------------------------------------------------------------------------------
class Steps:
    """A person with a browser: every page opened and every button pressed counts."""

    def __init__(self, client):
        self.client, self.count = client, 0

    def open(self, path):
        self.count += 1
        return open_form(self.client, path)

    def press(self, form, button=None, **filled):
        self.count += 1 + len(filled.get("tick", ())) + len(filled.get("untick", ()))
        answer = form.press(self.client, button, **filled)
        assert answer.status_code == 200
        return answer


def test_withdrawing_takes_no_more_steps_than_giving(client, today):
    giving = Steps(client)
    giving.press(giving.open("/en/consent/"), email=EMAIL, tick={box(NEWS)}, shown=shown_form())
    (letter,) = deliver(today + DAY)
    giving.press(giving.open(letter.path("confirm")))
    (receipt,) = deliver(today + DAY)
    everything = [url for url in receipt.urls if "/u/" in url][-1]

    by_letter = Steps(client)
    by_letter.press(by_letter.open(path_of(everything)))
    subject = DataSubject.objects.get()
    assert not held(subject)

    by_page = give_again(today, subject, client)
    by_page.press(by_page.open(receipt.path("mine")), SAVE, untick={box(NEWS)})
    assert not held(subject)

    everything_by_page = give_again(today, subject, client)
    everything_by_page.press(everything_by_page.open(receipt.path("mine")), ALL)
    assert not held(subject)

    without_a_letter = give_again(today, subject, client)
    without_a_letter.press(without_a_letter.open("/en/mine/"), contact=EMAIL, shown=shown_form())
    linking.send_links(timezone.now())
    (link,) = deliver(today + 2 * DAY)
    without_a_letter.press(without_a_letter.open(link.path("mine")), ALL)
    assert not held(subject)

    one_click = give_again(today, subject, client)
    one_click.count += 1
    client.post(path_of(everything), {"List-Unsubscribe": "One-Click"})
    assert not held(subject)

    ways = [by_letter, by_page, everything_by_page, without_a_letter, one_click]
    print("steps to give:", giving.count, "to withdraw:", [way.count for way in ways])
    assert max(way.count for way in ways) <= giving.count
    assert Confirmation.objects.count() == 1


def give_again(today, subject, client):
    decisions.give(subject, [purpose(NEWS)], now=timezone.now())
    assert held(subject)
    return Steps(client)
