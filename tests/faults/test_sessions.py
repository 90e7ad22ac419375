"""Sessions of the database that ended while nobody used them: the next page gets a new one, not an error.

Broken and seen to fail: the look of `statements.run`, that of `is_usable` at what the server has sent.
"""

from select import select

import psycopg
import pytest
from django.db import connection
from django.test import Client

from registry import statements

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def kept(settings):
    """The session as the next request finds it (django.db.close_old_connections)."""
    connection.close()
    connection.ensure_connection()
    connection.health_check_enabled, connection.health_check_done = True, False
    yield connection
    connection.close()


def from_outside(session, statement, *values):
    """The answer another session gets."""
    with psycopg.connect(**session.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        return other.execute(statement, values)


def end_from_outside(session):
    """As a server does that is stopped, or restarted."""
    from_outside(session, "SELECT pg_terminate_backend(%s, 5000)", session.connection.info.backend_pid)


def last_question(session):
    number = session.connection.info.backend_pid
    return from_outside(session, "SELECT query FROM pg_stat_activity WHERE pid = %s", number).fetchone()[0]


def test_a_session_that_is_alive_is_kept_without_a_question(kept):
    number = statements.run("SELECT pg_backend_pid()", []).fetchone()[0]
    assert kept.is_usable()
    assert last_question(kept) == "SELECT pg_backend_pid()"
    assert statements.run("SELECT pg_backend_pid()", []).fetchone() == (number,)


def test_a_session_that_has_something_to_say_is_asked(kept):
    kept.connection.execute("LISTEN news")
    from_outside(kept, "NOTIFY news")
    assert select([kept.connection], [], [], 10)[0], "it has come"
    assert kept.is_usable()
    assert last_question(kept) == "SELECT 1"


def test_a_session_that_was_ended_is_found_out_and_replaced(kept):
    number = kept.connection.info.backend_pid
    end_from_outside(kept)
    assert not kept.is_usable()
    assert statements.run("SELECT pg_backend_pid()", []).fetchone()[0] != number


@pytest.mark.parametrize("path", ["/kk/policy/", "/kk/consent/", "/kk/mine/"])
def test_a_page_after_the_server_was_restarted_is_there(kept, path, today):
    assert Client().get(path).status_code == 200
    kept.health_check_done = False
    end_from_outside(kept)
    assert Client().get(path).status_code == 200


def test_a_form_after_the_server_was_restarted_is_taken(kept, today):
    end_from_outside(kept)
    assert Client().post("/kk/mine/", {"contact": "a@example.kz", "shown": ""}).status_code in {200, 422}
