"""The provider as it may be: slow, broken, lying. Every server here counts what reached it."""

import gzip
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme
from botocore.exceptions import EndpointConnectionError

from signing import https, provider
from signing.errors import ProviderFailed
from signing.provider import Provider, Secret
from signing.settings import ProviderSettings
from tests.kit.pdf import pdf
from tests.kit.server import Answer, ScriptedServer, chunked, hang, raw, reply, reset

PDF = pdf(3000)
HEAD = b"HTTP/1.1 200 OK\r\n"


class Vault:
    """Secrets Manager, with one secret that is rotated each time it is read."""

    def __init__(self, *values: str) -> None:
        self.values = list(values)
        self.reads = 0

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803
        assert SecretId == "craftkit/provider-secret"
        self.reads += 1
        return {"SecretString": self.values[min(self.reads, len(self.values)) - 1]}


def provider_at(
    url: str, vault: Any = None, *, link_field: str = "", link_hosts: str = "", most: int = 1_000_000
) -> Provider:
    settings = ProviderSettings.parse(
        {
            "PROVIDER_CERTIFICATE_URL": f"{url}/v1/requests/{{providerRequestId}}/certificate",
            "PROVIDER_AUTH_HEADER": "Authorization: Bearer {secret}",
            "PROVIDER_SECRET_NAME": "craftkit/provider-secret",
            "PROVIDER_LINK_FIELD": link_field,
            "PROVIDER_LINK_HOSTS": link_hosts,
            "MAX_CERTIFICATE_BYTES": str(most),
        }
    )
    vault = vault or Vault("s3cret")
    return Provider(settings, Secret(lambda: vault, "craftkit/provider-secret"))


def fetch(*answers: Answer, seconds: float = 10, **options: Any) -> tuple[bytes | ProviderFailed, ScriptedServer]:
    with ScriptedServer(*answers) as server:
        try:
            return provider_at(server.url, **options).fetch("req_1", seconds).content, server
        except ProviderFailed as failure:
            return failure, server


def refusal(*answers: Answer, **options: Any) -> tuple[str, int | None, int]:
    """The reason, the provider's status, and how many requests it took."""
    failure, server = fetch(*answers, **options)
    assert isinstance(failure, ProviderFailed)
    return failure.reason, failure.upstream_status, len(server.requests)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "RETRY_PAUSE", 0.01)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 3
    while left := [t for t in threading.enumerate() if t not in before and "ThreadPoolExecutor" in t.name]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def test_the_request_is_what_the_settings_say() -> None:
    with ScriptedServer(reply(body=PDF)) as server:
        certificate = provider_at(server.url).fetch("req/1 ?", 10)
    assert certificate.content == PDF
    (request,) = server.requests
    assert (request.method, request.target) == ("GET", "/v1/requests/req%2F1%20%3F/certificate")
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "identity",
        "user-agent": "craftkit-certificates",
        "accept": "application/pdf, */*;q=0.8",
        "authorization": "Bearer s3cret",
    }


