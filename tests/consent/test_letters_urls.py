"""Every link the product sends, in every letter and message: opening it is free, pressing its button acts once.

Mail scanners open all links of a letter, some run its scripts; people press twice. The letters are the real ones, read
from the folders they were written to.

Broken and seen to fail: unsubscribing by GET, answering by GET, a POST without a button taken for confirming or saving, an
answered question answered again, agreeing anew again and again.
"""

from collections import Counter

import pytest
from django.db import transaction

from consent import campaigns, decisions, linking
from consent.models import ConsentRecord
from consent.policy import publish
from registry import mail, transfer_letters
from registry.models import Recipient, Transfer, TransferLine
from registry.normalise import normalise
from registry.transfers import telling
from tests.consent.pages import deliver, forms_of, path_of
from tests.consent.test_campaigns import widen
from tests.consent.test_policy import draft
from tests.consent.test_request_letters import OURS as REQUESTS
from tests.factories import DAY, EMAIL, PHONE, person, purpose, question, staff
from tests.faults.tables import rows_written

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
PARENT, NEWS, FEEDBACK = "parent@example.kz", "site-news", "feedback"


@pytest.fixture(autouse=True)
def _letters_as_files(settings):
    settings.EMAIL_BACKEND, settings.SMS_BACKEND = "config.mail_folder.EmailBackend", "config.sms_folder.send"


# --- how each letter comes to be --------------------------------------------------------------------------------------
def asked(today, **contact):
    purposes = [purpose(NEWS), purpose(FEEDBACK)]
    return decisions.ask(contact, purposes, language="kk", now=today)


def by_number(today):
    """Somebody without an e-mail address."""
    waiting = asked(today, phone=PHONE)
    (message,) = deliver(today)
    typed = message.text.partition(": ")[2]
    assert decisions.confirm(waiting.pk, now=today, code=typed[typed.index(": ") :][:9]) == "done"
    return waiting.subject


def for_a_minor(today, parent):
    waiting = decisions.ask(
        {"email": EMAIL}, [purpose()], language="kk", now=today, representative=parent, adult_at=today + 400 * DAY
    )
    assert decisions.confirm(waiting.pk, now=today) == "passed_on"


def asked_for_a_link(category, typed, today):
    linking.ask_for_link(category, normalise(category, typed).canonical, language="kk", now=today)
    linking.send_links(today)


def asked_anew(today):
    widen()
    campaigns.start(publish(draft(today), by=None, now=today), "hard", by=staff(), now=today)
    campaigns.ask_anew(today)


def known(today):
    """Somebody who is known by address, and their letters sent."""
    found = person(NEWS, FEEDBACK, email=EMAIL, now=today - DAY)
    deliver(today - DAY)
    return found


def known_by_number(today):
    found = by_number(today - DAY)
    deliver(today - DAY)
    return found


def told_of_a_transfer(today):
    subject = known(today)
    telling.ask_to_be_told(subject, by=None, now=today)
    names = {"name_kk": "Зертхана", "name_ru": "Лаборатория", "name_en": "Lab"}
    lab = Recipient.objects.create(code="lab", kind="partner", country_id="KZ", **names)
    transfer = Transfer.objects.create(
        recipient=lab, country="KZ", ground="a", purpose=purpose(NEWS), categories=["email"], is_cross_border=False,
        reason="research", format="csv", state="ready", people=1, requested_by=staff(), requested_at=today,
    )  # fmt: skip
    allowed = subject.processing.get(purpose=purpose(NEWS))
    scope = {"third_parties": True, "cross_border": False, "began_at": allowed.began_at}
    TransferLine.objects.create(transfer=transfer, place=1, subject=subject, processing_id=allowed.pk, **scope)
    assert telling.open_notices(transfer, today) == 1
    transfer_letters.queue_due(today)


