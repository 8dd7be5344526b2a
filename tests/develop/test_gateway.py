"""The local gateway against API Gateway's own rules."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3

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


@dataclass
class Function:
    """Returns one reply for each event, and keeps the event."""

    reply: dict[str, Any]
    event: dict[str, Any]

    def __call__(self, event: bytes) -> bytes:
        self.event = json.loads(event)
        return json.dumps(self.reply).encode()


@pytest.fixture
def function() -> Function:
    return Function(OK, {})


@pytest.fixture
def ask(stack: Stack, function: Function) -> Iterator[Ask]:
    server = serve(Gateway(stack, {"DownloadCertificateFunction": function}).respond, "127.0.0.1", 0)
    with serving(server), urllib3.PoolManager(retries=False) as http:

        def run(method: str = "GET", path: str = PATH, **options: Any) -> tuple[int, dict[str, str], bytes]:
            response = http.request(method, f"http://127.0.0.1:{server.server_port}{path}", **options)
            headers = {name: response.headers[name] for name in response.headers if name != "Date"}
            return response.status, headers, response.data

        yield run


def error(code: str, message: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message}}).encode()


def test_the_event_is_a_proxy_event(ask: Ask, function: Function) -> None:
    _, headers, _ = ask(path=f"{PATH}/?a=1&a=2&b=%20", headers={"X-MiXeD": "Case", "Accept": "*/*"}, body=b"\x00binary")
    event = function.event
    assert event["headers"]["X-MiXeD"] == "Case"
    assert event["multiValueHeaders"]["X-MiXeD"] == ["Case"]
    assert event["pathParameters"] == {"id": PATH.split("/")[3]}
    assert (event["path"], event["resource"]) == (f"{PATH}/", "/v1/signatures/{id}/certificate")
    assert event["queryStringParameters"] == {"a": "2", "b": " "}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [" "]}
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\x00binary").decode(), True)
    assert event["requestContext"]["requestId"] == headers["x-amzn-RequestId"]
    assert event["requestContext"]["stage"] == "live"


def test_a_reply_becomes_the_response_and_head_gets_no_body(ask: Ask, function: Function) -> None:
    function.reply = {
        "statusCode": 206,
        "headers": {"ETag": '"a"', "X-One": 1, "Server": "x"},
        "multiValueHeaders": {"X-Two": ["a", "b"]},
        "body": base64.b64encode(b"\x00\xff").decode(),
        "isBase64Encoded": True,
    }
    for method, content in (("HEAD", b""), ("GET", b"\x00\xff")):  # on the same connection
        status, headers, body = ask(method)
        assert (status, body, function.event["httpMethod"]) == (206, content, method)
        assert headers == {
            "x-amzn-RequestId": headers["x-amzn-RequestId"],
            "x-amzn-Remapped-Server": "x",
            "ETag": '"a"',
            "X-One": "1",
            "X-Two": "a, b",
            "Content-Type": "application/json",
            "Content-Length": "2",
        }


@pytest.mark.parametrize(
    "reply", [OK | {"headers": {"X": "a\r\nY: b"}}, OK | {"body": "no base64!", "isBase64Encoded": True}]
)
def test_a_malformed_reply_is_an_internal_error(ask: Ask, function: Function, reply: Any) -> None:
    function.reply = reply
    status, headers, body = ask()
    assert (status, body) == (500, error("internal", "Something went wrong on our side."))
    assert headers.items() >= ENVELOPE.items()


def test_a_body_that_is_too_large_is_refused_and_a_chunked_one_is_no_second_request(
    ask: Ask, function: Function
) -> None:
    status, headers, body = ask(body=b"x" * (10 * 1024 * 1024 + 1))
    assert (status, body) == (413, error("content_too_large", "The request is too large."))
    assert headers.items() >= ENVELOPE.items()
    ask(body=iter([b"GET / HTTP/1.1\r\n\r\n"]), headers={"Transfer-Encoding": "chunked"})
    function.reply = OK | {"body": "second"}
    assert ask()[2] == b"second"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/[", "/%zz", f"{PATH}//", f"{PATH}/more", PATH[:-1])),
        *(("POST", PATH), ("PROPFIND", PATH), ("HEAD", "/v1/elsewhere")),
    ],
)
def test_any_other_path_or_method_is_not_found(ask: Ask, method: str, path: str) -> None:
    status, headers, body = ask(method, path)
    assert (status, body) == (404, b"" if method == "HEAD" else error("not_found", "There is nothing at this address."))
    assert headers.items() >= ENVELOPE.items()
