"""What the local servers share: they refuse the requests of other web pages in a browser on the same machine."""

import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# An address, or a name that always means this machine. A page can make its own host name resolve to this machine (DNS
# rebinding); `Host` then has that name.
_HOST = r"(\d+(\.\d+){3}|\[[\da-f:]+\]|([\w.-]+\.)?localhost|host\.docker\.internal)(:\d+)?"


class Handler(BaseHTTPRequestHandler):
    """Answers programs and the server's own pages. Logs nothing: the functions log each request."""

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        host, origin = (",".join(self.headers.get_all(name, [])) for name in ("Host", "Origin"))
        if re.fullmatch(_HOST, host, re.IGNORECASE) and origin in {"", f"http://{host}"}:
            return True
        self.send_error(HTTPStatus.FORBIDDEN, "Foreign Origin or Host")
        return False

    def log_request(self, *_: object) -> None: ...

    def log_error(self, *_: object) -> None: ...


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores client disconnects: browsers close early, and a function hangs up on a response that it refuses."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
