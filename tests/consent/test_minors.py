"""A minor's consent: the parent or guardian is asked at an address of their own, and nothing counts before their yes.

Broken and seen to fail: the parent not asked, asked before the child, left out of the record; the day of coming of age no
end or no part of the question, nor the parent; the child's own contact; the parent's address kept after a yes, a no or
nothing; an identity confirmed by an answer that does not count, a blocked parent or child; a minor who gives, or adds
ticks, alone, as a claim or as a known person; a key that survives its row.
"""

import json
from datetime import datetime, time, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from consent import decisions, linking, links, wording
from consent.decisions import Outcome
from consent.models import Confirmation, ConsentRecord, Receipt
from registry import purging
from registry.models import DataSubject, DatumKey, OutgoingMessage, PersonalDatum, Processing
from registry.normalise import normalise
from registry.processing import Scope, may_process
from tests.consent.pages import deliver, forms_of, open_form, path_of, post
from tests.consent.test_campaigns import widen
from tests.factories import DAY, MOMENT, PHONE, block, person, purpose, shown_form

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
CHILD, PARENT = "child@example.kz", "Parent@example.kz"
NEWS = ("purposes", "site-news")
TICK, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
YES, NO = [("answer", "confirm")], [("answer", "refuse")]


@pytest.fixture(autouse=True)
def _letters_as_files(settings):
    settings.EMAIL_BACKEND, settings.SMS_BACKEND = "config.mail_folder.EmailBackend", "config.sms_folder.send"


@pytest.fixture
def earlier(monkeypatch, today):
    """Nine days ago by the clock of the pages: the purge believes no clock that is ahead."""
    monkeypatch.setattr(timezone, "now", lambda: today - 9 * DAY)
    return today - 9 * DAY


def midnight(day):
    return timezone.make_aware(datetime.combine(day, time(0)))


def asked(*codes, now=MOMENT, child=CHILD, parent=PARENT, adult_at=None, ticks=None):
    """A minor filled in the form."""
    return decisions.ask(
        {"email": child},
        [purpose(code) for code in codes or ("site-news",)],
        language="en",
        now=now,
        ticks=ticks,
        representative={"email" if "@" in parent else "phone": parent},
        adult_at=adult_at or midnight((now + 300 * DAY).date()),
    )


def owned(*codes, now=MOMENT, **more):
    """And confirmed their own address."""
    waiting = asked(*codes, now=now, **more)
    assert decisions.confirm(waiting.pk, now=now) == Outcome.PASSED_ON
    return waiting


def agreed(*codes, now=MOMENT, **more):
    """And the parent agreed."""
    waiting = owned(*codes, now=now, **more)
    assert decisions.represent(waiting.pk, now=now) == Outcome.DONE
    waiting.refresh_from_db()
    return waiting


def to(letters):
    return [letter.to for letter in letters]


# --- from the form to the receipt -------------------------------------------------------------------------------------
def test_the_parent_is_asked_after_the_child_and_only_their_yes_counts(client, today):
    adult_on = (timezone.localtime(today) + 300 * DAY).date()
    form = open_form(client, "/en/consent/")
    typed = {"email": CHILD, "adult_on": adult_on.isoformat(), "representative": PARENT, "shown": shown_form()}
    assert post(client, form.action, form.filled(**typed, tick={NEWS})).status_code == 200

    (letter,) = deliver(today + MINUTE)
    assert letter.to == CHILD and "under 18" in letter.text
    answer = open_form(client, letter.path("confirm")).press(client, YES[0])
    assert (answer.status_code, answer.context["outcome"]) == (200, "passed_on")
    assert not ConsentRecord.objects.exclude(act="asked").exists()
    assert not Processing.objects.filter(purpose=purpose()).exists()

    (letter,) = deliver(today + 2 * MINUTE)
    assert letter.to == PARENT and "c•••@example.kz" in letter.text and CHILD not in letter.text
    page = client.get(letter.path("represent")).content.decode()
    assert "c•••@example.kz" in page and CHILD not in page
    answer = open_form(client, letter.path("represent")).press(client, YES[0])
    assert (answer.status_code, answer.context["outcome"]) == (200, "done")

    record = ConsentRecord.objects.get(act="confirmed")
    waiting = Confirmation.objects.get()
    assert (record.subject, record.represented_by) == (waiting.subject, waiting.representative)
    assert not ConsentRecord.objects.exclude(act="confirmed").filter(represented_by__isnull=False).exists()
    assert Processing.objects.get(purpose=purpose()).lapses_at == midnight(adult_on)
    (entry,) = json.loads(Receipt.objects.get().document)["dpv:hasRecordOfActivity"]
    assert entry["dpv:hasConsentStatus"]["dpv:isIndicatedBy"]["dct:identifier"] == waiting.representative.reference
    (receipt,) = deliver(today + 3 * MINUTE)
    assert receipt.to == CHILD
    assert waiting.representative.reference in client.get(receipt.path("receipt")).content.decode()


