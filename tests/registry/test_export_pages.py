"""The pages of lists that are taken out: what each may see and do, in order.

Broken and seen to fail: refuse_unappointed and refuse_without of ask_view; step_up of take_view, of the readable form and
of approving; GET of take_view giving the file; "who asks does not approve".
"""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from registry import exporting, tasks
from registry.models import AccessSettings, AuditEntry, DataExport, StaffSession
from tests.factories import DAY, EMAIL, enter, person, purpose, staff

pytestmark = pytest.mark.django_db
State = DataExport.State
LISTS, MASKED, PLAIN = "registry_dataexport_changelist", "export_ask", "export_ask_plain"


@pytest.fixture(autouse=True)
def quietly(settings, tmp_path, monkeypatch):
    """A worker is not woken: the tests build themselves."""
    settings.HOME = tmp_path
    monkeypatch.setattr(tasks, "wake_exports", lambda: None)


@pytest.fixture
def aigul(today):
    return person(email=EMAIL, now=today - DAY)


def may(name, *permissions, appointed=True):
    member = staff(name, appointed=appointed, superuser=False)
    member.user_permissions.set(Permission.objects.filter(codename__in=[*permissions, "view_dataexport"]))
    return member


def address(name, *arguments):
    return reverse(f"admin:{name}", args=arguments)


def asked(client, name=MASKED):
    fields = {"purpose": purpose().pk, "reason": "news of spring"}
    return client.post(address(name), fields)


def page_of(export):
    return address("registry_dataexport_change", export.pk)


def build():
    return exporting.build_waiting(clock=timezone.now)


def is_stale(client):
    StaffSession.objects.update(verified_at=timezone.now() - timedelta(hours=1))


def test_from_asking_to_the_file(client, aigul):
    enter(client, staff("clerk"))
    assert "news" not in client.get(address(MASKED)).content.decode()
    answer = asked(client)
    export = DataExport.objects.get()
    assert answer["Location"] == page_of(export)
    assert "<progress" in client.get(page_of(export)).content.decode()
    assert build() == 1
    assert address("export_take", export.pk) in client.get(page_of(export)).content.decode()
    file = client.post(address("export_take", export.pk))
    content = b"".join(file.streaming_content).decode()
    file.close()
    assert aigul.reference in content and "Aigul" not in content
    assert file["Content-Disposition"] == f'attachment; filename="{export.number}.csv"'
    assert "no-store" in file["Cache-Control"]
    assert address("export_take", export.pk) not in client.get(page_of(export)).content.decode()


def test_looking_at_a_page_takes_nothing_and_shows_no_value(client, aigul):
    enter(client, staff("clerk"))
    asked(client, PLAIN)
    build()
    export = DataExport.objects.get()
    for name in ("export_take", "export_decide"):
        assert client.get(address(name, export.pk))["Location"] == page_of(export)
    pages = [client.get(page).content.decode() for page in (page_of(export), address(LISTS))]
    assert all(export.number in page and "Aigul" not in page for page in pages)
    export.refresh_from_db()
    assert export.state == State.READY


@pytest.mark.parametrize("name", [MASKED, PLAIN])
@pytest.mark.parametrize(("permissions", "appointed"), [([], True), (["export_masked", "export_plain"], False)])
def test_asking_wants_permission_and_appointment(client, aigul, name, permissions, appointed):
    enter(client, may("nobody", *permissions, appointed=appointed))
    assert [client.get(address(name)).status_code, asked(client, name).status_code] == [403, 403]
    assert not DataExport.objects.exists()


def test_each_kind_has_its_own_permission(client, aigul):
    enter(client, may("clerk", "export_masked"))
    page = client.get(address(LISTS)).content.decode()
    assert address(MASKED) in page and address(PLAIN) not in page
    assert [client.get(address(name)).status_code for name in (MASKED, PLAIN)] == [200, 403]


