"""An HTTP/1.1 server whose responses are scripted byte for byte."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Self

Response = Callable[[socket.socket], bool | None]
"""Sends a response. The connection stays open if the result is True."""


@dataclass(frozen=True)
class Request:
    """Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


class ScriptedServer:
    """Each connection has a thread: a sleeping thread wakes within 0.1 ms, asyncio's timers only within 1 ms."""

    def __init__(self, *responses: Response, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.responses = list(responses)
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._thread = threading.local()
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown() wakes the thread that waits in accept(); close() alone leaves it there.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def request(self) -> Request:
        """The current request. Each response is sent in its own thread."""
        return self._thread.request  # type: ignore[no-any-return]

    def find_response(self, request: Request) -> Response:
        """The n-th request gets the n-th response, and further requests the last one."""
        self.requests.append(request)
        return self.responses[min(len(self.requests), len(self.responses)) - 1]

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with suppress(OSError):  # the client disconnected, as many tests intend
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as received:
                while request := _read_request(connection, received):
                    self._thread.request = request
                    if not self.find_response(request)(connection):
                        return


def _read_request(connection: socket.socket, received: BinaryIO) -> Request | None:
    """Returns the next request, or None if the client disconnected before its end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = received.readline()
        if not line:
            return None
        head += line
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("expect") == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = int(headers.get("content-length", "0"))
    body = received.read(length)
    return Request(method, target, headers, body) if len(body) == length else None


def raw(*parts: bytes, pause: float = 0, keep_open: bool = False) -> Response:
    """Sends the parts one after the other, with a pause of so many seconds after each."""

    def answer(connection: socket.socket) -> bool:
        for part in parts:
            connection.sendall(part)
            if pause:  # even time.sleep(0) takes 0.1 ms
                time.sleep(pause)
        return keep_open

    return answer


def reply(
    status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None, *, keep_open: bool = False
) -> Response:
    """Sends a well-formed response with its length."""
    lines = {"Content-Length": str(len(body)), "Connection": "keep-alive" if keep_open else "close"}
    return raw(_head(status, lines | dict(headers or {})) + body, keep_open=keep_open)


def chunked(
    chunks: Iterable[bytes], headers: Mapping[str, str] | None = None, *, end: bytes = b"0\r\n\r\n"
) -> Response:
    head = _head(200, {"Transfer-Encoding": "chunked"} | dict(headers or {}))
    return raw(head, *(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks), end)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Text\r\n{lines}\r\n".encode("latin-1")


def hang(seconds: float = 60) -> Response:
    """Sends no response for `seconds`."""
    return raw(b"", pause=seconds)


def reset(connection: socket.socket) -> None:
    """Ends the connection abruptly: RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
