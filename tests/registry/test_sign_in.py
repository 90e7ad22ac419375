"""Signing in: what a password alone opens (nothing), what a code is good for (once), and how sessions end.

Broken and seen to fail: `is_in` taken out of ConsoleSite.has_permission; the step of gate.refuse, and the steps a page is
for; `step > last_step` and the person in the binding of codes; `used_at=None` of a recovery code; the factor before a
one-time password; the rights in the session's hash; the new key of state.stay; IDLE, LONGEST and HALF_IN; own_path;
`is_fresh` of step_up; "not himself" and "nobody above" of roles.may_manage; the last factor; whose factor and whose session;
the wait of PasswordForm and of may_try; a challenge left in the session.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from urllib.parse import unquote

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import URLResolver, reverse
from django.utils import timezone

from consent import limits
from registry import sealing
from registry.models import AuditEntry, Authenticator, Passkey, RecoveryCode, StaffMember, StaffSession
from registry.sealing import SealError
from registry.sign_in import codes, factors, passkeys, recovery_codes, sessions
from tests.factories import enter, staff, telephone

pytestmark = pytest.mark.django_db
PASSWORD, CHOSEN = "a long pass phrase", "Бөлек сөз 2026"
SHIPPED = limits.STAFF
HOME, STEP = "/admin/", timedelta(seconds=codes.STEP)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def show_password(client, name="officer", password=PASSWORD, way=""):
    return client.post(reverse("admin:login"), {"username": name, "password": password, "next": way})


def show_code(client, authenticator, moment=None):
    code = codes.code_at(authenticator, moment or timezone.now())
    return client.post(reverse("admin:factor"), {"code": code})


def half_in(client, name="officer"):
    """The password was right, and nothing else was shown."""
    assert show_password(client, name).status_code == 302
    return client


def is_in(client):
    return client.get(HOME).status_code == 200


def refusals():
    return list(AuditEntry.objects.filter(operation="refused").order_by("pk").values_list("system", "reason"))


# --- a password alone ---------------------------------------------------------------------------------------------
def console_paths():
    """Every address of the console's URL conf, with 1 where an argument stands."""

    def walk(patterns, base):
        for pattern in patterns:
            route = base + re.sub(r"<[^>]+>", "1", str(pattern.pattern))
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            else:
                yield re.sub(r"\((?:\?P<\w+>)?([^()|]*)[^()]*\)", lambda group: _example(group[1]), route)

    return sorted({path.replace("^", "").replace("$", "").replace("\\", "") for path in walk(site.get_urls(), HOME)})


def _example(expression):
    return "1" if set(expression) & set("[.+*") else expression


DOORS = {reverse(f"admin:{name}") for name in ("login", "logout")}
STEPS = {reverse(f"admin:{name}") for name in ("factor", "passkey_ask", "passkey_check")}


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_password_opens_not_one_page_of_the_console(client, method):
    telephone(staff())
    half_in(client)
    step = reverse("admin:factor")
    paths = [path for path in console_paths() if path not in DOORS | STEPS]
    assert len(paths) > 100 and {"/admin/jsi18n/", "/admin/autocomplete/", "/admin/no-such-page"} & set(paths)
    for path in paths:
        answer = getattr(client, method)(path)
        assert (answer.status_code, answer.get("Location")) == (302, step), path
    entered = Client()
    enter(entered, StaffMember.objects.get())
    assert entered.get("/admin/jsi18n/").status_code == entered.get("/admin/registry/operator/").status_code == 200


def test_a_stranger_is_sent_to_the_sign_in_from_every_page(client):
    for path in console_paths():
        if path not in DOORS:
            assert client.get(path).get("Location", "").startswith(reverse("admin:login")), path


def test_half_way_nothing_is_changed_by_looking(client):
    member = staff()
    half_in(client)
    for name in ("enrol", "authenticator", "recovery_codes", "password_change", "factor"):
        client.get(reverse(f"admin:{name}"))
    assert not Authenticator.objects.exists() and not RecoveryCode.objects.exists()
    assert not StaffSession.objects.exists() and not member.passkeys.exists()


def test_half_way_there_is_no_menu(client):
    telephone(staff())
    page = half_in(client).get(reverse("admin:factor")).content.decode()
    assert "/admin/registry/" not in page and reverse("admin:logout") in page


