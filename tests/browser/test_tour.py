"""Every role walks the pages of the console it may open, in a real browser under the strict policy.

The Officer walks all; the others what is not Django's own, which looks alike for everybody who may open it. The languages
go round page by page. `EVERY_LANGUAGE=1 ./run test tests/browser/test_tour.py`: everybody walks everything in all three.
The window notes violations of the policy, errors of scripts and requests elsewhere."""

import os
from collections.abc import Iterator
from itertools import cycle

import pytest
from django.urls import reverse

from tests.browser.test_theme import findings
from tests.house import CANARIES, build
from tests.registry.test_role_table import ADDRESSES, QUERY, arguments, expected, someone

pytestmark = pytest.mark.django_db(transaction=True)
LANGUAGES = ("kk", "ru", "en")
EVERYTHING = bool(os.environ.get("EVERY_LANGUAGE"))
OF_DJANGO = ("_changelist", "_add", "_change", "_history")
NO_PAGE = {"jsi18n", "autocomplete", "export_take", "passkey_ask", "passkey_check", "logout", "set_language"}


@pytest.fixture
def house(shipped, today):
    return build(today)


def pages(letter, house) -> Iterator[tuple[str, str]]:
    """Name and address of every page this member of the cast may open."""
    for name in ADDRESSES.keys() - NO_PAGE:
        if letter in expected(name)[0]:
            yield name, reverse(f"admin:{name}", args=arguments(name, house)) + QUERY.get(name, "")


def is_ours(name):
    return not name.endswith(OF_DJANGO)


def speak(window, language):
    window.context.add_cookies([{"name": "language", "value": language, "url": f"{window.home}/admin/"}])


@pytest.mark.parametrize("letter", "OFAIM")
def test_the_whole_tour_of_a_role(visit, house, letter):
    window = visit()
    window.enter(someone(letter))
    turns = cycle([LANGUAGES] if EVERYTHING else [[one] for one in LANGUAGES])
    walked = [one for one in sorted(pages(letter, house)) if letter == "F" or EVERYTHING or is_ours(one[0])]
    for (name, address), languages in zip(walked, turns, strict=False):
        for language in languages:
            speak(window, language)
            answer = window.open(address)
            assert answer.status == 200, (name, answer.status)
            assert window.page.get_attribute("html", "lang") == language, name
            assert not any(canary in window.page.content() for canary in CANARIES), name


def test_pages_of_our_own_are_for_everybody(visit, house):
    """Lists and forms of Django are looked at in test_theme. Light and dark take turns."""
    window = visit(bypass_csp=True)  # axe is a script
    window.enter(house.root)
    found = {}
    for (name, address), scheme in zip(sorted(pages("F", house)), cycle(["light", "dark"]), strict=False):
        if is_ours(name):
            window.page.emulate_media(color_scheme=scheme)
            window.open(address)
            found[name] = list(findings(window.page, 320, scheme))
    assert {name: said for name, said in found.items() if said} == {}
