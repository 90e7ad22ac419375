"""Signing in as people do it: the first administrator with a telephone, somebody with a passkey, somebody without
scripts; all under the strict policy (a violation fails the window)."""

import re
from datetime import timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.urls import reverse
from django.utils import timezone

from registry import first_login
from registry.models import Passkey, StaffMember, StaffSession
from registry.sign_in import codes, recovery_codes, sessions
from tests.factories import staff, telephone

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD, CHOSEN = "a long pass phrase", "Бөлек сөз 2026"
HOME = "/admin/"


def show_password(window, name, password=PASSWORD):
    window.open(HOME)
    window.page.fill("#id_username", name)
    window.page.fill("#id_password", password)
    window.page.click("#login-form button")


def show_code(window, authenticator, steps=0):
    moment = timezone.now() + timedelta(seconds=steps * codes.STEP)
    window.page.fill("#id_code", codes.code_at(authenticator, moment))
    window.page.click("form:has(#id_code) button")


def leave(window):
    with window.page.expect_navigation():
        window.page.eval_on_selector("#logout-form", "form => form.requestSubmit()")


def path(window):
    return window.page.url.removeprefix(window.home).partition("?")[0]


def test_the_first_administrator_comes_from_the_letter_to_the_console(visit, settings, tmp_path):
    settings.HOME = tmp_path
    letter = first_login.create_first_administrator(timezone.now()).read_text()
    window = visit()
    show_password(window, *re.findall(r"(?:name|password): +(\S+)", letter))
    assert path(window) == reverse("admin:password_change")
    assert window.page.get_attribute("html", "lang") == "kk"
    for field, value in zip(
        ("old", "new1", "new2"), (letter.split("password:")[1].split()[0], CHOSEN, CHOSEN), strict=True
    ):
        window.page.fill(f"#id_{field.replace('new', 'new_password').replace('old', 'old_password')}", value)
    window.page.click("form:has(#id_old_password) button")
    window.page.click("form:not(.passkey) button.default")
    assert window.page.locator("svg.picture").is_visible()
    phone = StaffMember.objects.get().authenticators.get()
    window.page.click("summary")
    assert window.page.inner_text(".key") == codes.typed_secret(phone)
    show_code(window, phone)
    window.page.click("form:has(button.default) button")
    assert window.page.locator(".codes li").count() == 10
    window.page.click(".onward a")
    assert path(window) == HOME and window.answer.status == 200

    leave(window)
    show_password(window, first_login.NAME, CHOSEN)
    assert path(window) == reverse("admin:factor")
    show_code(window, phone, steps=1)
    assert path(window) == HOME and StaffSession.objects.get().browser.startswith("Chrome")


def with_device(window):
    """A device that holds passkeys and says yes at once."""
    tools = window.context.new_cdp_session(window.page)
    tools.send("WebAuthn.enable")
    device = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": device})


def test_a_passkey_is_set_up_lets_in_and_confirms_a_dangerous_act(visit):
    staff("officer")
    window = visit()
    with_device(window)
    show_password(window, "officer")
    assert path(window) == reverse("admin:enrol")
    window.page.click("form.passkey button")
    window.page.wait_for_url(f"**{reverse('admin:recovery_codes')}")
    window.page.click("form:has(button.default) button")
    window.page.click(".onward a")
    assert path(window) == HOME and Passkey.objects.get().used_at is None

    leave(window)
    show_password(window, "officer")
    window.page.click("form.passkey button")
    window.page.wait_for_url(f"{window.home}{HOME}")
    StaffSession.objects.update(verified_at=timezone.now() - sessions.FRESH)
    window.open(reverse("admin:recovery_codes"))
    assert path(window) == reverse("admin:step_up")
    window.page.click("form.passkey button")
    window.page.wait_for_url(f"**{reverse('admin:recovery_codes')}")
    assert Passkey.objects.get().sign_count > 1


def another_key():
    """In the form of RFC 9053: what the device signs with is not the other half of it."""
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})


def test_somebody_elses_passkey_lets_nobody_in(visit):
    window = visit()
    with_device(window)
    staff("thief"), staff("officer")
    show_password(window, "thief")
    window.page.click("form.passkey button")
    window.page.wait_for_url(f"**{reverse('admin:recovery_codes')}")
    window.page.click("form.leave button")
    Passkey.objects.update(person=StaffMember.objects.get(username="officer"), public_key=another_key())
    show_password(window, "officer")
    window.page.click("form.passkey button")
    window.page.locator(".messagelist .error").wait_for()
    assert path(window) == reverse("admin:factor") and not StaffSession.objects.exists()


def test_everything_but_passkeys_works_without_scripts(visit):
    phone = telephone(staff("officer"))
    recovery_codes.make(phone.person, timezone.now())
    window = visit(java_script_enabled=False)
    show_password(window, "officer")
    assert window.page.locator("form.passkey:visible").count() == 0
    show_code(window, phone)
    assert path(window) == HOME
    window.open(reverse("admin:my_sign_in"))
    assert "Chrome" in window.page.inner_text(".rows >> nth=1")
    window.page.click(f'a[href="{reverse("admin:enrol")}"]')
    window.page.click("form:not(.passkey) button.default")
    show_code(window, phone.person.authenticators.get(confirmed_at=None))
    assert path(window) == reverse("admin:my_sign_in")
    assert phone.person.authenticators.filter(confirmed_at__isnull=False).count() == 2
