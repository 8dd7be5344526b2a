"""API Gateway on one machine, by the rules of a Regional REST API with Lambda proxy integrations.

Rules: https://docs.aws.amazon.com/apigateway/latest/developerguide/ (api-gateway-known-issues,
lambda-proxy-binary-media, api-gateway-gatewayResponse-definition, limits)
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

from develop.local.server import Handler, Server
from develop.template import Stack

Invoke = Callable[[bytes], bytes]
"""Invokes a function with an event and returns its reply, both as JSON, as the Lambda service does."""

INTEGRATION_SECONDS = 29
MAX_BODY_BYTES = 10 * 1024 * 1024
DEFAULT_STATUSES = {
    "MISSING_AUTHENTICATION_TOKEN": 403,
    "REQUEST_TOO_LARGE": 413,
    "INTEGRATION_FAILURE": 502,
    "INTEGRATION_TIMEOUT": 504,
}
REMAPPED = {"authorization", "connection", "content-md5", "date", "server", "user-agent", "www-authenticate"}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


Response = Callable[[str, str, Message, bytes], Reply]
"""Responds to a request: method, target, headers and body."""


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    invoke: Invoke

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Returns the path parameters, or None if this is another route. A trailing slash makes no difference."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        match = re.fullmatch(f"{pattern}/?", path)
        if match is None or method != self.method:
            return None
        return {name: unquote(value) for name, value in match.groupdict().items()}


class Gateway:
    def __init__(self, stack: Stack, functions: Mapping[str, Invoke]) -> None:
        """`functions` by logical id."""
        api = stack.resources["CertificatesApi"]["Properties"]["Body"]
        by_name = {stack.physical_id(logical_id): invoke for logical_id, invoke in functions.items()}
        (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
        self._stage = stage["StageName"]
        self._binary_types = api["x-amazon-apigateway-binary-media-types"]
        self._gateway_responses = api["x-amazon-apigateway-gateway-responses"]
        self._routes = [
            Route(method.upper(), path, by_name[_function_name(operation)])
            for path, operations in api["paths"].items()
            for method, operation in operations.items()
        ]
        self._integrations = ThreadPoolExecutor(max_workers=32)

    def respond(self, method: str, target: str, headers: Message, body: bytes) -> Reply:
        request_id = str(uuid.uuid4())
        reply = self._route(method, target, headers, body, request_id)
        return Reply(reply.status, [("x-amzn-RequestId", request_id), *reply.headers], reply.body)

    def _route(self, method: str, target: str, headers: Message, body: bytes, request_id: str) -> Reply:
        path, _, query = target.partition("?")
        for route in self._routes:
            parameters = route.match(method, path)
            if parameters is not None:
                break
        else:
            return self._gateway_response("MISSING_AUTHENTICATION_TOKEN")
        if len(body) > MAX_BODY_BYTES:
            return self._gateway_response("REQUEST_TOO_LARGE")
        event = {
            "resource": route.path,
            "path": path,
            "httpMethod": method,
            "headers": dict(headers.items()) or None,
            "multiValueHeaders": {name: headers.get_all(name) for name in headers} or None,
            "queryStringParameters": {name: values[-1] for name, values in parse_qs(query).items()} or None,
            "multiValueQueryStringParameters": parse_qs(query) or None,
            "pathParameters": parameters or None,
            "stageVariables": None,
            "requestContext": {
                "resourcePath": route.path,
                "httpMethod": method,
                "path": f"/{self._stage}{path}",
                "protocol": "HTTP/1.1",
                "stage": self._stage,
                "requestId": request_id,
                "requestTimeEpoch": int(time.time() * 1000),
                "identity": {"sourceIp": "127.0.0.1", "userAgent": headers.get("User-Agent")},
            },
            "body": base64.b64encode(body).decode() if body else None,
            "isBase64Encoded": bool(body),
        }
        try:
            reply = self._integrations.submit(route.invoke, json.dumps(event).encode()).result(INTEGRATION_SECONDS)
            return self._convert_reply(json.loads(reply), headers.get("Accept"))
        except TimeoutError:
            return self._gateway_response("INTEGRATION_TIMEOUT")
        except Exception:  # noqa: BLE001 - the client gets a response whatever the function does
            return self._gateway_response("INTEGRATION_FAILURE")

    def _convert_reply(self, reply: Mapping[str, Any], accept: str | None) -> Reply:
        headers = {name: [value] for name, value in (reply.get("headers") or {}).items()}
        headers |= reply.get("multiValueHeaders") or {}
        lines = [
            (f"x-amzn-Remapped-{name}" if name.lower() in REMAPPED else name, _header_text(value))
            for name, values in headers.items()
            for value in values
        ]
        if not any(name.lower() == "content-type" for name in headers):
            lines.append(("Content-Type", "application/json"))
        body = (reply.get("body") or "").encode()
        if reply.get("isBase64Encoded") and self._is_binary(accept):
            body = base64.b64decode(body, validate=True)
        return Reply(int(reply["statusCode"]), lines, body)

    def _is_binary(self, accept: str | None) -> bool:
        """The first media type of Accept decides, not the reply's own type."""
        first = (accept or "*/*").split(",")[0].split(";")[0].strip()
        return "*/*" in self._binary_types or first in self._binary_types

    def _gateway_response(self, kind: str) -> Reply:
        status = DEFAULT_STATUSES[kind]
        response = self._gateway_responses.get(kind) or self._gateway_responses[f"DEFAULT_{status // 100}XX"]
        headers = [
            (name.removeprefix("gatewayresponse.header."), value.strip("'"))
            for name, value in response["responseParameters"].items()
        ]
        body = response["responseTemplates"]["application/json"]
        return Reply(int(response.get("statusCode", status)), headers, body.encode())


def _function_name(operation: Mapping[str, Any]) -> str:
    uri = operation["x-amazon-apigateway-integration"]["uri"]
    match = re.search(r":function:([^/:]+)(?::\w+)?/invocations$", uri)
    if match is None:
        raise ValueError(f"no function in the integration's URI {uri}")
    return match[1]


def _header_text(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not re.fullmatch(r"[\t -~\x80-\xff]*", text):
        raise ValueError("invalid header")
    return text


class _Handler(Handler):
    protocol_version = "HTTP/1.1"
    respond: Response

    def _do(self) -> None:
        length = self.headers.get("Content-Length", "0")
        # One byte above the limit shows that it is exceeded. Unread bytes close the connection.
        body = self.rfile.read(min(int(length), MAX_BODY_BYTES + 1)) if length.isdecimal() else b""
        self.close_connection |= str(len(body)) != length or "Transfer-Encoding" in self.headers
        reply = self.respond(self.command, self.path, self.headers, body)
        self.send_response_only(reply.status)
        self.send_header("Date", self.date_time_string())
        for name, value in reply.headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        if reply.status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD" and reply.status != HTTPStatus.NOT_MODIFIED:
            self.wfile.write(reply.body)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Sends every method to the gateway: none gets the server's own error page."""
        if name.startswith("do_"):
            return self._do
        raise AttributeError(name)


def serve(respond: Response, host: str, port: int) -> Server:
    """Returns a server that is bound but not running: call `serve_forever` and `server_close`."""
    handler = type("Handler", (_Handler,), {"respond": staticmethod(respond)})
    return Server((host, port), handler)
