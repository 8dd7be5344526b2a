"""`smoke`: checks from the outside that a deployment answers as documented."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from uuid import UUID

import click
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError

from certificates.api_key import HashedKey
from operate.command_line import CannotRun, Text, examples, read_key
from operate.output import Output

ROUTE = "/v1/signatures/{id}/certificate"
SECONDS = 30
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
UNKNOWN_KEY = "ck_live_" + 24 * "0"
PDF = "application/pdf"
UNDOCUMENTED = {"no Accept", "unknown route", "POST"}
"""Checks of what AWS does not document: a problem is a note, which fails nothing."""
ACCEPTS = ["", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json", "image/png"]

_URL = Text(
    r"https://[^/].*|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/.*)?",
    "must start with https://, like the stack's output CertificateUrl",
)

Fields = Mapping[str, str]
Check = tuple[str, BaseHTTPResponse, list[str]]
"""The name of a check, the response, and its problems: none if the check passed."""


@click.command(
    epilog=examples(
        "KEY=ck_test_LocalServiceProjectKey certificates smoke \\",
        "  --url http://127.0.0.1:3000 --id d23f0824-128b-4f33-8c5c-7fd0a6a3a450",
    )
)
@click.option("--url", envvar="URL", required=True, type=_URL, metavar="URL", help="The stack's output CertificateUrl.")
@click.option("--id", "uuid", envvar="ID", required=True, type=click.UUID, metavar="ID", help="A completed request.")
def smoke(url: str, uuid: UUID) -> None:
    """Request a certificate from a deployment, as clients do.

    ID is a signature request whose certificate has at most 4,500,000 bytes. The API key is read from the environment
    variable KEY, or else from standard input; URL and ID may replace the options. A note says that AWS behaves in an
    undocumented way: docs/deploy.md explains it. Exit code 1: a check failed.
    """
    try:
        key = os.environ.get("KEY") or read_key()
        HashedKey.parse(key)
    except ValueError:
        raise click.UsageError("This is not an API key: set KEY, or give it on standard input.") from None
    output = Output()
    with PoolManager(retries=False, timeout=SECONDS) as http:
        try:
            checks = list(Deployment(http, url.removesuffix(ROUTE).rstrip("/"), key).check(str(uuid)))
        except HTTPError as error:
            raise CannotRun(f"No response ({type(error).__name__}). Check --url and the network.") from error
    rows = [
        (
            name,
            str(response.status),
            "note: " * (name in UNDOCUMENTED and bool(problems)) + ("; ".join(problems) or "ok"),
        )
        for name, response, problems in checks
    ]
    output.write_table([("CHECK", "STATUS", "RESULT"), *rows])
    notes = sum(result.startswith("note: ") for _, _, result in rows)
    failed = sum(result != "ok" for _, _, result in rows) - notes
    verdict = f"{failed} of {len(checks)} checks failed" if failed else f"All {len(checks) - notes} checks passed"
    output.write(f"{verdict}; notes: {notes}." if notes else f"{verdict}.")
    if failed:
        raise click.exceptions.Exit(1)


class Deployment:
    def __init__(self, http: PoolManager, base: str, key: str) -> None:
        self._http = http
        self._base = base
        self._headers = {"Authorization": f"Bearer {key}", "Accept": PDF}

    def check(self, id_: str) -> Iterator[Check]:
        path = ROUTE.format(id=id_)
        whole = self._send(path)
        described = {
            "Content-Type": PDF,
            "Content-Disposition": f'attachment; filename="{id_}-certificate.pdf"',
            "Accept-Ranges": "bytes",
            "Repr-Digest": f"sha-256=:{b64encode(hashlib.sha256(whole.data).digest()).decode()}:",
        }
        is_pdf = whole.data.startswith(b"%PDF-")
        problems = _check_response(whole, 200, described) + ([] if is_pdf else ["the body is not a PDF"])
        yield "whole certificate", whole, problems
        for accept in ACCEPTS:
            same = self._send(path, Accept=accept)
            problems = _check_response(same, 200, {}) + _compare_with_pdf(same.data, whole.data, accept)
            yield f"Accept: {accept}" if accept else "no Accept", same, problems
        etag = {"ETag": whole.headers.get("ETag", "")}
        head = self._send(path, "HEAD")
        yield "HEAD", head, _check_response(head, 200, described | etag, b"")
        part = self._send(path, Range="bytes=0-99")
        expected = etag | {"Content-Range": f"bytes 0-99/{len(whole.data)}"}
        yield "Range", part, _check_response(part, 206, expected, whole.data[:100])
        outside = self._send(path, Range=f"bytes={len(whole.data)}-")
        yield "Range outside", outside, _check_error(outside, 416, "range_not_satisfiable")
        current = self._send(path, **{"If-None-Match": etag["ETag"]})
        yield "If-None-Match", current, _check_response(current, 304, etag, b"")
        other = self._send(path, **{"If-Match": '"another"'})
        yield "If-Match of another version", other, _check_error(other, 412, "precondition_failed")
        nobody = self._send(path, Authorization="")
        yield "no key", nobody, _check_error(nobody, 401, "unauthorized")
        stranger = self._send(path, Authorization=f"Bearer {UNKNOWN_KEY}")
        yield "unknown key", stranger, _check_error(stranger, 401, "unauthorized", nobody.data)
        unknown, malformed = self._send(ROUTE.format(id=UNKNOWN_ID)), self._send(ROUTE.format(id="none"))
        yield "unknown id", unknown, _check_error(unknown, 404, "not_found")
        yield "malformed id", malformed, _check_error(malformed, 404, "not_found", unknown.data)
        nowhere, posted = self._send("/v1/nothing"), self._send(path, "POST")
        yield "unknown route", nowhere, _check_error(nowhere, 404, "not_found", by_function=False)
        yield "POST", posted, _check_error(posted, 404, "not_found", by_function=False)

    def _send(self, path: str, method: str = "GET", **headers: str) -> BaseHTTPResponse:
        """Sends a request with the key, and Accept: application/pdf, unless these headers are given. An empty header is
        left out."""
        present = {name: value for name, value in (self._headers | headers).items() if value}
        return self._http.request(method, self._base + path, headers=present, redirect=False)


def _check_response(
    response: BaseHTTPResponse, status: int, headers: Fields, body: bytes | None = None, *, by_function: bool = True
) -> list[str]:
    """Checks the status, these headers, those that every response has, and the body unless it is None."""
    expected = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", **headers}
    actual = response.headers
    problems = [] if response.status == status else [f"not {status}"]
    problems += [f"{name} is {actual.get(name)!r}" for name in expected if actual.get(name) != expected[name]]
    problems += [] if "X-Request-Id" in actual or not by_function else ["no X-Request-Id"]
    problems += [f"remapped: {name}" for name in actual if name.lower().startswith("x-amzn-remapped-")]
    return problems + ([] if body in (None, response.data) else ["unexpected bytes"])


def _check_error(
    response: BaseHTTPResponse, status: int, code: str, body: bytes | None = None, *, by_function: bool = True
) -> list[str]:
    json_type = {"Content-Type": "application/json"}
    problems = _check_response(response, status, json_type, body, by_function=by_function)
    try:
        error = response.json()["error"]
        is_envelope = set(error) == {"code", "message"} and error["code"] == code
    except (ValueError, LookupError, TypeError):
        is_envelope = False
    return problems + ([] if is_envelope else [f"the body is not the error {code}"])


def _compare_with_pdf(body: bytes, pdf: bytes, accept: str) -> list[str]:
    if body == b64encode(pdf):
        cause = "are not those of template.yaml" if accept else f"need an Accept header: clients must send {PDF}"
        return [f"base64 text: the API's binary media types {cause}"]
    return [] if body == pdf else [f"the bytes differ from those with Accept: {PDF}"]
