"""A stub of AWS and the provider that answers from memory after fixed delays.

Each connection has a thread: a sleeping thread wakes within 0.1 ms, asyncio's timers only within 1 ms. A certificate's
id encodes its size and whether it is archived.
"""

import argparse
import hashlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from tools.local import seeds

_ID = re.compile(r"(?P<place>[af])[0-9a-f]{7}-0000-4000-8000-(?P<size>[0-9]{12})")
_PDF_HEAD, _PDF_TAIL = b"%PDF-1.7\n", b"\n%%EOF\n"
_KEY = seeds.api_keys()[0]


def certificate_id(size: int, number: int = 0, *, archived: bool = True) -> str:
    """Returns the id of a signature request with a certificate of `size` bytes. `number` makes it unique."""
    return f"{'a' if archived else 'f'}{number:07x}-0000-4000-8000-{size:012}"


@dataclass(frozen=True)
class Delays:
    """Milliseconds from a request's arrival to its answer. `dynamodb` is also that of Secrets Manager and SQS."""

    dynamodb: float = 4
    s3: float = 15
    provider: float = 200


@dataclass(frozen=True)
class Request:
    """Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Stub:
    """DynamoDB, S3, Secrets Manager, SQS and the provider on one port."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown() wakes the thread that waits in accept(); close() alone leaves it there.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            try:
                while request := _receive(connection):
                    arrived = time.perf_counter()
                    milliseconds, answer = self._answer(request)
                    time.sleep(max(0, arrived + milliseconds / 1000 - time.perf_counter()))
                    connection.sendall(answer)
            except ConnectionError:
                return  # the execution environment was ended

    def _answer(self, request: Request) -> tuple[float, bytes]:
        """Returns the delay in milliseconds and the whole response."""
        if "x-amz-target" in request.headers:
            return self._delays.dynamodb, _json_service(request)
        if request.target.startswith("/v1/requests/"):
            return self._delays.provider, _certificate(_size(request.target))
        return self._delays.s3, _s3(request)


def _receive(connection: socket.socket) -> Request | None:
    """The next request, or None at the end of the connection."""
    received = connection.recv(65536)
    if not received:
        return None
    while b"\r\n\r\n" not in received:
        received += _receive_more(connection)
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("expect") == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray(rest)
    while len(body) < int(headers.get("content-length", "0")):
        body += _receive_more(connection)
    return Request(method, target, headers, bytes(body))


def _receive_more(connection: socket.socket) -> bytes:
    received = connection.recv(1 << 20)
    if not received:
        raise ConnectionError("connection closed within a request")
    return received


def _json_service(request: Request) -> bytes:
    wanted: dict[str, Any] = json.loads(request.body)
    match request.headers["x-amz-target"].rpartition(".")[2]:
        case "GetItem":
            return _json({"Item": _item(wanted["Key"])})
        case "BatchGetItem":
            tables = wanted["RequestItems"].items()
            items = {table: [_item(key) for key in request["Keys"]] for table, request in tables}
            return _json({"Responses": items, "UnprocessedKeys": {}})
        case "GetSecretValue":
            return _json({"Name": wanted["SecretId"], "SecretString": seeds.PROVIDER_SECRET})
        case "ChangeMessageVisibility":
            return _json({})
    raise ValueError(f"the stub does not know {request.headers['x-amz-target']}")


def _item(key: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    if "keyHash" in key:
        return _KEY
    id_ = key["id"]["S"]
    return seeds.signature(id_, "completed", f"req_{id_}", is_available=True)


def _json(answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer).encode()
    return _response("200 OK", body, {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": zlib.crc32(body)})


def _s3(request: Request) -> bytes:
    if request.method == "PUT":
        return _response("200 OK", b"", {"ETag": '"created"'})
    found = _ID.search(request.target)
    if found is None or found["place"] != "a":
        body = b"<Error><Code>NoSuchKey</Code></Error>" if request.method == "GET" else b""
        return _response("404 Not Found", body, {"Content-Type": "application/xml"})
    answer = _certificate(_size(request.target))
    return answer if request.method == "GET" else answer[: answer.index(b"\r\n\r\n") + 4]


def _size(target: str) -> int:
    found = _ID.search(target)
    if found is None:
        raise ValueError(f"the stub knows no certificate at {target}")
    return int(found["size"])


@cache
def _certificate(size: int) -> bytes:
    content = _PDF_HEAD.ljust(size - len(_PDF_TAIL), b"0") + _PDF_TAIL
    digest = hashlib.sha256(content)
    headers = {
        "Content-Type": "application/pdf",
        "ETag": f'"{digest.hexdigest()[:32]}"',
        "Last-Modified": "Fri, 05 Jun 2026 11:42:10 GMT",
        "Accept-Ranges": "bytes",
        "x-amz-checksum-sha256": b64encode(digest.digest()).decode(),
        "x-amz-checksum-type": "FULL_OBJECT",
    }
    return _response("200 OK", content, headers)


def _response(status: str, body: bytes, headers: Mapping[str, str | int]) -> bytes:
    lines = {"Content-Length": len(body), "x-amz-request-id": "STUB"} | dict(headers)
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    return head.encode() + body


@contextmanager
def in_a_process(delays: Delays) -> Iterator[str]:
    """Runs a stub in its own process and yields its URL."""
    options = [f"--{name}={milliseconds}" for name, milliseconds in vars(delays).items()]
    with subprocess.Popen(
        [sys.executable, "-m", "tools.bench.stub", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield str(process.stdout and process.stdout.readline().strip())


def main() -> None:
    """Serves until standard input ends, which happens when the parent process ends."""
    parser = argparse.ArgumentParser()
    for name, milliseconds in vars(Delays()).items():
        parser.add_argument(f"--{name}", type=float, default=milliseconds)
    with Stub(Delays(**vars(parser.parse_args()))) as stub:
        print(stub.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
