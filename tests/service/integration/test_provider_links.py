"""A provider that returns a link: where it may point, and the request to it."""

import pytest

from certificates.errors import ProviderFailed
from certificates.https import REDIRECTS
from develop.fakes.server import raw, reply
from tests.support.provider import HEAD, PDF, fetch, linked, redirected

pytestmark = pytest.mark.usefixtures("short_pauses", "no_thread_is_left")


@pytest.mark.threat("API7", "provider-secret")
def test_a_link_is_followed_without_the_secret() -> None:
    content, api, store = linked()
    assert content == PDF
    assert api.requests[0].headers["accept"] == "application/json"
    assert api.requests[0].headers["authorization"] == "Bearer s3cret"
    (request,) = store.requests
    assert request.target == "/c?sig=a%2Fb"
    assert set(request.headers) == {"host", "accept-encoding", "user-agent", "accept"}
    assert request.headers["accept"] == "*/*"


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:{port}/c",
        "http://user@localhost:{port}/c",
        "http://localhost:{port}\\@evil.example.com/c",
        "http://localhost:{port}#@evil.example.com/c",
        "http://localhost:{port}/c\nd",
        "http://localhost:{port}/" + "c" * 9000,
        "http://local host:{port}/c",
        "http://l\u00f6calhost:{port}/c",
        "http://[::1]:{port}/c",
        "ftp://localhost:{port}/c",
        "https://localhost.evil.example.com/c",
    ],
)
@pytest.mark.threat("API7")
def test_a_link_to_elsewhere_is_never_connected_to(link: str) -> None:
    failure, api, store = linked(link)
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, len(api.requests), store.connections) == ("link_refused", 1, 0)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("/object/sign/b/my file.pdf?token=a.b-c", "/object/sign/b/my%20file.pdf?token=a.b-c"),
        ("/Pr\u00fcfung\u20ac.pdf", "/Pr%C3%BCfung%E2%82%AC.pdf"),
        ('/c[2]{{1}}"x"^<y>`', "/c%5B2%5D%7B1%7D%22x%22%5E%3Cy%3E%60"),
        ("?filter[id]=1 2", "/?filter%5Bid%5D=1%202"),
        ("/a%2fB%2F%20%zz?s=%3d+ ", "/a%2fB%2F%20%zz?s=%3d+"),
        (" /c\r\n".strip(" "), "/c"),
        ("/c#page=1", "/c"),
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


@pytest.mark.threat("API7")
def test_a_link_to_a_port_that_is_not_listed_is_never_connected_to() -> None:
    failure, _, store = linked(hosts="localhost:1")
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, store.connections) == ("link_refused", 0)


def test_an_ip_address_is_connected_to_only_if_it_is_listed() -> None:
    content, _, _ = linked("http://127.0.0.1:{port}/c", hosts="*.example.com, 127.0.0.1")
    assert content == PDF
    failure, _, store = linked("http://127.0.0.1:{port}/c", hosts="localhost, *.example.com")
    assert isinstance(failure, ProviderFailed)
    assert store.connections == 0


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
    content, _, _ = linked(field=field, document=document)
    assert content == PDF


@pytest.mark.parametrize("field", ["1", "url", "-1", "00x", "9" * 5000, "0.0"])
def test_an_element_that_an_array_lacks_is_not_ready(field: str) -> None:
    failure, _, store = linked(field=field, document='["{link}"]')
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, store.connections) == ("link_missing", 0)


@pytest.mark.parametrize(
    "document",
    [
        '{{"data": {{"url": null}}}}',
        '{{"data": {{"url": ""}}}}',
        '{{"data": {{}}}}',
        '{{"data": null}}',
        '["{link}"]',
        "",
        '{{"data": {{"url": "{link}"}}',
        "[" * 100_000,
    ],
)
def test_a_missing_link_is_not_ready(document: str) -> None:
    failure, api, store = linked(document=document)
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, failure.upstream_status) == ("link_missing", 200)
    assert (len(api.requests), store.connections) == (1, 0)


def test_a_refusal_of_the_links_host_does_not_read_the_secret_again() -> None:
    failure, api, store = linked("{files}/c", reply(403))
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, failure.upstream_status, len(api.requests), len(store.requests)) == (
        "link_status",
        403,
        1,
        1,
    )


def test_a_file_above_the_limit_is_refused_behind_a_link_too() -> None:
    failure, _, store = linked("{files}/c", raw(HEAD + b"Content-Length: 1000001\r\n\r\n"))
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, failure.upstream_status, len(store.requests)) == ("too_large", 200, 1)


def test_a_transient_fault_of_the_links_host_asks_for_a_new_link() -> None:
    content, api, store = linked("{files}/c", reply(503), reply(body=PDF))
    assert content == PDF
    assert (len(api.requests), len(store.requests)) == (2, 2)


def test_a_redirect_of_the_links_host_is_never_followed() -> None:
    failure, _, store = linked("{files}/c", reply(302, headers={"Location": "/d"}), reply(body=PDF))
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, len(store.requests)) == ("link_status", 1)


@pytest.mark.parametrize("status", sorted(REDIRECTS))
@pytest.mark.parametrize("link_field", ["", "data.url"])
@pytest.mark.threat("API7", "provider-secret")
def test_a_redirect_to_a_listed_host_is_followed_once_as_a_link_is(status: int, link_field: str) -> None:
    content, api, store = redirected(status=status, link_field=link_field)
    assert content == PDF
    assert api.requests[0].headers["authorization"] == "Bearer s3cret"
    (request,) = store.requests
    assert request.target == "/c?sig=a%2Fb"
    assert set(request.headers) == {"host", "accept-encoding", "user-agent", "accept"}


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example.com/c",
        "http://user@localhost:{port}/c",
        "http://127.0.0.1:{port}/c",
        "c",
        "",
        "http://localhos\u00fc:{port}/",
        "http://localhost:{port}/c\r\nLocation: http://localhost:{port}/d",
    ],
)
@pytest.mark.threat("API7")
def test_any_other_redirect_is_refused(location: str) -> None:
    failure, api, store = redirected(location)
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, failure.upstream_status, len(api.requests), store.connections) == ("status", 302, 1, 0)


@pytest.mark.parametrize("status", [300, 304, 305, 306])
def test_other_statuses_with_a_location_are_no_redirects(status: int) -> None:
    failure, _, store = redirected(status=status)
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, failure.upstream_status, store.connections) == ("status", status, 0)


@pytest.mark.threat("API7")
def test_a_second_redirect_is_refused() -> None:
    failure, _, store = redirected("{files}/c", reply(302, headers={"Location": "/d"}), reply(body=PDF))
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, failure.upstream_status, len(store.requests)) == ("link_status", 302, 1)


def test_a_redirect_without_a_listed_host_is_refused() -> None:
    failure, _, store = redirected(link_hosts="")
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, failure.upstream_status, store.connections) == ("status", 302, 0)


def test_a_large_link_document_is_read() -> None:
    content, _, _ = linked(document='{{"data": {{"url": "{link}"}}, "events": "' + "e" * 8_000_000 + '"}}')
    assert content == PDF


def test_a_huge_link_document_is_refused() -> None:
    failure, server = fetch(reply(body=b" " * 8_400_000), link_field="url", link_hosts="localhost", most=9_000_000)
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, len(server.requests)) == ("too_large", 1)
