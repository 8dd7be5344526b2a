"""AWS and the provider on one port. They work, except where a test scripts a fault for one signature request."""

import hashlib
import itertools
import json
import re
import socket
import threading
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

from botocore.exceptions import ClientError

from tests.support.aws import STATUSES, Bucket, Tables
from tests.support.pdf import pdf
from tests.support.server import Answer, Request, ScriptedServer, read_request, reply, reset
from tools.local import seeds
from tools.template import Stack

Script = Mapping[str, Sequence[Answer]]
"""Answers by operation: the n-th request gets the n-th one, and further requests the last. Operations are AWS's,
`Certificate` (the provider) and `File` (the link's target)."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_S3 = {"GET": "GetObject", "PUT": "PutObject"}


def succeed(_: socket.socket) -> None:
    """In a script: the service does as asked and answers."""


def lose_response(_: socket.socket) -> None:
    """In a script: the service does as asked, and its response is lost."""


class Cloud:
    """Each fetch renders a different certificate, and every secret is correct."""

    def __init__(self, stack: Stack) -> None:
        self.tables = Tables()
        self.bucket = Bucket()
        self.written: list[str] = []
        """The signature requests whose certificate was written, in order."""
        self.asked: defaultdict[str, list[str]] = defaultdict(list)
        """The operations, in order, by signature request or by secret name."""
        self._scripts: dict[str, Script] = {}
        self._stack = stack
        self._server = ScriptedServer(self._converse)
        self._thread = threading.local()
        self._lock = threading.Lock()
        self._seeds = itertools.count()
        for item in seeds.api_keys():
            self.put_key(item)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    @property
    def url(self) -> str:
        return self._server.url

    def environment(self, function: str) -> dict[str, str]:
        """The environment variables that connect a function to this cloud."""
        return self._stack.environment(function) | {
            "AWS_ENDPOINT_URL": self.url,
            "PROVIDER_CERTIFICATE_URL": f"{self.url}/v1/requests/{{providerRequestId}}/certificate",
        }

    def put_key(self, item: dict[str, Any]) -> None:
        self.tables.items[self._stack.physical_id("ApiKeysTable"), item["keyHash"]["S"]] = item

    def put_signature(self, signature_id: str, **attributes: Any) -> None:
        """Writes a signature request whose certificate is available."""
        item = seeds.signature(signature_id, "completed", f"req_{signature_id}", is_available=True) | attributes
        self.tables.items[self._stack.physical_id("SignaturesTable"), signature_id] = item

    def archive(self, signature_id: str, content: bytes) -> None:
        self.bucket.objects[_key(signature_id)] = content

    def archived(self, signature_id: str) -> bytes | None:
        return self.bucket.objects.get(_key(signature_id))

    def script(self, name: str, script: Script) -> None:
        """Sets the responses to one signature request or one secret from now on."""
        self.asked.pop(name, None)
        self._scripts[name] = script

    @property
    def request(self) -> Request:
        """The request being answered. Each answer runs in its own thread."""
        return self._thread.request  # type: ignore[no-any-return]

    def _converse(self, connection: socket.socket) -> None:
        """A normal response keeps the connection open, as AWS does; a scripted one closes it."""
        request: Request | None = self._server.request
        while request:
            self._thread.request = request
            operation, name = _identify(request)
            with self._lock:
                self.asked[name].append(operation)
                number = self.asked[name].count(operation)
            answers = self._scripts.get(name, {}).get(operation, [succeed])
            answer = answers[min(number, len(answers)) - 1]
            if answer is succeed:
                self.answer()(connection)
                request = read_request(connection)
                continue
            if answer is lose_response:
                self.answer()
                answer = reset
            answer(connection)
            return

    def answer(self) -> Answer:
        """Does what the request asks, and returns the answer of a working service."""
        operation, name = _identify(self.request)
        match operation:
            case "BatchGetItem":
                return _keep_alive_reply(
                    200, json.dumps(self.tables.batch_get_item(**json.loads(self.request.body))).encode()
                )
            case "GetSecretValue":
                return secret(seeds.PROVIDER_SECRET)
            case "ChangeMessageVisibility":
                return _keep_alive_reply(200, b"{}")
            case "Certificate" | "File":
                return self._render(operation, name)
        try:
            with self._lock:
                return self._s3(operation, name)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return _keep_alive_reply(STATUSES[code], f"<Error><Code>{code}</Code></Error>".encode())

    def _render(self, operation: str, name: str) -> Answer:
        """The provider answers with a link if the request asks for JSON."""
        if operation == "Certificate":
            if self.request.headers.get("authorization") != f"Bearer {seeds.PROVIDER_SECRET}":
                return _keep_alive_reply(401)
            if self.request.headers["accept"] == "application/json":
                return _keep_alive_reply(200, json.dumps({"url": f"{self.url}/files/{name}"}).encode())
        return _keep_alive_reply(200, pdf(seed=next(self._seeds)))

    def _s3(self, operation: str, name: str) -> Answer:
        key, headers = self.request.target.split("/", 2)[2], self.request.headers
        if operation == "PutObject":
            if headers.get("if-none-match") != "*":
                self.bucket.objects.pop(key, None)
            written = self.bucket.put_object(Key=key, Body=self.request.body)
            self.written.append(name)
            return _keep_alive_reply(200, headers={"ETag": written["ETag"]})
        found = self.bucket.get_object(Key=key, Range=headers.get("range"), IfMatch=headers.get("if-match"))
        content = found["Body"].read()
        lines = {"ETag": found["ETag"]}
        if "ContentRange" in found:
            return _keep_alive_reply(206, content, lines | {"Content-Range": found["ContentRange"]})
        checksum = {"x-amz-checksum-sha256": sha256(content), "x-amz-checksum-type": "FULL_OBJECT"}
        return _keep_alive_reply(200, content, lines | checksum)


def _key(signature_id: str) -> str:
    return f"{seeds.PROJECT}/{signature_id}.pdf"


def _identify(request: Request) -> tuple[str, str]:
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


def _keep_alive_reply(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    return reply(status, body, {"Connection": "keep-alive"} | dict(headers or {}))


def secret(value: str) -> Answer:
    """Secrets Manager's response."""
    return _keep_alive_reply(200, json.dumps({"SecretString": value}).encode())


def dynamodb_error(status: int, code: str) -> Answer:
    return reply(status, json.dumps({"__type": f"com.amazonaws.dynamodb#{code}", "message": "canary"}).encode())


def s3_error(status: int, code: str) -> Answer:
    return reply(status, f"<Error><Code>{code}</Code><Message>canary</Message></Error>".encode())


def sha256(content: bytes) -> str:
    """Returns base64, as in S3's checksum."""
    return b64encode(hashlib.sha256(content).digest()).decode()
