"""AWS and the provider on one port. They work, except where a test scripts a fault for one signature request."""

import itertools
import json
import re
import socket
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from botocore.exceptions import ClientError

from certificates.archive import DIGEST
from develop.fakes.memory import Bucket, Tables, Vault, sha256
from develop.fakes.server import Request, Response, ScriptedServer, reply, reset
from develop.local import seeds
from develop.template import Stack

Script = Mapping[str, Sequence[Response]]
"""Responses by operation: the n-th request gets the n-th one, and further requests the last. Operations are AWS's,
`Certificate` (the provider) and `File` (the link's target)."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_META = "x-amz-meta-"
_S3 = {"GET": "GetObject", "PUT": "PutObject"}
_PDF = {
    "Content-Type": "application/pdf",
    "Last-Modified": "Fri, 05 Jun 2026 11:42:10 GMT",
    "Accept-Ranges": "bytes",
}


def succeed(_: socket.socket) -> None:
    """In a script: the service does as asked and responds."""


def lose_response(_: socket.socket) -> None:
    """In a script: the service does as asked, and its response is lost."""


class Cloud(ScriptedServer):
    """Each fetch renders a different certificate, and every secret is correct."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.tables = Tables(stack)
        self.bucket = Bucket()
        self.written: list[str] = []
        """The signature requests whose certificate was written, in order."""
        self.asked: defaultdict[str, list[str]] = defaultdict(list)
        """The operations, in order, by signature request or by secret name."""
        self._scripts: dict[str, Script] = {}
        self._normal: dict[tuple[str, str], Future[Response]] = {}
        """The last response, if it is a normal one, by operation and signature request or secret."""
        self._stack = stack
        self._lock = threading.Lock()
        self._numbers = itertools.count()

    def environment(self, function: str) -> dict[str, str]:
        """The environment variables that connect a function to this cloud."""
        return self._stack.environment(function) | {
            "AWS_ENDPOINT_URL": self.url,
            "PROVIDER_CERTIFICATE_URL": f"{self.url}/v1/requests/{{providerRequestId}}/certificate",
        }

    def archive(self, signature_id: str, content: bytes) -> None:
        """As the service does."""
        self.bucket.put_object(_key(signature_id), content, Metadata={DIGEST: f"sha-256=:{sha256(content)}:"})

    def archived(self, signature_id: str) -> bytes | None:
        return self.bucket.objects.get(_key(signature_id))

    def script(self, name: str, script: Script) -> None:
        """Sets the responses to one signature request or one secret from now on."""
        self.asked.pop(name, None)
        self._scripts[name] = script

    def find_response(self, request: Request) -> Response:
        """A normal response keeps the connection open, as AWS does; a scripted one closes it.

        On a busy machine, botocore may not wait for a normal response and retry: this gets the same, and counts once.
        """
        asked = operation, name = identify(request)
        if asked in self._normal and re.search("attempt=[2-9]", request.headers.get("amz-sdk-request", "")):
            return self._normal[asked].result()
        with self._lock:
            self.asked[name].append(operation)
            number = self.asked[name].count(operation)
        responses = self._scripts.get(name, {}).get(operation, [succeed])
        scripted = responses[min(number, len(responses)) - 1]
        self._normal.pop(asked, None)
        if scripted is succeed:
            normal = self._normal[asked] = Future[Response]()
            normal.set_result(self.respond())
            return normal.result()
        if scripted is lose_response:
            self.respond()
            return reset
        return scripted

    def respond(self) -> Response:
        """Does what the request asks, and returns the response of a working service."""
        operation, name = identify(self.request)
        json_services: dict[str, Callable[..., Mapping[str, Any]]] = {
            "GetItem": self.tables.get_item,
            "BatchGetItem": self.tables.batch_get_item,
            "GetSecretValue": Vault().get_secret_value,
            "ChangeMessageVisibility": lambda **_: {},
        }
        if operation in json_services:
            return _json_reply(json_services[operation](**json.loads(self.request.body)))
        if operation in {"Certificate", "File"}:
            return self._ask_provider(operation, name)
        try:
            with self._lock:
                return self._s3(operation, name)
        except ClientError as error:
            response = error.response
            return s3_error(response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], keep_open=True)

    def _ask_provider(self, operation: str, name: str) -> Response:
        """The provider responds with a link if the request asks for JSON."""
        if operation == "Certificate":
            if self.request.headers.get("authorization") != f"Bearer {seeds.PROVIDER_SECRET}":
                return reply(401, keep_open=True)
            if self.request.headers.get("accept") == "application/json":
                return _json_reply({"url": f"{self.url}/files/{name}"})
        return reply(200, self.render(name), keep_open=True)

    def render(self, signature_id: str) -> bytes:  # noqa: ARG002
        """Renders the certificate of a signature request."""
        return certificate(2000, next(self._numbers))

    def _s3(self, operation: str, name: str) -> Response:
        key, headers = self.request.target.split("/", 2)[2], self.request.headers
        if operation == "PutObject":
            metadata = {line.removeprefix(_META): headers[line] for line in headers if line.startswith(_META)}
            asked = {"IfNoneMatch": headers.get("if-none-match"), "Metadata": metadata}
            written = self.bucket.put_object(key, self.request.body, **asked)
            self.written.append(name)
            lines = {"ETag": written["ETag"], "x-amz-checksum-sha256": written["ChecksumSHA256"]}
            return reply(200, headers=lines, keep_open=True)
        found = self.bucket.get_object(key, Range=headers.get("range"), IfMatch=headers.get("if-match"))
        content = found["Body"].read()
        lines = _PDF | {"ETag": found["ETag"]} | {_META + name: text for name, text in found["Metadata"].items()}
        if "ContentRange" in found:
            return reply(206, content, lines | {"Content-Range": found["ContentRange"]}, keep_open=True)
        checksum = {"x-amz-checksum-sha256": sha256(content), "x-amz-checksum-type": "FULL_OBJECT"}
        return reply(200, content, lines | checksum, keep_open=True)


