"""A list from asking to the file on the disk, in a browser, under the strict policy; nothing of it is left in the page."""

import hashlib
import os
import re
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from registry import exporting, tasks
from registry.models import AccessSettings, DataExport
from tests.factories import DAY, EMAIL, person, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path, monkeypatch):
    settings.HOME = tmp_path
    monkeypatch.setattr(tasks, "wake_exports", lambda: None)
    yield
    AccessSettings.objects.update(plain_export_people=20)


def shot(window, name):
    if folder := os.environ.get("SHOTS"):
        window.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_a_readable_list_is_asked_for_approved_and_fetched(visit, today):
    person(email=EMAIL, now=today - DAY)
    AccessSettings.objects.update(plain_export_people=0)
    clerk, second = visit(viewport={"width": 1280, "height": 900}), visit(viewport={"width": 320, "height": 700})
    clerk.enter(staff("clerk"))
    second.enter(staff("second"))
    clerk.open(reverse("admin:registry_dataexport_changelist"))
    shot(clerk, "empty")
    clerk.page.click(f'a[href="{reverse("admin:export_ask_plain")}"]')
    clerk.page.click('input[name="purpose"] >> nth=0')
    clerk.page.fill('input[name="reason"]', "spring letter")
    shot(clerk, "ask")
    clerk.page.click('form:has(input[name="reason"]) [type=submit]')
    export = DataExport.objects.get()
    page = reverse("admin:registry_dataexport_change", args=[export.pk])
    shot(clerk, "waiting")
    second.open(page)
    shot(second, "decide")
    second.page.click('button[value="approve"]')
    clerk.open(page)
    shot(clerk, "building")
    assert exporting.build_waiting(clock=timezone.now) == 1
    clerk.open(page)
    shot(clerk, "ready")
    with clerk.page.expect_download() as coming:
        clerk.page.click(f'form[action="{reverse("admin:export_take", args=[export.pk])}"] [type=submit]')
    content = Path(coming.value.path()).read_bytes()
    assert re.fullmatch(rf"{export.number}\.csv", coming.value.suggested_filename) and EMAIL in content.decode()
    clerk.open(page)
    shot(clerk, "taken")
    assert hashlib.sha256(content).hexdigest() in clerk.page.content() and "Aigul" not in clerk.page.content()
    clerk.open(reverse("admin:registry_dataexport_changelist"))
    shot(clerk, "list")
