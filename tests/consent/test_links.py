"""Links in letters. Guarded lines broken and seen to fail: the use left out of the binding; the canonical check left out."""

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


def test_every_changed_character_breaks_it():
    good = token(links.unsubscribe_url(7, 3))
    for position, letter in enumerate(good):
        changed = good[:position] + ("A" if letter != "A" else "B") + good[position + 1 :]
        with pytest.raises(links.InvalidLink):
            links.subscription_of(changed)


@given(st.text(max_size=80))
def test_what_is_made_up_is_refused(text):
    with pytest.raises(links.InvalidLink):
        links.subscription_of(text)


def test_a_token_shows_no_number_of_ours():
    tokens = {token(links.unsubscribe_url(subject, 1))[:8] for subject in range(1, 200)}
    assert len(tokens) == 199
