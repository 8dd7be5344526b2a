"""A slow provider: one time budget covers everything, including pauses and TLS."""

import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
import trustme
from urllib3.connection import HTTPConnection, HTTPSConnection

from certificates import https
from certificates.errors import ProviderFailed
from develop.fakes.server import Response, ScriptedServer, hang, raw, reply
from tests.support.provider import HEAD, PDF, fetch, provider_at, refusal

pytestmark = pytest.mark.usefixtures("short_pauses", "no_thread_is_left")


LONG = 60
"""Seconds that a machine needs at most, however busy it is."""


def drip(before: bytes) -> Response:
    """Sends a byte now and then, for two minutes."""
    return raw(before, *[b"x"] * 2400, pause=0.05)


@pytest.mark.parametrize(
    "response",
    [
        hang(2 * LONG),
        drip(b"HTTP/1.1 "),
        drip(HEAD + b"X-Slow: "),
        drip(HEAD + b"Content-Length: 3000\r\n\r\n"),
        drip(HEAD + b"\r\n%PDF-"),
        drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n"),
    ],
)
@pytest.mark.threat("API4")
def test_the_budget_holds_whatever_drips(response: Response) -> None:
    started = time.monotonic()
    reason, _, requests = refusal(response, seconds=0.6)
    assert (reason, requests <= 1) == ("timed_out", True)
    assert time.monotonic() - started < LONG


def test_the_budget_holds_although_a_name_is_still_being_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()
    resolved: list[bool] = []

    def resolve(*_: object, **__: object) -> None:
        resolved.append(is_over.wait(LONG))
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(ProviderFailed, match="timed_out"):
        provider_at("https://files.example.com").fetch("req_1", 0.2)
    assert resolved == []
    is_over.set()


def test_without_a_budget_no_request_is_made() -> None:
    assert refusal(reply(body=PDF), seconds=-1) == ("timed_out", None, 0)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_may_take_only_a_part_of_the_budget(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    timeouts: list[object] = []

    def connect(connection: HTTPConnection) -> None:
        timeouts.append(connection.timeout)
        raise TimeoutError

    monkeypatch.setattr(HTTPConnection, "connect", connect)
    monkeypatch.setattr(HTTPSConnection, "connect", connect)
    with pytest.raises(ProviderFailed, match="unreachable"):
        provider_at(f"{scheme}://127.0.0.1:1").fetch("req_1", 15)
    assert timeouts == [5, 5]


@pytest.mark.parametrize("retry_after", ["3600", "99999999999999999999", "Fri, 31 Dec 2027 23:59:59 GMT", "58"])
def test_a_pause_that_leaves_too_little_time_is_not_waited_for(retry_after: str) -> None:
    started = time.monotonic()
    assert refusal(reply(429, headers={"Retry-After": retry_after}), seconds=LONG) == ("status", 429, 1)
    assert time.monotonic() - started < LONG


@pytest.mark.parametrize("retry_after", ["0", "soon", "", "-5", "1.5", "Fri, 05 Jun 2026 11:42:08 GMT"])
def test_an_invalid_pause_is_a_short_one(retry_after: str) -> None:
    assert refusal(reply(429, headers={"Retry-After": retry_after})) == ("status", 429, 2)


def test_a_short_pause_is_kept_to() -> None:
    started = time.monotonic()
    content, _ = fetch(reply(429, headers={"Retry-After": "1"}), reply(body=PDF))
    assert content == PDF
    assert time.monotonic() - started > 1


def tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The only authority that the functions trust."""
    trusted = trustme.CA()
    trusted.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    monkeypatch.setattr(https, "_tls", lambda: context)
    return trusted


def test_https_works_and_the_budget_holds(authority: trustme.CA) -> None:
    context = tls(authority, "127.0.0.1")
    with ScriptedServer(reply(body=PDF), drip(HEAD + b"X-Slow: "), tls=context) as server:
        assert provider_at(server.url).fetch("req_1", LONG).content == PDF
        started = time.monotonic()
        with pytest.raises(ProviderFailed, match="timed_out"):
            provider_at(server.url).fetch("req_1", 0.6)
    assert time.monotonic() - started < LONG


@pytest.mark.threat("API10")
def test_another_name_or_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    for context in (tls(authority, "files.example.com"), tls(trustme.CA(), "127.0.0.1")):
        with ScriptedServer(reply(body=PDF), tls=context) as server:
            with pytest.raises(ProviderFailed, match="unreachable"):
                provider_at(server.url).fetch("req_1", LONG)
            assert server.requests == []
