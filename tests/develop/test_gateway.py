"""The local gateway against API Gateway's own rules."""

import base64
import copy
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.client import responses
from typing import Any

import pytest
import urllib3

from develop.local import gateway
from develop.local.gateway import Gateway, serve
from develop.local.stack import serving
from develop.template import Stack

PATH = "/v1/signatures/0f8fad5b-d9cb-469f-a165-70867728950e/certificate"
ENVELOPE = {
    "Content-Type": "application/json",
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
}
OK = {"statusCode": 200, "headers": {}, "body": "", "isBase64Encoded": False}

Ask = Callable[..., tuple[int, dict[str, str], bytes]]


class Function:
    """Answers each event with one reply, and keeps the event."""

    def __init__(self) -> None:
        self.reply: Any = OK
        self.event: dict[str, Any] = {}

    def __call__(self, event: bytes) -> bytes:
        self.event = json.loads(event)
        return self.reply() if callable(self.reply) else json.dumps(self.reply).encode()


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def ask(stack: Stack, function: Function, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Sends a request to the template's routes, with HEAD in addition to GET."""
    body = copy.deepcopy(stack.resources["CertificatesApi"]["Properties"]["Body"])
    operations = body["paths"]["/v1/signatures/{id}/certificate"]
    monkeypatch.setitem(stack.resources["CertificatesApi"]["Properties"], "Body", body)
    monkeypatch.setitem(operations, "head", operations["get"])
    server = serve(Gateway(stack, {"DownloadCertificateFunction": function}).answer, "127.0.0.1", 0)
    with serving(server), urllib3.PoolManager(retries=False) as http:

        def run(
            method: str = "GET", path: str = PATH, *, server: Any, **options: Any
        ) -> tuple[int, dict[str, str], bytes]:
            answer = http.request(method, f"http://127.0.0.1:{server.server_address[1]}{path}", **options)
            headers = {name: answer.headers[name] for name in answer.headers if name != "Date"}
            return answer.status, headers, answer.data

        yield partial(run, server=server)


def error(code: str, message: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message}}).encode()


def test_the_event_is_a_proxy_event(ask: Ask, function: Function) -> None:
    _, headers, _ = ask(path=f"{PATH}?a=1&a=2&b=%20", headers={"X-MiXeD": "Case", "Accept": "*/*"}, body=b"\x00binary")
    event = function.event
    assert event["headers"]["X-MiXeD"] == "Case"
    assert event["multiValueHeaders"]["X-MiXeD"] == ["Case"]
    assert event["pathParameters"] == {"id": PATH.split("/")[3]}
    assert (event["path"], event["resource"]) == (PATH, "/v1/signatures/{id}/certificate")
    assert event["queryStringParameters"] == {"a": "2", "b": " "}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [" "]}
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\x00binary").decode(), True)
    assert event["requestContext"]["requestId"] == headers["x-amzn-RequestId"]
    assert event["requestContext"]["stage"] == "live"


def test_a_reply_is_passed_on(ask: Ask, function: Function) -> None:
    function.reply = {
        "statusCode": 206,
        "headers": {"ETag": '"a"', "X-One": 1},
        "multiValueHeaders": {"X-Two": ["a", "b"]},
        "body": base64.b64encode(b"\x00\xff").decode(),
        "isBase64Encoded": True,
    }
    status, headers, body = ask()
    assert (status, body) == (206, b"\x00\xff")
    assert headers == {
        "x-amzn-RequestId": headers["x-amzn-RequestId"],
        "ETag": '"a"',
        "X-One": "1",
        "X-Two": "a, b",
        "Content-Type": "application/json",
        "Content-Length": "2",
    }


def test_head_has_the_headers_of_get_and_no_body(ask: Ask, function: Function) -> None:
    content = b"%PDF-1.7 \x00\xff"
    function.reply = OK | {
        "headers": {"Content-Type": "application/pdf", "ETag": '"a"'},
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
    }
    status, headers, body = ask("HEAD")
    assert (status, body) == (200, b"")
    assert headers == {
        "x-amzn-RequestId": headers["x-amzn-RequestId"],
        "Content-Type": "application/pdf",
        "ETag": '"a"',
        "Content-Length": str(len(content)),
    }
    assert function.event["httpMethod"] == "HEAD"
    assert ask("GET")[2] == content  # on the same connection


