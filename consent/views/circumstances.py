from django.conf import settings
from django.http import HttpRequest

from consent.evidence import Circumstances
from consent.views.limiting import client_address


def circumstances(request: HttpRequest) -> Circumstances:
    """What a request says of where it came from. The address of the form is ours, whatever the request calls it.

    Tokens in paths are cut off: a stored address must open nothing.
    """
    match = request.resolver_match
    is_token = match is not None and "token" in match.kwargs
    path = request.path.rsplit("/", 2)[0] + "/" if is_token else request.path
    return Circumstances(client_address(request), request.headers.get("User-Agent", ""), settings.SITE_URL + path)
