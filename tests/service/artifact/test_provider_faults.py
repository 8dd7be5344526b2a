"""Faults of the provider and its secret during a download from the built artifact. docs/reliability.md has a row for
each fault."""

from dataclasses import replace

import pytest

from develop.fakes.cloud import Script, secret, succeed
from develop.fakes.memory import etag
from develop.fakes.server import Response, chunked, hang, raw, reply, reset
from tests.support.faults import PDF, Fault, Faults, GetResult, refusal_line, served_line, signature_id
from tests.support.pdf_kinds import linearize, plain
from tests.support.responses import UPSTREAM, whole

HEAD = b"HTTP/1.1 200 OK\r\n"
CUT = raw(HEAD + b"Content-Length: 2001\r\n\r\n" + PDF)
CANARY = b"<html>canary</html>"
LINEARIZED = linearize()


def first(asked: str, certificate: Response = succeed, *, reason: str = "", **detail: object) -> Fault:
    """A fault during the first download of a certificate, which is fetched from the provider."""
    script = {"Certificate": [certificate]}
    words = {"reason": reason, "transient": False} | detail
    return Fault(f"BatchGetItem GetObject {asked}", script, is_archived=False, detail=words)


# ── The provider ──────────────────────────────────────────────────────────────────────────────────────────────────────

ONCE, TWICE = "Certificate", "Certificate Certificate"


def status(asked: str, number: int, **detail: object) -> Fault:
    headers = {"Retry-After": str(detail.get("retry_after", "canary")), "Location": "/files/canary"}
    return first(asked, reply(number, CANARY, headers), reason="status", upstream_status=number, **detail)


def broken(asked: str, reason: str, certificate: Response, **detail: object) -> Fault:
    return first(asked, certificate, reason=reason, upstream_status=200, **detail)


def slow(certificate: Response) -> Fault:
    """A fault that uses up the time: of its 15 seconds, the function keeps 9.5 for the archive."""
    return replace(first(ONCE, certificate, reason="timed_out"), settings={"timeout": 15})


PROVIDER: Faults = {
    "provider-no-answer": slow(hang(10)),
    "provider-drips": slow(raw(HEAD + b"Content-Length: 2000\r\n\r\n%PDF-", *[b"x"] * 100, pause=0.1)),
    "provider-202": status(ONCE, 202),
    "provider-302": status(ONCE, 302),
    "provider-401": status(ONCE, 401),
    "provider-404": status(ONCE, 404),
    "provider-500": status(TWICE, 500, transient=True),
    "provider-429-for-an-hour": status(ONCE, 429, transient=True, retry_after=3600),
    "provider-hangs-up": first(TWICE, reset, reason="unreachable", transient=True),
    "provider-cut": broken(TWICE, "broken_answer", CUT, transient=True),
    "provider-cuts-last-chunk": broken(TWICE, "broken_answer", chunked([PDF], end=b"0"), transient=True),
    "provider-cuts-head": first(TWICE, raw(HEAD + b"Content-Le"), reason="unreachable", transient=True),
    "provider-no-pdf": broken(ONCE, "not_a_pdf", reply(body=CANARY)),
    "provider-pdf-without-end": broken(ONCE, "not_a_pdf", reply(body=PDF[:-9])),
    "provider-cuts-revision": broken(ONCE, "not_a_pdf", reply(body=PDF + b"2 0 obj\n<<")),
    "provider-cuts-linearized": broken(ONCE, "not_a_pdf", reply(body=LINEARIZED[: LINEARIZED.index(b"%%EOF") + 5])),
    "provider-decodes-as-text": broken(ONCE, "not_a_pdf", reply(body=plain(CANARY).decode("latin-1").encode())),
    "provider-too-large": broken(ONCE, "too_large", raw(HEAD + b"Content-Length: 20971521\r\n\r\n")),
}

# ── Links ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

ELSEWHERE = reply(body=b'{"url": "http://127.0.0.2/canary"}')


def linked(asked: str, script: Script, reason: str, number: int = 200) -> Fault:
    """A fault of a provider that responds with a link to its own host."""
    settings = {"PROVIDER_LINK_FIELD": "url", "PROVIDER_LINK_HOSTS": "127.0.0.1"}
    return replace(first(asked, reason=reason, upstream_status=number), script=script, settings=settings)