def test_a_parent_by_number_is_asked_by_message(today):
    owned(now=today, parent=PHONE)
    (letter,) = [letter for letter in deliver(today) if letter.to != CHILD]
    assert letter.to == "+77015551234" and "/represent/" in letter.urls[0]


def test_it_ends_with_the_last_moment_of_minority():
    waiting = agreed()
    assert waiting.adult_at == midnight(waiting.adult_at.astimezone(timezone.get_current_timezone()).date())
    assert may_process(waiting.subject, purpose(), waiting.adult_at - TICK)
    assert not may_process(waiting.subject, purpose(), waiting.adult_at)
    purging.purge(MOMENT)
    assert waiting.subject.data.contacts().exists()


def test_a_term_that_ends_before_stays_the_shorter_one():
    waiting = agreed("feedback", adult_at=MOMENT + 900 * DAY)
    lapses_at = Processing.objects.get(purpose=purpose("feedback")).lapses_at
    assert lapses_at == purpose("feedback").lapse(MOMENT) < waiting.adult_at


# --- what is refused on the form --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("day", "parent", "wrong"),
    [
        ("", PARENT, {"adult_on"}),
        ("2100-01-01", PARENT, {"adult_on"}),
        ("2020-01-01", PARENT, {"adult_on"}),
        ("today", PARENT, {"adult_on"}),
        ("31.31.2030", PARENT, {"adult_on"}),
        ("tomorrow", "", {"representative"}),
        ("tomorrow", "parent@", {"representative"}),
        ("tomorrow", "nobody", {"representative"}),
        ("tomorrow", CHILD, {"representative"}),
        ("tomorrow", CHILD.upper(), {"representative"}),
        ("tomorrow", "+7 701 555 12 34", {"representative"}),
    ],
)
def test_both_answers_are_wanted_and_the_parents_own_contact(client, today, day, parent, wrong):
    days = {"today": timezone.localdate(today), "tomorrow": timezone.localdate(today) + DAY}
    form = open_form(client, "/en/consent/")
    typed = {"email": CHILD, "phone": PHONE, "adult_on": str(days.get(day, day)), "representative": parent}
    answer = post(client, form.action, form.filled(**typed, shown=shown_form(), tick={NEWS}))
    assert answer.status_code == 422 and set(answer.context["form"].errors) == wrong
    (again,) = forms_of(answer)
    assert dict(again.fields) | typed == dict(again.fields) and again.ticked == {NEWS}
    assert not DataSubject.objects.exists()


def test_the_operations_refuse_the_childs_contact_too():
    with pytest.raises(ValidationError) as refused:
        asked(parent=f" {CHILD.upper()} ")
    assert set(refused.value.error_dict) == {"representative"}
    assert not DataSubject.objects.exists()


def test_another_day_of_coming_of_age_is_another_question():
    first = asked(adult_at=MOMENT + 100 * DAY)
    second = asked(adult_at=MOMENT + 200 * DAY, now=MOMENT + 2 * MINUTE)
    assert second != first and second.adult_at == MOMENT + 200 * DAY
    assert asked(adult_at=MOMENT + 200 * DAY, now=MOMENT + 4 * MINUTE) == second