# --- the password -------------------------------------------------------------------------------------------------
def test_wrong_name_wrong_password_and_no_staff_get_one_answer(client):
    telephone(staff())
    StaffMember.objects.create_user("visitor", password=PASSWORD)
    tries = [("nobody", "canary password"), ("officer", "canary password"), ("visitor", PASSWORD)]
    answers = [show_password(client, *one).context["form"].non_field_errors() for one in tries]
    assert answers[0] and answers[0] == answers[1] == answers[2]
    assert refusals() == [("sign-in", "password")] * 3
    assert not AuditEntry.objects.filter(reason__contains="canary").exists() and not Session.objects.exists()


@pytest.fixture
def limited(monkeypatch):
    """As they ship (tests/conftest.py lifts them)."""
    monkeypatch.setattr(limits, "STAFF", SHIPPED)


def test_the_sixth_try_is_not_looked_at_and_says_when_to_come_again(client, limited):
    telephone(staff())
    for _ in range(5):
        show_password(client, "Officer", "wrong")
    locked = show_password(client)
    assert locked.status_code == 200 and "5 " in locked.context["form"].non_field_errors()[-1]
    unknown = [show_password(client, "nobody") for _ in range(6)][-1]
    assert unknown.context["form"].non_field_errors() == locked.context["form"].non_field_errors()
    assert refusals()[-1] == ("sign-in", "too many tries")


def test_one_network_is_slowed_down_whatever_names_it_tries(client, monkeypatch):
    monkeypatch.setitem(limits.BY_NETWORK, "sign_in", limits.Limit(3, MINUTE))
    telephone(staff())
    for number in range(3):
        show_password(client, f"name{number}", "wrong")
    assert show_password(client).status_code == 200
    assert show_password(Client(REMOTE_ADDR="10.9.8.7")).status_code == 302


def test_who_tries_a_name_from_one_place_shuts_its_owner_out_nowhere_else(client, limited):
    telephone(staff())
    for _ in range(210):
        show_password(client, password="wrong")
    assert show_password(client).status_code == 200
    assert show_password(Client(REMOTE_ADDR="10.9.8.7")).status_code == 302


def test_the_slow_down_grows_with_every_window(limited):
    now = timezone.now()
    waits = [limits.count_staff("factor", "7", now=now + second * timedelta(seconds=1)) for second in range(41)]
    assert waits[:5] == [None] * 5
    assert timedelta(0) < waits[5] < 5 * MINUTE < 59 * MINUTE < waits[15] < timedelta(hours=1)
    assert waits[39] < timedelta(hours=1) and waits[40] > timedelta(hours=23)


def test_a_right_answer_forgives_the_mistakes_before_it(client, limited):
    telephone(staff())
    for _ in range(3):
        for _ in range(4):
            show_password(client, password="wrong")
        assert show_password(client).status_code == 302


