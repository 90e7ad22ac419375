"""How often something may be tried, by whom, and what is left of it.

Broken and seen to fail: counting in one statement, both borders of a window, what a wrong clock wrote, the cut of an IPv6
address, the key and the action in the digest, both borders and the portions of forget, forgetting in the hourly job, the
entry of X-Forwarded-For and when it counts, `if address` of _limited_network, the method check of limited, a limit on
unsubscribing, none on sending again, a try undone with the view's transaction, minutes rounded down, what was typed.
"""

from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address
from unittest import mock

import pytest
from django.db import OperationalError, connection, transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from django.utils.translation import ngettext, override
from hypothesis import given
from hypothesis import strategies as st

from consent import limits, links, tasks
from consent.limits import Limit
from consent.models import Attempt
from consent.views.limiting import client_address, limited, limited_target
from registry.keyring import keyring
from registry.models import JobRun
from tests.factories import EMAIL, MOMENT, question
from tests.faults.parallel import all_at_once
from tests.traces import dump, spellings

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
LANGUAGES = ["kk", "ru", "en"]
TICK, MINUTE, HOUR = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1)
WINDOW = 10 * MINUTE
HERE = "203.0.113.77"


@pytest.fixture
def _limits():
    """As they ship (tests/conftest.py lifts them elsewhere)."""


@pytest.fixture
def three(monkeypatch):
    """Three tries in ten minutes."""
    monkeypatch.setitem(limits.BY_NETWORK, "consent", Limit(3, WINDOW))
    monkeypatch.setitem(limits.BY_TARGET, "consent", Limit(3, WINDOW))


@pytest.fixture
def none_allowed(monkeypatch):
    for shipped in (limits.BY_NETWORK, limits.BY_TARGET):
        for action in shipped:
            monkeypatch.setitem(shipped, action, Limit(0, WINDOW))


def come(address=HERE, *, now=MOMENT, action="consent"):
    return limits.count_network(action, address, now=now)


# --- windows ------------------------------------------------------------------------------------------------------
def test_three_are_let_in_and_the_fourth_waits_for_the_end_of_the_window(three):
    assert [come(now=MOMENT + n * MINUTE) for n in range(3)] == [None] * 3
    assert come(now=MOMENT + 4 * MINUTE) == 6 * MINUTE
    assert come(now=MOMENT + WINDOW - TICK) == TICK
    assert [come(now=MOMENT + WINDOW) for _ in range(4)] == [None] * 3 + [WINDOW]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["203.0.113.1", "203.0.113.2", "2001:db8::1"]),
        st.one_of(st.just(0), st.sampled_from([599_999_999, 600_000_000, 600_000_001]), st.integers(0, 700_000_000)),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_whatever_the_order_of_tries_each_window_lets_in_three_and_tells_its_true_end(steps):
    Attempt.objects.all().delete()
    now, windows = MOMENT, {}
    for address, later in steps:
        now += timedelta(microseconds=later)
        began, tries = windows.get(address, (None, 0))
        if began is None or now - began >= WINDOW:
            began, tries = now, 0
        windows[address] = began, tries + 1
        with mock.patch.dict(limits.BY_NETWORK, consent=Limit(3, WINDOW)):
            assert come(address, now=now) == (None if tries < 3 else began + WINDOW - now)


def test_addresses_actions_and_targets_are_counted_apart(three):
    for _ in range(4):
        come()
    assert come()
    assert come("203.0.113.78") is None
    assert come(action="code") is None
    assert limits.count_target("consent", HERE, now=MOMENT) is None
    assert limits.count_target("link", HERE, now=MOMENT) is None
    assert Attempt.objects.count() == 5


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("2001:db8:1:2:ffff::1", True), ("2001:DB8:1:2::", True), ("2001:db8:1:3::1", False), ("2001:db8:1::", False),
        ("32.1.13.184", False),
    ],
)  # fmt: skip
def test_one_line_of_ipv6_is_one_network(three, other, is_same):
    for last in range(3):
        assert come(f"2001:db8:1:2::{last}") is None
    assert bool(come(other)) is is_same


@pytest.mark.parametrize("jump", [timedelta(days=400), 3 * WINDOW])
def test_a_clock_that_was_ahead_closes_nothing_for_long(three, jump):
    for _ in range(4):
        come(now=MOMENT + jump)
    assert [come() for _ in range(4)] == [None] * 3 + [WINDOW]


def test_clocks_that_differ_a_little_share_one_window(three):
    assert come(now=MOMENT + MINUTE) is None
    assert [come() for _ in range(3)] == [None, None, WINDOW + MINUTE]


def test_what_ships_leaves_room_for_a_village_and_little_for_one_address():
    assert set(limits.BY_NETWORK) == {"consent", "code", "again", "link", "request", "sign_in", "api"}
    for action in limits.BY_TARGET.keys() - {"api", "api_whole"}:  # by key, not by address
        limit = limits.BY_TARGET[action]
        per_hour = limits.BY_NETWORK[action].count * (HOUR / limits.BY_NETWORK[action].window)
        assert limit.window == HOUR and limit.count <= 10 < 100 < per_hour