@pytest.mark.parametrize(
    "answer",
    [
        reply(body=PDF, headers={"Content-Type": "application/octet-stream"}),
        reply(body=PDF, headers={"Content-Type": "text/html; charset=utf-8"}),
        chunked([PDF[:1000], PDF[1000:]]),
        raw(HEAD + b"Connection: close\r\n\r\n" + PDF),
        raw(b"HTTP/1.0 200 OK\r\n\r\n" + PDF),
        reply(body=gzip.compress(PDF), headers={"Content-Encoding": "gzip"}),
        chunked([gzip.compress(PDF)], {"Content-Encoding": "gzip"}),
        reply(body=gzip.compress(PDF), headers={"Content-Encoding": "X-GZIP"}),
        reply(body=gzip.compress(PDF[:1000]) + gzip.compress(PDF[1000:]), headers={"Content-Encoding": "gzip"}),
        reply(body=PDF, headers={"Content-Encoding": ""}),
        reply(body=PDF, headers={"Content-Encoding": "aws-chunked"}),
        raw(HEAD + b"Content-Length: 3000\r\n\r\n" + PDF[:1500], PDF[1500:], pause=0.05),
        reply(body=PDF, headers={"Content-Encoding": "identity, aws-chunked"}),
        reply(body=PDF, headers={"Content-Encoding": "utf-8"}),
        reply(body=gzip.compress(PDF), headers={"Content-Encoding": "gzip,aws-chunked"}),
        raw(HEAD + b"Content-Encoding: aws-chunked\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(PDF)),
        chunked([PDF], end=b"00;last\r\nX-Trailer: 1\r\n\r\n"),
        chunked([PDF], end=b"0\r\n"),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 3000\r\n\r\n" + PDF),
        raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 50 + HEAD + b"Content-Length: 3000\r\n\r\n" + PDF),
        raw(b"HTTP/1.1 102 Processing\r\nContent-Length: 9\r\n\r\n" + HEAD + b"\r\n" + PDF),
    ],
)
def test_a_whole_pdf_counts_whatever_its_type_and_framing(answer: Answer) -> None:
    content, server = fetch(answer)
    assert content == PDF
    assert server.connections == 1


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n" * 300])
@pytest.mark.parametrize("behind", [b"", b"\x1a", b"\0" * 20_480, b"\r\n%comment" * 200, b"<p>footer</p>"])
@pytest.mark.parametrize("framing", ["length", "chunked", "closed", "gzip", "gzip chunked", "gzip closed", "linked"])
def test_every_framing_accepts_the_same_certificates_byte_for_byte(
    linked: "Linked", framing: str, before: bytes, behind: bytes
) -> None:
    whole, cut = before + PDF + behind, before + PDF + behind + b"\n2 0 obj\n<<"
    if framing == "linked":
        assert linked("{files}/c", reply(body=whole))[0] == whole
        refused = linked("{files}/c", reply(body=cut))[0]
    else:
        assert fetch(frame(whole, framing))[0] == whole
        refused = fetch(frame(cut, framing))[0]
    assert isinstance(refused, ProviderFailed)
    assert refused.reason == "not_a_pdf"


def frame(content: bytes, framing: str) -> Answer:
    headers = {"Content-Encoding": "gzip"} if "gzip" in framing else {}
    body = gzip.compress(content) if "gzip" in framing else content
    if "chunked" in framing:
        return chunked([body[:1000], body[1000:]], headers)
    if "closed" in framing:
        return raw(HEAD + "".join(f"{name}: {headers[name]}\r\n" for name in headers).encode() + b"\r\n" + body)
    return reply(body=body, headers=headers)


