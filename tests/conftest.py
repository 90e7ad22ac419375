"""A test database made by the owner and used, as in production, by the application's role.

The content that ships (keys, purposes, policy) is loaded once; people are taken away after each test that commits.
"""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import environ
import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import TransactionTestCase
from django.utils import timezone

from config import errors
from consent import limits
from tests.factories import MOMENT

OWNER = environ.Env().db_url_config(os.environ["DATABASE_URL"])
errors.LOOK_AGAIN = 24 * 3600  # seconds: a look between two counts of queries would be one more
settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
APPLICATION = dict(settings.DATABASES["default"])
SHIPPED = (
    "django_", "auth_", "registry_operator", "registry_legalground", "registry_datacategory", "registry_deadline",
    "registry_processingpurpose", "registry_sealingkey", "registry_retentionsettings", "registry_selfretentionrule",
    "registry_historicalretentionsettings", "registry_historicalselfretentionrule", "consent_policyversion", "registry_historicaloperator",
    "registry_historicallegalground", "registry_historicaldatacategory", "registry_historicaldeadline",
    "registry_historicalprocessingpurpose", "consent_historicalpolicyversion", "registry_country",
    "registry_recipient", "registry_accesssettings", "registry_historicalaccesssettings", "registry_historicalcountry", "registry_historicalrecipient",
)  # fmt: skip


def connect_as(role: dict[str, Any]) -> None:
    """Signs the default connection in as somebody else; the database stays."""
    connections["default"].close()
    for key in ("USER", "PASSWORD", "HOST", "PORT"):
        connections.settings["default"][key] = role[key]
    options = APPLICATION["OPTIONS"] if role is APPLICATION else {}
    connections.settings["default"]["OPTIONS"] = options


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    connect_as(OWNER)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        connect_as(APPLICATION)
        try:
            call_command("prepare", verbosity=0, stdout=StringIO())
            connections["default"].close()
            remove_people()
            yield
        finally:
            connect_as(OWNER)


def owner_connection() -> psycopg.Connection:
    """The test database as its owner, past the application's rights."""
    database = connections.settings["default"]["NAME"]
    return psycopg.connect(
        host=OWNER["HOST"], port=OWNER["PORT"] or None, user=OWNER["USER"] or None, password=OWNER["PASSWORD"] or None,
        dbname=database, autocommit=True,
    )  # fmt: skip


def remove_people() -> None:
    """Empties everything but what ships. Evidence refuses that even to its owner, so its triggers are put aside."""
    with owner_connection() as connection:
        names = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        kept = (*SHIPPED, "registry_staffmember")  # the shipped tables refer to staff
        tables = [name for name in names if not name.startswith(kept)]
        triggers = connection.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
        ).fetchall()
        guarded = [pair for pair in triggers if pair[0] in tables or pair[0] == "registry_staffmember"]
        with connection.transaction():
            for table, trigger in guarded:
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
            connection.execute(f"TRUNCATE {', '.join(tables)}, django_session, django_admin_log RESTART IDENTITY")
            connection.execute("DELETE FROM registry_staffmember_groups; DELETE FROM registry_staffmember")
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table, trigger in guarded:
                connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


def _fixture_teardown(self: TransactionTestCase) -> None:
    remove_people()


TransactionTestCase._fixture_teardown = _fixture_teardown  # type: ignore[method-assign]


@pytest.fixture
def now() -> datetime:
    return MOMENT


@pytest.fixture(autouse=True)
def _mail_folder(settings: Any, tmp_path: Any) -> None:
    settings.MAIL_FOLDER = tmp_path / "mail"
    settings.SMS_FOLDER = tmp_path / "sms"


@pytest.fixture(autouse=True)
def _ledger(settings: Any, tmp_path: Any) -> None:
    settings.LEDGER_FILE = tmp_path / "ledger" / "erasures.jsonl"
    settings.CHECKPOINTS_FILE = tmp_path / "checkpoints" / "audit.jsonl"


@pytest.fixture(autouse=True)
def _limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of the way: all tests come from one address of the network. Those about the limits leave them as they are."""
    for name in ("BY_NETWORK", "BY_TARGET"):
        generous = dict.fromkeys(getattr(limits, name), limits.Limit(10**6, timedelta(hours=1)))
        monkeypatch.setattr(limits, name, generous)
    monkeypatch.setattr(limits, "STAFF", dict.fromkeys(limits.STAFF, ()))


@pytest.fixture
def today() -> datetime:
    """The real moment, for what goes through a view."""
    return timezone.now()
