"""Passkeys: a device signs a challenge made for it (W3C Web Authentication, level 2), and the key never leaves it.

Address and name of the registry come from SITE_URL: what a browser says about its host proves nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import webauthn
from django.conf import settings
from django.db import transaction
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.structs import PublicKeyCredentialDescriptor as Known
from webauthn.registration.verify_registration_response import VerifiedRegistration

from registry.models import Passkey, StaffMember

MOST = 10  # of one person


class PasskeyError(Exception):
    """The device's answer proves nothing. The message is for nobody."""


@dataclass(frozen=True)
class Question:
    """What the browser is asked (JSON), and the challenge to keep until its answer comes."""

    options: str
    challenge: bytes


def are_possible() -> bool:
    """Browsers make passkeys for names, over TLS or on the machine itself; not for bare numbers of the network."""
    here = urlsplit(settings.SITE_URL)
    return not _is_number(host()) and (here.scheme == "https" or host() == "localhost")


def ask_to_add(person: StaffMember) -> Question:
    options = webauthn.generate_registration_options(
        rp_id=host(),
        rp_name=host(),
        user_id=person.pk.to_bytes(8, "big"),
        user_name=person.get_username(),
        exclude_credentials=_known(person),
    )
    return Question(webauthn.options_to_json(options), options.challenge)


def add(person: StaffMember, answer: dict[str, Any], challenge: bytes, *, name: str, now: datetime) -> Passkey:
    """The new passkey, if the answer is to this challenge from this address. PasskeyError."""
    if person.passkeys.count() >= MOST:
        raise PasskeyError("too many")
    made: VerifiedRegistration = _proven(webauthn.verify_registration_response, answer, challenge)
    if Passkey.objects.filter(credential_id=made.credential_id).exists():
        raise PasskeyError("known")
    return Passkey.objects.create(
        person=person,
        name=name,
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        added_at=now,
    )


def ask(person: StaffMember) -> Question:
    options = webauthn.generate_authentication_options(rp_id=host(), allow_credentials=_known(person))
    return Question(webauthn.options_to_json(options), options.challenge)


@transaction.atomic
def check(person: StaffMember, answer: dict[str, Any], challenge: bytes, now: datetime) -> None:
    """PasskeyError unless one of the person's passkeys signed this challenge, and its counter went on."""
    passkey = person.passkeys.select_for_update().filter(credential_id=_credential_id(answer)).first()
    if passkey is None:
        raise PasskeyError("unknown")
    proof: VerifiedAuthentication = _proven(
        webauthn.verify_authentication_response,
        answer,
        challenge,
        credential_public_key=bytes(passkey.public_key),
        credential_current_sign_count=passkey.sign_count,
    )
    passkey.sign_count, passkey.used_at = proof.new_sign_count, now
    passkey.save(update_fields=["sign_count", "used_at"])


def _proven(verify: Callable[..., Any], answer: dict[str, Any], challenge: bytes, **known: Any) -> Any:
    try:
        return verify(
            credential=answer, expected_challenge=challenge, expected_rp_id=host(), expected_origin=_origin(), **known
        )
    except Exception as error:  # the library meets whatever a browser sends, and stumbles in many ways
        raise PasskeyError(type(error).__name__) from None


def _credential_id(answer: dict[str, Any]) -> bytes:
    try:
        return base64url_to_bytes(answer["id"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PasskeyError("no id") from None


def _known(person: StaffMember) -> list[Known]:
    return [Known(id=bytes(key)) for key in person.passkeys.values_list("credential_id", flat=True)]


def host() -> str:
    """The registry's name, to which a passkey is bound."""
    return urlsplit(settings.SITE_URL).hostname or ""


def _origin() -> str:
    here = urlsplit(settings.SITE_URL)
    return f"{here.scheme}://{here.netloc}"


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
