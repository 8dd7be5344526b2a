"""A stub of the provider. It renders each certificate again on every request, as some real providers do.

After `POST /stop` it hangs up on every request, after `POST /start` it answers again. `POST /complete` completes a new
signature request.
"""

import sys
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from tools.local.guard import GuardedHandler

PATH = "/v1/requests/{providerRequestId}/certificate"


class ProviderStub(ThreadingHTTPServer):
    """`documents` maps a request id to the function that renders the response body."""

    daemon_threads = True

    def __init__(self, host: str, port: int, secret: str, documents: dict[str, Callable[[], bytes]]) -> None:
        super().__init__((host, port), _Handler)
        self.secret = secret
        self.documents = documents
        self.is_stopped = False
        self.asked: list[str] = []
        """The ids of the requests received for certificates, in order."""
        self.complete: Callable[[], str] = lambda: ""
        """Completes a new signature request and returns Craftkit's id for it."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores client disconnects: a function hangs up on a response that it refuses."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(GuardedHandler):
    protocol_version = "HTTP/1.1"
    server: ProviderStub

    def do_POST(self) -> None:  # noqa: N802
        match self.path:
            case "/stop" | "/start":
                self.server.is_stopped = self.path == "/stop"
                self._send(200, "text/plain", b"stopped\n" if self.server.is_stopped else b"started\n")
            case "/complete":
                self._send(200, "text/plain", f"{self.server.complete()}\n".encode())
            case _:
                self._send(404, "text/plain", b"not found\n")

    def do_GET(self) -> None:  # noqa: N802
        if self.server.is_stopped:
            self.close_connection = True
            return
        before, after = PATH.split("{providerRequestId}")
        request_id = unquote(self.path.removeprefix(before).removesuffix(after))
        self.server.asked.append(request_id)
        render = self.server.documents.get(request_id)
        if self.headers["Authorization"] != f"Bearer {self.server.secret}":
            self._send(401, "application/json", b'{"error": "wrong credential"}')
        elif render is None:
            self._send(404, "application/json", b'{"error": "no such request"}')
        else:
            body = render()
            self._send(200, "application/pdf" if body.startswith(b"%PDF-") else "text/html", body)

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Logs nothing: the functions log their requests."""