@pytest.mark.parametrize(
    "header",
    [
        b"X-FRAME-OPTIONS : SAMEORIGIN\r\n",
        b"no colon at all\r\n",
        b": no name\r\n",
        b"X-Folded: a\r\n b: c\r\n\td\r\n",
        b" folded behind the status line\r\n",
        b"X: y\r\n" * 2000,
        b"X: " + b"y" * 200_000 + b"\r\n",
        b"X: \xff\x00\x7f\r\n",
        b"X: bare line ends\n",
        b"Content-Length\r\n",
    ],
)
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length : 3000\r\n", PDF),
        (b"content-LENGTH:\r\n 3000\r\n", PDF),
        (b"Content-Length: 3000, 3000\r\n", PDF),
        (b"Content-Length: 3000\r\nContent-Length: 3000\r\n", PDF),
        (b"Transfer-Encoding\t: chunked\r\n", b"bb8\r\n" + PDF + b"\r\n0\r\n\r\n"),
        (b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n", b"bb8\r\n" + PDF + b"\r\n0\r\n\r\n"),
    ],
)
def test_no_header_hides_those_behind_it(
    header: bytes, framing: bytes, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """On a connection that stays open, only the framing says where the certificate ends."""
    content, server = fetch(raw(HEAD + header + framing + b"\r\n" + body, b"", pause=20), seconds=15)
    assert content == PDF
    assert server.connections == 1
    assert caplog.records == []


@pytest.mark.parametrize(
    "body", [b"", b"<html>Please sign in</html>", b"PK\x03\x04zip", b'{"status": "pending"}', PDF[:-20], PDF[1:]]
)
def test_a_200_that_is_no_whole_pdf_is_refused_at_once(body: bytes) -> None:
    assert refusal(reply(body=body, headers={"Content-Type": "application/pdf"})) == ("not_a_pdf", 200, 1)


@pytest.mark.parametrize("status", [202, 204, 206, 400, 401, 403, 404, 409, 410, 418, 501])
def test_other_statuses_are_refused_at_once(status: int) -> None:
    assert refusal(reply(status, PDF if status != 204 else b"")) == ("status", status, 1)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_once_more(status: int) -> None:
    assert refusal(reply(status)) == ("status", status, 2)
    content, server = fetch(reply(status), reply(body=PDF))
    assert content == PDF
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reset, "unreachable"),
        (raw(), "unreachable"),
        (raw(b"nonsense\r\n\r\n"), "unreachable"),
        (raw(HEAD + b"X: " + b"y" * 1_100_000 + b"\r\n\r\n"), "unreachable"),
        (raw(HEAD + b"X: y\r\n" * 200_000 + b"\r\n"), "unreachable"),
        (raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50_000), "unreachable"),
        (raw(HEAD + b"Content-Length: 3000\r\n"), "unreachable"),
        (raw(HEAD + b"Content-Le"), "unreachable"),
        (raw(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "unreachable"),
        (chunked([PDF], end=b"0"), "broken_answer"),
        (chunked([PDF], end=b"00"), "broken_answer"),
        (chunked([PDF], end=b"0\r"), "broken_answer"),
        (chunked([PDF], end=b"0;name"), "broken_answer"),
        (chunked([PDF + b"2 0 obj <<"], end=b"0"), "broken_answer"),
        (raw(HEAD + b"Content-Length: 3001\r\n\r\n" + PDF), "broken_answer"),
        (chunked([PDF], end=b""), "broken_answer"),
        (raw(HEAD + b"Content-Length: -1\r\n\r\n" + PDF), "broken_answer"),
        (raw(HEAD + b"Content-Length: 3000x\r\n\r\n" + PDF), "broken_answer"),
        (chunked([PDF[:1000]], end=b"7d0\r\n" + PDF[1000:]), "broken_answer"),
        (chunked([PDF], end=b"zz\r\n"), "broken_answer"),
        (reply(body=PDF, headers={"Content-Encoding": "gzip"}), "broken_answer"),
        (reply(body=gzip.compress(PDF)[:-9], headers={"Content-Encoding": "gzip"}), "broken_answer"),
        (reply(body=gzip.compress(PDF)[:-1] + b"x", headers={"Content-Encoding": "gzip"}), "broken_answer"),
        (reply(body=gzip.compress(PDF) + b"more", headers={"Content-Encoding": "gzip"}), "broken_answer"),
        (
            reply(body=gzip.compress(PDF) + gzip.compress(b"x")[:-1], headers={"Content-Encoding": "gzip"}),
            "broken_answer",
        ),
        (raw(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(PDF)[:-1]), "broken_answer"),
    ],
)
def test_an_answer_cut_short_or_garbled_is_tried_once_more(answer: Answer, reason: str) -> None:
    assert refusal(answer)[0] == reason
    content, server = fetch(answer, reply(body=PDF))
    assert content == PDF
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        raw(HEAD + b"\r\n" + PDF + b"2 0 obj <<"),
        chunked([PDF + b"2 0 obj <<"]),
        reply(body=PDF + b"2 0 obj <<"),
        reply(body=gzip.compress(PDF + b"2 0 obj <<"), headers={"Content-Encoding": "gzip"}),
        raw(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(PDF + b"2 0 obj <<")),
        raw(HEAD + b"Content-Length: 2900\r\n\r\n" + PDF),
    ],
)
def test_a_certificate_cut_short_before_it_was_sent_is_refused(answer: Answer) -> None:
    assert refusal(answer) == ("not_a_pdf", 200, 1)


@pytest.mark.parametrize(
    "answer",
    [
        raw(HEAD + b"Content-Length: 50001\r\n\r\n"),
        raw(HEAD + b"Content-Length: 99999999999\r\n\r\n"),
        reply(body=pdf(50_001)),
        chunked([pdf(30_000), pdf(30_000)]),
        raw(HEAD + b"\r\n" + pdf(60_000)),
        reply(body=gzip.compress(b"%PDF-" + b"0" * 10_000_000), headers={"Content-Encoding": "gzip"}),
        reply(body=gzip.compress(b"%PDF-" + b"0" * 30_000) * 9, headers={"Content-Encoding": "gzip"}),
        raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + pdf(9_000_000)),
        raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + pdf(9_000_000)),
    ],
)
def test_more_than_the_limit_is_refused_at_once(answer: Answer) -> None:
    reason, _, requests = refusal(answer, most=50_000)
    assert (reason, requests) == ("too_large", 1)


def test_the_limit_itself_is_accepted() -> None:
    content, _ = fetch(reply(body=pdf(50_000)), most=50_000)
    assert content == pdf(50_000)