def test_another_parent_is_another_question():
    first, second = asked(), asked(parent="other@example.kz", now=MOMENT + 2 * MINUTE)
    assert second != first and second.subject == first.subject
    assert second.representative != first.representative


# --- the order of the answers -----------------------------------------------------------------------------------------
def test_the_parent_is_not_written_to_before_the_child_has_answered():
    waiting = asked()
    assert to(deliver(MOMENT)) == [CHILD]
    assert decisions.represent(waiting.pk, now=MOMENT) == Outcome.OPEN
    assert not ConsentRecord.objects.filter(act="confirmed").exists()


def test_the_child_cannot_answer_for_the_parent(client, today):
    waiting = owned(now=today)
    own = path_of(links.confirm_url(waiting.pk, "en"))
    for _ in range(2):
        answer = post(client, own, YES)
        assert (answer.status_code, answer.context["outcome"]) == (200, "passed_on")
        assert not forms_of(answer)
    forged = own.replace("/confirm/", "/represent/")
    assert post(client, forged, YES).status_code == 404
    assert OutgoingMessage.objects.filter(letter="represent").count() == 1
    assert not ConsentRecord.objects.filter(act="confirmed").exists()


def test_a_question_without_a_parent_has_no_page_for_one(client, today):
    waiting = decisions.ask({"email": CHILD}, [purpose()], language="en", now=today)
    assert post(client, path_of(links.represent_url(waiting.pk, "en")), YES).status_code == 404


def test_the_parents_answer_counts_once(client, today):
    waiting = owned(now=today)
    path = path_of(links.represent_url(waiting.pk, "en"))
    assert [post(client, path, YES).context["outcome"] for _ in range(3)] == ["done", "used", "used"]
    assert ConsentRecord.objects.filter(act="confirmed").count() == 1 == Receipt.objects.count()


def test_a_child_who_is_known_adds_to_what_they_have():
    known = person("feedback", email=CHILD, now=MOMENT - DAY)
    waiting = agreed()
    record = ConsentRecord.objects.get(purpose=purpose(), act="confirmed")
    assert record.subject == known != waiting.subject
    assert Processing.objects.get(subject=known, purpose=purpose()).lapses_at == waiting.adult_at
    assert Processing.objects.get(subject=known, purpose=purpose("feedback")).lapses_at > waiting.adult_at - 200 * DAY


def test_a_parent_who_is_known_stays_who_they_are():
    known = person("feedback", email=PARENT, now=MOMENT - DAY)
    waiting = agreed()
    assert ConsentRecord.objects.get(purpose=purpose(), act="confirmed").represented_by == known
    purging.purge(MOMENT + DAY)
    assert known.data.contacts().count() == 1 and may_process(known, purpose("feedback"), MOMENT + DAY)
    assert not waiting.representative.data.exists()


@pytest.mark.parametrize("turn", ["before the child", "before the parent"])
def test_what_was_entered_since_is_not_answered_for(turn):
    known = person("feedback", email=CHILD, now=MOMENT - DAY)
    waiting = asked() if turn == "before the child" else owned()
    decisions.ask({"email": CHILD, "phone": PHONE}, [purpose()], language="en", now=MOMENT + 2 * MINUTE)
    answer = decisions.confirm if turn == "before the child" else decisions.represent
    assert answer(waiting.pk, now=MOMENT + 3 * MINUTE) == Outcome.SUPERSEDED
    assert not known.consents.filter(purpose=purpose()).exists()


# --- no, or nothing ---------------------------------------------------------------------------------------------------
def nothing_is_left():
    return not (PersonalDatum.objects.exists() or DatumKey.objects.exists())