LINK: Faults = {
    "link-missing": linked(ONCE, {ONCE: [reply(body=b"{}")]}, "link_missing"),
    "link-in-too-much": linked(ONCE, {ONCE: [reply(body=b" " * (8 * 1024 * 1024 + 1))]}, "too_large"),
    "link-too-long": linked(ONCE, {ONCE: [reply(body=b'{"url": "' + b"a" * 1_000_000 + b'"}')]}, "link_refused"),
    "link-refused": linked(ONCE, {ONCE: [ELSEWHERE]}, "link_refused"),
    "link-expired": linked(f"{ONCE} File", {"File": [reply(403, CANARY)]}, "link_status", 403),
    "link-302": linked(f"{ONCE} File", {"File": [reply(302, headers={"Location": "/canary"})]}, "link_status", 302),
    "link-no-pdf": linked(f"{ONCE} File", {"File": [reply(body=CANARY)]}, "not_a_pdf"),
}

# ── The secret ────────────────────────────────────────────────────────────────────────────────────────────────────────


def secret_fault(name: str, asked: str, *responses: Response, reason: str = "") -> Faults:
    """A fault of the secret, in an execution environment that has not read it yet."""
    fault = first(asked, reason=reason)
    settings = {"PROVIDER_SECRET_NAME": signature_id(name)}
    return {name: replace(fault, script={"GetSecretValue": responses}, settings=settings)}


READ = "GetSecretValue"
DENIED = reply(400, b'{"__type": "AccessDeniedException", "message": "canary"}')
SECRET: Faults = {
    **secret_fault("secret-slow", f"{READ} {READ}", hang(10), reason="secret_unavailable"),
    **secret_fault("secret-reset", f"{READ} {READ}", reset, reason="secret_unavailable"),
    **secret_fault("secret-denied", READ, DENIED, reason="secret_unavailable"),
    **secret_fault("secret-empty", READ, secret(""), reason="secret_malformed"),
}

REFUSED = PROVIDER | LINK | SECRET


@pytest.mark.parametrize("name", REFUSED)
def test_a_failure_of_the_provider_is_502_and_nothing_is_archived(name: str, get_result: GetResult) -> None:
    got = get_result(name)
    line = refusal_line(REFUSED[name], got, 502, "upstream_error")
    metrics = {"ProviderMilliseconds": {}, "RequestsRefused": {"code": "upstream_error"}, "UpstreamFailures": {}}
    assert got.seen == got.expect(REFUSED[name], UPSTREAM, line, **metrics)
    assert got.archived is None


LENGTH = b"Content-Length : %d\r\n\r\n%s" % (len(PDF), PDF)
WHOLE = HEAD + LENGTH


def transient(asked: str, *certificates: Response) -> Fault:
    fault = first(f"{asked} PutObject")
    return replace(fault, script={"Certificate": [*certificates, succeed]})


TRANSIENT: Faults = {
    "provider-hints-first": transient(ONCE, raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + WHOLE)),
    "provider-garbles-headers": transient(ONCE, raw(HEAD + b"X : y\r\nz\r\n" * 200 + LENGTH, b"", pause=30)),
    "provider-503-once": transient(TWICE, reply(503, CANARY)),
    "provider-429-for-a-second": transient(TWICE, reply(429, CANARY, {"Retry-After": "1"})),
    "provider-hangs-up-once": transient(TWICE, reset),
    "provider-cut-once": transient(TWICE, CUT),
    **secret_fault("secret-rotated", f"{READ} {ONCE} {READ} {ONCE} PutObject", secret("revoked-canary"), succeed),
}


@pytest.mark.parametrize("name", TRANSIENT)
def test_a_transient_failure_is_retried_once_unseen_by_the_client(name: str, get_result: GetResult) -> None:
    got = get_result(name)
    content = got.archived or b""
    reply, line = whole(content, etag(content), got.signature_id), served_line(got, "provider")
    metrics = {"ProviderMilliseconds": {}, "CertificatesServed": {"source": "provider"}}
    assert got.seen == got.expect(TRANSIENT[name], reply, line, **metrics)
    if name == "provider-429-for-a-second":
        assert got.outcome.lines[0]["milliseconds"] >= 1000


ARCHIVED: Faults = {
    "archived-without-provider": Fault(
        "BatchGetItem GetObject",
        {ONCE: [reset], READ: [reset]},
        settings={"PROVIDER_SECRET_NAME": signature_id("archived-without-provider")},
    ),
}


@pytest.mark.parametrize("name", ARCHIVED)
def test_what_is_archived_needs_neither_the_provider_nor_its_secret(name: str, get_result: GetResult) -> None:
    got = get_result(name)
    reply, line = whole(PDF, etag(PDF), got.signature_id), served_line(got, "archive")
    assert got.seen == got.expect(ARCHIVED[name], reply, line, CertificatesServed={"source": "archive"})


FAULTS = REFUSED | TRANSIENT | ARCHIVED
