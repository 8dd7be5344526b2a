"""Which requests a local port answers."""

import pytest

from develop.local.guard import is_allowed

LOOPBACK, ALL = "127.0.0.1", "0.0.0.0"  # noqa: S104 - what `make run HOST=0.0.0.0` is bound to


@pytest.mark.parametrize("bound_to", [LOOPBACK, ALL])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:3000", "localhost:3000", "LocalHost", "bucket.localhost:3001", "[::1]:1"]
)
def test_loopback_addresses_and_localhost_are_allowed(bound_to: str, host: str) -> None:
    assert is_allowed(bound_to, host, "")
    assert is_allowed(bound_to, host, f"http://{host}")


@pytest.mark.parametrize("host", ["172.17.0.1:3001", "host.docker.internal:3001", "192.0.2.7", "[2001:db8::7]:3001"])
def test_other_addresses_are_allowed_only_with_host_0000(host: str) -> None:
    assert is_allowed(ALL, host, "")
    assert not is_allowed(LOOPBACK, host, "")


def test_the_address_that_the_port_is_bound_to_is_allowed() -> None:
    assert is_allowed("192.0.2.7", "192.0.2.7:3000", "")
    assert not is_allowed("192.0.2.7", "192.0.2.8:3000", "")


@pytest.mark.parametrize("bound_to", [LOOPBACK, ALL])
@pytest.mark.parametrize(
    "host",
    [
        "",
        ":3000",
        "rebound.example",
        "rebound.example:3000",
        "127.0.0.1.rebound.example",
        "localhost.rebound.example",
        "localhost.",
        "notlocalhost",
        "host.docker.internal.rebound.example",
        "127.0.0.1,rebound.example",
        "localhost:3000,rebound.example:3000",
        "2130706433",
        "[::1",
    ],
)
def test_any_other_name_is_refused(bound_to: str, host: str) -> None:
    assert not is_allowed(bound_to, host, "")
    assert not is_allowed(bound_to, host, f"http://{host}")


@pytest.mark.parametrize("bound_to", [LOOPBACK, ALL])
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://elsewhere.example",
        "http://127.0.0.1",
        "http://127.0.0.1:3399",
        "http://localhost:3000",
        "https://127.0.0.1:3000",
        "http://127.0.0.1:3000.elsewhere.example",
        "http://127.0.0.1:3000,http://elsewhere.example",
    ],
)
def test_a_page_of_another_origin_is_refused(bound_to: str, origin: str) -> None:
    assert not is_allowed(bound_to, "127.0.0.1:3000", origin)
