"""The environment that the settings read (docs/operations.md), from what the operator gave and what we chose."""

import os
import sys
from collections.abc import Mapping

from . import addresses
from .accounts import Account, current_account
from .home import CHECKOUT, DataFolder
from .terminal import say

# Chosen by the launcher, so a later `./run manage` cannot know them.
PUBLISHED = (
    "REGISTRY_HOME",
    "DATABASE_URL",
    "DATABASE_APP_URL",
    "REDIS_URL",
    "SITE_URL",
    "ALLOWED_HOSTS",
    "STATIC_ROOT",
    "LEDGER_FILE",
    "CHECKPOINTS_FILE",
    "SECRET_KEY_FILE",
    "PGHOST",
    "PGPORT",
    "PGUSER",
    "PGDATABASE",
    "PATH",
)


def application_account(service: Account) -> Account:
    """Web, worker and commands leave root too, when the account can read this checkout and its interpreter."""
    if not service.is_switched:
        return service
    if service.can_run([sys.executable, "-B", "-c", "import django, manage, registry"], cwd=CHECKOUT):
        return service
    say(f"WARNING: web and worker run as root: the account '{service.name}' cannot read {CHECKOUT} or {sys.executable}")
    return current_account()


def product_environment(
    folder: DataFolder, account: Account, services: dict[str, str], bind: str, port: int
) -> dict[str, str]:
    environment = _inherited(account) | services
    environment |= {
        "HOME": str(folder.path),
        "REGISTRY_HOME": str(folder.path),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
    }
    environment.setdefault("STATIC_ROOT", str(folder.path / "static"))
    environment.setdefault("SITE_URL", addresses.site_url(bind, port))
    environment.setdefault("ALLOWED_HOSTS", addresses.allowed_hosts(bind, environment["SITE_URL"]))
    if not environment.get("SECRET_KEY"):
        environment.setdefault("SECRET_KEY_FILE", str(folder.secret_key_file()))
    return environment


def published(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in PUBLISHED if environment.get(name)}


def _inherited(account: Account) -> dict[str, str]:
    """Without empty values (`SITE_URL=` means not given) and, for another account, without our own places."""
    personal = {"TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"} if account.is_switched else set()
    kept = {name: value for name, value in os.environ.items() if value and name not in personal}
    return {**kept, "USER": account.name, "LOGNAME": account.name}
