"""Downloads a completion certificate unless the local copy is current. Waits until the certificate is available.

    CRAFTKIT_API_KEY=ck_live_… python certificate.py URL certificate.pdf

certificate.pdf.etag keeps the copy's entity tag and digest. certificate.pdf.begun keeps the first parts of a large
certificate, so the next run continues an interrupted download. Needs Python 3.10 or newer, and requests.

Programs import `update`, `download`, `resume` and `verify`, which raise CertificateError.
"""

import base64
import hashlib
import json
import math
import os
import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

PART_BYTES, RESPONSE_BYTES, CERTIFICATE_BYTES, ERROR_BYTES = 4_500_000, 5_000_000, 100_000_000, 65_536
PARTS = 100
RESPONSE_SECONDS = 60
PAUSES, LONGEST_PAUSE = (1, 2, 4, 8), 60  # seconds between five tries
DEFAULT_WAIT, LONGEST_WAIT, ALL_WAITS = 30, 300, 3600  # seconds until the certificate is available
NO_RESPONSE = 0
TRANSIENT = {NO_RESPONSE, 429, 500, 502, 503, 504}

LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/|$)")
KEY = re.compile(r"ck_(live|test)_[A-Za-z0-9_-]{16,128}")
STRONG_TAG = re.compile(r'"[!#-~]{1,200}"')
TAG_FILE = re.compile(r'("[!#-~]{1,200}") (sha-256=:[A-Za-z0-9+/]{43}=:)\n')
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,9})-([0-9]{1,9})/([0-9]{1,9})")
SECONDS = re.compile(r"[0-9]{1,9}")
DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")