@pytest.mark.parametrize("who", ["represent", "confirm"])
def test_a_refusal_of_either_leaves_nothing(client, today, who):
    waiting = owned(now=today)
    path = path_of(getattr(links, f"{who}_url")(waiting.pk, "en"))
    answer = post(client, path, NO)
    assert (answer.status_code, answer.context["outcome"]) == (200, "refused")
    assert list(ConsentRecord.objects.exclude(act="asked").values_list("act", flat=True)) == ["refused"]
    assert decisions.represent(waiting.pk, now=today) == Outcome.REFUSED
    purging.purge(timezone.now())
    assert nothing_is_left()
    assert set(DataSubject.objects.values_list("status", flat=True)) == {"erased"}


@pytest.mark.parametrize("answered", [False, True], ids=["neither", "the child only"])
@pytest.mark.parametrize("noted", [True, False])
def test_nobody_answers_and_nothing_of_either_remains(answered, noted):
    waiting = owned(now=MOMENT - 9 * DAY) if answered else asked(now=MOMENT - 9 * DAY)
    end = waiting.expires_at
    assert decisions.represent(waiting.pk, now=end) == Outcome.EXPIRED
    if noted:
        assert decisions.expire_unconfirmed(end) == 1
    purging.purge(end)
    assert nothing_is_left()
    assert not ConsentRecord.objects.filter(act="confirmed").exists()


def test_asking_again_keeps_neither_longer_than_the_question():
    """It makes their addresses be held anew; the question itself ends when it would have ended."""
    waiting = asked(now=MOMENT - 9 * DAY, adult_at=MOMENT + 100 * DAY)
    assert asked(now=MOMENT - 8 * DAY, adult_at=MOMENT + 100 * DAY) == waiting
    end = waiting.expires_at
    assert Processing.objects.filter(lapses_at__gt=end).count() == 2
    assert decisions.expire_unconfirmed(end) == 1
    purging.purge(end)
    assert nothing_is_left()


def test_after_the_yes_nothing_keeps_the_parents_address():
    waiting = agreed()
    assert waiting.representative.data.exists()
    purging.purge(MOMENT)
    assert not waiting.representative.data.exists()
    assert DatumKey.objects.count() == PersonalDatum.objects.count() == waiting.subject.data.count()
    assert ConsentRecord.objects.get(act="confirmed").represented_by == waiting.representative


def test_a_parent_who_was_asked_for_two_children_is_kept_until_the_second_answer():
    first, second = owned(), owned(child="sister@example.kz")
    assert first.representative == second.representative
    decisions.represent(first.pk, now=MOMENT)
    purging.purge(MOMENT)
    assert first.representative.data.exists()
    assert decisions.represent(second.pk, now=MOMENT) == Outcome.DONE
    purging.purge(MOMENT)
    assert not first.representative.data.exists()
    assert ConsentRecord.objects.filter(act="confirmed", represented_by=first.representative).count() == 2


# --- blocked ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("blocked", [CHILD, PARENT])
def test_where_either_is_blocked_nothing_is_recorded_and_nobody_is_confirmed(client, earlier, blocked):
    known = person("feedback", email=blocked, now=earlier - DAY)
    waiting = owned(now=earlier) if blocked == PARENT else asked(now=earlier)
    block(known)
    url = links.represent_url(waiting.pk, "en") if blocked == PARENT else links.confirm_url(waiting.pk, "en")
    answer = post(client, path_of(url), YES)
    assert (answer.status_code, answer.context["outcome"]) == (409, "blocked")
    assert OutgoingMessage.objects.filter(letter="represent").exists() is (blocked == PARENT)
    assert not ConsentRecord.objects.filter(purpose=purpose(), act="confirmed").exists()
    decisions.expire_unconfirmed(waiting.expires_at)
    purging.purge(waiting.expires_at)
    assert set(PersonalDatum.objects.values_list("subject", flat=True)) == {known.pk}


def test_a_parent_is_not_confirmed_by_an_answer_that_does_not_count():
    """The child was blocked after they confirmed their own address."""
    known = person("feedback", email=CHILD, now=MOMENT - DAY)
    waiting = owned()
    block(known)
    assert decisions.represent(waiting.pk, now=MOMENT) == Outcome.BLOCKED
    assert waiting.representative.data.get().standing == "claimed"


