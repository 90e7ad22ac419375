"""Visitors who do one thing, each time somebody else or for the first time: answers waited for one by one, and timed.

`python -m benchmarks.support.visitors ACT PORT FIRST COUNT`: people FIRST, FIRST + 1, ... over CONNECTIONS at a time.
What they send is ready before they are told to go. A connection is kept for a while and then made anew, so that both
processes of the server get their share. Any answer but 200 ends it.
"""

import json
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlencode

import django

django.setup()

from django.utils import timezone  # noqa: E402  the settings come first

from benchmarks.support.crowd import PURPOSE, person_id  # noqa: E402
from consent import links  # noqa: E402
from registry.models import ProcessingPurpose  # noqa: E402

CONNECTIONS = 8  # two processes of four threads: as many as the server takes at once
KEPT_FOR = 25  # requests
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def policy(number: int) -> bytes:
    return _request("GET", "/kk/policy/", number)


def unsubscribe(number: int) -> bytes:
    """One click in a mail program (RFC 8058)."""
    url = links.unsubscribe_url(person_id(number), ProcessingPurpose.objects.get(code=PURPOSE).pk)
    return _request("POST", "/" + url.split("/", 3)[3], number, {"List-Unsubscribe": "One-Click"})


def consent(number: int) -> bytes:
    shown = links.form_token(timezone.now() - timedelta(minutes=1))
    typed = {"email": f"Person.{number}@example.kz", "purposes": PURPOSE, "shown": shown, "website": ""}
    return _request("POST", "/kk/consent/", number, typed)


ACTS: dict[str, Callable[[int], bytes]] = {
    "policy": policy,
    "unsubscribe": unsubscribe,
    "unsubscribe again": unsubscribe,
    "consent": consent,
}


def _request(method: str, path: str, number: int, form: dict[str, str] | None = None) -> bytes:
    """From an address of its own, as a proxy tells it."""
    body = urlencode(form or {}).encode()
    address = ".".join(map(str, (10, number >> 16 & 255, number >> 8 & 255, number & 255)))
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"User-Agent: {BROWSER}",
        f"X-Forwarded-For: {address}",
        "Accept-Language: kk",
        *(["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"] if form else []),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def visit(port: int, requests: Iterator[bytes]) -> list[float]:
    """Seconds of each request, until nobody has one left."""
    seconds: list[float] = []
    while portion := [request for _, request in zip(range(KEPT_FOR), requests, strict=False)]:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            seconds += [_ask(connection, request) for request in portion]
    return seconds


def _ask(connection: socket.socket, request: bytes) -> float:
    start = time.perf_counter()
    connection.sendall(request)
    received = connection.recv(65536)
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    found = LENGTH.search(head)
    missing = int(found[1]) - len(body) if found else 0
    while missing > 0:
        missing -= len(_more(connection))
    took = time.perf_counter() - start
    if not head.startswith(b"HTTP/1.1 200"):
        raise AssertionError(f"{request[:40]!r} was answered with {head[:60]!r}")
    return took


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise AssertionError("the server hung up")
    return received


def main() -> None:
    act, port, first, count = sys.argv[1], *map(int, sys.argv[2:])
    requests = iter([ACTS[act](number) for number in range(first, first + count)])
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as crowd:
        visits = [crowd.submit(visit, port, requests) for _ in range(CONNECTIONS)]
        times = [seconds for done in visits for seconds in done.result()]
    print(json.dumps({"seconds": time.perf_counter() - start, "times": times}), flush=True)


if __name__ == "__main__":
    main()
