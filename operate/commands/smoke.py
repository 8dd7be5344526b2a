"""`smoke`: checks from the outside that a deployment responds as documented."""

import hashlib
import os
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

import click
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError

from certificates.api_key import HashedKey
from operate.command_line import CannotRun, Text, examples, read_key
from operate.output import write, write_table

ROUTE = "/v1/signatures/{id}/certificate"
SECONDS = 30
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
UNKNOWN_KEY = "ck_live_" + 24 * "0"
PDF = "application/pdf"
JSON = {"Content-Type": "application/json"}
HEADERS = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
UNDOCUMENTED = {"no Accept", "unknown route", "POST"}
"""Checks of what AWS does not document: a problem is a note, which fails nothing."""
ERROR = rb'\{"error": ?\{"code": ?"%b", ?"message": ?"[^"\\]+"\}\}'
ACCEPTS = ["", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json", "image/png"]

_URL = Text(
    r"https://[^/].*|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/.*)?",
    "must start with https://, like the stack's output CertificateUrl",
)


class Check(NamedTuple):
    """A request, and the expected response. `body` is an error's code, or the bytes."""

    name: str
    path: str
    headers: dict[str, str]
    status: int
    expected: dict[str, str]
    body: str | bytes
    method: str = "GET"


@click.command(
    epilog=examples(
        "KEY=ck_test_LocalServiceProjectKey certificates smoke \\",
        "  --url http://127.0.0.1:3000 --id d23f0824-128b-4f33-8c5c-7fd0a6a3a450",
    )
)
@click.option("--url", envvar="URL", required=True, type=_URL, metavar="URL", help="The stack's output CertificateUrl.")
@click.option("--id", "uuid", envvar="ID", required=True, type=click.UUID, metavar="ID", help="A signature request.")
def smoke(url: str, uuid: UUID) -> None:
    """Request a certificate from a deployment, as clients do.

    ID is a signature request whose certificate has at most 4,500,000 bytes. The API key is read from the environment
    variable KEY, or else from standard input; the variables URL and ID may replace the options. A note reports behavior
    that AWS does not document: docs/deploy.md explains it. Exit code 1: a check failed.
    """
    try:
        key = os.environ.get("KEY") or read_key()
        HashedKey.parse(key)
    except ValueError:
        raise click.UsageError("This is not an API key: set KEY, or give it on standard input.") from None
    base, rows, found = url.removesuffix(ROUTE).rstrip("/"), [("CHECK", "STATUS", "RESULT")], Counter[str]()
    bodies: dict[str, bytes] = {}
    with PoolManager(retries=False, timeout=SECONDS) as http:

        def send(path: str, headers: Mapping[str, str], method: str = "GET") -> BaseHTTPResponse:
            """Sends the headers that are not empty."""
            fields = {"Authorization": f"Bearer {key}", "Accept": PDF, **headers}
            present = {name: value for name, value in fields.items() if value}
            return http.request(method, base + path, headers=present, redirect=False)

        try:
            for check in _list_checks(str(uuid), send(ROUTE.format(id=uuid), {})):
                response = send(check.path, check.headers, check.method)
                problems = "; ".join(_find_problems(check, response, bodies))
                result = "ok" if not problems else "note" if check.name in UNDOCUMENTED else "failed"
                found[result] += 1
                rows.append((check.name, str(response.status), f"{result}: {problems}" if problems else result))
        except HTTPError as error:
            raise CannotRun(f"No response ({type(error).__name__}). Check --url and the network.") from error
    write_table(rows)
    write(f"Checks: {found['ok']} ok, {found['failed']} failed, notes: {found['note']}.")
    if found["failed"]:
        raise click.exceptions.Exit(1)


def _list_checks(id_: str, whole: BaseHTTPResponse) -> list[Check]:
    path, pdf, etag = ROUTE.format(id=id_), whole.data, {"ETag": whole.headers.get("ETag", "")}
    described = etag | {
        "Content-Type": PDF,
        "Content-Disposition": f'attachment; filename="{id_}-certificate.pdf"',
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{b64encode(hashlib.sha256(pdf).digest()).decode()}:",
    }
    part = etag | {"Content-Range": f"bytes 0-99/{len(pdf)}"}
    outside, other = {"Range": f"bytes={len(pdf)}-"}, {"If-Match": '"another"'}
    stranger = {"Authorization": f"Bearer {UNKNOWN_KEY}"}
    return [
        Check("whole certificate", path, {}, 200, described, pdf),
        *(Check(f"Accept: {one}" if one else "no Accept", path, {"Accept": one}, 200, {}, pdf) for one in ACCEPTS),
        Check("HEAD", path, {}, 200, described, b"", "HEAD"),
        Check("Range", path, {"Range": "bytes=0-99"}, 206, part, pdf[:100]),
        Check("Range outside", path, outside, 416, JSON, "range_not_satisfiable"),
        Check("If-None-Match", path, {"If-None-Match": etag["ETag"]}, 304, etag, b""),
        Check("If-Match of another version", path, other, 412, JSON, "precondition_failed"),
        Check("no key", path, {"Authorization": ""}, 401, JSON, "unauthorized"),
        Check("unknown key", path, stranger, 401, JSON, "unauthorized"),
        Check("unknown id", ROUTE.format(id=UNKNOWN_ID), {}, 404, JSON, "not_found"),
        Check("malformed id", ROUTE.format(id="none"), {}, 404, JSON, "not_found"),
        Check("unknown route", "/v1/nothing", {}, 404, JSON, "not_found"),
        Check("POST", path, {}, 404, JSON, "not_found", "POST"),
    ]


def _find_problems(check: Check, response: BaseHTTPResponse, bodies: dict[str, bytes]) -> Iterator[str]:
    """`bodies` holds the body of each error code: it is always the same, so it tells nothing of keys or ids."""
    actual, body = response.headers, response.data
    if response.status != check.status:
        yield f"not {check.status}"
    expected = check.expected | HEADERS
    yield from (f"{name} is {actual.get(name)!r}" for name in expected if actual.get(name) != expected[name])
    yield from (f"remapped: {name}" for name in actual if name.lower().startswith("x-amzn-remapped-"))
    if check.name not in UNDOCUMENTED and "X-Request-Id" not in actual:
        yield "no X-Request-Id"
    if isinstance(check.body, bytes):
        if check.body and body == b64encode(check.body):
            yield f"base64 text: see the API's binary media types; clients must send Accept: {PDF}"
        elif body != check.body:
            yield "unexpected bytes"
    elif not re.fullmatch(ERROR % check.body.encode(), body):
        yield f"the body is not the error {check.body}"
    elif check.name not in UNDOCUMENTED and bodies.setdefault(check.body, body) != body:
        yield "unexpected bytes"