# --- a minor alone ----------------------------------------------------------------------------------------------------
def mine_of(waiting, client, today):
    return open_form(client, path_of(links.mine_url(waiting.subject_id, "en", today)))


def test_a_minor_gives_nothing_alone_while_the_parent_has_not_answered(client, today):
    """Their own address is confirmed by then, and the page "my consents" is open to whoever holds an address."""
    owned(now=today)
    linking.ask_for_link("email", normalise("email", CHILD).canonical, language="en", now=today)
    linking.send_links(today)
    (letter,) = [letter for letter in deliver(today) if "/mine/" in letter.text]
    answer = client.get(letter.path("mine"))
    assert not [form for form in forms_of(answer) if form.boxes]
    post(client, letter.path("mine"), [NEWS, ("answer", "save"), *seen(today)])
    assert not ConsentRecord.objects.filter(act="given").exists()


def seen(today):
    return [("seen", text.digest) for text in wording.offer(today, "en").texts.values()]


@pytest.mark.parametrize("how", ["another purpose", "anew"])
@pytest.mark.parametrize("is_known", [False, True])
def test_a_minor_gives_nothing_new_alone_and_nothing_for_longer(client, today, how, is_known):
    if is_known:
        person("site-news", email=CHILD, now=today - DAY)
    waiting = agreed(now=today)
    subject = ConsentRecord.objects.latest("pk").subject
    assert (subject != waiting.subject) is is_known
    path = path_of(links.mine_url(subject.pk, "en", today))
    assert set(open_form(client, path).boxes) == {NEWS, ("tell", "1")}
    more = {"another purpose": ("purposes", "feedback"), "anew": ("anew", "site-news")}[how]
    post(client, path, [NEWS, more, ("answer", "save"), *seen(today)])
    assert not ConsentRecord.objects.filter(act="given").exists()
    (held,) = Processing.objects.live(today).filter(purpose__ground=None)
    assert (held.purpose, held.lapses_at) == (purpose(), waiting.adult_at)


def test_a_minor_takes_ticks_away_alone_and_adds_none(client, today):
    widen("site-news", country="DE")
    waiting = agreed(now=today, ticks={"site-news": Scope(third_parties=True)})
    path = path_of(links.mine_url(waiting.subject_id, "en", today))
    third_parties, abroad = ("third_parties", "site-news"), ("cross_border", "site-news")
    for pressed, expected in (
        ({"tick": {abroad}}, (True, False)),
        ({"tick": {abroad}, "untick": {third_parties}}, (False, False)),
        ({"tick": {third_parties}}, (False, False)),
    ):
        open_form(client, path).press(client, **pressed)
        held = Processing.objects.get(subject=waiting.subject, purpose=purpose())
        assert (held.third_parties, held.cross_border) == expected
        assert held.lapses_at == waiting.adult_at


def test_a_minor_withdraws_alone(client, today):
    waiting = agreed("site-news", "feedback", now=today)
    form = mine_of(waiting, client, today)
    form.press(client, untick={NEWS})
    assert list(ConsentRecord.objects.filter(act="withdrawn").values_list("purpose__code", flat=True)) == ["site-news"]
    form.press(client, ("answer", "withdraw_all"))
    assert not Processing.objects.live(timezone.now()).filter(purpose__ground=None).exists()


def test_who_came_of_age_gives_alone(client, today):
    waiting = agreed(now=today - 2 * DAY, adult_at=today - TICK)
    decisions.ask({"email": CHILD}, [purpose()], language="en", now=today)
    form = mine_of(waiting, client, today)
    form.press(client, tick={("purposes", "feedback")})
    assert ConsentRecord.objects.filter(act="given", purpose=purpose("feedback")).exists()


def test_no_value_of_the_two_is_opened_by_the_other(today):
    """Neither letter quotes the whole address of the other."""
    owned(now=today)
    for letter in deliver(today):
        other = PARENT if letter.to == CHILD else CHILD
        assert other.lower() not in letter.text.lower()
