"""gunicorn as the product starts it (config.embedded.children.web), with another application where one is named."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from config.embedded import children
from config.embedded.accounts import current_account

PRODUCT = "config.wsgi"
PATIENCE = 60.0  # seconds until the first answer


@contextmanager
def serving(application: str, environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Port and process of the WSGI application of this module; its log lies beside those of the servers."""
    with socket.create_server(("127.0.0.1", 0), backlog=socket.SOMAXCONN) as listening:
        port: int = listening.getsockname()[1]
        web = children.web(current_account(), Path(os.environ["REGISTRY_HOME"]), environment, listening.fileno())
        arguments = [application if argument == PRODUCT else argument for argument in web.arguments]
        web = replace(web, arguments=arguments, log=web.log.with_name(f"{application}.log"))
        web.start()
        try:
            _wait_for_answer(web, port)
            assert web.process
            yield port, web.process.pid
        finally:
            web.stop()


def _wait_for_answer(web: children.Child, port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while not web.is_dead() and time.monotonic() < deadline:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            if connection.recv(100).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.2)
    raise RuntimeError(f"{web.arguments[1]} does not answer: {web.log.read_text()}")
