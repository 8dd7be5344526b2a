"""AWS and the signature service on one port: in order, but for what a test scripts of a single signature request."""

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
"""By operation: its n-th request gets the n-th answer, and further ones the last. Operations are those of AWS,
`Certificate` (the signature service) and `File` (what it may link to)."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_S3 = {"GET": "GetObject", "PUT": "PutObject"}


def well(_: socket.socket) -> None:
    """In a script: the answer of a service that is in order."""


def lost(_: socket.socket) -> None:
    """In a script: the service does as it is asked, and its answer is lost."""


class Cloud:
    """Certificates are rendered anew each time, and every secret is the right one."""

    def __init__(self, stack: Stack) -> None:
        self.tables = Tables()
        self.bucket = Bucket()
        self.written: list[str] = []
        """The signature requests of which an object was written, in order."""
        self.asked: defaultdict[str, list[str]] = defaultdict(list)
        """By signature request, or by a secret's name: the operations, in order."""
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
        """Of a function that is to stand on this cloud."""
        return self._stack.environment(function) | {
            "AWS_ENDPOINT_URL": self.url,
            "PROVIDER_CERTIFICATE_URL": f"{self.url}/v1/requests/{{providerRequestId}}/certificate",
        }

    def put_key(self, item: dict[str, Any]) -> None:
        self.tables.items[self._stack.physical_id("ApiKeysTable"), item["keyHash"]["S"]] = item

    def put_signature(self, signature_id: str, **attributes: Any) -> None:
        """A signature request whose certificate is available."""
        item = seeds.signature(signature_id, "completed", f"req_{signature_id}", is_available=True) | attributes
        self.tables.items[self._stack.physical_id("SignaturesTable"), signature_id] = item

    def archive(self, signature_id: str, content: bytes) -> None:
        self.bucket.objects[_key(signature_id)] = content

    def archived(self, signature_id: str) -> bytes | None:
        return self.bucket.objects.get(_key(signature_id))

    def script(self, name: str, script: Script) -> None:
        """From now on, for one signature request or one secret."""
        self.asked.pop(name, None)
        self._scripts[name] = script

    @property
    def request(self) -> Request:
        """The one that is being answered: for answers, each of which has a thread of its own."""
        return self._thread.request  # type: ignore[no-any-return]

    def _converse(self, connection: socket.socket) -> None:
        """An answer in order leaves the connection open, as AWS does; a scripted one ends it."""
        request: Request | None = self._server.request
        while request:
            self._thread.request = request
            operation, name = _what(request)
            with self._lock:
                self.asked[name].append(operation)
                number = self.asked[name].count(operation)
            answers = self._scripts.get(name, {}).get(operation, [well])
            answer = answers[min(number, len(answers)) - 1]
            if answer is well:
                self.answer()(connection)
                request = read_request(connection)
                continue
            if answer is lost:
                self.answer()
                answer = reset
            answer(connection)
            return

    def answer(self) -> Answer:
        """Of a service in order, which has done what it is asked."""
        operation, name = _what(self.request)
        match operation:
            case "BatchGetItem":
                return _kept(200, json.dumps(self.tables.batch_get_item(**json.loads(self.request.body))).encode())
            case "GetSecretValue":
                return secret(seeds.PROVIDER_SECRET)
            case "ChangeMessageVisibility":
                return _kept(200, b"{}")
            case "Certificate" | "File":
                return self._render(operation, name)
        try:
            with self._lock:
                return self._s3(operation, name)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return _kept(STATUSES[code], f"<Error><Code>{code}</Code></Error>".encode())

    def _render(self, operation: str, name: str) -> Answer:
        """The signature service answers with a link to those who ask for one."""
        if operation == "Certificate":
            if self.request.headers.get("authorization") != f"Bearer {seeds.PROVIDER_SECRET}":
                return _kept(401)
            if self.request.headers["accept"] == "application/json":
                return _kept(200, json.dumps({"url": f"{self.url}/files/{name}"}).encode())
        return _kept(200, pdf(seed=next(self._seeds)))

    def _s3(self, operation: str, name: str) -> Answer:
        key, headers = self.request.target.split("/", 2)[2], self.request.headers
        if operation == "PutObject":
            if headers.get("if-none-match") != "*":
                self.bucket.objects.pop(key, None)
            written = self.bucket.put_object(Key=key, Body=self.request.body)
            self.written.append(name)
            return _kept(200, headers={"ETag": written["ETag"]})
        found = self.bucket.get_object(Key=key, Range=headers.get("range"), IfMatch=headers.get("if-match"))
        content = found["Body"].read()
        lines = {"ETag": found["ETag"]}
        if "ContentRange" in found:
            return _kept(206, content, lines | {"Content-Range": found["ContentRange"]})
        checksum = {"x-amz-checksum-sha256": sha256(content), "x-amz-checksum-type": "FULL_OBJECT"}
        return _kept(200, content, lines | checksum)


def _key(signature_id: str) -> str:
    return f"{seeds.PROJECT}/{signature_id}.pdf"


def _what(request: Request) -> tuple[str, str]:
    """The operation, and the signature request or the secret that it is about."""
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


def _kept(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    return reply(status, body, {"Connection": "keep-alive"} | dict(headers or {}))


def secret(value: str) -> Answer:
    """An answer of Secrets Manager."""
    return _kept(200, json.dumps({"SecretString": value}).encode())


def dynamodb_error(status: int, code: str) -> Answer:
    return reply(status, json.dumps({"__type": f"com.amazonaws.dynamodb#{code}", "message": "canary"}).encode())


def s3_error(status: int, code: str) -> Answer:
    return reply(status, f"<Error><Code>{code}</Code><Message>canary</Message></Error>".encode())


def sha256(content: bytes) -> str:
    """Base64, as in S3's checksum."""
    return b64encode(hashlib.sha256(content).digest()).decode()
