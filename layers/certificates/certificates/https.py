"""Bounded HTTPS requests to untrusted hosts: a deadline, a size limit, no redirects, and only whole responses."""

import io
import logging
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException, IncompleteRead
from http.client import HTTPResponse as ServerResponse
from typing import BinaryIO, TypeGuard

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.response import HTTPResponse
from urllib3.util.retry import Retry

from certificates.budgets import PROVIDER_CONNECT_SECONDS
from certificates.errors import ProviderFailed
from certificates.urls import Url

CHUNK = 64 * 1024
MAX_HEAD_BYTES = 1024 * 1024
TRANSIENT_STATUSES = {408, 429, 500, 502, 503, 504}
REDIRECTS = {301, 302, 303, 307, 308}
_HEADERS = {b"content-length", b"transfer-encoding", b"content-encoding", b"location", b"retry-after"}
_GZIP = zlib.MAX_WBITS | 16
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)[0-9][0-9]\b")

# urllib3 warns of contradicting headers, and not in our log's format.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


def run_within[T](seconds: float, work: Callable[["Exchange"], T]) -> T:
    """Runs `work` for at most `seconds` in a thread of its own: socket timeouts bound neither name resolution nor a
    server that sends a byte now and then. Raises ProviderFailed: timed_out, and the errors of `work`."""
    exchange = Exchange(time.monotonic() + seconds)
    worker = ThreadPoolExecutor(max_workers=1)
    try:
        return worker.submit(work, exchange).result(timeout=max(seconds, 0))
    except TimeoutError:
        raise ProviderFailed("timed_out") from None
    finally:
        exchange.cut()
        worker.shutdown(wait=False)


@dataclass(frozen=True)
class Response:
    """A response with an expected status: a redirect with its Location, any other with its whole body."""

    status: int
    content: bytes = b""
    location: str = ""


class Exchange:
    """Requests that share one deadline. Only one connection is open at a time."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._socket: socket.socket | None = None

    def remaining(self) -> float:
        """Returns the seconds left. Raises ProviderFailed: timed_out."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise ProviderFailed("timed_out")
        return seconds

    def cut(self) -> None:
        """Ends the open connection, so that the thread that waits for it ends too."""
        if self._socket is not None:
            with suppress(OSError):  # it may have ended already
                # Not SSLSocket's own shutdown, which drops the TLS state that the reader uses.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def send(
        self, url: Url, headers: Mapping[str, str], max_bytes: int, expected: set[int], body: bytes | None = None
    ) -> Response:
        """Sends a GET, or with a body a POST. Returns a response that is whole by every length that came with it.

        Raises ProviderFailed: timed_out, unreachable, status (not an expected one), too_large, broken_answer.
        """
        connection = _connection(url, timeout=min(PROVIDER_CONNECT_SECONDS, self.remaining()))
        with closing(connection):
            try:
                connection.connect()
                self._socket = connection.sock
                connection.timeout = self.remaining()
                headers = {"User-Agent": "craftkit-certificates", **headers}
                connection.request("POST" if body else "GET", url.target, body, headers, preload_content=False)
                response = connection.getresponse()
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                self.remaining()
                raise ProviderFailed("unreachable", transient=True) from error
            with closing(response):
                if response.status in expected & REDIRECTS:
                    return Response(response.status, location=_find_location(response))
                if response.status in expected:
                    return Response(response.status, self._read(response, max_bytes))
                raise ProviderFailed(
                    "status",
                    response.status,
                    transient=response.status in TRANSIENT_STATUSES,
                    retry_after=parse_retry_after(response),
                )

    def _read(self, response: HTTPResponse, max_bytes: int) -> bytes:
        length = response.length_remaining
        if (length or 0) > max_bytes:
            raise ProviderFailed("too_large", response.status)
        if "Content-Length" in response.headers and length is None and not response.chunked:
            raise ProviderFailed("broken_answer", response.status, transient=True)  # invalid Content-Length
        gzip = _Gzip() if _is_gzip(response) else None
        content = bytearray()
        try:
            # Not stream(), which reads as much as a chunk's size says, and everything if that is negative.
            while (left := response.length_remaining) != 0 and (
                chunk := response.read1(min(CHUNK, left or CHUNK), decode_content=False)
            ):
                content += gzip.decompress(chunk, max_bytes + 1 - len(content)) if gzip else chunk
                if len(content) > max_bytes:
                    raise ProviderFailed("too_large", response.status)
                self.remaining()
            if gzip:
                gzip.check_end()
        except (HTTPError, HTTPException, OSError, ValueError, zlib.error) as error:
            self.remaining()
            raise ProviderFailed("broken_answer", response.status, transient=True) from error
        self.remaining()
        return bytes(content)


