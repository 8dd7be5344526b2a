"""`smoke`: checks from the outside that a deployment answers as documented."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

import click
import urllib3

from tools.operate.failures import CannotRun
from tools.operate.help import examples
from tools.operate.output import Output

ROUTE = "/v1/signatures/{id}/certificate"
SECONDS = 30
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
UNKNOWN_KEY = "ck_live_" + 24 * "0"
ACCEPTS = ["*/*", "application/pdf", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json", "image/png"]


@dataclass(frozen=True)
class Reply:
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes


Ask = Callable[..., Reply]
"""`ask(path, method="GET", key=…, accept=…, **headers)`; underscores in names become hyphens."""


@dataclass(frozen=True)
class Check:
    """`problems` is empty if the check passed."""

    name: str
    reply: Reply
    problems: list[str]


def _check_url(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not re.match("https?://[^/]", value):
        raise click.BadParameter("must start with https://, like the stack's output CertificateUrl")
    return value


def _check_key(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", value):
        raise click.BadParameter("a key consists of A-Z a-z 0-9 _ -")  # not repeated: it may be most of a key
    return value


@click.command(
    epilog=examples(
        "KEY=ck_test_LocalStackProjectKey01 certificates smoke \\",
        "  --url http://127.0.0.1:3000 --id d23f0824-128b-4f33-8c5c-7fd0a6a3a450",
    )
)
@click.option(
    "--url", envvar="URL", required=True, callback=_check_url, metavar="URL", help="The stack's output CertificateUrl."
)
@click.option(
    "--key", envvar="KEY", required=True, callback=_check_key, metavar="KEY", help="Better set in the environment."
)
@click.option(
    "--id",
    "uuid",
    envvar="ID",
    required=True,
    type=click.UUID,
    metavar="ID",
    help="A signature request with a certificate.",
)
def smoke(url: str, key: str, uuid: UUID) -> None:
    """Request a certificate from a deployment, as clients do.

    The environment variables URL, KEY and ID may replace the options. The certificate may have at most 4,500,000
    bytes. Exit code 1: a check failed.
    """
    output = Output()
    with urllib3.PoolManager(retries=False, timeout=SECONDS) as http:
        try:
            checks = list(_run_checks(_make_ask(http, url.removesuffix(ROUTE).rstrip("/"), key), str(uuid)))
        except urllib3.exceptions.HTTPError as error:
            raise CannotRun(f"No response ({type(error).__name__}). Check --url and the network.") from error
    rows = [
        ([check.name, str(check.reply.status), "; ".join(check.problems) or "ok"], "red" if check.problems else "")
        for check in checks
    ]
    output.table(("CHECK", "STATUS", "RESULT"), rows)
    failed = sum(bool(check.problems) for check in checks)
    output.result(f"{failed} of {len(checks)} checks failed." if failed else f"All {len(checks)} checks passed.")
    if failed:
        raise click.exceptions.Exit(1)


def _make_ask(http: urllib3.PoolManager, base: str, own_key: str) -> Ask:
    def ask(
        path: str, method: str = "GET", *, key: str | None = own_key, accept: str | None = None, **more: str
    ) -> Reply:
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        headers |= {"Accept": accept} if accept else {}
        response = http.request(method, base + path, headers=headers, redirect=False)
        return Reply(response.status, response.headers, response.data)

    return ask


def _run_checks(ask: Ask, id_: str) -> Iterator[Check]:
    path = ROUTE.format(id=id_)
    whole = ask(path)
    yield Check("whole certificate", whole, _check_certificate(whole, id_))
    for accept in ACCEPTS:
        reply = ask(path, accept=accept)
        same = [] if reply.body == whole.body else ["the bytes differ from those without Accept"]
        yield Check(f"Accept: {accept}", reply, _check_status(reply, 200) + same)
    etag = whole.headers.get("ETag", "")
    part = ask(path, Range="bytes=0-99")
    expected = {"Content-Range": f"bytes 0-99/{len(whole.body)}", "ETag": etag}
    yield Check("Range", part, _check_response(part, 206, expected) + _compare_bytes(part.body, whole.body[:100]))
    outside = ask(path, Range=f"bytes={len(whole.body)}-")
    yield Check("Range outside", outside, _check_error(outside, 416, "range_not_satisfiable"))
    current = ask(path, If_None_Match=etag)
    yield Check(
        "If-None-Match", current, _check_response(current, 304, {"ETag": etag}) + _compare_bytes(current.body, b"")
    )
    other = ask(path, If_Match='"another"')
    yield Check("If-Match of another version", other, _check_error(other, 412, "precondition_failed"))
    nobody, stranger = ask(path, key=None), ask(path, key=UNKNOWN_KEY)
    yield Check("no key", nobody, _check_error(nobody, 401, "unauthorized"))
    refused = _check_error(stranger, 401, "unauthorized") + _compare_bytes(stranger.body, nobody.body)
    yield Check("unknown key", stranger, refused)
    unknown, malformed = ask(ROUTE.format(id=UNKNOWN_ID)), ask(ROUTE.format(id="none"))
    yield Check("unknown id", unknown, _check_error(unknown, 404, "not_found"))
    missing = _check_error(malformed, 404, "not_found") + _compare_bytes(malformed.body, unknown.body)
    yield Check("malformed id", malformed, missing)
    nowhere, posted, head = ask("/v1/nothing"), ask(path, "POST"), ask(path, "HEAD")
    yield Check("unknown route", nowhere, _check_error(nowhere, 404, "not_found", by_function=False))
    yield Check("POST", posted, _check_error(posted, 404, "not_found", by_function=False))
    names = ("Content-Type", "Content-Disposition", "Accept-Ranges", "ETag", "Repr-Digest")
    described = {name: whole.headers.get(name, "") for name in names}
    yield Check("HEAD", head, _check_response(head, 200, described) + _compare_bytes(head.body, b""))


def _check_certificate(reply: Reply, id_: str) -> list[str]:
    digest = b64encode(hashlib.sha256(reply.body).digest()).decode()
    expected = {
        "Content-Type": "application/pdf",
        "Content-Disposition": f'attachment; filename="{id_.lower()}-certificate.pdf"',
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{digest}:",
    }
    is_pdf = reply.body.startswith(b"%PDF-")
    return _check_response(reply, 200, expected) + ([] if is_pdf else ["the body is not a PDF"])


def _check_response(reply: Reply, status: int, headers: Mapping[str, str], *, by_function: bool = True) -> list[str]:
    """Checks the status, `headers`, and the headers that every response has."""
    expected = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", **headers}
    wrong = [f"{name} is {reply.headers.get(name)!r}" for name in expected if reply.headers.get(name) != expected[name]]
    named = [] if "X-Request-Id" in reply.headers or not by_function else ["no X-Request-Id"]
    remapped = [f"remapped: {name}" for name in reply.headers if name.lower().startswith("x-amzn-remapped-")]
    return _check_status(reply, status) + wrong + named + remapped


def _check_error(reply: Reply, status: int, code: str, *, by_function: bool = True) -> list[str]:
    problems = _check_response(reply, status, {"Content-Type": "application/json"}, by_function=by_function)
    try:
        error = json.loads(reply.body)["error"]
        is_envelope = set(error) == {"code", "message"} and error["code"] == code
    except (ValueError, LookupError, TypeError):
        is_envelope = False
    return problems + ([] if is_envelope else [f"the body is not the error {code}"])


def _check_status(reply: Reply, status: int) -> list[str]:
    return [] if reply.status == status else [f"not {status}"]


def _compare_bytes(body: bytes, expected: bytes) -> list[str]:
    return [] if body == expected else ["unexpected bytes"]
