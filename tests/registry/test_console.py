"""The console leaks nothing: every page is opened by the whole cast, with a canary value behind it.

Guarded lines broken and seen to fail: AppointedOnly taken off DataSubjectAdmin; the permission and the appointment taken
out of `reveal`; the audit entry written after opening."""

from datetime import date

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from registry import disclosure
from registry.disclosure import reveal
from registry.models import Appointment, AuditEntry, PersonalDatum
from tests.factories import EMAIL, MOMENT, PHONE, hold, person, staff

pytestmark = pytest.mark.django_db
PAGES = sorted((model._meta.app_label, model._meta.model_name) for model in site._registry)


@pytest.fixture
def subject():
    subject = person("site-news", email=EMAIL, phone=PHONE, now=timezone.now())
    hold(subject)
    return subject


@pytest.fixture
def datum(subject):
    return subject.data.get(category__code="email")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page[1])
def test_every_page_opens_and_shows_no_value(client, subject, page):
    client.force_login(staff())
    listing = client.get(reverse("admin:{}_{}_changelist".format(*page)))
    assert listing.status_code == 200
    addresses = [reverse("admin:{}_{}_add".format(*page))]
    for row in listing.context["cl"].queryset[:3]:
        addresses += [reverse("admin:{}_{}_{}".format(*page, view), args=[row.pk]) for view in ("change", "history")]
    bodies = [listing.content.decode(), *(_readable(client.get(address)) for address in addresses)]
    assert not any(EMAIL in body or "77015551234" in body or "Aigul" in body for body in bodies)


def _readable(response) -> str:
    assert response.status_code in {200, 403}
    return response.content.decode()


def test_the_list_masks_and_costs_the_same_for_more_people(client, subject, django_assert_max_num_queries):
    client.force_login(staff())
    for _ in range(5):
        person(phone="87010000000", now=timezone.now())
    client.get("/admin/registry/datasubject/")  # what a process keeps afterwards: keys, content types
    with django_assert_max_num_queries(12):
        body = client.get("/admin/registry/datasubject/").content.decode()
    assert "A•••@example.kz" in body and "+7 701 •••-••-34" in body


@pytest.mark.parametrize("path", ["datasubject", "processing", "legalhold", "outgoingmessage"])
def test_without_an_appointment_there_are_no_people(client, subject, path):
    client.force_login(staff(appointed=False))
    assert client.get(f"/admin/registry/{path}/").status_code == 403
    assert "datasubject" not in client.get("/admin/").content.decode()


def test_showing_wants_a_reason_and_leaves_an_entry(client, datum):
    client.force_login(staff())
    address = reverse("admin:reveal", args=[datum.pk])
    assert EMAIL not in client.get(address).content.decode()
    assert EMAIL not in client.post(address, {"reason": "  "}).content.decode()
    shown = client.post(address, {"reason": "asked"})
    assert EMAIL in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert AuditEntry.objects.filter(operation="reveal", object_id=datum.pk, reason="asked").count() == 1


@pytest.mark.parametrize(("appointed", "allowed"), [(False, True), (True, False), (False, False)])
def test_showing_wants_appointment_and_permission(datum, appointed, allowed):
    member = staff(appointed=appointed, superuser=False)
    if allowed:
        member.user_permissions.add(Permission.objects.get(codename="reveal_personaldatum"))
    with pytest.raises(PermissionDenied):
        reveal(datum, by=member, reason="asked", now=MOMENT)
    assert AuditEntry.objects.filter(operation="refused").count() == 1


@pytest.mark.parametrize(
    ("change", "is_appointed"),
    [
        ({"valid_until": date(2026, 11, 22)}, True),
        ({"valid_until": date(2026, 11, 21)}, False),
        ({"valid_from": date(2026, 11, 23)}, False),
        ({"revoked_on": date(2026, 11, 22)}, False),
    ],
)
def test_an_appointment_counts_from_its_first_to_its_last_day(change, is_appointed):
    member = staff()
    Appointment.objects.update(**change)
    assert disclosure.may_see_people(member, MOMENT) is is_appointed


def test_a_deactivated_account_is_appointed_to_nothing():
    member = staff()
    member.is_active = False
    assert not disclosure.may_see_people(member, MOMENT)


def test_no_reason_no_value(datum):
    with pytest.raises(ValidationError):
        reveal(datum, by=staff(), reason=" ", now=MOMENT)


def test_what_cannot_be_recorded_is_not_shown(datum, monkeypatch):
    opened = []
    monkeypatch.setattr(PersonalDatum, "unseal", lambda *_: opened.append(1))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE registry_auditentry (no_such_column int)")  # stands before the real one
    with pytest.raises(Exception, match="does not exist"):
        reveal(datum, by=staff(), reason="asked", now=MOMENT)
    assert not opened


def test_a_one_time_password_opens_only_the_page_where_one_is_chosen(client):
    member = staff()
    type(member).objects.update(has_one_time_password=True)
    client.force_login(member)
    assert client.get("/admin/registry/datasubject/").headers["Location"] == reverse("admin:password_change")
    chosen = {"old_password": "a long pass phrase", "new_password1": "Бөлек сөз 2026", "new_password2": "Бөлек сөз 2026"}
    client.post(reverse("admin:password_change"), chosen)
    assert client.get("/admin/registry/datasubject/").status_code == 200


def test_changing_a_setting_is_audited_and_djangos_own_log_stays_empty(client):
    client.force_login(staff())
    ground = {"code": "new", "act_kk": "a", "act_ru": "a", "act_en": "a", "title_kk": "t", "title_ru": "t", "title_en": "t"}
    assert client.post("/admin/registry/legalground/add/", ground).status_code == 302
    assert AuditEntry.objects.filter(operation="configure", object_type="registry.legalground").count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_admin_log")
        assert cursor.fetchone()[0] == 0


def test_the_console_has_its_own_policy_and_a_public_page_the_strictest(client):
    assert "script-src 'self'" in client.get("/admin/login/")["Content-Security-Policy"]
    assert "script-src" not in client.get("/kk/policy/")["Content-Security-Policy"]
    assert "default-src 'none'" in client.get("/admin/login/")["Content-Security-Policy"]
