import pytest
from django.db import connection

from config.embedded.testing import own_broker_database

SOCKET = "redis+socket:///tmp/x/broker.sock"


@pytest.mark.parametrize(
    ("url", "worker", "own"),
    [
        (SOCKET, "gw3", f"{SOCKET}?virtual_host=3"),
        (f"{SOCKET}?virtual_host=1", "", f"{SOCKET}?virtual_host=0"),
        ("redis://:secret@host:6379/0", "gw17", "redis://:secret@host:6379/1"),
    ],
)
def test_each_parallel_process_has_a_broker_database_of_its_own(url: str, worker: str, own: str) -> None:
    assert own_broker_database(url, worker) == own


@pytest.mark.django_db
def test_the_role_of_the_application_has_no_power_over_the_schema() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'registry_app'")
        assert cursor.fetchone() == (False, False, False)


@pytest.mark.django_db
def test_kazakh_letters_have_both_cases() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT lower('ӘҒҚҢӨҰҮҺІ')")
        assert cursor.fetchone() == ("әғқңөұүһі",)
