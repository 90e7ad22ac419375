"""Messages to phones: the one door to whatever carries them.

Dangerous because gateways quote what they were sent, and an error that does would carry a number into a log. The rules:

- `settings.SMS_BACKEND` names a function `(number, text, *, key)` that returns once the message is taken.
- What leaves here instead is Refused or NotSent. Neither holds number or text, nor the backend's own exception.
- The same key for each attempt of one message: whoever knows keys delivers it once.

Called by: registry.mail (send), forms that offer a phone number (is_available).
"""

from django.conf import settings
from django.utils.module_loading import import_string


class Refused(Exception):
    """Refused for good, raised by a backend: the same message would be refused again."""


class NotSent(Exception):
    """Not taken this time; told by the name of the error's type."""


def is_available() -> bool:
    """Whether there is a backend, so that a number is enough to reach somebody."""
    return bool(settings.SMS_BACKEND)


def send(number: str, text: str, *, key: str) -> None:
    """Hands one message over: `number` in E.164, `key` of letters, digits and hyphens. Refused, NotSent."""
    failure = _failure(number, text, key)
    if failure is not None:
        raise failure


def _failure(number: str, text: str, key: str) -> Refused | NotSent | None:
    """Returned and not raised: raised in here, it would keep the backend's exception as its context."""
    try:
        import_string(settings.SMS_BACKEND)(number, text, key=key)
    except Refused:
        return Refused()
    except Exception as error:
        return NotSent(type(error).__name__)
    return None