# --- many at once -------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("before", ["nothing", "a window that is over"])
def test_of_forty_at_once_exactly_as_many_as_allowed_are_let_in(monkeypatch, before):
    monkeypatch.setitem(limits.BY_NETWORK, "consent", Limit(10, WINDOW))
    if before != "nothing":
        come(now=MOMENT - 2 * WINDOW)
    waits = all_at_once([come] * 40)
    assert waits.count(None) == 10
    assert Attempt.objects.get().count == 40


@pytest.mark.django_db(transaction=True)
def test_of_twenty_requests_at_once_exactly_as_many_as_allowed_get_through(three):
    answers = all_at_once([lambda: post("/kk/consent/").status_code] * 20)
    assert answers.count(429) == 17


@pytest.mark.django_db(transaction=True)
def test_a_try_counts_even_if_the_page_fails(three):
    @limited("consent")
    def fail(request):
        with transaction.atomic():
            Attempt.objects.create(key=b"undone", expires_at=MOMENT)
            raise ValueError

    for _ in range(3):
        with pytest.raises(ValueError):
            fail(request())
    assert fail(request()).status_code == 429
    assert Attempt.objects.get().count == 4


# --- what is kept -------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", [HERE, "2001:db8:cafe:babe:1234:5678:9abc:def0"])
def test_what_is_kept_names_no_network_and_no_person(three, address):
    asked = request(REMOTE_ADDR=address, email=EMAIL)
    assert client_address(asked) == address and EMAIL in asked.POST.values()
    view = limited("consent")(lambda request: limited_target(request, "consent", EMAIL.lower()) or HttpResponse("in"))
    assert view(asked).content == b"in"
    assert Attempt.objects.count() == 2
    packed = ip_address(address).packed
    needles = {address.encode(), packed.hex().encode(), packed[:8].hex().encode()}
    content = dump().lower()
    assert b"consent_attempt" in content
    assert not [needle for needle in needles | spellings("email", EMAIL) if needle.lower() in content]


def test_without_the_key_no_list_of_addresses_can_be_tried_out(three):
    come()
    packed = ip_address(HERE).packed
    guesses = {sha256(start + packed).digest() for start in (b"", b"attempt\0network consent\0")}
    kept = bytes(Attempt.objects.get().key)
    assert len(kept) == 32 and kept not in guesses
    assert kept == limits._key("network consent", packed)
    assert kept != limits.hmac.digest(keyring().index, b"attempt\0network consent\0" + packed, "sha256")


@pytest.mark.parametrize("portion", [1, 2, 1000])
def test_a_count_is_forgotten_when_its_window_is_over_and_not_before(monkeypatch, portion):
    monkeypatch.setattr(limits, "PORTION", portion)
    for number in range(5):
        come(f"203.0.113.{number}")
    come("198.51.100.1", now=MOMENT + TICK)
    come("198.51.100.2", now=MOMENT + timedelta(days=400))  # by a clock that was ahead
    assert limits.forget(MOMENT + WINDOW - TICK) == 1
    assert limits.forget(MOMENT + WINDOW) == 5
    assert Attempt.objects.get().expires_at == MOMENT + TICK + WINDOW


def test_the_hourly_job_forgets():
    come(now=timezone.now() - HOUR)
    come("198.51.100.1", now=timezone.now())
    tasks.expire_unconfirmed()
    assert Attempt.objects.count() == 1
    assert JobRun.objects.get(name="expire_unconfirmed").outcome.endswith("1 counts of attempts forgotten")


# --- at the doors -------------------------------------------------------------------------------------------------
def request(method="post", path="/ru/consent/", *, REMOTE_ADDR=HERE, **fields):  # noqa: N803 (the name in WSGI)
    return getattr(RequestFactory(), method)(path, fields, REMOTE_ADDR=REMOTE_ADDR)


def post(path, **fields):
    return Client(raise_request_exception=False).post(path, fields)


@limited("consent")
def open_door(request):
    return HttpResponse("in")


@pytest.mark.parametrize(
    ("behind", "peer", "forwarded", "expected"),
    [
        (False, HERE, None, HERE),
        (False, HERE, "198.51.100.1", HERE),
        (False, "::1", None, "::1"),
        (False, "2001:DB8:0:0::1", None, "2001:db8::1"),
        (False, f"::ffff:{HERE}", None, HERE),
        (False, "", None, ""),
        (False, "", "198.51.100.1", ""),
        (True, "127.0.0.1", HERE, HERE),
        (True, "", HERE, HERE),
        (True, "", f"198.51.100.1, 10.0.0.1 ,  {HERE}", HERE),
        (True, "127.0.0.1", "2001:db8::1,2001:db8::2", "2001:db8::2"),
        (True, "127.0.0.1", None, ""),
        (True, "127.0.0.1", "", ""),
        (True, "127.0.0.1", f"{HERE},", ""),
        (True, "127.0.0.1", "unknown", ""),
        (True, "127.0.0.1", f"{HERE}, <script>", ""),
    ],
)
def test_the_address_is_the_peer_s_or_what_the_proxy_itself_wrote(settings, behind, peer, forwarded, expected):
    settings.BEHIND_PROXY = behind
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=peer, **headers)) == expected


