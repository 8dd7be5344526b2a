"""A server with scripted responses, byte for byte, that records its requests."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

Answer = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Request:
    """Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


class ScriptedServer:
    """One request per connection. The n-th is answered by the n-th answer, and further ones by the last."""

    def __init__(self, *answers: Answer, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._thread = threading.local()
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.host = host
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown() wakes the thread that waits in accept(); close() alone leaves it there.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def request(self) -> Request:
        """The request being answered. Each answer runs in its own thread."""
        return self._thread.request  # type: ignore[no-any-return]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                request = read_request(connection)
                if request is None:
                    return
                self._thread.request = request
                self.requests.append(request)
                self.answers[min(len(self.requests), len(self.answers)) - 1](connection)
        except OSError:
            return  # the client disconnected, as many tests intend


def read_request(connection: socket.socket) -> Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("expect") == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return Request(method, target, headers, body)


def raw(*parts: bytes, pause: float = 0) -> Answer:
    """Sends the parts one after the other, then closes the connection."""

    def answer(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return answer


def reply(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """Sends a well-formed response with its length."""
    lines = {"Content-Length": str(len(body)), "Connection": "close"} | dict(headers or {})
    head = f"HTTP/1.1 {status} Text\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    return raw(head.encode("latin-1"), body)


def chunked(chunks: Iterable[bytes], headers: Mapping[str, str] | None = None, *, end: bytes = b"0\r\n\r\n") -> Answer:
    lines = {"Transfer-Encoding": "chunked"} | dict(headers or {})
    head = "HTTP/1.1 200 OK\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"

    def answer(connection: socket.socket) -> None:
        connection.sendall(head.encode("latin-1"))
        for chunk in chunks:
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        connection.sendall(end)

    return answer


def hang(seconds: float = 60) -> Answer:
    """Sends no response for `seconds`."""
    return raw(b"", pause=seconds)


def reset(connection: socket.socket) -> None:
    """Ends the connection abruptly: RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