# --- codes --------------------------------------------------------------------------------------------------------
def test_codes_are_those_of_rfc_6238(now):
    member = staff()
    wrapped = sealing.wrap(codes.keyring().masters, b"12345678901234567890", codes._binding(member.pk))
    row = Authenticator.objects.create(person=member, wrapped=wrapped, added_at=now)
    vectors = {59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"}  # appendix B, 6 digits
    assert {second: codes.code_at(row, datetime.fromtimestamp(second, UTC)) for second in vectors} == vectors


def test_password_and_code_lead_where_one_wanted_to_go(client):
    phone = telephone(staff())
    recovery_codes.make(StaffMember.objects.get(), timezone.now())
    way = reverse("admin:registry_operator_changelist")
    assert show_password(client, way=way)["Location"] == reverse("admin:factor")
    assert show_code(client, phone)["Location"] == way
    assert client.get(way).status_code == 200
    entry = AuditEntry.objects.get(operation="sign_in")
    assert (entry.actor.username, entry.reason) == ("officer", "authenticator")


@pytest.mark.parametrize("way", ["https://evil.example/", "//evil.example/", "/kk/policy/", "javascript:alert(1)"])
def test_the_sign_in_leads_nowhere_else(client, way):
    phone = telephone(staff())
    recovery_codes.make(StaffMember.objects.get(), timezone.now())
    show_password(client, way=way)
    assert show_code(client, phone)["Location"] == HOME


def test_a_code_works_once_wherever_it_is_typed_again():
    phone, now, first, second = telephone(staff()), timezone.now(), Client(), Client()
    recovery_codes.make(StaffMember.objects.get(), now)
    half_in(first), half_in(second)
    assert show_code(first, phone, now).status_code == 302
    assert show_code(second, phone, now).status_code == 200
    assert is_in(first) and not is_in(second)
    assert refusals() == [("sign-in", "code")]


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_telephone_may_be_half_a_minute_wrong(steps, is_taken):
    phone, now = telephone(staff()), timezone.now()
    assert codes.take(phone.person, codes.code_at(phone, now + steps * STEP), now) is is_taken


def test_after_a_newer_code_an_older_one_is_worth_nothing():
    phone, now = telephone(staff()), timezone.now()
    assert codes.take(phone.person, codes.code_at(phone, now), now)
    assert not codes.take(phone.person, codes.code_at(phone, now - STEP), now)
    assert codes.take(phone.person, codes.code_at(phone, now + STEP), now)


@pytest.mark.parametrize("typed", ["", " ", "1", "١٢٣٤٥٦", "1" * 500, "not a code"])
def test_what_is_no_code_is_refused(typed):
    assert not codes.take(telephone(staff()).person, typed, timezone.now())


def test_an_unfinished_authenticator_confirms_nothing():
    member, now = staff(), timezone.now()
    prepared = codes.prepare(member, now)
    assert not codes.take(member, codes.code_at(prepared, now), now)
    assert codes.confirm(member, codes.code_at(prepared, now), now)


def test_a_secret_moved_to_another_person_does_not_open():
    phone, other = telephone(staff()), staff("other")
    assert codes.code_at(phone, timezone.now())
    Authenticator.objects.update(person=other)
    with pytest.raises(SealError):
        codes.take(other, "000000", timezone.now())


def test_guessing_at_the_second_step_is_slowed_down(client, limited):
    phone = telephone(staff())
    half_in(client)
    for _ in range(5):
        client.post(reverse("admin:factor"), {"code": "000000"})
    assert show_code(client, phone).status_code == 200
    assert refusals() == [("sign-in", "code")] * 5 + [("sign-in", "too many tries")]


# --- recovery codes -----------------------------------------------------------------------------------------------
def test_a_recovery_code_works_once_however_it_is_written():
    member, now = staff(), timezone.now()
    made = recovery_codes.make(member, now)
    assert len(set(made)) == 10
    assert recovery_codes.take(member, made[0].lower().replace("-", " "), now)
    assert not recovery_codes.take(member, made[0], now)
    assert recovery_codes.left(member) == 9
    assert not recovery_codes.take(staff("other"), made[1], now)


def test_new_recovery_codes_make_the_old_ones_worthless():
    member, now = staff(), timezone.now()
    old = recovery_codes.make(member, now)
    recovery_codes.make(member, now)
    assert not recovery_codes.take(member, old[0], now) and recovery_codes.left(member) == 10


def test_without_the_telephone_paper_lets_in_and_says_what_is_left(client):
    telephone(staff())
    paper = recovery_codes.make(StaffMember.objects.get(), timezone.now())
    half_in(client)
    answer = client.post(reverse("admin:factor"), {"recovery": paper[3]}, follow=True)
    assert any("9" in str(message) for message in answer.context["messages"])
    assert AuditEntry.objects.get(operation="sign_in").reason == "recovery code"


# --- the way of a new member of the staff -------------------------------------------------------------------------
def test_from_a_one_time_password_to_the_console(client):
    member = staff()
    StaffMember.objects.update(has_one_time_password=True)
    assert show_password(client)["Location"] == reverse("admin:password_change")
    chosen = {"old_password": PASSWORD, "new_password1": CHOSEN, "new_password2": CHOSEN}
    assert client.post(reverse("admin:password_change"), chosen)["Location"] == reverse("admin:enrol")
    assert client.post(reverse("admin:enrol"))["Location"] == reverse("admin:authenticator")
    page = client.get(reverse("admin:authenticator"))
    assert "no-store" in page["Cache-Control"] and "style=" not in page.content.decode()
    first = codes.code_at(member.authenticators.get(), timezone.now())
    assert client.post(reverse("admin:authenticator"), {"code": first})["Location"] == reverse("admin:recovery_codes")
    assert not is_in(client)
    shown = client.post(reverse("admin:recovery_codes"))
    assert len(shown.context["codes"]) == 10 and "no-store" in shown["Cache-Control"]
    assert is_in(client) and member.recovery_codes.count() == 10


def test_a_one_time_password_alone_does_not_pass_a_second_factor(client):
    telephone(staff())
    StaffMember.objects.update(has_one_time_password=True)
    assert show_password(client)["Location"] == reverse("admin:factor")
    assert client.get(reverse("admin:password_change"))["Location"] == reverse("admin:factor")


def test_who_has_a_factor_can_not_set_up_another_half_way(client):
    telephone(staff())
    half_in(client)
    assert client.post(reverse("admin:enrol"))["Location"] == reverse("admin:factor")
    assert client.post(reverse("admin:passkey_ask_to_add"))["Location"] == reverse("admin:factor")
    assert client.post(reverse("admin:recovery_codes"))["Location"] == reverse("admin:factor")
    assert Authenticator.objects.count() == 1 and not RecoveryCode.objects.exists()


# --- how sessions end ---------------------------------------------------------------------------------------------
def change_password(member):
    member.set_password(CHOSEN)
    member.save(update_fields=["password"])


def give_a_role(member):
    member.groups.add(Group.objects.create(name="new role"))


def change_a_role(member):
    member.groups.get().permissions.add(Permission.objects.first())


def take_away_a_right(member):
    member.user_permissions.clear()


def remove_a_factor(member):
    member.authenticators.all().delete()


def use_no_more(member):
    StaffMember.objects.update(is_superuser=False)


CHANGES = [
    change_password, give_a_role, change_a_role, take_away_a_right, telephone, remove_a_factor, use_no_more,
    lambda member: recovery_codes.make(member, timezone.now()),
]  # fmt: skip


def test_saving_a_row_read_before_a_role_was_taken_away_gives_the_session_no_life_back(client):
    member = staff(superuser=False)
    member.groups.add(Group.objects.create(name="few rights"))
    enter(client, member)
    read_before = StaffMember.objects.get(pk=member.pk)
    member.groups.clear()
    read_before.save()
    assert not is_in(client)


@pytest.mark.parametrize("change", CHANGES)
def test_a_stolen_cookie_dies_with_password_factor_and_rights(client, change):
    member = staff()
    telephone(member)
    member.groups.add(Group.objects.create(name="role"))
    member.user_permissions.add(Permission.objects.first())
    enter(client, member)
    assert is_in(client)
    change(member)
    assert client.get(HOME)["Location"].startswith(reverse("admin:login"))


def test_own_changes_end_all_other_sessions_and_the_old_cookie(client):
    member, thief, elsewhere = staff(), Client(), Client()
    enter(client, member), enter(elsewhere, member)
    thief.cookies["session"] = client.cookies["session"].value
    assert is_in(thief) and is_in(elsewhere)
    chosen = {"old_password": PASSWORD, "new_password1": CHOSEN, "new_password2": CHOSEN}
    assert client.post(reverse("admin:password_change"), chosen)["Location"] == HOME
    assert is_in(client) and not is_in(thief) and not is_in(elsewhere)


def test_an_added_factor_leaves_only_the_session_that_added_it(client):
    member, elsewhere = staff(), Client()
    enter(client, member), enter(elsewhere, member)
    client.post(reverse("admin:enrol"))
    assert is_in(elsewhere)
    code = codes.code_at(member.authenticators.get(), timezone.now())
    client.post(reverse("admin:authenticator"), {"code": code})
    assert is_in(client) and not is_in(elsewhere)


def aged(**ages):
    now = timezone.now()
    StaffSession.objects.update(**{field: now - age for field, age in ages.items()})


@pytest.mark.parametrize(
    ("ages", "is_over"),
    [
        ({"seen_at": sessions.IDLE - MINUTE}, False),
        ({"seen_at": sessions.IDLE}, True),
        ({"began_at": sessions.LONGEST - MINUTE}, False),
        ({"began_at": sessions.LONGEST}, True),
    ],
)
def test_a_session_ends_after_idleness_and_after_a_day_and_says_why(client, ages, is_over):
    enter(client, staff())
    aged(**ages)
    assert is_in(client) is not is_over
    if is_over:
        page = client.get(reverse("admin:login"))
        assert [message.level_tag for message in page.context["messages"]] == ["warning"]
        assert not StaffSession.objects.exists()


def test_who_stops_half_way_begins_again(client):
    telephone(staff())
    half_in(client)
    session = client.session
    session["password_at"] = (timezone.now() - sessions.HALF_IN).isoformat()
    session.save()
    assert client.get(reverse("admin:factor"))["Location"].startswith(reverse("admin:login"))
    assert not client.session.get("_auth_user_id")


def test_working_is_noted_once_a_minute(client):
    enter(client, staff())
    before = StaffSession.objects.get().seen_at
    client.get(HOME)
    assert StaffSession.objects.get().seen_at == before
    aged(seen_at=MINUTE)
    client.get(HOME)
    assert timezone.now() - StaffSession.objects.get().seen_at < MINUTE


def test_the_list_of_sessions_shows_no_key_and_ends_the_chosen_one(client):
    member, one, two = staff(), Client(), Client()
    for browser in (one, two, client):
        enter(browser, member)
    page = client.get(reverse("admin:my_sign_in"))
    assert not any(session.pk in page.content.decode() for session in StaffSession.objects.all())
    mark = sessions.mark(StaffSession.objects.get(pk=one.session.session_key))
    client.post(reverse("admin:sessions_end"), {"mark": mark})
    assert not is_in(one) and is_in(two) and is_in(client)
    client.post(reverse("admin:sessions_end"))
    assert not is_in(two) and is_in(client)


def test_nobody_ends_somebody_elses_session_by_its_mark(client):
    other = Client()
    enter(other, staff("other"))
    enter(client, staff())
    client.post(
        reverse("admin:sessions_end"), {"mark": sessions.mark(StaffSession.objects.get(person__username="other"))}
    )
    assert is_in(other)


def test_leaving_ends_the_session_half_way_too(client):
    telephone(staff())
    half_in(client)
    assert client.post(reverse("admin:logout"))["Location"] == reverse("admin:login")
    assert client.get(HOME)["Location"].startswith(reverse("admin:login")) and not Session.objects.exists()


# --- once more before a dangerous act -----------------------------------------------------------------------------
DANGEROUS = ["password_change", "enrol", "authenticator", "recovery_codes"]


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_dangerous_page_asks_for_the_factor_once_more(client, name):
    enter(client, staff())
    path = reverse(f"admin:{name}")
    assert not client.get(path).get("Location", "").startswith(reverse("admin:step_up"))
    aged(verified_at=sessions.FRESH)
    assert client.get(path)["Location"].startswith(reverse("admin:step_up"))
    assert client.post(path)["Location"].startswith(reverse("admin:step_up"))


def test_showing_the_factor_once_more_leads_back(client):
    member = staff()
    phone = telephone(member)
    enter(client, member)
    aged(verified_at=sessions.FRESH)
    asked = client.get(reverse("admin:recovery_codes"))["Location"]
    assert client.post(asked, {"code": "000000"}).status_code == 200
    answer = client.post(asked, {"code": codes.code_at(phone, timezone.now())})
    assert answer["Location"] == reverse("admin:recovery_codes")
    assert client.get(reverse("admin:recovery_codes")).status_code == 200


def test_showing_the_factor_once_more_never_leads_to_another_host(client):
    member = staff()
    phone = telephone(member)
    enter(client, member)
    asked = reverse("admin:step_up") + "?next=https://evil.example/admin/"
    assert client.post(asked, {"code": codes.code_at(phone, timezone.now())})["Location"] == HOME


def test_the_last_factor_stays(client):
    member = staff()
    phones = [telephone(member), telephone(member)]
    enter(client, member)
    for phone in phones:
        client.post(reverse("admin:authenticator_remove", args=[phone.pk]))
    assert member.authenticators.get() == phones[1] and is_in(client)
    with pytest.raises(ValidationError):
        factors.remove(phones[1], timezone.now())


def test_nobody_removes_somebody_elses_factor(client):
    phone = telephone(staff("other"))
    telephone(staff("other2"))
    enter(client, staff())
    assert client.post(reverse("admin:authenticator_remove", args=[phone.pk])).status_code == 404
    assert Authenticator.objects.count() == 2


# --- letting in anew ----------------------------------------------------------------------------------------------
def test_who_lost_everything_is_let_in_anew_by_somebody_else(client):
    lost, elsewhere = staff("lost"), Client()
    telephone(lost)
    enter(elsewhere, lost), enter(client, staff())
    address = reverse("admin:sign_in_reset", args=[lost.pk])
    assert client.get(address).status_code == 200 and is_in(elsewhere)
    shown = client.post(address)
    assert "no-store" in shown["Cache-Control"]
    assert not is_in(elsewhere) and not lost.authenticators.exists()
    assert show_password(Client(), "lost", shown.context["password"])["Location"] == reverse("admin:password_change")
    entry = AuditEntry.objects.get(operation="configure", reason="sign-in anew")
    assert (entry.actor.username, entry.object_id) == ("officer", lost.pk)


def administrator(name="administrator"):
    member = staff(name, superuser=False)
    member.user_permissions.add(Permission.objects.get(codename="change_staffmember"))
    return StaffMember.objects.get(pk=member.pk)


def test_nobody_lets_himself_in_anew_nor_somebody_above(client):
    member, officer, clerk = administrator(), staff(), staff("clerk", superuser=False)
    enter(client, member)
    for person in (member, officer):
        assert client.get(reverse("admin:sign_in_reset", args=[person.pk])).status_code == 403
        assert client.post(reverse("admin:sign_in_reset", args=[person.pk])).status_code == 403
    assert refusals() == [("sign-in", "sign-in anew")] * 2
    assert client.post(reverse("admin:sign_in_reset", args=[clerk.pk])).status_code == 200
    with pytest.raises(PermissionDenied):
        factors.let_in_anew(member, by=clerk, now=timezone.now())


def test_letting_in_anew_asks_for_a_fresh_factor(client):
    lost = staff("lost")
    enter(client, staff())
    aged(verified_at=sessions.FRESH)
    answer = client.post(reverse("admin:sign_in_reset", args=[lost.pk]))
    assert answer["Location"].startswith(reverse("admin:step_up"))
    assert StaffMember.objects.get(pk=lost.pk).check_password(PASSWORD)


def test_the_machines_shell_lets_a_locked_out_administrator_in():
    telephone(staff())
    said = StringIO()
    call_command("let_in", "officer", stdout=said)
    password = re.search(r"password: (\S+)", said.getvalue())[1]
    assert show_password(Client(), password=password)["Location"] == reverse("admin:password_change")
    assert not Authenticator.objects.exists()
    with pytest.raises(CommandError):
        call_command("let_in", "nobody")


# --- passkeys -----------------------------------------------------------------------------------------------------
@pytest.fixture
def passkey(settings, now):
    settings.SITE_URL = "https://registry.example.kz"
    return Passkey.objects.create(
        person=staff(), name="key", credential_id=b"i" * 16, public_key=b"k" * 77, added_at=now
    )


def test_passkeys_are_bound_to_the_address_of_the_settings_not_to_the_host(client, passkey):
    half_in(client)
    asked = client.post(reverse("admin:passkey_ask"), headers={"host": "localhost"}).json()
    assert asked["rpId"] == "registry.example.kz" and len(asked["challenge"]) >= 43
    assert [known["id"] for known in asked["allowCredentials"]] == ["aWlpaWlpaWlpaWlpaWlpaQ"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"[" * 15000, b"\xff", b"{}" + b" " * 20000])