def drip(before: bytes, after: bytes = b"") -> Answer:
    return raw(before, *[b"x"] * 200, after, pause=0.05)


@pytest.mark.parametrize(
    "answer",
    [
        hang(),
        drip(b"HTTP/1.1 "),
        drip(HEAD + b"X-Slow: "),
        drip(HEAD + b"Content-Length: 3000\r\n\r\n"),
        drip(HEAD + b"\r\n%PDF-"),
        drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n"),
    ],
)
def test_the_budget_holds_whatever_drips(answer: Answer) -> None:
    started = time.monotonic()
    failure, server = fetch(answer, seconds=0.6)
    assert isinstance(failure, ProviderFailed)
    assert failure.reason == "timed_out"
    assert time.monotonic() - started < 1.2
    assert server.connections == 1


def test_no_budget_is_no_request() -> None:
    failure, server = fetch(reply(body=PDF), seconds=-1)
    assert isinstance(failure, ProviderFailed)
    assert failure.reason == "timed_out"
    assert server.requests == []


@pytest.mark.parametrize("location", ["/v1/elsewhere", "http://127.0.0.1:{port}/", "https://evil.example.com/"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int, location: str) -> None:
    with ScriptedServer(reply(body=PDF)) as elsewhere:
        target = location.format(port=elsewhere.port)
        assert refusal(reply(status, headers={"Location": target})) == ("status", status, 1)
    assert elsewhere.connections == 0


@pytest.mark.parametrize("retry_after", ["3600", "99999999999999999999", "Fri, 31 Dec 2027 23:59:59 GMT"])
def test_a_pause_longer_than_the_budget_is_not_waited_for(retry_after: str) -> None:
    started = time.monotonic()
    assert refusal(reply(429, headers={"Retry-After": retry_after})) == ("status", 429, 1)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("retry_after", ["0", "soon", "", "-5", "1.5", "Fri, 05 Jun 2026 11:42:08 GMT"])
def test_a_pause_that_is_none_is_a_short_one(retry_after: str) -> None:
    assert refusal(reply(429, headers={"Retry-After": retry_after})) == ("status", 429, 2)


def test_a_short_pause_is_kept_to() -> None:
    started = time.monotonic()
    content, _ = fetch(reply(429, headers={"Retry-After": "1"}), reply(body=PDF))
    assert content == PDF
    assert time.monotonic() - started > 1


def test_what_the_provider_asks_to_wait_is_told() -> None:
    failure, _ = fetch(reply(429, headers={"Retry-After": "3600"}))
    assert isinstance(failure, ProviderFailed)
    assert failure.retry_after == 3600


# ── The secret ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_secret_is_read_on_first_use_and_kept() -> None:
    vault = Vault("s3cret")
    with ScriptedServer(reply(body=PDF)) as server:
        service = provider_at(server.url, vault)
        assert vault.reads == 0
        service.fetch("req_1", 10)
        service.fetch("req_1", 10)
    assert vault.reads == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_rotated_secret_is_read_again(status: int) -> None:
    vault = Vault("old", "new")
    content, server = fetch(reply(status), reply(body=PDF), vault=vault)
    assert content == PDF
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer old", "Bearer new"]
    assert vault.reads == 2


def test_a_rotation_is_noticed_once_by_all_who_fetch_at_once() -> None:
    vault, accepted = Vault("old", "new"), ["Bearer old"]

    def judge(connection: Any) -> None:
        is_right = server.request.headers["authorization"] in accepted
        (reply(body=PDF) if is_right else reply(401))(connection)

    with ScriptedServer(judge) as server, ThreadPoolExecutor() as pool:
        service = provider_at(server.url, vault)
        assert service.fetch("req_1", 10).content == PDF
        accepted[:] = ["Bearer new"]
        contents = list(pool.map(lambda _: service.fetch("req_1", 10).content, range(10)))
    assert contents == [PDF] * 10
    assert vault.reads == 2


def test_without_a_second_try_only_a_rotated_secret_is_tried_again() -> None:
    with ScriptedServer(reply(503), reply(401), reply(body=PDF)) as server:
        service = provider_at(server.url, Vault("old", "new"))
        with pytest.raises(ProviderFailed):
            service.fetch("req_1", 10, second_try=False)
        assert len(server.requests) == 1
        assert service.fetch("req_1", 10, second_try=False).content == PDF


@pytest.mark.parametrize("status", [401, 403])
def test_a_secret_that_stays_wrong_is_not_tried_again(status: int) -> None:
    vault = Vault("wrong")
    assert refusal(reply(status), vault=vault) == ("status", status, 1)
    assert vault.reads == 2


@pytest.mark.parametrize("secret", ["", " ", "two\r\nlines", "trailing\n", " s", "s ", "tab\t", "\u00e9", "nul\0"])
def test_a_secret_that_cannot_stand_in_a_header_is_refused(secret: str) -> None:
    assert refusal(reply(body=PDF), vault=Vault(secret)) == ("secret_malformed", None, 0)


def test_a_binary_secret_is_refused() -> None:
    class Binary:
        def get_secret_value(self, SecretId: str) -> dict[str, bytes]:  # noqa: N803
            return {"SecretBinary": SecretId.encode()}

    assert refusal(reply(body=PDF), vault=Binary()) == ("secret_malformed", None, 0)


def test_secrets_manager_away_is_the_providers_failure() -> None:
    class Away:
        def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803
            raise EndpointConnectionError(endpoint_url=SecretId)

    assert refusal(reply(body=PDF), vault=Away()) == ("secret_unavailable", None, 0)


# ── Links ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

Linked = Callable[..., tuple[bytes | ProviderFailed, ScriptedServer, ScriptedServer]]


@pytest.fixture
def linked() -> Linked:
    """Asks a provider that answers with JSON, which links to a second server."""

    def run(
        link: str = "{files}/c?sig=a%2Fb",
        *files: Answer,
        document: str = '{{"data": {{"url": "{link}"}}}}',
        field: str = "data.url",
        hosts: str = "localhost",
    ) -> tuple[bytes | ProviderFailed, ScriptedServer, ScriptedServer]:
        with ScriptedServer(*(files or [reply(body=PDF)])) as store:
            link = link.format(files=f"http://localhost:{store.port}", port=store.port)
            body = document.format(link=json.dumps(link)[1:-1]).encode()
            with ScriptedServer(reply(body=body)) as api:
                try:
                    service = provider_at(api.url, link_field=field, link_hosts=hosts)
                    return service.fetch("req_1", 5).content, api, store
                except ProviderFailed as failure:
                    return failure, api, store

    return run


def test_a_link_is_followed_without_the_secret(linked: Linked) -> None:
    content, api, store = linked()
    assert content == PDF
    assert api.requests[0].headers["accept"] == "application/json"
    assert api.requests[0].headers["authorization"] == "Bearer s3cret"
    (request,) = store.requests
    assert request.target == "/c?sig=a%2Fb"
    assert set(request.headers) == {"host", "accept-encoding", "user-agent", "accept"}


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:{port}/c",
        "http://user@localhost:{port}/c",
        "http://user:pass@localhost:{port}/c",
        "http://localhost:{port}\\@evil.example.com/c",
        "http://localhost:{port}#@evil.example.com/c",
        "http://localhost:{port}/c\\d",
        "http://localhost:{port}/c\nd",
        "http://localhost:{port}/c\x7f",
        "http://localhost:{port}/" + "c" * 9000,
        "http://local host:{port}/c",
        "http://l\u00f6calhost:{port}/c",
        "http://\uff4cocalhost:{port}/c",
        "http://[::1]:{port}/c",
        "http://2130706433:{port}/c",
        "http://0:{port}/c",
        "ftp://localhost:{port}/c",
        "//localhost:{port}/c",
        "/c",
        "https://evil.example.com/c",
        "https://localhost.evil.example.com/c",
    ],
)
def test_a_link_to_elsewhere_is_never_connected_to(linked: Linked, link: str) -> None:
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
def test_a_link_is_asked_for_as_browsers_do(linked: Linked, link: str, target: str) -> None:
    content, _, store = linked("{files}" + link)
    assert content == PDF
    assert [request.target for request in store.requests] == [target]


