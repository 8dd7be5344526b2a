"""A provider that returns a link: where it may point, and the request to it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from certificates import provider
from certificates.errors import ProviderFailed
from certificates.https import REDIRECTS
from develop.fakes.server import ScriptedServer, raw, reply
from tests.support.provider import HEAD, PDF, fetch, linked, redirected

pytestmark = pytest.mark.usefixtures("short_pauses", "no_thread_is_left")

Result = tuple[bytes | ProviderFailed, ScriptedServer, ScriptedServer]


def failure(result: Result) -> tuple[str, int | None, int, int]:
    """The reason, the status, how many requests the provider got, and how many connections the link's host."""
    failed, api, store = result
    assert isinstance(failed, ProviderFailed)
    return failed.reason, failed.upstream_status, len(api.requests), store.connections


def assert_followed(result: Result, accept: str) -> None:
    """Without the secret."""
    content, api, store = result
    assert content == PDF
    (first,), (second,) = api.requests, store.requests
    assert (first.headers["authorization"], first.headers["accept"]) == ("Bearer s3cret", accept)
    assert (second.target, second.headers["accept"]) == ("/c?sig=a%2Fb", "*/*")
    assert set(second.headers) == {"host", "accept-encoding", "user-agent", "accept"}


@pytest.mark.threat("API7", "provider-secret")
def test_a_link_and_a_redirect_to_a_listed_host_are_followed_once_without_the_secret() -> None:
    assert_followed(linked(), "application/json")
    for status in sorted(REDIRECTS):
        assert_followed(redirected(status=status), "application/pdf, */*;q=0.8")
        assert_followed(redirected(status=status, link_field="data.url"), "application/json")
    for status in (300, 304, 305, 306):
        assert failure(redirected(status=status)) == ("status", status, 1, 0)


MOVED = reply(302, headers={"Location": "/d"})


@pytest.mark.parametrize(
    ("options", "reason", "status"),
    [
        ({"hosts": "localhost:1"}, "link_refused", 200),
        ({"link": "http://127.0.0.1:{port}/c", "hosts": "localhost, *.example.com"}, "link_refused", 200),
        *(
            ({"link": link}, "link_refused", 200)
            for link in (
                "http://127.0.0.1:{port}/c",
                "http://user@localhost:{port}/c",
                "http://localhost:{port}\\@evil.example.com/c",
                "ftp://localhost:{port}/c",
                "https://localhost.evil.example.com/c",
            )
        ),
        *(
            ({"document": document}, "link_missing", 200)
            for document in (
                '{{"data": {{"url": null}}}}',
                '{{"data": {{"url": ""}}}}',
                '{{"data": {{}}}}',
                '{{"data": null}}',
                '["{link}"]',
                "",
                '{{"data": {{"url": "{link}"}}',
                "[" * 100_000,
            )
        ),
        *(
            ({"field": field, "document": '["{link}"]'}, "link_missing", 200)
            for field in ("1", "url", "-1", "00x", "9" * 5000, "0.0")
        ),
    ],
)
@pytest.mark.threat("API7")
def test_a_link_to_elsewhere_is_never_connected_to(options: dict[str, Any], reason: str, status: int) -> None:
    assert failure(linked(**options)) == (reason, status, 1, 0)


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example.com/c",
        "http://127.0.0.1:{port}/c",
        "c",
        "",
        "http://localhos\u00fc:{port}/",
        "http://localhost:{port}/c\r\nLocation: http://localhost:{port}/d",
    ],
)
@pytest.mark.threat("API7")
def test_any_other_redirect_is_refused(location: str) -> None:
    assert failure(redirected(location)) == ("status", 302, 1, 0)


def test_the_links_host_neither_redirects_nor_exceeds_the_limit_nor_makes_the_secret_be_read_again() -> None:
    assert failure(redirected(link_hosts="")) == ("status", 302, 1, 0)
    assert failure(redirected("{files}/c", MOVED, reply(body=PDF))) == ("link_status", 302, 1, 1)
    assert failure(linked("{files}/c", MOVED, reply(body=PDF))) == ("link_status", 302, 1, 1)
    assert failure(linked("{files}/c", reply(403))) == ("link_status", 403, 1, 1)
    large = raw(HEAD + b"Content-Length: 1000001\r\n\r\n")
    assert failure(linked("{files}/c", large)) == ("too_large", 200, 1, 1)


def test_a_transient_fault_of_the_links_host_asks_for_a_new_link() -> None:
    content, api, store = linked("{files}/c", reply(503), reply(body=PDF))
    assert content == PDF
    assert (len(api.requests), len(store.requests)) == (2, 2)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("/object/sign/b/my file.pdf?token=a.b-c", "/object/sign/b/my%20file.pdf?token=a.b-c"),
        ('/c[2]{{1}}"x"^<y>`', "/c%5B2%5D%7B1%7D%22x%22%5E%3Cy%3E%60"),
        ("/a%2fB%2F%20%zz?s=%3d+ ", "/a%2fB%2F%20%zz?s=%3d+"),
        ("/c\r\n", "/c"),
        ("/c?a#b?c", "/c?a"),
    ],
)
def test_a_link_is_requested_as_browsers_do_in_a_field_and_in_a_redirect(link: str, target: str) -> None:
    in_header = link.strip().encode().decode("latin-1")
    for content, _, store in (linked("{files}" + link), redirected("{files}" + in_header)):
        assert content == PDF
        assert [request.target for request in store.requests] == [target]


def test_bytes_of_a_link_that_are_not_utf_8_are_sent_as_they_came() -> None:
    document = '{{"data": {{"url": "{link}\udcfc"}}}}'
    for content, _, store in (linked(document=document), redirected("{files}/c?sig=a%2Fb\xfc")):
        assert content == PDF
        assert [request.target for request in store.requests] == ["/c?sig=a%2Fb%FC"]


@pytest.mark.parametrize(
    ("field", "document"),
    [
        ("documents.0.url", '{{"documents": [{{"url": "{link}"}}, {{"url": "other"}}]}}'),
        ("documents.1.url", '{{"documents": [{{"url": "other"}}, {{"url": "{link}"}}]}}'),
        ("0.1", '[["other", "{link}"]]'),
        ("0", '{{"0": "{link}"}}'),
    ],
)
def test_a_number_is_the_index_of_an_array_and_the_name_of_an_objects_field(field: str, document: str) -> None:
    assert linked(field=field, document=document)[0] == PDF


def test_a_link_document_may_be_large_but_not_huge() -> None:
    content, _, _ = linked(document='{{"data": {{"url": "{link}"}}, "events": "' + "e" * 8_000_000 + '"}}')
    assert content == PDF
    failed, server = fetch(reply(body=b" " * 8_400_000), link_field="url", link_hosts="localhost", most=9_000_000)
    assert isinstance(failed, ProviderFailed)
    assert (failed.reason, len(server.requests)) == ("too_large", 1)


def test_link_documents_are_parsed_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that parse at once would meet here. Each parsed document may take 25 times its size."""
    both = threading.Barrier(2)

    def parse(_: bytes) -> dict[str, str]:
        with suppress(threading.BrokenBarrierError):
            both.wait(0.2)
        return {"url": "found"}

    monkeypatch.setattr(provider, "parse_json", parse)
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(provider.find_link, [b""] * 2, ["url"] * 2)] == ["found"] * 2
    assert both.broken
