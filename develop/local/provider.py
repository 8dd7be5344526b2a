"""A stub of the provider. It renders each certificate again on every request, as some real providers do.

After `POST /stop` it closes the connection of each request for a certificate, after `POST /start` it responds again.
`POST /complete` completes a new signature request. `POST /oauth/token` issues access tokens if the provider's
credentials expire. `POST /time-stamps` is a time-stamping authority.
"""

import base64
import json
import math
import time
import uuid
from collections.abc import Callable
from urllib.parse import unquote

from develop.local.server import Handler, Server

PATH = "/v1/requests/{providerRequestId}/certificate"
TOKEN_PATH = "/oauth/token"  # noqa: S105
TIME_STAMP_PATH = "/time-stamps"
CLIENT_ID = "craftkit"


class ProviderStub(Server):
    """`documents` maps a request id to the function that renders the response body. `secret` is accepted for
    certificates or, if `token_seconds` is not 0, for access tokens, which expire after that time."""

    def __init__(
        self, host: str, port: int, secret: str, documents: dict[str, Callable[[], bytes]], token_seconds: float = 0
    ) -> None:
        super().__init__((host, port), _Handler)
        self.token_seconds = token_seconds
        self.client = "Basic " + base64.b64encode(f"{CLIENT_ID}:{secret}".encode()).decode()
        self.accepted = {} if token_seconds else {f"Bearer {secret}": math.inf}
        """When each value of Authorization ends, by `time.monotonic`."""
        self.documents = documents
        self.is_stopped = False
        self.asked: list[str] = []
        """The ids of the requests received for certificates, in order."""
        self.complete: Callable[[], str] = lambda: ""
        """Completes a new signature request and returns Craftkit's id for it."""
        self.stamp: Callable[[bytes], bytes] = lambda _: b""
        """Answers a query of the time-stamping authority."""


class _Handler(Handler):
    protocol_version = "HTTP/1.1"
    server: ProviderStub

    def do_POST(self) -> None:  # noqa: N802
        match self.path:
            case "/stop" | "/start":
                self.server.is_stopped = self.path == "/stop"
                self._send(200, "text/plain", b"stopped\n" if self.server.is_stopped else b"started\n")
            case "/complete":
                self._send(200, "text/plain", f"{self.server.complete()}\n".encode())
            case _ if self.path == TOKEN_PATH and self.server.token_seconds:
                self._answer_token()
            case _ if self.path == TIME_STAMP_PATH:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                self._send(200, "application/timestamp-reply", self.server.stamp(query))
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
        if self.server.accepted.get(self.headers["Authorization"], 0) <= time.monotonic():
            self._send(401, "application/json", b'{"error": "wrong credential"}')
        elif render is None:
            self._send(404, "application/json", b'{"error": "no such request"}')
        else:
            body = render()
            self._send(200, "application/pdf" if body.startswith(b"%PDF-") else "text/html", body)

    def _answer_token(self) -> None:
        """RFC 6749 section 4.4."""
        form = self.rfile.read(int(self.headers["Content-Length"]))
        if (self.headers["Authorization"], form) != (self.server.client, b"grant_type=client_credentials"):
            return self._send(401, "application/json", b'{"error": "invalid_client"}')
        token, seconds = str(uuid.uuid4()), math.ceil(self.server.token_seconds)
        self.server.accepted[f"Bearer {token}"] = time.monotonic() + self.server.token_seconds
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": seconds}
        return self._send(200, "application/json", json.dumps(answer).encode())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
