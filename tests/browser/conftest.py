"""Headless Chromium from the system, against the real pages. Every page is watched: a script error, a policy violation,
a cookie from a public page or a request to another host fails the test that caused it."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright keeps an event loop in this thread

import playwright.sync_api as playwright
import pytest
from django.conf import settings as chosen
from django.test import Client

from registry.models import StaffMember
from tests.conftest import owner_connection, remove_people
from tests.factories import enter

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
FLAGS = [
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False, args=FLAGS)
        yield browser
        browser.close()


# What ships and may be changed here, what refers to a table before it.
CONTENT = (
    "registry_processingpurpose_categories", "registry_processingpurpose_recipients", "registry_processingpurpose",
    "registry_recipient_categories", "registry_recipient", "consent_historicalpolicyversion", "consent_policyversion",
)  # fmt: skip


class Visitor:
    """One browser window with what went wrong in it.

    `answer` is the page it came to last; statuses that begin like `expected` are no problem.
    """

    expected: tuple[str, ...] = ("4",)

    def __init__(self, browser: playwright.Browser, home: str, **options: Any) -> None:
        self.context = browser.new_context(locale="kk-KZ", timezone_id="Asia/Almaty", **options)
        self.page = self.context.new_page()
        self.home = home
        self.problems: list[str] = []
        self.answer: playwright.Response | None = None
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._console)
        self.page.on("request", self._request)
        self.page.on("response", self._response)
        self._click, self.page.click = self.page.click, self._click_through

    def _click_through(self, selector: str, **options: Any) -> None:
        """Playwright's click ends when the next page begins to arrive; what is asked of it without waiting needs it all."""
        self._click(selector, **options)
        self.page.wait_for_load_state("domcontentloaded")

    def open(self, path: str) -> playwright.Response:
        response = self.page.goto(path if path.startswith("http") else self.home + path)
        assert response is not None
        return response

    def enter(self, member: StaffMember) -> None:
        """Signed in, with the second factor shown just now, where a test is not about signing in."""
        client = Client()
        enter(client, member)
        cookie = {"name": chosen.SESSION_COOKIE_NAME, "value": client.cookies[chosen.SESSION_COOKIE_NAME].value}
        self.context.add_cookies([{**cookie, "url": f"{self.home}/admin/"}])

    def _console(self, message: playwright.ConsoleMessage) -> None:
        status = message.text.partition("the server responded with a status of ")[2]
        if message.type == "error" and not status.startswith(self.expected):
            self.problems.append(message.text)

    def _request(self, request: playwright.Request) -> None:
        if not request.url.startswith((self.home, "data:")):
            self.problems.append(f"request elsewhere: {request.url}")

    def _response(self, response: playwright.Response) -> None:
        if response.request.is_navigation_request():
            self.answer = response
        if "/admin/" not in response.url and "set-cookie" in response.all_headers():
            self.problems.append(f"cookie from {response.url}")


@pytest.fixture
def visit(chromium: playwright.Browser, live_server: Any, settings: Any) -> Iterator[Any]:
    """Opens windows; at the end none may have a problem."""
    settings.SITE_URL = live_server.url
    settings.EMAIL_BACKEND = "config.mail_folder.EmailBackend"
    visitors: list[Visitor] = []

    def window(**options: Any) -> Visitor:
        visitors.append(Visitor(chromium, live_server.url, **options))
        return visitors[-1]

    yield window
    for visitor in visitors:
        visitor.context.close()
        assert not visitor.problems, visitor.problems


@pytest.fixture
def shipped() -> Iterator[None]:
    """Purposes, recipients and the policy may be changed, also where a trigger forbids it: they come back as they were."""
    with owner_connection() as connection:
        for table in CONTENT:
            connection.execute(f"CREATE TEMP TABLE kept_{table} AS TABLE {table}")
        yield
        remove_people()
        triggers = connection.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
            " AND tgrelid::regclass::text = ANY(%s)",
            [list(CONTENT)],
        ).fetchall()
        with connection.transaction():
            for table, trigger in triggers:
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
            for table in CONTENT:
                connection.execute(f"DELETE FROM {table}")
            for table in reversed(CONTENT):
                connection.execute(f"INSERT INTO {table} TABLE pg_temp.kept_{table}")
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table, trigger in triggers:
                connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
