"""GET from a hostile world: one time budget for everything, one size cap, no redirect, nothing cut short."""

import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
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
    """A 200 answer. `is_framed`: the protocol itself says where `content` ends, so that it can't be cut short
    unseen (RFC 9112 section 8)."""

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
        self._connection: HTTPConnection | None = None

    def remaining(self) -> float:
        """Seconds. Raises ProviderFailed("timed_out") when there are none."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise ProviderFailed("timed_out")
        return seconds

    def cut(self) -> None:
        """Ends the open connection, and with it a worker that waits for it."""
        if self._connection is not None and self._connection.sock is not None:
            try:
                # socket's own shutdown: the one of SSLSocket pulls the TLS state from under the reader.
                socket.socket.shutdown(self._connection.sock, socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself

    def get(self, url: Url, headers: Mapping[str, str], max_bytes: int) -> Answer:
        """Raises ProviderFailed: timed_out, unreachable, status, too_large, broken_answer."""
        connection = self._connection = _connection(url, timeout=min(CONNECT_TIMEOUT, self.remaining()))
        try:
            response = self._ask(connection, url.target, headers)
            if response.status != 200:
                raise ProviderFailed(
                    "status",
                    response.status,
                    passing=response.status in PASSING_STATUSES,
                    retry_after=_retry_after(response),
                )
            return self._read(response, max_bytes)
        finally:
            connection.close()

    def _ask(self, connection: HTTPConnection, target: str, headers: Mapping[str, str]) -> HTTPResponse:
        try:
            connection.connect()
            connection.timeout = self.remaining()
            connection.request("GET", target, headers=headers, preload_content=False)
            return connection.getresponse()
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            self.remaining()
            raise ProviderFailed("unreachable", passing=True) from error

    def _read(self, response: HTTPResponse, max_bytes: int) -> Answer:
        if (response.length_remaining or 0) > max_bytes:
            raise ProviderFailed("too_large", response.status)
        is_framed = (response.length_remaining is not None or response.chunked) and (
            "Content-Encoding" not in response.headers
        )
        content = bytearray()
        try:
            for chunk in response.stream(CHUNK, decode_content=True):
                content += chunk
                if len(content) > max_bytes:
                    raise ProviderFailed("too_large", response.status)
                self.remaining()
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            self.remaining()
            raise ProviderFailed("broken_answer", response.status, passing=True) from error
        self.remaining()
        return Answer(bytes(content), is_framed)


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