def test_a_link_to_a_port_that_is_not_listed_is_never_connected_to(linked: Linked) -> None:
    failure, _, store = linked(hosts="localhost:1")
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, store.connections) == ("link_refused", 0)


def test_an_ip_address_is_connected_to_only_if_it_is_listed(linked: Linked) -> None:
    content, _, _ = linked("http://127.0.0.1:{port}/c", hosts="*.example.com, 127.0.0.1")
    assert content == PDF
    failure, _, store = linked("http://127.0.0.1:{port}/c", hosts="localhost, *.example.com")
    assert isinstance(failure, ProviderFailed)
    assert store.connections == 0


@pytest.mark.parametrize(
    "document",
    [
        '{{"data": {{"url": null}}}}',
        '{{"data": {{"url": ""}}}}',
        '{{"data": {{"url": ["{link}"]}}}}',
        '{{"data": {{}}}}',
        '{{"data": "{link}"}}',
        '{{"data": null}}',
        '["{link}"]',
        '"{link}"',
        "",
        "<html>{link}</html>",
        '{{"data": {{"url": "{link}"}}',
        "[" * 100_000,
    ],
)
def test_a_missing_link_is_not_ready(linked: Linked, document: str) -> None:
    failure, api, store = linked(document=document)
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, len(api.requests), store.connections) == ("link_missing", 1, 0)