def certificate(size: int, number: int = 0) -> bytes:
    """Makes a PDF of `size` bytes that differs for each number."""
    head, tail = b"%%PDF-1.7\n%d " % number, b"\n%%EOF\n"
    return head.ljust(size - len(tail), b"0") + tail


def _key(signature_id: str) -> str:
    return f"{seeds.PROJECT}/{signature_id}.pdf"


def identify(request: Request) -> tuple[str, str]:
    """Returns the operation and its signature request or secret."""
    if "x-amz-target" in request.headers:
        operation, body = request.headers["x-amz-target"].rpartition(".")[2], json.loads(request.body)
        return operation, body.get("SecretId") or _id(request.body.decode())
    if request.target.startswith("/v1/requests/"):
        return "Certificate", _id(request.target)
    if request.target.startswith("/files/"):
        return "File", _id(request.target)
    return _S3[request.method], _id(request.target)


def _id(text: str) -> str:
    found = _ID.search(text)
    return found[0] if found else ""


def _json_reply(answer: Mapping[str, Any]) -> Response:
    body = json.dumps(answer).encode()
    return reply(200, body, {"x-amz-crc32": str(zlib.crc32(body))}, keep_open=True)


def secret(value: str) -> Response:
    """Secrets Manager's response."""
    return _json_reply({"SecretString": value})


def dynamodb_error(status: int, code: str) -> Response:
    return reply(status, json.dumps({"__type": f"com.amazonaws.dynamodb#{code}", "message": "canary"}).encode())


def s3_error(status: int, code: str, *, keep_open: bool = False) -> Response:
    body = f"<Error><Code>{code}</Code><Message>canary</Message></Error>"
    return reply(status, body.encode(), keep_open=keep_open)