def test_an_answer_that_is_no_json_object_is_a_bad_request(client, passkey, body):
    half_in(client)
    client.post(reverse("admin:passkey_ask"))
    answer = client.post(reverse("admin:passkey_check"), body, content_type="application/json")
    assert answer.status_code == 400 and not StaffSession.objects.exists()


@pytest.mark.parametrize(
    "answer", [{}, {"id": "\ud800"}, {"id": "aWlpaWlpaWlpaWlpaWlpaQ", "type": "public-key"}, {"id": 7}]
)
def test_an_answer_that_proves_nothing_is_refused_and_recorded(client, passkey, answer):
    half_in(client)
    client.post(reverse("admin:passkey_ask"))
    sent = client.post(reverse("admin:passkey_check"), json.dumps(answer), content_type="application/json")
    assert sent.status_code == 409 and refusals() == [("sign-in", "passkey")]
    again = client.post(reverse("admin:passkey_check"), json.dumps(answer), content_type="application/json")
    assert again.status_code == 400  # the challenge was used up


@pytest.mark.parametrize(
    ("address", "are_possible"),
    [
        ("https://registry.example.kz", True),
        ("http://localhost:8000", True),
        ("http://registry.example.kz", False),
        ("http://127.0.0.1:8000", False),
        ("https://[::1]:8000", False),
    ],
)
def test_passkeys_are_offered_where_browsers_make_them(settings, address, are_possible):
    settings.SITE_URL = address
    assert passkeys.are_possible() is are_possible


def test_what_the_pages_know_is_in_no_address_and_no_audit(client):
    member = staff()
    enter(client, member)
    client.post(reverse("admin:enrol"))
    page = client.get(reverse("admin:authenticator"))
    secret = page.context["secret"].replace(" ", "")
    assert secret in page.content.decode().replace(" ", "") and len(secret) == 32
    assert secret not in unquote(page.request["PATH_INFO"] + page.request["QUERY_STRING"])
    assert not AuditEntry.objects.filter(reason__contains=secret[:8]).exists()
