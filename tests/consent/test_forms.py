"""What keeps programs out of the public forms, and loses nothing of what a person typed.

Broken and seen to fail: the trap with white space in it, both ends of the time with their borders, a form from tomorrow,
a made up token taken for a good one, ticks lost.
"""

from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override

from consent import links
from consent.models import Confirmation, LinkRequest
from registry.models import DataSubject, OutgoingMessage
from tests.consent.pages import deliver, forms_of, open_form, post
from tests.factories import EMAIL, PHONE, shown_form
from tests.faults.tables import rows_written

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
BOXES = {("purposes", "site-news"), ("purposes", "feedback")}
TYPED = {
    "/en/consent/": {"email": EMAIL, "phone": PHONE, "adult_on": "2030-05-17", "representative": "parent@example.kz"},
    "/en/mine/": {"contact": EMAIL},
}
PAGES = list(TYPED)
SECOND, DAY = timedelta(seconds=1), timedelta(hours=24)


@pytest.fixture(autouse=True)
def _letters_as_files(settings):
    settings.EMAIL_BACKEND, settings.SMS_BACKEND = "config.mail_folder.EmailBackend", "config.sms_folder.send"


def fill_in(client, page, **more):
    """A person fills in the form and sends it."""
    form = open_form(client, page)
    ticks = BOXES if "consent" in page else ()
    return post(client, form.action, form.filled(**TYPED[page] | {"shown": shown_form()} | more, tick=ticks))


def nothing_came_of_it():
    return not (DataSubject.objects.exists() or LinkRequest.objects.exists() or OutgoingMessage.objects.exists())


# --- the field nobody sees ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("filled", ["https://spam.example", " ", "x" * 5000, "\t"])
def test_a_program_that_fills_in_everything_is_told_that_all_went_well(client, page, filled):
    good = fill_in(client, page)
    before, questions = rows_written(), Confirmation.objects.count()
    answer = fill_in(client, page, website=filled)
    assert (answer.status_code, answer.templates[0].name) == (200, good.templates[0].name)
    assert answer.headers.keys() == good.headers.keys()
    assert rows_written() == before and Confirmation.objects.count() == questions
    heading = answer.content.decode().partition("<h1>")[2].partition("</h1>")[0]
    assert heading and f"<h1>{heading}</h1>" in good.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_a_program_is_told_the_same_whatever_else_it_sends(client, page):
    for more in ({"shown": ""}, {"shown": "x"}, dict.fromkeys(TYPED[page], "")):
        assert fill_in(client, page, website="x", **more).status_code == 200
    assert nothing_came_of_it() and deliver(timezone.now()) == []


@pytest.mark.parametrize("page", PAGES)
def test_people_and_readers_of_the_page_pass_by_that_field(client, page):
    text = client.get(page).content.decode()
    field = text[text.index('<p class="trap"') :].partition("</p>")[0]
    for part in ('aria-hidden="true"', 'tabindex="-1"', 'autocomplete="off"', 'name="website"'):
        assert part in field
    assert "required" not in field and "value=" not in field


# --- when it was opened ------------------------------------------------------------------------------------------------
def opened_at(moment):
    return links.form_token(moment)


NOT_OURS = {
    "missing": lambda now: "",
    "made up": lambda now: "A" * 32,
    "cut off": lambda now: opened_at(now - 60 * SECOND)[:-1],
    "longer": lambda now: opened_at(now - 60 * SECOND) + "A",
    "much too long": lambda now: "A" * 101,
    "in the clear": lambda now: str(int(now.timestamp() * 1000)),
    "for another use": lambda now: links.token(links.CONFIRM, int((now - 60 * SECOND).timestamp() * 1000)),
    "from tomorrow": lambda now: opened_at(now + DAY),
    "sent at once": opened_at,
    "sent too fast": lambda now: opened_at(now - SECOND + timedelta(milliseconds=1)),
    "open for a day": lambda now: opened_at(now - DAY),
    "open for a year": lambda now: opened_at(now - 365 * DAY),
}


@pytest.fixture
def stopped(monkeypatch, today):
    """The clock of the pages stands, on a whole millisecond: a form knows no more."""
    now = today.replace(microsecond=250_000)
    monkeypatch.setattr(timezone, "now", lambda: now)
    return now


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", NOT_OURS)
def test_a_form_of_another_moment_comes_back_with_all_that_was_typed(client, stopped, page, name, monkeypatch):
    old = NOT_OURS[name](stopped)
    answer = fill_in(client, page, shown=old)
    assert answer.status_code == 422 and nothing_came_of_it()
    with override("en"):
        assert str(answer.context["form"]["shown"].errors[0]) in answer.content.decode()
    (again,) = forms_of(answer)
    fields = dict(again.fields)
    assert {field: fields[field] for field in TYPED[page]} == TYPED[page] and fields["website"] == ""
    assert again.ticked == (BOXES if "consent" in page else set())
    assert links.form_shown_at(fields["shown"]) == stopped

    monkeypatch.setattr(timezone, "now", lambda: stopped + SECOND)
    assert again.press(client).status_code == 200
    assert not nothing_came_of_it()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("age", [SECOND, 60 * SECOND, DAY - timedelta(milliseconds=1)])
def test_a_form_is_good_from_a_second_to_a_day(client, stopped, page, age):
    assert fill_in(client, page, shown=opened_at(stopped - age)).status_code == 200
    assert not nothing_came_of_it()


@pytest.mark.parametrize("page", PAGES)
def test_without_the_field_it_is_a_form_without_its_moment(client, page):
    form = open_form(client, page)
    pairs = [(name, value) for name, value in form.filled(**TYPED[page]) if name != "shown"]
    assert post(client, page, [*pairs, *BOXES]).status_code == 422
    assert nothing_came_of_it()


def test_every_other_error_keeps_what_was_typed_too(client):
    answer = fill_in(client, "/en/consent/", phone="12345", adult_on="2001-01-01", representative="")
    assert answer.status_code == 422 and set(answer.context["form"].errors) == {"phone", "adult_on", "representative"}
    (again,) = forms_of(answer)
    typed = {"email": EMAIL, "phone": "12345", "adult_on": "2001-01-01"}
    assert {name: dict(again.fields)[name] for name in typed} == typed and again.ticked == BOXES
    assert nothing_came_of_it()
