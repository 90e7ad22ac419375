"""Messages to phones by a gateway that takes an HTTP request (docs/operations.md, "Messages to phones").

Dangerous because number and text leave the registry here. The rules:

- One POST to SMS_URL and to nobody else: no redirect is followed, no proxy of the environment is used.
- Number and text stand in the body alone, never in an address or a header.
- Of the answer the status is read and nothing else: the rest may quote what was sent.

Sources: RFC 9110 (status codes), draft-ietf-httpapi-idempotency-key-header.
"""

import ipaddress
import json
import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, Request

from django.conf import settings
from django.core.checks import CheckMessage, Error

from registry.sms import Refused

logger = logging.getLogger(__name__)
TIMEOUT = 10  # seconds, for the connection and for each wait after it
PASSING = {408, 425, 429}  # a timeout, too early, too many: the only 4xx that say nothing about the message
PLACEHOLDER = re.compile(r"\{(number|text|key)\}")
NEEDED = ("number", "text")


class NotTaken(Exception):
    """The gateway answered, and did not take the message."""


def send(number: str, text: str, *, key: str) -> None:
    """Returns once the gateway took it (2xx). Refused at a 4xx that would come again; any other error may pass."""
    status = _post({"number": number, "text": text, "key": key})
    if 200 <= status < 300:
        return
    logger.warning("the SMS gateway answered %s", status)
    raise Refused if 400 <= status < 500 and status not in PASSING else NotTaken


def _post(values: Mapping[str, str]) -> int:
    body, kind = _body(settings.SMS_BODY, values)
    headers = {"Content-Type": kind, "Idempotency-Key": values["key"]}
    if settings.SMS_AUTHORIZATION:
        headers["Authorization"] = settings.SMS_AUTHORIZATION
    request = Request(settings.SMS_URL, body, headers, method="POST")  # noqa: S310 (the opener knows http and https only)
    with _opener().open(request, timeout=TIMEOUT) as answer:
        return int(answer.status)


def _opener() -> OpenerDirector:
    """Without urllib's handlers of redirects, proxies and files, and with every status an answer."""
    opener = OpenerDirector()
    opener.add_handler(HTTPHandler())
    opener.add_handler(HTTPSHandler())
    return opener


def _body(template: str, values: Mapping[str, str]) -> tuple[bytes, str]:
    """The template filled in, and its media type: JSON if it begins with a bracket, else a form. ValueError if neither.

    Read first and filled afterwards, so that no value can end the string it stands in or name a placeholder itself.
    """
    if template.lstrip().startswith(("{", "[")):
        return json.dumps(_filled(json.loads(template), values)).encode(), "application/json"
    fields = parse_qsl(template, keep_blank_values=True, strict_parsing=True)
    pairs = [(name, _filled(value, values)) for name, value in fields]
    return urlencode(pairs).encode(), "application/x-www-form-urlencoded"


def _filled(part: Any, values: Mapping[str, str]) -> Any:
    match part:
        case str():
            return PLACEHOLDER.sub(lambda found: values[found[1]], part)
        case list():
            return [_filled(one, values) for one in part]
        case dict():
            return {name: _filled(one, values) for name, one in part.items()}
    return part


def check(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """For `check --deploy`: nobody on the way reads along, and the gateway is told whom to write to and what."""
    if not settings.SMS_URL:
        return []
    found: list[CheckMessage] = []
    if not _is_private(settings.SMS_URL):
        found.append(Error("SMS_URL must be https://, or http:// to this machine itself.", id="sms.E001"))
    if lacking := _lacking(settings.SMS_BODY):
        found.append(Error(f"SMS_BODY must be JSON or a form with {lacking} in a value.", id="sms.E002"))
    return found


def _is_private(url: str) -> bool:
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname or ""
    except ValueError:
        return False
    return bool(host) and (scheme == "https" or (scheme == "http" and _is_loopback(host)))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _lacking(template: str) -> str:
    """The placeholders that a message filled in would miss: tried, not searched for."""
    try:
        filled, _kind = _body(template, {name: f"--{name}--" for name in (*NEEDED, "key")})
    except ValueError:
        filled = b""
    return " and ".join(f"{{{name}}}" for name in NEEDED if f"--{name}--".encode() not in filled)
