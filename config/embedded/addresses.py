"""Where the product listens, and by which names it may be called."""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from .terminal import LaunchError, say

DEFAULT_BIND = "127.0.0.1"
DEFAULT_PORT = 8000
PORTS_TRIED = 100
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  compared with, never bound by default


def wanted_address(environment: Mapping[str, str]) -> tuple[str, int]:
    bind = environment.get("BIND") or DEFAULT_BIND
    port = environment.get("PORT") or str(DEFAULT_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise LaunchError(f"PORT is '{port}'; it must be a number between 1 and 65535.")
    return bind.strip("[]"), int(port)


def reserve_port(bind: str, wanted: int) -> socket.socket:
    """A listening socket on the wanted port, or on the next free one: early visitors wait until the pages answer."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65536)):
        try:
            reserved = _listening(bind, port)
        except OSError as error:
            _refuse_hopeless(error, bind, port)
            continue
        if port != wanted:
            say(f"port {wanted} is taken, using {port} (set PORT to choose another)")
        return reserved
    raise LaunchError(f"The ports {wanted} to {port} of {bind} are all taken. Set PORT to a free one.")


def _listening(bind: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    reserved = socket.socket(family)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((bind, port))
        reserved.listen(socket.SOMAXCONN)
    except OSError:
        reserved.close()
        raise
    return reserved


def _refuse_hopeless(error: OSError, bind: str, port: int) -> None:
    if isinstance(error, PermissionError):
        raise LaunchError(f"Only root may listen on port {port}. Set PORT to one above 1023.") from error
    if isinstance(error, socket.gaierror) or error.errno == 99:  # EADDRNOTAVAIL
        raise LaunchError(f"BIND is '{bind}', which is no address of this machine.") from error


def site_url(bind: str, port: int) -> str:
    """What the links in mails begin with when SITE_URL does not say it."""
    host = socket.gethostname() if bind in ANY_ADDRESS else bind
    return f"http://{bracketed(host)}:{port}"


def allowed_hosts(bind: str, url: str) -> str:
    hosts = ["localhost", "127.0.0.1", "[::1]", bracketed(urlsplit(url).hostname or "localhost")]
    hosts += own_addresses() if bind in ANY_ADDRESS else [bracketed(bind)]
    return ",".join(dict.fromkeys(hosts))


def own_addresses() -> list[str]:
    """What others call this machine. Nothing is sent: connecting a datagram socket only picks a route."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
            return [socket.gethostname(), probe.getsockname()[0]]
    except OSError:
        return [socket.gethostname()]


def probe_host(bind: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def first_allowed_host(hosts: str) -> str:
    """A name that the application accepts in a request of our own."""
    first = hosts.split(",", maxsplit=1)[0].strip().lstrip(".")
    return "localhost" if first in ("", "*") else first
