"""pytest plugin (`-p config.embedded.testing`): a real PostgreSQL and a real broker, before Django reads its settings.

The first process starts them; parallel processes inherit the addresses and take a broker database each. With
REGISTRY_TEST_SERVICES=external, or DATABASE_URL and REDIS_URL given, those are used instead.
"""

import atexit
import base64
import os
import secrets
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from .broker import DATABASES
from .services import throwaway_services

DATABASES_ELSEWHERE = 16  # what a server of somebody else has unless told otherwise
# Nothing here must survive a power cut.
POSTGRES_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "256MB",
}


def start_services() -> None:
    """Start what is missing for the life of this process, and put its addresses into the environment."""
    if os.environ.get("REGISTRY_TEST_SERVICES") != "external":
        stack = ExitStack()
        atexit.register(stack.close)
        services = stack.enter_context(throwaway_services(POSTGRES_SETTINGS))
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="registry-home-", ignore_cleanup_errors=True))
        Path(home, "static").mkdir()  # whitenoise warns without it, and a warning is an error
        os.environ.update(services.environment(), REGISTRY_HOME=home, REGISTRY_TEST_SERVICES="external")
    for name, value in _defaults().items():
        os.environ.setdefault(name, value)


def _defaults() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "MASTER_KEYS": "test:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "PLAIN_STATIC": "1",
        "SITE_URL": "http://testserver",
        "ALLOWED_HOSTS": "*",
    }


def own_broker_database(url: str, worker: str) -> str:
    """`worker` is pytest-xdist's name of the process (gw0, gw1, ...), empty without parallel processes."""
    number = int(worker.removeprefix("gw") or 0)
    if url.startswith("redis+socket:"):
        return f"{url.partition('?')[0]}?virtual_host={number % DATABASES}"
    return urlunsplit(urlsplit(url)._replace(path=f"/{number % DATABASES_ELSEWHERE}"))


start_services()
if "REDIS_URL" in os.environ:
    process = os.environ.get("PYTEST_XDIST_WORKER", "")
    os.environ["REDIS_URL"] = own_broker_database(os.environ["REDIS_URL"], process)