def test_a_visitor_behind_the_proxy_cannot_choose_who_to_be(settings, three):
    settings.BEHIND_PROXY = True
    answers = [
        open_door(RequestFactory().post("/kk/consent/", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}, {HERE}")).status_code
        for number in range(5)
    ]
    assert answers == [200] * 3 + [429] * 2


def test_visitors_whose_address_nobody_knows_do_not_close_the_page_to_each_other(three):
    assert {open_door(request(REMOTE_ADDR="")).status_code for _ in range(9)} == {200}
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "options"])
def test_only_a_post_is_counted(none_allowed, method):
    assert open_door(request(method)).status_code == 200
    assert not Attempt.objects.exists()
    assert open_door(request()).status_code == 429


@pytest.mark.parametrize("path", ["consent/", "mine/", "consent/again/x/", "code/x/"])
def test_what_sends_something_or_takes_a_guess_is_limited(client, none_allowed, path):
    answer = client.post(f"/kk/{path}")
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "600"
    assert client.get(f"/kk/{path}").status_code != 429


def test_confirming_unsubscribing_and_choosing_are_never_limited(client, none_allowed, today):
    asked = question(now=today)
    urls = [links.confirm_url(asked.pk, "kk"), links.unsubscribe_url(asked.subject_id)]
    urls += [links.mine_url(asked.subject_id, "kk", today), links.represent_url(asked.pk, "kk")]
    for url in urls:
        for _ in range(3):
            answer = client.post(url.removeprefix("http://testserver"), {"answer": "confirm"})
            assert answer.status_code not in {429, 500}, url
    asked.refresh_from_db()
    assert asked.answer == "confirmed"
    assert not Attempt.objects.exists()


def test_one_address_is_a_tighter_limit_than_one_network(three):
    answers = [limited_target(request(REMOTE_ADDR=f"203.0.113.{n}"), "consent", "a@example.kz") for n in range(4)]
    assert [answer and answer.status_code for answer in answers] == [None] * 3 + [429]
    assert limited_target(request(), "consent", "b@example.kz") is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("passed", "minutes"), [(0, 10), (1, 10), (59, 10), (60, 9), (539, 2), (540, 1), (599, 1)])
def test_the_page_says_how_long_to_wait_and_keeps_what_was_typed(client, none_allowed, monkeypatch, language, passed, minutes):
    began = timezone.now()
    come(now=began)
    monkeypatch.setattr(timezone, "now", lambda: began + timedelta(seconds=passed))
    typed = {"email": '<b>"canary"', "purposes": ["site-news", "feedback"]}
    answer = client.post(f"/{language}/consent/", typed, REMOTE_ADDR=HERE)
    page = answer.content.decode()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(600 - passed))
    with override(language):
        one, many = (f"Too many attempts. Try again in %(n)s minute{s}." for s in ("", "s"))
        assert ngettext(one, many, minutes) % {"n": minutes} in page
    assert f'<html lang="{language}"' in page and answer.headers["Content-Language"] == language
    assert '<input type="hidden" name="email" value="&lt;b&gt;&quot;canary&quot;">' in page
    assert page.count('type="hidden" name="purposes"') == 2


def test_what_was_kept_can_be_sent_later_as_it_was(client, none_allowed, monkeypatch):
    answer = client.post("/kk/consent/", {"email": EMAIL, "purposes": ["site-news", "feedback"]}, REMOTE_ADDR=HERE)
    kept = dict(answer.context["typed"]), [value for name, value in answer.context["typed"] if name == "purposes"]
    assert kept == ({"email": EMAIL, "purposes": "feedback"}, ["site-news", "feedback"])


def test_an_address_typed_is_in_no_header_and_no_log(client, none_allowed, caplog):
    answer = client.post("/kk/consent/", {"email": EMAIL}, REMOTE_ADDR=HERE)
    assert answer.status_code == 429 and EMAIL in answer.content.decode()
    said = f"{answer.headers}{caplog.text}"
    assert "canary" not in said.lower() and HERE not in said


# --- without a database -------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_a_database_that_dies_while_counting_makes_the_page_unavailable(monkeypatch):
    assert post("/kk/consent/").status_code != 503
    monkeypatch.setattr(limits, "COUNT", "SELECT pg_terminate_backend(pg_backend_pid()), %(key)s, %(now)s")
    with pytest.raises(OperationalError):
        open_door(request())
    connection.close()
    assert post("/kk/consent/").status_code == 503
    connection.close()