def test_a_refusal_of_the_links_host_does_not_read_the_secret_again(linked: Linked) -> None:
    failure, api, store = linked("{files}/c", reply(403))
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, failure.upstream_status, len(api.requests), len(store.requests)) == (
        "link_status",
        403,
        1,
        1,
    )


def test_a_file_above_the_limit_is_refused_behind_a_link_too(linked: Linked) -> None:
    failure, _, store = linked("{files}/c", raw(HEAD + b"Content-Length: 1000001\r\n\r\n"))
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, failure.upstream_status, len(store.requests)) == ("too_large", 200, 1)


def test_a_passing_fault_of_the_links_host_asks_for_a_new_link(linked: Linked) -> None:
    content, api, store = linked("{files}/c", reply(503), reply(body=PDF))
    assert content == PDF
    assert (len(api.requests), len(store.requests)) == (2, 2)


def test_a_redirect_of_the_links_host_is_never_followed(linked: Linked) -> None:
    failure, _, store = linked("{files}/c", reply(302, headers={"Location": "/d"}), reply(body=PDF))
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, len(store.requests)) == ("link_status", 1)


def test_a_large_link_document_is_read(linked: Linked) -> None:
    content, _, _ = linked(document='{{"data": {{"url": "{link}"}}, "events": "' + "e" * 8_000_000 + '"}}')
    assert content == PDF


def test_a_huge_link_document_is_refused() -> None:
    failure, server = fetch(reply(body=b" " * 8_400_000), link_field="url", link_hosts="localhost", most=9_000_000)
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, len(server.requests)) == ("too_large", 1)


@pytest.mark.parametrize("request_id", [".", ".."])
def test_a_dot_segment_is_no_id(request_id: str) -> None:
    with ScriptedServer(reply(body=PDF)) as server, pytest.raises(ProviderFailed) as failure:
        provider_at(server.url).fetch(request_id, 5)
    assert (failure.value.reason, server.connections) == ("request_id_refused", 0)


# ── TLS ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    monkeypatch.setattr(https, "_tls", lambda: context)


@pytest.mark.usefixtures("trusting")
def test_https_is_served(authority: trustme.CA) -> None:
    with ScriptedServer(reply(body=PDF), tls=tls(authority, "127.0.0.1")) as server:
        assert provider_at(server.url).fetch("req_1", 5).content == PDF


@pytest.mark.usefixtures("trusting")
def test_a_certificate_for_another_name_is_refused(authority: trustme.CA) -> None:
    with ScriptedServer(reply(body=PDF), tls=tls(authority, "files.example.com")) as server:
        with pytest.raises(ProviderFailed) as failure:
            provider_at(server.url).fetch("req_1", 5)
        assert (failure.value.reason, server.requests) == ("unreachable", [])


def test_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    with ScriptedServer(reply(body=PDF), tls=tls(authority, "127.0.0.1")) as server:
        with pytest.raises(ProviderFailed) as failure:
            provider_at(server.url).fetch("req_1", 5)
        assert (failure.value.reason, server.requests) == ("unreachable", [])


@pytest.mark.usefixtures("trusting")
def test_the_budget_holds_over_tls(authority: trustme.CA) -> None:
    started = time.monotonic()
    with ScriptedServer(drip(HEAD + b"X-Slow: "), tls=tls(authority, "127.0.0.1")) as server:
        with pytest.raises(ProviderFailed) as failure:
            provider_at(server.url).fetch("req_1", 0.6)
        assert failure.value.reason == "timed_out"
    assert time.monotonic() - started < 1.2
