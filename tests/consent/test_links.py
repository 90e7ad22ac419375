"""Links in letters. Guarded lines broken and seen to fail: the use left out of the binding; the canonical check left out."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import links

pytestmark = pytest.mark.django_db


def token(url: str) -> str:
    return url.rstrip("/").rsplit("/", 1)[1]


def test_a_link_says_what_it_was_made_for():
    assert links.confirmation_of(token(links.confirm_url(7, "kk"))) == 7
    assert links.subscription_of(token(links.unsubscribe_url(7, 3))) == (7, 3)


def test_a_link_is_the_same_in_every_letter_and_starts_at_our_site(settings):
    settings.SITE_URL = "https://consent.example.kz"
    assert links.confirm_url(7, "ru") == links.confirm_url(7, "ru")
    assert links.confirm_url(7, "ru").startswith("https://consent.example.kz/ru/confirm/")


def test_a_link_for_one_use_is_no_link_for_another():
    with pytest.raises(links.InvalidLink):
        links.subscription_of(token(links.confirm_url(7, "kk")))
    with pytest.raises(links.InvalidLink):
        links.confirmation_of(token(links.unsubscribe_url(7, 3)))
    with pytest.raises(links.InvalidLink):
        links.subscription_of(links.token(links.CONFIRM, 0, 0))  # as long as a subscription


def test_every_changed_character_breaks_it():
    good = token(links.unsubscribe_url(7, 3))
    others = {letter: (string.ascii_letters + string.digits + "-_").replace(letter, "") for letter in good}
    changed = [good[:at] + other + good[at + 1 :] for at, letter in enumerate(good) for other in others[letter]]
    for token_text in [*changed, good + "=", good + "A", good[:-1]]:
        with pytest.raises(links.InvalidLink):
            links.subscription_of(token_text)


@given(st.text(max_size=80))
def test_what_is_made_up_is_refused(text):
    with pytest.raises(links.InvalidLink):
        links.subscription_of(text)


def test_a_token_shows_no_number_of_ours():
    tokens = {token(links.unsubscribe_url(subject, 1))[:8] for subject in range(1, 200)}
    assert len(tokens) == 199
