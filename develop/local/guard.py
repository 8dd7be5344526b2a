"""Lets the local ports answer programs and their own pages, and refuse other web pages.

A browser sends the page's origin. A page can also make its own host name resolve to this machine (DNS rebinding); Host
then contains that name. This is impossible with an IP address or a name below localhost.
"""

import ipaddress
import json
import re
import sys
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_BODY = json.dumps(
    {"error": {"code": "forbidden", "message": "Foreign Origin or Host: use localhost or 127.0.0.1."}}
).encode()
_HEADERS = [
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(_BODY))),
    ("Cache-Control", "private, no-store"),
    ("X-Content-Type-Options", "nosniff"),
]


def is_allowed(bound_to: str, host: str, origin: str) -> bool:
    """`bound_to` is the server's address; `host` and `origin` are the request's headers, empty if absent."""
    return origin in {"", f"http://{host}"} and _is_own_name(bound_to, re.sub(r":\d+$", "", host).strip("[]").lower())


def _is_own_name(bound_to: str, name: str) -> bool:
    if name.rpartition(".")[2] == "localhost":
        return True
    # With `make run HOST=0.0.0.0`, containers may use any address of this machine.
    lets_containers_in = ipaddress.ip_address(bound_to).is_unspecified
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return lets_containers_in and name == "host.docker.internal"
    return lets_containers_in or address.is_loopback or name == bound_to


class GuardedServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores client disconnects: browsers close early, and a function hangs up on a response that it refuses."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class GuardedHandler(BaseHTTPRequestHandler):
    """Refuses a request before a method of the subclass is called."""

    server: GuardedServer

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        # The absolute form of a target names the server too (RFC 9112 section 3.2.2).
        self.path = re.sub("^https?://[^/?]*/?", "/", self.path, flags=re.IGNORECASE)
        host, origin = (",".join(self.headers.get_all(name, [])) for name in ("Host", "Origin"))
        if is_allowed(str(self.server.server_address[0]), host, origin):
            return True
        self.close_connection = True  # its body is not read
        self.send_response_only(HTTPStatus.FORBIDDEN)
        for header in (*_HEADERS, ("Connection", "close")):
            self.send_header(*header)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(_BODY)
        return False


def guard(application: "WSGIApplication") -> "WSGIApplication":
    """Refuses a request before the application is called."""

    def guarded(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if is_allowed(environ["SERVER_NAME"], environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN", "")):
            return application(environ, start_response)
        start_response("403 Forbidden", _HEADERS)
        return [_BODY]

    return guarded