class CertificateError(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(re.sub(r"[^ -~]", "?", text)[:300])  # a terminal obeys control characters


class NotAvailableYet(CertificateError):
    """Ask again later, or when the webhook `signature.completed` arrives."""


class Unavailable(CertificateError):
    """Five tries failed. Try again later."""


class Certificate(NamedTuple):
    """A parameter `begun` has only the beginning of the content."""

    content: bytes
    etag: str | None


Keep = Callable[[Certificate], object]


class Adapter(HTTPAdapter):
    """Ends its connections when the time is up. The timeout of requests restarts with each byte that arrives."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.has_ended = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def cert_verify(self, conn: HTTPConnectionPool, *args: Any) -> None:  # noqa: ANN401
        """Is called with each connection's pool before it opens."""
        super().cert_verify(conn, *args)
        adapter = self

        class Connection(conn.ConnectionCls):  # type: ignore[name-defined,misc]
            def connect(self) -> None:
                super().connect()
                adapter._sockets.append(self.sock)
                if adapter.has_ended:
                    adapter._end()

        conn.ConnectionCls = Connection

    def close(self) -> None:
        self._timer.cancel()
        super().close()

    def _end(self) -> None:
        self.has_ended = True
        for each in self._sockets:
            with suppress(OSError):  # it may be closed already
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # wakes the reader, also of a TLS connection


class Session(requests.Session):
    def get_redirect_target(self, _: object) -> None:
        """Follows no redirect. With `allow_redirects=False`, requests would still read and decode them."""


class Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def etag(self) -> str | None:
        etag = self.headers.get("ETag", "")
        return etag if STRONG_TAG.fullmatch(etag) else None


def update(file: Path, url: str, key: str) -> bool:
    """Downloads the certificate to the file. Returns False if the copy is current."""
    copy, begun_file = load(file), file.with_name(f"{file.name}.begun")
    begun, keep = load(begun_file), partial(save, begun_file)
    try:
        certificate = resume(url, key, begun, keep) if begun else download(url, key, copy.etag if copy else None, keep)
        if certificate:
            save(file, certificate)
    except Unavailable:
        raise
    except CertificateError:
        remove(begun_file)  # what cannot be continued
        raise
    remove(begun_file)
    return certificate is not None


def download(url: str, key: str, etag: str | None = None, keep: Keep | None = None) -> Certificate | None:
    """Returns the certificate, or None if `etag` is still current. Polls for an hour if it is not available yet. `keep`
    gets the beginning of a large certificate after each part, for `resume`."""
    response = wait_for_certificate(url, key, {"If-None-Match": etag} if etag else {})
    if response.status == 304 and etag:
        return None
    if response.status == 413:
        return resume(url, key, Certificate(b"", None), keep)
    if response.status != 200:
        raise describe_error(response)
    return check_digest(Certificate(response.body, response.etag), response)


def verify(file: Path, url: str, key: str) -> bool:
    """Downloads the certificate and compares it with a copy, which may come from anywhere."""
    certificate = download(url, key)
    return certificate is not None and certificate.content == file.read_bytes()


def resume(url: str, key: str, begun: Certificate, keep: Keep | None = None) -> Certificate:
    """Downloads in parts what `begun` lacks, and returns the whole. If `begun` belongs to another certificate, the API
    sends no part, but the whole or 413."""
    (content, etag), size = begun, None
    for _ in range(PARTS):
        end = len(content) + PART_BYTES - 1
        headers = {"Range": f"bytes={len(content)}-{end}"} | ({"If-Range": etag} if etag else {})
        response = ask(url, key, headers)
        if response.status == 200:
            return check_digest(Certificate(response.body, response.etag), response)
        if response.status == 413 and content:
            (content, etag), size = Certificate(b"", None), None
            continue
        if response.status != 206:
            raise describe_error(response)
        matched = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        first, last, whole = map(int, matched.groups()) if matched else (0, 0, 0)
        etag, size = etag or response.etag, size or whole
        is_next = len(content) == first <= last <= end and last < whole <= CERTIFICATE_BYTES
        is_whole = last + 1 - first == len(response.body)
        if not (is_next and is_whole and etag and (response.etag, whole) == (etag, size)):
            raise CertificateError("The parts do not belong together.")
        content += response.body
        if len(content) == size:
            return check_digest(Certificate(content, etag), response)
        if keep:
            keep(Certificate(content, etag))
    raise CertificateError("The certificate arrived in too many parts.")


def check_digest(certificate: Certificate, response: Response) -> Certificate:
    """Compares with Repr-Digest, which every 200 and 206 has: it is the digest of the whole certificate."""
    if response.headers.get("Repr-Digest") != digest(certificate.content):
        raise CertificateError("The certificate arrived damaged: its SHA-256 is not that of Repr-Digest.")
    return certificate


def wait_for_certificate(url: str, key: str, headers: dict[str, str]) -> Response:
    """Without Retry-After, 409 is final: there will be no certificate."""
    waited = 0
    while (response := ask(url, key, headers)).status == 409 and response.headers.get("Retry-After"):
        seconds = read_retry_after(response)
        seconds = DEFAULT_WAIT if seconds is None else min(max(seconds, 1), LONGEST_WAIT)
        waited += seconds
        if waited > ALL_WAITS:
            raise NotAvailableYet("The certificate is not available yet. Ask again later.")
        time.sleep(seconds)
    return response


def ask(url: str, key: str, headers: dict[str, str]) -> Response:
    """Tries up to five times."""
    if not KEY.fullmatch(key):
        raise CertificateError("CRAFTKIT_API_KEY is not an API key.")
    if not (url.startswith("https://") or LOOPBACK.match(url)):
        raise CertificateError("The URL must begin with https://.")
    for pause in PAUSES:
        response = get(url, key, headers)
        if response.status not in TRANSIENT:
            return response
        time.sleep(min(max(pause, read_retry_after(response) or 0), LONGEST_PAUSE))
    return get(url, key, headers)


def get(url: str, key: str, headers: dict[str, str]) -> Response:
    headers = {"Accept": "application/pdf", "Accept-Encoding": "identity", "Authorization": f"Bearer {key}"} | headers
    adapter = Adapter(RESPONSE_SECONDS)
    with Session() as session:
        session.mount(url[: url.index("//") + 2], adapter)
        try:
            response = read(session, url, headers)
        except requests.RequestException as error:
            response = Response(NO_RESPONSE, {}, str(error).encode())
    return Response(NO_RESPONSE, {}, b"timeout") if adapter.has_ended else response


def read(session: Session, url: str, headers: dict[str, str]) -> Response:
    # Without `auth`, requests would replace the key with a login from ~/.netrc. No proxy gets the key without TLS.
    auth, proxies, timeout = (lambda request: request), {"http": ""}, RESPONSE_SECONDS
    with session.get(url, headers=headers, auth=auth, proxies=proxies, stream=True, timeout=timeout) as response:
        limit = RESPONSE_BYTES if response.status_code in {200, 206} else ERROR_BYTES
        body = b""
        for chunk in response.iter_content(65_536):
            body += chunk
            if len(body) > limit:
                break
        return Response(response.status_code, response.headers, body)


def read_retry_after(response: Response) -> int | None:
    """Returns the seconds, also if the value is a date (RFC 9110 §10.2.3), or None if it is invalid."""
    text = response.headers.get("Retry-After", "")
    if SECONDS.fullmatch(text):
        return int(text)
    try:
        return math.ceil(parsedate_to_datetime(text).timestamp() - time.time()) if DATE.fullmatch(text) else None
    except ValueError:
        return None


def describe_error(response: Response) -> CertificateError:
    kind = Unavailable if response.status in TRANSIENT else CertificateError
    if response.status == NO_RESPONSE:
        return kind(f"No complete response: {response.body.decode()}")
    try:
        error = json.loads(response.body)["error"]
        return kind(f"HTTP {response.status} {error['code']}: {error['message']}")
    except (ValueError, LookupError, TypeError, RecursionError):
        return kind(f"HTTP {response.status}")


def digest(content: bytes) -> str:
    """Returns the digest in the form of Repr-Digest."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def load(file: Path) -> Certificate | None:
    """Returns the copy, or None if it has changed since it was saved."""
    tag_file = name_tag_file(file)
    if not (file.is_file() and tag_file.is_file()):
        return None
    content, matched = file.read_bytes(), TAG_FILE.fullmatch(tag_file.read_text(encoding="latin-1"))
    return Certificate(content, matched[1]) if matched and matched[2] == digest(content) else None


def save(file: Path, certificate: Certificate) -> None:
    name_tag_file(file).unlink(missing_ok=True)  # first: the old tag must never accompany the new copy
    replace(file, certificate.content)
    if certificate.etag:
        replace(name_tag_file(file), f"{certificate.etag} {digest(certificate.content)}\n".encode())


def remove(file: Path) -> None:
    for each in (name_tag_file(file), file):
        each.unlink(missing_ok=True)


def name_tag_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.etag")


def replace(file: Path, content: bytes) -> None:
    """Writes the file whole or not at all."""
    descriptor, part = tempfile.mkstemp(prefix=f"{file.name}.part.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        Path(part).replace(file)
    finally:
        Path(part).unlink(missing_ok=True)


if __name__ == "__main__":
    url, file = sys.argv[1:]
    try:
        print(file, "downloaded" if update(Path(file), url, os.environ.get("CRAFTKIT_API_KEY", "")) else "is current")
    except (CertificateError, OSError) as error:
        sys.exit(str(error))
