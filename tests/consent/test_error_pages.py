"""What somebody reads when there is nothing to show: in their language, with whom to ask, and nothing about software.

Broken and seen to fail: the language and the contact of errors._page, remember_operator before must_be_ready and its
minute, the place of the CSP middleware, `no-store`, a query while a page of an error is made, the 410 of the link to one's
consents, Retry-After of 429, the 405 of consent.views.page.
"""

import sys
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from django.utils import timezone
from django.utils.translation import gettext, override

from config import errors, middleware
from consent import limits, links
from registry.keyring import Sealed
from registry.models import Operator
from registry.recovery import Recovering
from tests.factories import DAY, question

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
LANGUAGES = ["kk", "ru", "en"]
CONTACT = "canary.contact@example.kz"
SOFTWARE = ["django", "python", "gunicorn", "postgres", "psycopg", "celery", "whitenoise", "traceback", "nginx"]
TITLE = {
    400: "This request cannot be read",
    404: "There is no such page",
    410: "This link has expired",
    413: "This text is too long",
    429: "Too many attempts",
    500: "Something went wrong on our side",
    503: "Temporarily unavailable",
}


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


@pytest.fixture(autouse=True)
def _contact():
    """An operator of this test, and a process that has just started."""
    Operator.objects.update(contact_email=CONTACT)
    errors._known = errors._Known()
    yield
    errors._known = errors._Known()


def fail(error):
    def failing(*_arguments, **_named):
        raise error

    return failing


def missing(client, start, monkeypatch):
    return client.get(f"{start}/nothing/", headers={"accept-language": "en"})


def unreadable(client, start, monkeypatch):
    return client.get(f"{start}/consent/?a=%ff")


def too_long(client, start, monkeypatch):
    return client.post(f"{start}/consent/", {"email": "a" * 70_000})


def expired(client, start, monkeypatch):
    asked = question(now=timezone.now())
    url = links.mine_url(asked.subject_id, start[1:], timezone.now() - 31 * DAY)
    return client.get(url.removeprefix("http://testserver"))


def too_many(client, start, monkeypatch):
    monkeypatch.setitem(limits.BY_NETWORK, "consent", limits.Limit(0, timedelta(minutes=5)))
    return client.post(f"{start}/consent/")


def broken(client, start, monkeypatch):
    monkeypatch.setattr(sys.modules["consent.views.asking"], "ConsentForm", fail(ValueError("django")))
    return client.get(f"{start}/consent/")


def sealed(client, start, monkeypatch):
    monkeypatch.setattr(middleware, "must_be_ready", fail(Sealed("postgres")))
    return client.get(f"{start}/consent/")


def recovering(client, start, monkeypatch):
    monkeypatch.setattr(middleware, "must_be_ready", fail(Recovering("python")))
    return client.get(f"{start}/consent/")


def database_down(client, start, monkeypatch):
    client.get(f"{start}/consent/")
    monkeypatch.setattr(sys.modules["consent.views.asking"], "ConsentForm", fail(OperationalError("postgres")))
    return client.get(f"{start}/consent/")


PAGES = {
    missing: 404, unreadable: 400, too_long: 413, expired: 410, too_many: 429, broken: 500, sealed: 503,
    recovering: 503, database_down: 503,
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("go", PAGES, ids=lambda go: go.__name__)
def test_every_error_has_its_page_in_every_language(client, monkeypatch, go, language):
    answer = go(client, f"/{language}", monkeypatch)
    assert answer.status_code == PAGES[go]
    check_page(answer, language)
    with override(language):
        assert gettext(TITLE[answer.status_code]) in answer.content.decode()


def check_page(answer, language):
    page = answer.content.decode()
    assert f'<html lang="{language}"' in page and answer.headers["Content-Language"] == language
    assert CONTACT in page
    assert answer.headers["Cache-Control"] == "no-store" and not answer.cookies
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    said = f"{page}{answer.headers}".lower()
    assert not [name for name in SOFTWARE if name in said]


def test_what_can_be_tried_again_says_when(client, monkeypatch):
    for go, seconds in ((too_many, 300), (sealed, 300), (recovering, 300)):
        with monkeypatch.context() as patch:
            assert 0 < int(go(client, "/en", patch).headers["Retry-After"]) <= seconds


# --- the language -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("accepted", "language"), [("ru,en;q=0.5", "ru"), ("en", "en"), ("de", "kk"), ("", "kk")])
@pytest.mark.parametrize("path", ["/nothing", "/u/x/"])
def test_an_address_without_a_language_speaks_that_of_the_browser(client, path, accepted, language):
    answer = client.get(path, headers={"accept-language": accepted})
    assert answer.status_code == 404
    check_page(answer, language)


def test_an_address_with_a_language_speaks_it_whatever_the_browser_prefers(client):
    assert '<html lang="ru"' in client.get("/ru/nothing/", headers={"accept-language": "en"}).content.decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_refused_before_anything_else_speaks_the_language_of_its_address(settings, client, language):
    """A wrong host on a site with TLS is refused by the first middleware of all."""
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["registry.example.kz"], True
    errors.remember_operator()
    with override("kk" if language == "ru" else "ru"):  # as the request before left it
        answer = client.get(f"/{language}/consent/", HTTP_HOST="evil.example")
    assert answer.status_code == 400
    check_page(answer, language)


# --- without the database -----------------------------------------------------------------------------------------
@contextmanager
def no_database():
    with connection.execute_wrapper(fail(AssertionError("the database was asked"))):
        yield


PLAIN = ["bad_request", "forbidden", "not_found", "too_large", "server_error", "unavailable", "recovering"]


@pytest.mark.parametrize("path", ["/ru/consent/", "/admin/", "/u/x/"])
@pytest.mark.parametrize("name", PLAIN)
def test_a_page_of_an_error_asks_nothing_of_the_database(name, path):
    errors.remember_operator()
    with no_database():
        page = getattr(errors, name)(RequestFactory().get(path))
    assert CONTACT in page.content.decode()


@pytest.mark.parametrize("name", PLAIN)
def test_a_process_that_never_reached_the_database_names_nobody(name):
    with no_database():
        page = getattr(errors, name)(RequestFactory().get("/ru/")).content.decode()
    assert "@" not in page and "None" not in page and "<h1>" in page


def test_the_contact_is_known_from_the_time_when_the_database_answered(client, monkeypatch):
    assert client.get("/en/policy/").status_code == 200
    errors._known.until = 0
    with connection.execute_wrapper(fail(OperationalError("postgres"))):
        answer = client.get("/en/policy/")
    assert answer.status_code == 503
    check_page(answer, "en")


def test_a_changed_contact_is_shown_within_a_minute(client, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(errors.time, "monotonic", lambda: now[0])
    client.get("/en/nothing/")
    Operator.objects.update(contact_email="new@example.kz")
    assert CONTACT in client.get("/en/nothing/").content.decode()
    now[0] += errors.LOOK_AGAIN + 1
    page = client.get("/en/nothing/").content.decode()
    assert "new@example.kz" in page and CONTACT not in page


# --- wrong methods ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/kk/policy/", "/kk/consent/", "/kk/mine/", "/healthz", "/"])
def test_a_method_that_no_page_knows_is_told_which_ones_it_knows(client, method, path):
    answer = client.generic(method, path)
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
