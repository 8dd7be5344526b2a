"""GET from a hostile world: one time budget for everything, one size cap, no redirect, nothing cut short."""

import logging
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.response import HTTPResponse
from urllib3.util.retry import Retry

from signing.errors import ProviderFailed
from signing.urls import Url

CONNECT_TIMEOUT = 5.0
CHUNK = 64 * 1024
PASSING_STATUSES = {408, 429, 500, 502, 503, 504}

# urllib3 warns of malformed headers with the URL and the header's text.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Answer:
    """A 200 answer. `is_framed`: its length was announced, so that it can't be cut short unseen. Python's http.client
    takes a connection that closes within the last chunk's size for the end of a chunked one."""

    content: bytes
    is_framed: bool


def within[T](seconds: float, work: Callable[["Exchange"], T]) -> T:
    """Runs `work` for at most so many seconds, whatever it waits for: socket time-outs alone bound neither name
    resolution nor a server that sends a byte now and then. Raises ProviderFailed("timed_out")."""
    exchange = Exchange(time.monotonic() + seconds)
    worker = ThreadPoolExecutor(max_workers=1)
    try:
        return worker.submit(work, exchange).result(timeout=max(seconds, 0))
    except TimeoutError:
        raise ProviderFailed("timed_out") from None
    finally:
        exchange.cut()
        worker.shutdown(wait=False)


class Exchange:
    """Requests that share one deadline. Only one connection is open at a time."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._socket: socket.socket | None = None

    def remaining(self) -> float:
        """Seconds. Raises ProviderFailed("timed_out") when there are none."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise ProviderFailed("timed_out")
        return seconds

    def cut(self) -> None:
        """Ends the open connection, and with it a worker that waits for it."""
        if self._socket is not None:
            with suppress(OSError):  # it may have ended by itself
                # socket's own shutdown: the one of SSLSocket pulls the TLS state from under the reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def get(self, url: Url, headers: Mapping[str, str], max_bytes: int) -> Answer:
        """Raises ProviderFailed: timed_out, unreachable, status, too_large, broken_answer."""
        connection = _connection(url, timeout=min(CONNECT_TIMEOUT, self.remaining()))
        with closing(connection), closing(self._ask(connection, url.target, headers)) as response:
            if response.status != 200:
                raise ProviderFailed(
                    "status",
                    response.status,
                    passing=response.status in PASSING_STATUSES,
                    retry_after=_retry_after(response),
                )
            return self._read(response, max_bytes)

    def _ask(self, connection: HTTPConnection, target: str, headers: Mapping[str, str]) -> HTTPResponse:
        try:
            connection.connect()
            self._socket = connection.sock
            connection.timeout = self.remaining()
            connection.request("GET", target, headers=headers, preload_content=False)
            return connection.getresponse()
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            self.remaining()
            raise ProviderFailed("unreachable", passing=True) from error

    def _read(self, response: HTTPResponse, max_bytes: int) -> Answer:
        if (response.length_remaining or 0) > max_bytes:
            raise ProviderFailed("too_large", response.status)
        is_framed = response.length_remaining is not None
        if "Content-Length" in response.headers and not is_framed and not response.chunked:
            raise ProviderFailed("broken_answer", response.status, passing=True)  # a length that is none
        is_gzip = response.headers.get("Content-Encoding", "").strip().lower() in {"gzip", "x-gzip"}
        decoder = _Gzip() if is_gzip else _Identity()
        content = bytearray()
        try:
            # Not stream(), which takes a chunk's size on trust and reads all of it, or with a negative size everything.
            while chunk := response.read1(CHUNK, decode_content=False):
                content += decoder.decompress(chunk, max_bytes + 1 - len(content))
                if len(content) > max_bytes:
                    raise ProviderFailed("too_large", response.status)
                self.remaining()
            decoder.check_end()
        except (HTTPError, HTTPException, OSError, ValueError, zlib.error) as error:
            self.remaining()
            raise ProviderFailed("broken_answer", response.status, passing=True) from error
        self.remaining()
        return Answer(bytes(content), is_framed)


class _Identity:
    def decompress(self, chunk: bytes, _most: int) -> bytes:
        return chunk

    def check_end(self) -> None:
        """The framing alone tells."""


class _Gzip:
    """One or more members (RFC 1952 section 2.2). urllib3's own decoder lets one end before its checksum."""

    def __init__(self) -> None:
        self._member = _gzip_member()

    def decompress(self, chunk: bytes, most: int) -> bytes:
        content = self._member.decompress(chunk, most)
        while self._member.unused_data and len(content) < most:
            chunk, self._member = self._member.unused_data, _gzip_member()
            content += self._member.decompress(chunk, most - len(content))
        return content

    def check_end(self) -> None:
        if not self._member.eof:
            raise ValueError("cut short")


def _gzip_member() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)


def _connection(url: Url, timeout: float) -> HTTPConnection:
    if url.scheme == "https":
        return HTTPSConnection(url.host, url.port, timeout=timeout, ssl_context=_tls())
    return HTTPConnection(url.host, url.port, timeout=timeout)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _retry_after(response: HTTPResponse) -> int | None:
    """Seconds, from either form of the header (RFC 9110 section 10.2.3)."""
    try:
        return int(Retry(0).parse_retry_after(response.headers["Retry-After"]))
    except (KeyError, InvalidHeader, ValueError, OverflowError):
        return None