class _Response(ServerResponse):
    """Parses what http.client does not: it treats 103 as the final response, stops at the first malformed header and at
    the hundredth, and accepts a connection that closes within the last chunk's size."""

    def begin(self) -> None:
        self.fp = stream = _Lines(self.fp.detach())
        head = read_head(stream)
        try:
            self.fp = io.BufferedReader(io.BytesIO(head))
            super().begin()
        finally:
            self.fp = stream


class _Lines(io.BufferedReader):
    def readline(self, size: int | None = -1, /) -> bytes:
        """Returns a whole line, or b"" at the end. Raises IncompleteRead if it is too long or cut short."""
        line = super().readline(size)
        if line and not line.endswith(b"\n"):
            raise IncompleteRead(line)
        return line


def read_head(stream: BinaryIO) -> bytes:
    """Returns the status line of the final response (RFC 9110 section 15.2), and only the headers that matter here.
    Raises IncompleteRead."""
    left = MAX_HEAD_BYTES
    head: list[bytes] = []
    is_kept = False
    while line := stream.readline(left):
        left -= len(line)
        if not head:
            head.append(line)
        elif not line.strip():
            if not _INTERIM.match(head[0]):
                return b"".join([*head, line])
            head.clear()
        elif line[:1] in b" \t":  # continues the header before (RFC 9112 section 5.2)
            if is_kept:
                head.append(line)
        else:
            name, colon, value = line.partition(b":")
            is_kept = bool(colon) and name.rstrip().lower() in _HEADERS
            if is_kept:
                head.append(name.rstrip() + colon + value)
    raise IncompleteRead(b"")


def _find_location(response: HTTPResponse) -> str:
    """Returns an empty text unless there is exactly one (RFC 9110 section 10.2.2). http.client decodes it as Latin-1;
    this decodes it as `parse_json` decodes a link."""
    locations = response.headers.getlist("Location")
    return locations[0].encode("latin-1").decode("utf-8", "surrogateescape") if len(locations) == 1 else ""


def _is_gzip(response: HTTPResponse) -> bool:
    """Ignores other codings, which may be wrong: `aws-chunked` is left over from an upload to S3."""
    codings = response.headers.get("Content-Encoding", "").lower().split(",")
    return not {"gzip", "x-gzip"}.isdisjoint(coding.strip() for coding in codings)


class _Gzip:
    """One or more members (RFC 1952 section 2.2). urllib3's own decoder lets one end before its checksum."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    def decompress(self, chunk: bytes, most: int) -> bytes:
        content = self._member.decompress(chunk, most)
        while self._member.unused_data and len(content) < most:
            chunk, self._member = self._member.unused_data, zlib.decompressobj(_GZIP)
            content += self._member.decompress(chunk, most - len(content))
        return content

    def check_end(self) -> None:
        if not self._member.eof:
            raise ValueError("cut short")


def _connection(url: Url, timeout: float) -> HTTPConnection:
    connection = (
        HTTPSConnection(url.host, url.port, timeout=timeout, ssl_context=_tls())
        if url.scheme == "https"
        else HTTPConnection(url.host, url.port, timeout=timeout)
    )
    connection.response_class = _Response
    return connection


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def is_header_value(value: object) -> TypeGuard[str]:
    """Returns False for what can't be sent as a header's value, or could add another header (RFC 9110 section 5.5)."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and value.strip() == value != ""


def parse_retry_after(response: HTTPResponse) -> int | None:
    """Returns the seconds that either form of the header asks for (RFC 9110 section 10.2.3)."""
    try:
        return int(Retry(0).parse_retry_after(response.headers["Retry-After"]))
    except (KeyError, InvalidHeader, ValueError, OverflowError):
        return None
