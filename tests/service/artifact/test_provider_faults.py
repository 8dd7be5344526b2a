"""Faults of the provider and its secret during a download from the built artifact. docs/reliability.md has a row for
each fault."""

from dataclasses import replace

import pytest

from develop.fakes.cloud import Script, succeed
from develop.fakes.server import Response, chunked, hang, raw, reply, reset
from tests.support.faults import PDF, Fault, Faults, GetResult, signature_id
from tests.support.pdf_kinds import linearize, plain
from tests.support.responses import UPSTREAM

HEAD = b"HTTP/1.1 200 OK\r\n"
CUT = raw(HEAD + b"Content-Length: 2001\r\n\r\n" + PDF)
CANARY = b"<html>canary</html>"
LINEARIZED = linearize()


def first(asked: str, certificate: Response = succeed, *, reason: str, **detail: object) -> Fault:
    """A fault during the first download of a certificate, which is fetched from the provider."""
    script = {"Certificate": [certificate]}
    words = {"reason": reason, "transient": False} | detail
    return Fault(f"BatchGetItem GetObject {asked}", script, UPSTREAM, words, is_archived=False)


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

SECRET: Faults = {
    "secret-slow": replace(
        first("GetSecretValue GetSecretValue", reason="secret_unavailable"),
        script={"GetSecretValue": [hang(10)]},
        settings={"PROVIDER_SECRET_NAME": signature_id("secret-slow")},  # the other environments have read theirs
    ),
}

LENGTH = b"Content-Length : %d\r\n\r\n%s" % (len(PDF), PDF)
WHOLE = HEAD + LENGTH


def transient(asked: str, *certificates: Response) -> Fault:
    """A fault that is retried once, unseen by the client."""
    script = {"Certificate": [*certificates, succeed]}
    return Fault(f"BatchGetItem GetObject {asked} PutObject", script, is_archived=False)


TRANSIENT: Faults = {
    "provider-hints-first": transient(ONCE, raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + WHOLE)),
    "provider-garbles-headers": transient(ONCE, raw(HEAD + b"X : y\r\nz\r\n" * 200 + LENGTH, b"", pause=30)),
    "provider-503-once": transient(TWICE, reply(503, CANARY)),
    "provider-429-for-a-second": transient(TWICE, reply(429, CANARY, {"Retry-After": "1"})),
    "provider-hangs-up-once": transient(TWICE, reset),
    "provider-cut-once": transient(TWICE, CUT),
}

FAULTS = PROVIDER | LINK | SECRET | TRANSIENT


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_provider_has_its_outcome_and_leaves_nothing_behind(name: str, get_result: GetResult) -> None:
    result = get_result(name)
    assert result.seen == result.expected
