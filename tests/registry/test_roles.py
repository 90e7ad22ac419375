"""Roles, appointments and who may manage whom.

Guarded lines broken and seen to fail: both halves of `may_manage`; the last superuser, only active ones counted and the
check left out of the form; one's own rights, flags and single rights made writable; any group offered; the step-up; the
change of rights not recorded; revoking in the future, an order rewritten, appointing oneself, one's own appointment; rights
that fell out left standing; a role made editable; a value opened to the auditor."""

from datetime import date, timedelta
from fnmatch import fnmatch
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from registry import roles
from registry.models import Appointment, AuditEntry, StaffMember
from tests.factories import enter, staff

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 26)


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def member(name: str, *codes: str, superuser: bool = False) -> StaffMember:
    person = staff(name, superuser=superuser)
    person.groups.set(Group.objects.filter(name__in=codes))
    return StaffMember.objects.get(pk=person.pk)


def account(person: StaffMember) -> str:
    return reverse("admin:registry_staffmember_change", args=[person.pk])


def filled_in(person: StaffMember, *codes: str, **changed: object) -> dict[str, object]:
    """The account's form as it is, with these roles."""
    groups = [str(group.pk) for group in Group.objects.filter(name__in=codes)]
    form = {"username": person.username, "is_active": "on", "groups": groups} | changed
    return {name: value for name, value in form.items() if value is not None}


# --- the matrix ----------------------------------------------------------------------------------------------------


def all_rights() -> set[str]:
    pairs = Permission.objects.values_list("content_type__app_label", "codename")
    return {".".join(pair) for pair in pairs}


def test_every_right_is_somebodys_or_nobodys_with_a_reason():
    given = set().union(*(role.rights for role in roles.MATRIX.values()))
    nobodys = {right for right in all_rights() if any(fnmatch(right, pattern) for pattern in roles.NOBODYS)}
    assert all_rights() - given - nobodys == set()
    assert given & nobodys == set()


def test_every_pattern_of_nobodys_rights_still_means_something():
    assert not [pattern for pattern in roles.NOBODYS if not any(fnmatch(right, pattern) for right in all_rights())]


def test_who_sees_no_people_has_no_right_about_them():
    about_people = roles.rights("view", *roles.PEOPLE, "auditentry", "erasurerecord", "purgepreview")
    for name in (roles.ADMINISTRATOR, roles.INTEGRATOR):
        assert not roles.MATRIX[name].rights & about_people
    assert roles.MATRIX[roles.OFFICER].rights >= about_people


def test_the_auditor_changes_nothing_and_opens_no_value():
    acts = {right.partition(".")[2] for right in roles.MATRIX[roles.AUDITOR].rights}
    assert {act for act in acts if not act.startswith("view_")} == {"verify_audit"}


def test_accounts_are_the_administrators_alone():
    able = {name for name, role in roles.MATRIX.items() if "registry.change_staffmember" in role.rights}
    assert able == {roles.ADMINISTRATOR}


