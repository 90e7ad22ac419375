"""The tick "tell me of each transfer" on the page of one's consents, and the letter in three languages.

Broken and seen to fail: an old page, which did not offer the tick, ends the condition.
"""

import pytest
from django.utils import timezone

from consent import decisions, links
from registry import mail, transfer_letters, transfers
from registry.models import (
    AuditEntry,
    Country,
    DataCategory,
    OutgoingMessage,
    PersonNotice,
    Recipient,
    Transfer,
    TransferCondition,
)
from registry.processing import Scope
from registry.transfers import Asked, telling
from tests.consent.pages import open_form, path_of
from tests.consent.test_languages import foreign_words
from tests.factories import DAY, EMAIL, block, person, purpose, question, staff

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
SAVE, ALL, TELL = ("answer", "save"), ("answer", "withdraw_all"), ("tell", "1")


@pytest.fixture
def subject(today):
    return person("site-news", "feedback", email=EMAIL, now=today - DAY)


def page(client, subject):
    return open_form(client, path_of(links.mine_url(subject.pk, "en", timezone.now())))


def test_it_is_not_ticked_beforehand_and_made_and_ended_by_one_button(client, subject):
    form = page(client, subject)
    assert form.boxes[TELL] is False
    form.press(client, SAVE, tick={TELL})
    assert telling.stands(subject) and page(client, subject).boxes[TELL] is True
    page(client, subject).press(client, SAVE, untick={TELL})
    assert not telling.stands(subject) and page(client, subject).boxes[TELL] is False
    told = AuditEntry.objects.filter(subject=subject, object_type="registry.transfercondition").order_by("pk")
    assert list(told.values_list("system", "reason")) == [("page", "condition_made"), ("page", "condition_ended")]


def test_saving_something_else_leaves_it_as_it_is(client, subject):
    page(client, subject).press(client, SAVE, tick={TELL})
    page(client, subject).press(client, SAVE, untick={("purposes", "feedback")})
    assert telling.stands(subject) and TransferCondition.objects.get().history.count() == 1


def test_a_page_that_did_not_offer_it_ends_nothing(client, subject):
    telling.ask_to_be_told(subject, by=None, now=timezone.now())
    path = path_of(links.mine_url(subject.pk, "en", timezone.now()))
    client.post(path, {"answer": "save", "purposes": ["site-news", "feedback"]})
    assert telling.stands(subject)


def test_withdrawing_every_consent_ends_no_condition(client, subject):
    page(client, subject).press(client, SAVE, tick={TELL})
    page(client, subject).press(client, ALL)
    assert telling.stands(subject)


def test_where_a_text_has_changed_neither_is_saved(client, subject):
    path = path_of(links.mine_url(subject.pk, "en", timezone.now()))
    body = {"answer": "save", "purposes": ["site-news", "feedback", "advertising"], "seen": "old", "tell_offered": "1", "tell": "1"}
    assert client.post(path, body).status_code == 409
    assert not telling.stands(subject)


def test_a_blocked_person_may_end_it_too(client, subject):
    telling.ask_to_be_told(subject, by=None, now=timezone.now())
    block(subject)
    page(client, subject).press(client, SAVE, untick={TELL})
    assert not telling.stands(subject)


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_page_and_letter_say_nothing_in_another_language(client, language, today):
    """Numbers of transfers are names."""
    asked = question(email=EMAIL, language=language, now=today - DAY)
    decisions.confirm(asked.pk, now=today - DAY)
    subject = asked.records.get(act="confirmed").subject
    answer = client.get(path_of(links.mine_url(subject.pk, language, timezone.now())))
    assert 'id="tell"' in answer.content.decode() and foreign_words(answer.content.decode(), language) == []
    telling.ask_to_be_told(subject, by=None, now=today)
    letter = told(subject, today)
    assert letter is not None
    number = Transfer.objects.get().number
    assert number in letter.text and foreign_words(letter.text.replace(number, ""), language) == []
    assert foreign_words(letter.subject, language) == []


def told(subject, now):
    """The letter about a transfer of a lawyer's, written as the outbox would write it."""
    lawyer = Recipient.objects.create(
        code="lawyer", kind="partner", name_kk="Бұлбұл", name_ru="Соловей", name_en="Lawyer", country=Country.objects.get(pk="KZ"),
        contract_number="7", contract_on=now.date(),
    )  # fmt: skip
    data, news, by = DataCategory.objects.filter(code="email"), purpose(), staff()
    lawyer.categories.set(data)
    news.third_parties = "asked"
    news.save()
    news.recipients.add(lawyer)
    decisions.give(subject, [news], now=now, scope=Scope(third_parties=True))
    asked = Asked(lawyer, Transfer.Ground.PARTNER, news, tuple(data))
    given = transfers.ask(asked, file_format=Transfer.Format.CSV, reason="№ 1", by=by, now=now)
    transfers.build_waiting(clock=lambda: now)
    given.refresh_from_db()
    transfers.take(given, by=by, now=now).close()
    transfer_letters.queue_due(now)
    assert PersonNotice.objects.count() == 1
    message = OutgoingMessage.objects.get(letter=transfer_letters.LETTER)
    return mail._write(message, now)[1]
