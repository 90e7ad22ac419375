import socket
from collections.abc import Iterator

import pytest

from config.embedded import addresses
from config.embedded.terminal import LaunchError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_gives_way_to_the_next_free_one_and_says_so(taken: int, capfd: pytest.CaptureFixture[str]) -> None:
    with addresses.reserve_port("127.0.0.1", taken) as reserved:
        assert reserved.getsockname()[1] > taken
    assert f"port {taken} is taken" in capfd.readouterr().err


def test_a_free_port_is_used_as_wanted(taken: int) -> None:
    with addresses.reserve_port("127.0.0.1", taken + 1) as first:
        port = first.getsockname()[1]
    with addresses.reserve_port("127.0.0.1", port) as again:
        assert again.getsockname()[1] == port


def test_an_address_of_another_machine_is_named_in_the_message() -> None:
    with pytest.raises(LaunchError, match=r"192\.0\.2\.7"):
        addresses.reserve_port("192.0.2.7", 8000)


@pytest.mark.parametrize("port", ["eighty", "0", "65536", "-1"])
def test_a_senseless_port_is_refused_with_the_range(port: str) -> None:
    with pytest.raises(LaunchError, match="between 1 and 65535"):
        addresses.wanted_address({"PORT": port})


def test_empty_values_mean_the_defaults() -> None:
    assert addresses.wanted_address({"BIND": "", "PORT": ""}) == ("127.0.0.1", 8000)


def test_links_never_lead_to_the_any_address() -> None:
    assert addresses.site_url("0.0.0.0", 80) == f"http://{socket.gethostname()}:80"
    assert addresses.site_url("::1", 8000) == "http://[::1]:8000"


def test_allowed_hosts_hold_the_address_and_the_site_once_each() -> None:
    hosts = addresses.allowed_hosts("10.0.0.5", "https://registry.example").split(",")
    assert {"localhost", "127.0.0.1", "[::1]", "10.0.0.5", "registry.example"} == set(hosts)
    assert len(hosts) == len(set(hosts))


@pytest.mark.parametrize(("hosts", "name"), [("*", "localhost"), (".example.kz,x", "example.kz"), ("a.kz", "a.kz")])
def test_our_own_request_carries_an_allowed_name(hosts: str, name: str) -> None:
    assert addresses.first_allowed_host(hosts) == name