def test_a_readable_list_and_every_file_want_the_second_factor_anew(client, aigul):
    enter(client, staff("clerk"))
    asked(client, PLAIN)
    build()
    is_stale(client)
    export = DataExport.objects.get()
    ways = [client.get(address(PLAIN)), asked(client, PLAIN), client.post(address("export_take", export.pk))]
    assert all(way.status_code == 302 and way["Location"].startswith(address("step_up")) for way in ways)
    assert client.get(address(MASKED)).status_code == 200
    assert DataExport.objects.get().state == State.READY


def test_a_second_person_approves_and_does_not_fetch(client, aigul):
    AccessSettings.objects.update(plain_export_people=0)
    enter(client, staff("clerk"))
    asked(client, PLAIN)
    export = DataExport.objects.get()
    decide = address("export_decide", export.pk)
    assert 'value="approve"' not in client.get(page_of(export)).content.decode()
    client.post(decide, {"act": "approve"})
    assert DataExport.objects.get().state == State.WAITING
    enter(client, staff("second"))
    assert 'value="approve"' in client.get(page_of(export)).content.decode()
    is_stale(client)
    assert client.post(decide, {"act": "approve"})["Location"].startswith(address("step_up"))
    enter(client, staff("third"))
    client.post(decide, {"act": "approve"})
    assert DataExport.objects.get().state == State.BUILDING
    build()
    assert client.post(address("export_take", export.pk)).status_code == 403


def test_a_refusal_needs_a_reason_and_is_shown_to_who_asked(client, aigul):
    AccessSettings.objects.update(plain_export_people=0)
    clerk, second = staff("clerk"), staff("second")
    enter(client, clerk)
    asked(client, PLAIN)
    export = DataExport.objects.get()
    enter(client, second)
    client.post(address("export_decide", export.pk), {"act": "refuse", "reason": ""})
    assert DataExport.objects.get().state == State.WAITING
    client.post(address("export_decide", export.pk), {"act": "refuse", "reason": "not this week"})
    enter(client, clerk)
    assert "not this week" in client.get(page_of(export)).content.decode()


def test_giving_up_and_acts_nobody_knows(client, aigul):
    enter(client, staff("clerk"))
    asked(client)
    export = DataExport.objects.get()
    assert client.post(address("export_decide", export.pk), {"act": "publish"}).status_code == 400
    client.post(address("export_decide", export.pk), {"act": "cancel"})
    assert DataExport.objects.get().state == State.CANCELLED


def test_an_empty_list_and_a_reason_with_a_number_are_said_on_the_form(client):
    enter(client, staff("clerk"))
    assert asked(client).context["form"].non_field_errors()
    answer = client.post(address(MASKED), {"purpose": purpose().pk, "reason": "call 87015551234"})
    assert list(answer.context["form"].errors) == ["reason"]
    assert not AuditEntry.objects.filter(object_type="registry.dataexport").exists()


@pytest.mark.parametrize("state", State.values)
def test_every_state_has_its_page(client, aigul, today, state):
    me = staff("clerk")
    enter(client, me)
    export = DataExport.objects.create(
        kind="masked", purpose=purpose(), reason="news", state=state, people=3, requested_by=me, requested_at=today
    )
    page = client.get(page_of(export))
    assert page.status_code == 200 and export.get_state_display() in page.content.decode()


def test_the_brake_is_one_row_that_is_changed_with_history(client):
    enter(client, staff("administrator"))
    page = address("registry_accesssettings_change", 1)
    fields = {"reveals_per_day": 30, "alarm_reveals": 10, "plain_export_people": 5, "export_hours": 12}
    assert client.post(page, fields).status_code == 302
    chosen = AccessSettings.objects.get()
    assert (chosen.reveals_per_day, chosen.history.count() > 0) == (30, True)
    assert client.get(address("registry_accesssettings_add")).status_code == 403
    assert client.post(page, fields | {"reveals_per_day": 0}).status_code == 200