LETTERS = {
    "confirm": lambda today: question(NEWS, FEEDBACK, now=today),
    "code": lambda today: asked(today, phone=PHONE),
    "represent": lambda today: for_a_minor(today, {"email": PARENT}),
    "represent by SMS": lambda today: for_a_minor(today, {"phone": PHONE}),
    "receipt": lambda today: person(NEWS, FEEDBACK, email=EMAIL, now=today),
    "receipt by SMS": by_number,
    "link": lambda today: known(today) and asked_for_a_link("email", EMAIL, today),
    "link by SMS": lambda today: known_by_number(today) and asked_for_a_link("phone", PHONE, today),
    "transfer_told": told_of_a_transfer,
    "reconsent": lambda today: known(today) and asked_anew(today),
    "reconsent by SMS": lambda today: known_by_number(today) and asked_anew(today),
}
ANSWERS = [("confirm", "confirm", {"confirmed": 2}), ("confirm", "refuse", {"refused": 2})]
FOR_A_MINOR = [("represent", "confirm", {"confirmed": 1}), ("represent", "refuse", {"refused": 1})]
MINE = [("mine", "save", {}), ("mine", "withdraw_all", {"withdrawn": 2})]
ONE, ALL = ("u", "", {"withdrawn": 1}), ("u", "", {"withdrawn": 2})
# What can be pressed on the pages its links open, and the acts that come of it.
PRESSED = {
    "confirm": ANSWERS,
    "code": [],
    "represent": FOR_A_MINOR,
    "represent by SMS": FOR_A_MINOR,
    "receipt": [ONE, ONE, *MINE, ALL],
    "receipt by SMS": [ALL],
    "link": MINE,
    "link by SMS": MINE,
    "transfer_told": MINE,
    "reconsent": [*MINE, ALL],
    "reconsent by SMS": [*MINE, ALL],
}
PAGES = {
    "receipt": ["u", "u", "receipt", "mine", "u"],
    "receipt by SMS": ["receipt", "u"],
    "reconsent": ["mine", "policy", "u"],
    "reconsent by SMS": ["mine", "u"],
}


def test_no_letter_is_forgotten_here():
    assert {name.removesuffix(" by SMS") for name in LETTERS} | set(REQUESTS) == set(mail.writers)


@pytest.fixture
def letter(request, today):
    """The letter of this name as it lies in its folder; whom it goes to tells whether it is a message."""
    LETTERS[request.param](today)
    letter = deliver(today)[-1]
    assert ("@" in letter.to) == (request.param != "code" and not request.param.endswith(" by SMS"))
    return letter


def page_of(url):
    parts = path_of(url).strip("/").split("/")
    return parts[0] if parts[0] == "u" else parts[1]


@pytest.mark.parametrize(("letter", "name"), [(name, name) for name in LETTERS], indirect=["letter"])
def test_links_lead_to_pages_of_ours_and_to_no_others(letter, name):
    assert [page_of(url) for url in letter.urls] == PAGES.get(name, sorted({page for page, _, _ in PRESSED[name]}))
    assert letter.text.count("://") == len([url for url in letter.urls if url in letter.text])


@pytest.mark.parametrize(("letter", "name"), [(name, name) for name in LETTERS], indirect=["letter"])
def test_opening_a_link_changes_nothing_however_often(client, letter, name):
    before = rows_written()
    for url in letter.urls:
        for method in ("get", "head") * 3:
            answer = getattr(client, method)(path_of(url))
            assert answer.status_code == 200, url
            assert not answer.cookies and "Location" not in answer.headers
            assert rows_written() == before, f"{method} {url}"


@pytest.mark.parametrize(("letter", "name"), [(name, name) for name in LETTERS], indirect=["letter"])
def test_pressing_a_button_acts_once_and_again_changes_nothing(client, letter, name):
    pressed = []
    for url in letter.urls:
        for form in forms_of(client.get(path_of(url))):
            for button in form.buttons:
                with transaction.atomic():
                    pressed.append((page_of(url), button[1], pressing_twice(client, form, button)))
                    transaction.set_rollback(True)
    assert pressed == PRESSED[name]


def pressing_twice(client, form, button):
    """The acts that came of it."""
    last, before = ConsentRecord.objects.latest("pk").pk, rows_written()
    first = form.press(client, button)
    acts = Counter(ConsentRecord.objects.filter(pk__gt=last).values_list("act", flat=True))
    written = rows_written()
    assert (written > before) is bool(acts)
    again = form.press(client, button)
    assert rows_written() == written, "the second time"
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.templates[0].name == again.templates[0].name
    return dict(acts)


@pytest.mark.parametrize("letter", ["reconsent", "reconsent by SMS"], indirect=True)
def test_agreeing_anew_counts_once(client, letter):
    (form,) = forms_of(client.get(letter.path("mine")))
    with transaction.atomic():
        ticked = {("anew", NEWS)}
        assert pressing_twice_with(client, form, ticked) == {"given": 1}


def pressing_twice_with(client, form, ticked):
    last = ConsentRecord.objects.latest("pk").pk
    assert form.press(client, tick=ticked).status_code == 200
    written = rows_written()
    assert form.press(client, tick=ticked).status_code == 200
    assert rows_written() == written, "the second time"
    return dict(Counter(ConsentRecord.objects.filter(pk__gt=last).values_list("act", flat=True)))


@pytest.mark.parametrize(("letter", "name"), [(name, name) for name in LETTERS], indirect=["letter"])
def test_a_post_without_a_button_is_no_answer(client, letter, name):
    before = rows_written()
    for url in letter.urls:
        if page_of(url) != "u":  # there the POST itself is the answer (RFC 8058)
            assert client.post(path_of(url)).status_code in {400, 405}
    assert rows_written() == before
