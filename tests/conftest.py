"""A test database made by the owner and used, as in production, by the application's role.

The content that ships (keys, purposes, policy) is loaded once; people are taken away after each test that commits.
"""

import os
import tomllib
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
from registry import defaults
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
    "registry_recipient_", "registry_accesssettings", "registry_historicalaccesssettings", "registry_historicalcountry", "registry_historicalrecipient",
    "registry_replytemplate", "registry_sizeclass", "registry_historicalsizeclass",
)  # fmt: skip

REPLIES = [reply["code"] for reply in tomllib.loads((defaults.CONTENT / "replies.toml").read_text("utf-8"))["reply"]]


# Numbers begin with 1 again, as in a new database.
BEGIN_ANEW = """
    SELECT setval(pg_get_serial_sequence(table_name, column_name), 1, false) FROM information_schema.columns
    WHERE table_schema = 'public' AND is_identity = 'YES' AND table_name = ANY(%s)
"""


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
    """Empties everything but what ships. Evidence refuses that even to its owner, so its triggers are put aside.

    Only tables that have rows are touched: there are ninety, and this follows each test that commits.
    """
    with owner_connection() as connection:
        filled = _filled(connection)
        triggers = connection.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgenabled = 'A' AND tgrelid::regclass::text = ANY(%s)",
            [filled],
        ).fetchall()
        with connection.transaction():
            for table, trigger in triggers:
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
            connection.execute("".join(f"DELETE FROM {table};" for table in filled))
            connection.execute("DELETE FROM registry_replytemplate WHERE NOT code = ANY(%s)", [REPLIES])
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table, trigger in triggers:
                connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
            connection.execute(BEGIN_ANEW, [filled])


def _filled(connection: psycopg.Connection) -> list[str]:
    """The tables with rows that a test made, staff last: the shipped tables refer to staff."""
    names = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    staff = ["registry_staffmember_groups", "registry_staffmember_user_permissions", "registry_staffmember"]
    kept = (*SHIPPED, "registry_staffmember")
    made = [name for name in names if not name.startswith(kept) and name != "registry_recipient"]
    looked = [*made, "django_session", "django_admin_log", *staff]
    asked = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in looked)
    filled = {row[0] for row in connection.execute(asked)}
    return [name for name in looked if name in filled]


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
