"""Responses of the provider: broken, lying, in any framing. Every server here counts its requests."""

import gzip

import pytest

from certificates.errors import ProviderFailed
from develop.fakes.server import Response, ScriptedServer, chunked, raw, reply, reset
from tests.support.pdf import pdf
from tests.support.provider import HEAD, PDF, fetch, provider_at, refusal

pytestmark = pytest.mark.usefixtures("short_pauses", "no_thread_is_left")


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
    "response",
    [
        reply(body=PDF, headers={"Content-Type": "text/html; charset=utf-8"}),
        chunked([PDF[:1000], PDF[1000:]]),
        raw(b"HTTP/1.0 200 OK\r\n\r\n" + PDF),
        reply(body=gzip.compress(PDF), headers={"Content-Encoding": "gzip"}),
        chunked([gzip.compress(PDF)], {"Content-Encoding": "gzip"}),
        reply(body=gzip.compress(PDF[:1000]) + gzip.compress(PDF[1000:]), headers={"Content-Encoding": "gzip"}),
        raw(HEAD + b"Content-Length: 3000\r\n\r\n" + PDF[:1500], PDF[1500:], pause=0.05),
        reply(body=PDF, headers={"Content-Encoding": "identity, aws-chunked"}),
        reply(body=gzip.compress(PDF), headers={"Content-Encoding": "X-GZIP,aws-chunked"}),
        raw(HEAD + b"Content-Encoding: aws-chunked\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(PDF)),
        chunked([PDF], end=b"00;last\r\nX-Trailer: 1\r\n\r\n"),
        chunked([PDF], end=b"0\r\n"),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 3000\r\n\r\n" + PDF),
        raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 50 + HEAD + b"Content-Length: 3000\r\n\r\n" + PDF),
        raw(b"HTTP/1.1 102 Processing\r\nContent-Length: 9\r\n\r\n" + HEAD + b"\r\n" + PDF),
    ],
)
def test_a_whole_pdf_counts_whatever_its_type_and_framing(response: Response) -> None:
    content, server = fetch(response)
    assert content == PDF
    assert server.connections == 1


@pytest.mark.parametrize(
    "header",
    [
        b"X-FRAME-OPTIONS : SAMEORIGIN\r\n",
        b"no colon at all\r\n",
        b"X-Folded: a\r\n b: c\r\n\td\r\n",
        b" folded behind the status line\r\n",
        b"X: y\r\n" * 2000,
        b"X: " + b"y" * 200_000 + b"\r\n",
        b"X: \xff\x00\x7f\r\n",
        b"Content-Length\r\n",
    ],
)
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length : 3000\r\n", PDF),
        (b"content-LENGTH:\r\n 3000\r\n", PDF),
        (b"Content-Length: 3000\r\nContent-Length: 3000\r\n", PDF),
        (b"Transfer-Encoding\t: chunked\r\n", b"bb8\r\n" + PDF + b"\r\n0\r\n\r\n"),
        (b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n", b"bb8\r\n" + PDF + b"\r\n0\r\n\r\n"),
    ],
)
@pytest.mark.threat("leaks-to-logs")
def test_no_header_hides_those_behind_it(
    header: bytes, framing: bytes, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection stays open, so only the framing marks the end of the certificate."""
    content, server = fetch(raw(HEAD + header + framing + b"\r\n" + body, b"", pause=20), seconds=15)
    assert content == PDF
    assert server.connections == 1
    assert caplog.records == []


@pytest.mark.threat("API10")
def test_a_200_that_is_no_whole_pdf_and_other_statuses_are_refused_at_once() -> None:
    for body in (b"", b"<html>Please sign in</html>", b"PK\x03\x04zip", b'{"status": "pending"}', PDF[:-20], PDF[1:]):
        assert refusal(reply(body=body, headers={"Content-Type": "application/pdf"})) == ("not_a_pdf", 200, 1)
    for status in (202, 204, 206, 400, 401, 403, 404, 409, 410, 418, 501):
        assert refusal(reply(status, PDF if status != 204 else b"")) == ("status", status, 1)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_transient_fault_is_retried_once(status: int) -> None:
    assert refusal(reply(status)) == ("status", status, 2)
    assert fetch(reply(status), reply(body=PDF))[0] == PDF


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (reset, "unreachable"),
        (raw(b"nonsense\r\n\r\n"), "unreachable"),
        (raw(HEAD + b"X: " + b"y" * 1_100_000 + b"\r\n\r\n"), "unreachable"),
        (raw((b"HTTP/1.1 103 Early Hints\r\nX: " + b"y" * 5000 + b"\r\n\r\n") * 220), "unreachable"),
        (raw(HEAD + b"Content-Length: 3000\r\n"), "unreachable"),
        (raw(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "unreachable"),
        (chunked([PDF], end=b"0"), "broken_answer"),
        (chunked([PDF], end=b"0\r"), "broken_answer"),
        (raw(HEAD + b"Content-Length: 3001\r\n\r\n" + PDF), "broken_answer"),
        (raw(HEAD + b"Content-Length: -1\r\n\r\n" + PDF), "broken_answer"),
        (raw(HEAD + b"Content-Length: 3000x\r\n\r\n" + PDF), "broken_answer"),
        (chunked([PDF[:1000]], end=b"7d0\r\n" + PDF[1000:]), "broken_answer"),
        (chunked([PDF], end=b"zz\r\n"), "broken_answer"),
        (reply(body=PDF, headers={"Content-Encoding": "gzip"}), "broken_answer"),
        (reply(body=gzip.compress(PDF)[:-1] + b"x", headers={"Content-Encoding": "gzip"}), "broken_answer"),
        (reply(body=gzip.compress(PDF) + b"more", headers={"Content-Encoding": "gzip"}), "broken_answer"),
        (raw(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(PDF)[:-1]), "broken_answer"),
        (
            raw(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(PDF) + gzip.compress(b"x")[:-1]),
            "broken_answer",
        ),
    ],
)
def test_a_truncated_or_garbled_response_is_retried_once(response: Response, reason: str) -> None:
    assert refusal(response)[:2] == (reason, 200 if reason == "broken_answer" else None)
    content, server = fetch(response, reply(body=PDF))
    assert content == PDF
    assert server.connections == 2


@pytest.mark.parametrize(
    "response",
    [
        raw(HEAD + b"Content-Length: 50001\r\n\r\n"),
        reply(body=pdf(50_001)),
        reply(body=gzip.compress(b"%PDF-" + b"0" * 10_000_000), headers={"Content-Encoding": "gzip"}),
        reply(body=gzip.compress(b"%PDF-" + b"0" * 30_000) * 9, headers={"Content-Encoding": "gzip"}),
        raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + pdf(9_000_000)),
        raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + pdf(9_000_000)),
    ],
)
def test_more_than_the_limit_is_refused_at_once(response: Response) -> None:
    assert refusal(response, most=50_000) == ("too_large", 200, 1)


def test_the_limit_itself_is_accepted() -> None:
    assert fetch(reply(body=pdf(50_000)), most=50_000)[0] == pdf(50_000)


@pytest.mark.fault("provider-no-id")
@pytest.mark.parametrize("request_id", [".", ".."])
def test_a_dot_segment_is_not_an_id(request_id: str) -> None:
    with ScriptedServer(reply(body=PDF)) as server, pytest.raises(ProviderFailed) as failure:
        provider_at(server.url).fetch(request_id, 5)
    assert (failure.value.reason, server.connections) == ("request_id_refused", 0)