def table() -> str:
    """The matrix as a page of docs/roles.md."""
    names = list(roles.MATRIX)
    lines = [f"| right | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for right in sorted(set().union(*(role.rights for role in roles.MATRIX.values()))):
        marks = ["yes" if right in role.rights else "" for role in roles.MATRIX.values()]
        lines.append(f"| `{right}` | {' | '.join(marks)} |")
    lines += ["", "Nobody's:", "", "| right | because |", "|---|---|"]
    lines += [f"| `{pattern}` | {reason} |" for pattern, reason in roles.NOBODYS.items()]
    return "\n".join(lines)


def test_the_page_about_roles_shows_the_matrix():
    page = Path("docs/roles.md").read_text()
    assert table() in page, table()


# --- bringing the database up to date ------------------------------------------------------------------------------


def test_a_right_that_fell_out_of_the_matrix_is_taken_and_one_missing_is_given(now):
    group = Group.objects.get(name=roles.AUDITOR)
    group.permissions.add(Permission.objects.get(codename="reveal_personaldatum"))
    group.permissions.remove(Permission.objects.get(codename="verify_audit"))
    assert roles.apply(now) == [roles.AUDITOR]
    held = set(group.permissions.values_list("codename", flat=True))
    assert "verify_audit" in held and "reveal_personaldatum" not in held
    assert AuditEntry.objects.get(system="prepare", operation="configure").reason == "roles: Auditor"


def test_nothing_to_do_is_nothing_done(now):
    roles.apply(now)
    assert roles.apply(now) == []
    assert AuditEntry.objects.filter(system="prepare").count() == 0


def test_a_group_of_another_name_is_left_alone(now):
    own = Group.objects.create(name="Branch office")
    own.permissions.add(Permission.objects.get(codename="view_operator"))
    roles.apply(now)
    assert own.permissions.count() == 1


def test_a_right_that_does_not_exist_stops_prepare(now, monkeypatch):
    wrong = roles.Role("", "", frozenset({"registry.no_such"}))
    monkeypatch.setattr(roles, "MATRIX", {roles.AUDITOR: wrong})
    with pytest.raises(LookupError, match="no_such"):
        roles.apply(now)


# --- who manages whom ----------------------------------------------------------------------------------------------


def test_an_administrator_gives_a_role_and_the_audit_says_which(client):
    clerk = member("clerk", roles.AUDITOR)
    enter(client, member("boss", roles.ADMINISTRATOR))
    assert client.post(account(clerk), filled_in(clerk, roles.OPERATOR)).status_code == 302
    assert [group.name for group in clerk.groups.all()] == [roles.OPERATOR]
    told = AuditEntry.objects.filter(object_type="registry.staffmember", object_id=clerk.pk)
    assert "+Operator -Auditor" in told.values_list("reason", flat=True)


def test_a_new_account_works_here_and_can_t_sign_in_before_it_is_let_in(client):
    enter(client, member("boss", roles.ADMINISTRATOR))
    form = {"username": "fresh", "groups": [Group.objects.get(name=roles.OPERATOR).pk]}
    assert client.post("/admin/registry/staffmember/add/", form).status_code == 302
    fresh = StaffMember.objects.get(username="fresh")
    assert fresh.is_staff and fresh.has_one_time_password and not fresh.has_usable_password()
    assert AuditEntry.objects.filter(object_id=fresh.pk, reason="+Operator +active +staff").exists()


@pytest.mark.parametrize("flag", ["is_superuser", "is_staff", "user_permissions"])
def test_an_administrator_gives_no_flag_and_no_single_right(client, flag):
    clerk = member("clerk", roles.OPERATOR)
    StaffMember.objects.filter(pk=clerk.pk).update(is_staff=False)
    enter(client, member("boss", roles.ADMINISTRATOR))
    value = [Permission.objects.first().pk] if flag == "user_permissions" else "on"
    assert client.post(account(clerk), filled_in(clerk, roles.OPERATOR) | {flag: value}).status_code == 302
    clerk.refresh_from_db()
    assert not (clerk.is_superuser or clerk.is_staff or clerk.user_permissions.exists())


def test_a_superuser_gives_both(client):
    clerk = member("clerk", roles.OPERATOR)
    enter(client, member("root", superuser=True))
    form = filled_in(clerk, roles.OPERATOR, is_staff="on", is_superuser="on")
    assert client.post(account(clerk), form | {"user_permissions": [Permission.objects.first().pk]}).status_code == 302
    clerk.refresh_from_db()
    assert clerk.is_superuser and clerk.user_permissions.count() == 1


def test_an_administrator_gives_no_group_of_another_name_but_leaves_it(client):
    own = Group.objects.create(name="Branch office")
    clerk, other = member("clerk", own.name), member("other")
    enter(client, member("boss", roles.ADMINISTRATOR))
    assert client.post(account(other), filled_in(other, own.name)).status_code == 200  # an error of the form
    assert client.post(account(clerk), filled_in(clerk, own.name, roles.OPERATOR)).status_code == 302
    assert clerk.groups.count() == 2 and other.groups.count() == 0


@pytest.mark.parametrize("changed", [{}, {"email": "mine@example.kz"}, {"is_active": None}])
def test_an_administrator_does_not_touch_a_superuser(client, changed):
    root = member("root", superuser=True)
    enter(client, member("boss", roles.ADMINISTRATOR))
    assert client.get(account(root)).status_code == 200  # looked at
    assert client.post(account(root), filled_in(root, **changed)).status_code == 403
    assert StaffMember.objects.get(pk=root.pk).email == ""


def test_nobody_changes_his_own_rights(client):
    boss = member("boss", roles.ADMINISTRATOR)
    enter(client, boss)
    form = filled_in(boss, *roles.MATRIX, is_superuser="on", username="other", first_name="Aidar")
    assert client.post(account(boss), form).status_code == 302
    boss.refresh_from_db()
    assert [group.name for group in boss.groups.all()] == [roles.ADMINISTRATOR]
    assert (boss.first_name, boss.username, boss.is_superuser) == ("Aidar", "boss", False)


@pytest.mark.parametrize(
    ("actor", "person", "may"),
    [
        (roles.ADMINISTRATOR, roles.OFFICER, True),
        (roles.ADMINISTRATOR, roles.ADMINISTRATOR, True),
        (roles.ADMINISTRATOR, "superuser", False),
        ("superuser", "superuser", True),
        (roles.OFFICER, roles.OPERATOR, False),
        (roles.AUDITOR, roles.OPERATOR, False),
    ],
)
def test_who_may_manage_whom(actor, person, may):
    one = member("one", actor, superuser=actor == "superuser")
    assert roles.may_manage(one, member("two", person, superuser=person == "superuser")) is may
    assert not roles.may_manage(one, one)


def test_changing_an_account_wants_a_fresh_second_factor_and_looking_does_not(client):
    clerk, boss = member("clerk", roles.OPERATOR), member("boss", roles.ADMINISTRATOR)
    enter(client, boss)
    boss.staff_sessions.update(verified_at=timezone.now() - timedelta(minutes=20))
    for answer in (client.get(account(clerk)), client.post(account(clerk), filled_in(clerk, roles.OFFICER))):
        assert answer.status_code == 302 and answer["Location"].startswith(reverse("admin:step_up"))
    assert [group.name for group in clerk.groups.all()] == [roles.OPERATOR]
    assert client.get(account(member("root", superuser=True))).status_code == 200


# --- the last one stays --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps", [frozenset({"active", "staff"}), frozenset({"staff", "Administrator"})])
def test_the_last_administrator_stays(keeps):
    boss = member("boss", roles.ADMINISTRATOR)
    with pytest.raises(ValidationError):
        roles.check_somebody_stays(boss, keeps=keeps)
    member("second", roles.ADMINISTRATOR)
    roles.check_somebody_stays(boss, keeps=keeps)


def test_the_last_administrator_stays_in_the_console(client):
    boss, helper = member("boss", roles.ADMINISTRATOR), member("helper")
    helper.user_permissions.set(Permission.objects.filter(codename__in=["change_staffmember", "view_staffmember"]))
    enter(client, helper)
    for changed in ({"is_active": None}, {"groups": []}):
        assert client.post(account(boss), filled_in(boss, roles.ADMINISTRATOR, **changed)).status_code == 200
    boss.refresh_from_db()
    assert boss.is_active and boss.groups.count() == 1


def test_a_deactivated_administrator_is_nobody_who_stays():
    boss, second = member("boss", roles.ADMINISTRATOR), member("second", roles.ADMINISTRATOR)
    StaffMember.objects.filter(pk=second.pk).update(is_active=False)
    with pytest.raises(ValidationError):
        roles.check_somebody_stays(boss, keeps=frozenset({"active", "staff"}))


def test_the_last_superuser_stays_though_there_is_an_administrator():
    root = member("root", superuser=True)
    member("boss", roles.ADMINISTRATOR)
    with pytest.raises(ValidationError):
        roles.check_somebody_stays(root, keeps=frozenset({"active", "staff", "Administrator"}))
    roles.check_somebody_stays(root, keeps=frozenset({"active", "staff", "superuser"}))


# --- sessions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["role", "deactivated"])
def test_a_session_ends_with_the_rights_it_began_with(client, change):
    clerk = member("clerk", roles.AUDITOR)
    enter(client, clerk)
    assert client.get("/admin/registry/operator/").status_code == 200
    if change == "role":
        clerk.groups.add(Group.objects.get(name=roles.OPERATOR))
    else:
        StaffMember.objects.filter(pk=clerk.pk).update(is_active=False)
    assert client.get("/admin/registry/operator/").status_code == 302


# --- appointments --------------------------------------------------------------------------------------------------

ORDER = {"order_number": "12", "ordered_on": "26.11.2026", "scope": "requests", "valid_from": "26.11.2026"}


def test_an_administrator_appoints_others_and_not_himself(client):
    clerk, boss = member("clerk", roles.OPERATOR), member("boss", roles.ADMINISTRATOR)
    enter(client, boss)
    assert client.post("/admin/registry/appointment/add/", ORDER | {"person": boss.pk}).status_code == 200
    assert client.post("/admin/registry/appointment/add/", ORDER | {"person": clerk.pk}).status_code == 302
    assert set(Appointment.objects.filter(order_number="12").values_list("person", flat=True)) == {clerk.pk}


def test_an_order_is_not_rewritten_and_revoked_at_once_or_not(client):
    clerk = member("clerk", roles.OPERATOR)
    enter(client, member("boss", roles.ADMINISTRATOR))
    order, today = clerk.appointments.get(), timezone.localdate()
    address = reverse("admin:registry_appointment_change", args=[order.pk])
    tomorrow = f"{today + timedelta(days=1):%d.%m.%Y}"
    assert client.post(address, {"revoked_on": tomorrow}).status_code == 200
    assert client.post(address, {"revoked_on": f"{today:%d.%m.%Y}", "valid_until": tomorrow}).status_code == 302
    order.refresh_from_db()
    assert (order.revoked_on, order.valid_until) == (today, None)
    assert order.history.count() == 2
    assert client.post(address, {"revoked_on": ""}).status_code == 302  # nothing is left to change
    order.refresh_from_db()
    assert order.revoked_on == today


def test_nobody_changes_his_own_appointment(client):
    boss = member("boss", roles.ADMINISTRATOR)
    enter(client, boss)
    address = reverse("admin:registry_appointment_change", args=[boss.appointments.get().pk])
    assert client.post(address, {"revoked_on": f"{timezone.localdate():%d.%m.%Y}"}).status_code == 403


@pytest.mark.parametrize(
    ("until", "is_ending"),
    [(DAY, True), (DAY + timedelta(days=14), True), (DAY + timedelta(days=15), False), (None, False)],
)
def test_an_appointment_warns_two_weeks_before_its_last_day(until, is_ending):
    clerk = staff("clerk")
    clerk.appointments.update(valid_until=until)
    assert Appointment.objects.ending(DAY).exists() is is_ending
    assert (clerk.appointments.get().state(DAY) == Appointment.State.ENDING) is is_ending


def test_an_appointment_that_is_followed_by_another_does_not_warn():
    clerk = staff("clerk")
    clerk.appointments.update(valid_until=DAY)
    assert Appointment.objects.ending(DAY).count() == 1
    Appointment.objects.create(person=clerk, valid_from=DAY + timedelta(days=1), ordered_on=DAY, order_number="8")
    assert Appointment.objects.ending(DAY).count() == 0


def test_the_list_of_appointments_shows_those_that_end_soon(client):
    staff("ending").appointments.update(valid_until=timezone.localdate() + timedelta(days=3), scope="soon over")
    enter(client, member("boss", roles.ADMINISTRATOR))
    for end, people in (("soon", {"ending"}), ("open", {"ending", "boss"})):
        rows = client.get(f"/admin/registry/appointment/?end={end}").context["cl"].result_list
        assert {row.person.username for row in rows} == people


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"valid_until": DAY - timedelta(days=1)}, "ended"),
        ({"valid_from": DAY + timedelta(days=1)}, "future"),
        ({"revoked_on": DAY}, "revoked"),
        ({}, "current"),
    ],
)
def test_the_state_of_an_appointment(changed, state):
    clerk = staff("clerk")
    clerk.appointments.update(**changed)
    assert clerk.appointments.get().state(DAY) == state


# --- the pages -----------------------------------------------------------------------------------------------------


def test_roles_are_shown_in_words_and_can_t_be_changed(client):
    enter(client, member("root", superuser=True))
    address = reverse("admin:auth_group_change", args=[Group.objects.get(name=roles.OPERATOR).pk])
    body = client.get(address, headers={"accept-language": "en"}).content.decode()
    assert "May open personal data" in body and "May approve a destruction" not in body
    assert client.post(address, {"name": "Mine"}).status_code == 403
    assert client.post("/admin/auth/group/add/", {"name": "Branch office"}).status_code == 403


def test_the_list_of_staff_says_who_has_no_appointment_and_costs_the_same_for_more(
    client, django_assert_max_num_queries
):
    enter(client, member("root", superuser=True))
    for number in range(6):
        member(f"clerk{number}", roles.OPERATOR).appointments.all().delete()
    client.get("/admin/registry/staffmember/")
    with django_assert_max_num_queries(16):
        body = client.get("/admin/registry/staffmember/", headers={"accept-language": "en"}).content.decode()
    assert "no appointment: sees no people" in body
