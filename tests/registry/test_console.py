"""The console leaks nothing: every page is opened by the whole cast, with a canary value behind it.

Guarded lines broken and seen to fail: the appointment taken out of AppointedOnly; the permission, the appointment and
the reason taken out of `reveal`; the audit entry written after opening."""

import logging
from datetime import date

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from config.logs import LineFormatter
from registry import disclosure
from registry.auditing import NotRecorded
from registry.disclosure import reveal
from registry.models import Appointment, AuditEntry, LegalGround, Operator, PersonalDatum
from tests.factories import EMAIL, MOMENT, PHONE, enter, hold, person, staff

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
    enter(client, staff())
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
    enter(client, staff())
    for _ in range(5):
        person(phone="87010000000", now=timezone.now())
    client.get("/admin/registry/datasubject/")  # what a process keeps afterwards: keys, content types
    with django_assert_max_num_queries(12):
        body = client.get("/admin/registry/datasubject/").content.decode()
    assert "A•••@example.kz" in body and "+7 701 •••-••-34" in body


@pytest.mark.parametrize("path", ["datasubject", "processing", "legalhold", "outgoingmessage"])
def test_without_an_appointment_there_are_no_people(client, subject, path):
    enter(client, staff(appointed=False))
    assert client.get(f"/admin/registry/{path}/").status_code == 403
    assert "datasubject" not in client.get("/admin/").content.decode()


def test_showing_wants_a_reason_and_leaves_an_entry(client, datum):
    enter(client, staff())
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
        cursor.execute(  # stands before the real one
            "CREATE TEMP TABLE registry_auditentry"
            " (LIKE public.registry_auditentry INCLUDING IDENTITY, CHECK (operation <> 'reveal'))"
        )
    with pytest.raises(NotRecorded):
        reveal(datum, by=staff(), reason="asked", now=MOMENT)
    assert not opened


def test_a_one_time_password_opens_only_the_page_where_one_is_chosen(client):
    member = staff()
    type(member).objects.update(has_one_time_password=True)
    enter(client, member)
    assert client.get("/admin/registry/datasubject/").headers["Location"] == reverse("admin:password_change")
    chosen = {"old_password": "a long pass phrase", "new_password1": "Бөлек сөз 2026", "new_password2": "Бөлек сөз 2026"}
    client.post(reverse("admin:password_change"), chosen)
    assert client.get("/admin/registry/datasubject/").status_code == 200


def test_changing_a_setting_is_audited_and_djangos_own_log_stays_empty(client):
    enter(client, staff())
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


def allowed_to(*codenames: str):
    member = staff("clerk", superuser=False)
    member.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return member


def test_an_old_version_is_looked_at_and_not_restored(client):
    operator = Operator.objects.get()
    enter(client, allowed_to("view_operator"))
    address = reverse("admin:registry_operator_simple_history", args=[1, operator.history.first().pk])
    assert client.get(address).status_code == 200
    assert client.post(address, {"bin": "940140000385"}).status_code == 403
    assert Operator.objects.get().bin == operator.bin


def test_nobody_raises_his_own_rights(client):
    member = allowed_to("change_staffmember", "view_staffmember", "add_appointment", "view_appointment")
    enter(client, member)
    fields = {"username": "clerk", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    client.post(reverse("admin:registry_staffmember_change", args=[member.pk]), fields)
    member.refresh_from_db()
    assert not member.is_superuser
    order = {"person": member.pk, "order_number": "1", "ordered_on": "2026-11-22", "scope": "all"}
    answer = client.post("/admin/registry/appointment/add/", order | {"valid_from": "2026-11-22"})
    assert answer.status_code == 200 and Appointment.objects.count() == 1


def test_an_attempt_without_an_appointment_is_recorded(client, subject):
    enter(client, staff(appointed=False))
    client.get(f"/admin/registry/datasubject/{subject.pk}/change/")
    assert AuditEntry.objects.filter(operation="refused").count() == 1


@pytest.mark.parametrize("reason", ["called from 8 701 555 12 34", "wrote from a@example.kz"])
def test_a_reason_quotes_no_value(client, datum, reason):
    enter(client, staff())
    assert EMAIL not in client.post(reverse("admin:reveal", args=[datum.pk]), {"reason": reason}).content.decode()
    assert not AuditEntry.objects.filter(operation="reveal").exists()


def test_a_hold_on_somebody_elses_datum_or_in_the_past_is_refused(client, subject, datum):
    enter(client, staff())
    stranger = person(now=timezone.now())
    fields = {"subject": stranger.pk, "ground": LegalGround.objects.first().pk, "reason": "court"}
    for wrong in ({"datum": datum.pk}, {"until_0": "01.01.2020", "until_1": "00:00"}):
        answer = client.post("/admin/registry/legalhold/add/", fields | wrong)
        assert answer.status_code == 200
        assert list(answer.context["adminform"].form.errors) == [next(iter(wrong)).removesuffix("_0")]
    assert client.post("/admin/registry/legalhold/add/", fields).status_code == 302
    assert stranger.holds.count() == 1


def test_what_values_are_found_by_can_t_be_renamed(client, subject):
    enter(client, staff())
    for page, pk in (("datacategory", 1), ("processingpurpose", 1)):
        form = client.get(f"/admin/registry/{page}/{pk}/change/").context["adminform"].form
        assert "code" not in form.fields and "kind" not in form.fields


def test_a_one_time_password_is_not_chosen_again(client):
    member = staff()
    type(member).objects.update(has_one_time_password=True)
    enter(client, member)
    same = {"old_password": "a long pass phrase", "new_password1": "a long pass phrase", "new_password2": "a long pass phrase"}
    assert client.post(reverse("admin:password_change"), same).status_code == 200
    member.refresh_from_db()
    assert member.has_one_time_password


def test_a_log_line_quotes_no_address_and_no_token():
    error = ValueError(f"Invalid address {EMAIL}")
    record = logging.LogRecord("celery", 40, "", 0, "Task failed: %(exc)s", (), (ValueError, error, None))
    record.args = {"exc": repr(error)}
    line = LineFormatter().format(record) + LineFormatter().format(
        logging.LogRecord("django", 40, "", 0, f"Not Found: /{EMAIL}/{'a' * 43}/", (), None)
    )
    assert "Aigul" not in line and "aaaa" not in line and "ValueError" in line