@pytest.mark.parametrize("name", ["Date", "Server", "WWW-Authenticate", "Authorization", "Content-MD5"])
def test_some_headers_are_remapped(ask: Ask, function: Function, name: str) -> None:
    function.reply = OK | {"headers": {name: "x"}}
    _, headers, _ = ask()
    assert headers[f"x-amzn-Remapped-{name}"] == "x"
    assert name not in headers


@pytest.mark.parametrize(
    "reply",
    [
        {},
        None,
        [],
        {"statusCode": "many"},
        {"headers": {}, "body": ""},
        OK | {"headers": {"X": "a\r\nY: b"}},
        OK | {"body": "no base64!", "isBase64Encoded": True},
        {"errorType": "Runtime.ExitError"},
        lambda: b"no JSON",
        lambda: 1 // 0,
    ],
)
def test_a_malformed_reply_is_an_internal_error(ask: Ask, function: Function, reply: Any) -> None:
    function.reply = reply
    status, headers, body = ask()
    assert (status, body) == (500, error("internal", "Something went wrong on our side."))
    assert headers.items() >= ENVELOPE.items()


def test_a_reply_that_comes_too_late_is_not_waited_for(
    ask: Ask, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "INTEGRATION_SECONDS", 0.05)

    given_up = threading.Event()

    def late() -> bytes:
        given_up.wait(60)
        return b"{}"

    function.reply = late
    status, headers, body = ask()
    given_up.set()
    assert (status, body) == (503, error("service_unavailable", "The service did not answer in time."))
    assert headers.items() >= (ENVELOPE | {"Retry-After": "5"}).items()


def test_a_body_that_is_too_large_is_refused(ask: Ask) -> None:
    status, headers, body = ask(body=b"x" * (10 * 1024 * 1024 + 1))
    assert (status, body) == (413, error("content_too_large", "The request is too large."))
    assert headers.items() >= ENVELOPE.items()


def test_a_chunked_body_does_not_disturb_the_next_request(ask: Ask, function: Function) -> None:
    ask(body=iter([b"GET / HTTP/1.1\r\n\r\n"]), headers={"Transfer-Encoding": "chunked"})
    function.reply = OK | {"body": "second"}
    assert ask()[2] == b"second"


def test_a_slash_at_the_end_leads_to_the_same_route(ask: Ask, function: Function) -> None:
    assert ask(path=f"{PATH}/")[0] == 200
    assert function.event["path"] == f"{PATH}/"
    assert function.event["resource"] == "/v1/signatures/{id}/certificate"
    assert function.event["pathParameters"] == {"id": PATH.split("/")[3]}


def test_the_absolute_form_of_a_target_leads_to_the_same_route(ask: Ask, function: Function) -> None:
    """RFC 9112 section 3.2.2. urllib3 sends it to a proxy."""
    port = ask.keywords["server"].server_address[1]  # type: ignore[attr-defined]
    for target, status in ((f"HTTP://127.0.0.1:{port}{PATH}?a=1", 200), (f"http://127.0.0.1:{port}", 404)):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            assert connection.makefile("rb").readline() == f"HTTP/1.1 {status} {responses[status]}\r\n".encode()
    assert (function.event["path"], function.event["queryStringParameters"]) == (PATH, {"a": "1"})


def test_a_client_that_closes_early_leaves_no_traceback(
    ask: Ask, function: Function, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ask.keywords["server"]  # type: ignore[attr-defined]
    left, ended = threading.Event(), threading.Event()
    close = server.shutdown_request

    def shutdown_request(request: socket.socket) -> None:
        close(request)
        ended.set()

    monkeypatch.setattr(server, "shutdown_request", shutdown_request)

    def reply() -> bytes:
        left.wait(60)
        return json.dumps(OK | {"body": "x" * 1_000_000}).encode()

    function.reply = reply
    with socket.create_connection(server.server_address) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    left.set()
    assert ended.wait(60)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("path", ["/[", "/%zz", "//", "/?%zz=%", f"{PATH}//", f"{PATH}/more", PATH[:-1]])
def test_an_odd_path_is_not_found(ask: Ask, path: str) -> None:
    assert ask(path=path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_not_found(ask: Ask, method: str) -> None:
    status, headers, body = ask(method)
    assert (status, body) == (404, error("not_found", "There is nothing at this address."))
    assert headers.items() >= ENVELOPE.items()


def test_head_of_an_unknown_route_is_not_found(ask: Ask) -> None:
    status, headers, body = ask("HEAD", "/v1/elsewhere")
    assert (status, body) == (404, b"")
    assert headers.items() >= ENVELOPE.items()
