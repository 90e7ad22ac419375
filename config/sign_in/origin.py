"""Where a session comes from, in the words of its list: the network address and the name of the browser."""

from django.http import HttpRequest

from consent.views.limiting import client_address

# In this order: most browsers say they are several.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "YaBrowser": "Yandex",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


def network_address(request: HttpRequest) -> str:
    """The IP address a request came from; empty if nobody can tell."""
    return client_address(request)


def browser(request: HttpRequest) -> str:
    """Such as Firefox, Windows; of what the browser says no more is kept."""
    said = request.headers.get("User-Agent", "")
    return ", ".join(filter(None, (_first(BROWSERS, said), _first(SYSTEMS, said))))


def _first(names: dict[str, str], said: str) -> str:
    return next((name for mark, name in names.items() if mark in said), "")
