"""Faults of AWS during a download from the built artifact. docs/reliability.md has a row for each fault."""

import json

import pytest

from develop.fakes.cloud import dynamodb_error, lose_response, s3_error, succeed
from develop.fakes.memory import etag, sha256
from develop.fakes.server import Response, hang, raw, reply, reset
from develop.local import seeds
from tests.support.faults import (
    PDF,
    Fault,
    FaultResult,
    Faults,
    GetResult,
    refusal_line,
    served_line,
    signature_id,
)
from tests.support.log import Line
from tests.support.pdf import pdf
from tests.support.responses import UNAVAILABLE, whole

SLOW = hang(10)
OTHER = pdf(seed=99)
REFUSED, PROVIDER = {"code": "service_unavailable"}, {"source": "provider"}
FETCHED: dict[str, dict[str, str]] = {"ProviderMilliseconds": {}}


def found(content: bytes, checksum: str) -> Response:
    return reply(200, content, {"ETag": etag(content), "x-amz-checksum-sha256": checksum})


# ── Reads ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

GET = "BatchGetItem"
THRICE = f"{GET} {GET} {GET}"
THROTTLED = dynamodb_error(400, "ProvisionedThroughputExceededException")


def nothing_read(name: str) -> Response:
    """A response that leaves all keys unprocessed."""
    wanted = {
        "ApiKeysTable": {"keyHash": seeds.api_keys()[0]["keyHash"]},
        "SignaturesTable": {"id": {"S": signature_id(name)}},
    }
    left = {f"craftkit-test-{table}": {"Keys": [key], "ConsistentRead": True} for table, key in wanted.items()}
    return reply(200, json.dumps({"Responses": {}, "UnprocessedKeys": left}).encode())


def another_item() -> Response:
    items = {"craftkit-test-ApiKeysTable": [seeds.api_keys()[1]], "craftkit-test-SignaturesTable": []}
    return reply(200, json.dumps({"Responses": items, "UnprocessedKeys": {}}).encode())


def dynamodb(cause: str, asked: str, response: Response) -> Fault:
    return Fault(asked, {GET: [response]}, detail={"cause": cause})


def s3(cause: str, times: int, response: Response, **headers: str) -> Fault:
    asked = " ".join([GET, *["GetObject"] * times])
    return Fault(asked, {"GetObject": [response]}, detail={"cause": cause}, headers=headers)


def for_every_request(name: str, cause: str, times: int, response: Response) -> Faults:
    """The fault for a whole certificate, for a range, and for a condition, which reads the entity tag first."""
    return {
        name: s3(cause, times, response),
        f"{name}-range": s3(cause, times, response, range="bytes=0-9"),
        f"{name}-condition": s3(cause, times, response, if_none_match='"a"'),
    }


def cut(head: str, content: bytes) -> Response:
    return raw(f'HTTP/1.1 {head}\r\nETag: "x"\r\n'.encode(), content)


CUT = cut("200 OK", b"Content-Length: 2000\r\n\r\n" + PDF[:1999])
CUT_RANGE = cut("206 OK", b"Content-Range: bytes 0-9/2000\r\nContent-Length: 10\r\n\r\n" + PDF[:9])
CUT_BYTE = cut("206 OK", b"Content-Range: bytes 0-0/2000\r\nContent-Length: 1\r\n\r\n")
HIDDEN = reply(404, b"<Error><Code>NoSuchKey</Code></Error>", {"x-amz-delete-marker": "true"})

AWAY: Faults = {
    "dynamodb-slow": dynamodb("ReadTimeoutError", THRICE, SLOW),
    "dynamodb-throttled": dynamodb("ProvisionedThroughputExceededException", THRICE, THROTTLED),
    "dynamodb-5xx": dynamodb("InternalServerError", THRICE, dynamodb_error(500, "InternalServerError")),
    "dynamodb-reset": dynamodb("ConnectionClosedError", THRICE, reset),
    "dynamodb-unprocessed": dynamodb("UnprocessedKeys", f"{THRICE} {GET}", nothing_read("dynamodb-unprocessed")),
    "dynamodb-cut": dynamodb("MalformedAnswer", GET, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")),
    "dynamodb-another-item": dynamodb("MalformedAnswer", GET, another_item()),
    "dynamodb-denied": dynamodb("AccessDeniedException", GET, dynamodb_error(400, "AccessDeniedException")),
    "dynamodb-clock": dynamodb("InvalidSignatureException", GET, dynamodb_error(400, "InvalidSignatureException")),
    **for_every_request("s3-slow", "ReadTimeoutError", 2, SLOW),
    **for_every_request("s3-slowdown", "SlowDown", 2, s3_error(503, "SlowDown")),
    **for_every_request("s3-5xx", "InternalError", 2, s3_error(500, "InternalError")),
    **for_every_request("s3-reset", "ConnectionClosedError", 2, reset),
    **for_every_request("s3-denied", "AccessDenied", 1, s3_error(403, "AccessDenied")),
    **for_every_request("s3-no-bucket", "NoSuchBucket", 1, s3_error(404, "NoSuchBucket")),
    **for_every_request("s3-clock", "RequestTimeTooSkewed", 1, s3_error(403, "RequestTimeTooSkewed")),
    **for_every_request("s3-deleted", "DeleteMarker", 1, HIDDEN),
    **for_every_request("s3-malformed", "MalformedAnswer", 1, reply(200, PDF)),
    "s3-cut": s3("ResponseStreamingError", 1, CUT),
    "s3-cut-range": s3("IncompleteRead", 1, CUT_RANGE, range="bytes=0-9"),
    "s3-cut-condition": s3("IncompleteReadError", 1, CUT_BYTE, if_none_match='"a"'),
    "s3-wrong-checksum": s3("FlexibleChecksumError", 1, found(OTHER, sha256(PDF))),
    "s3-no-checksum": s3("NoChecksum", 1, reply(200, b"<html>", {"ETag": '"x"'})),
}


@pytest.mark.parametrize("name", AWAY)
def test_aws_away_is_503_and_the_provider_is_left_alone(name: str, get_result: GetResult) -> None:
    got = get_result(name)
    line = refusal_line(AWAY[name], got, 503, "service_unavailable")
    assert got.seen == got.expect(AWAY[name], UNAVAILABLE, line, RequestsRefused=REFUSED)


TRANSIENT: Faults = {
    "dynamodb-throttled-once": Fault(f"{GET} {GET} GetObject", {GET: [THROTTLED, succeed]}),
    "dynamodb-reset-once": Fault(f"{GET} {GET} GetObject", {GET: [reset, succeed]}),
    "dynamodb-unprocessed-once": Fault(
        f"{GET} {GET} GetObject", {GET: [nothing_read("dynamodb-unprocessed-once"), succeed]}
    ),
    "s3-slowdown-once": Fault(f"{GET} GetObject GetObject", {"GetObject": [s3_error(503, "SlowDown"), succeed]}),
    "s3-reset-once": Fault(f"{GET} GetObject GetObject", {"GetObject": [reset, succeed]}),
}


@pytest.mark.parametrize("name", TRANSIENT)
def test_a_transient_failure_is_retried_unseen_by_the_client(name: str, get_result: GetResult) -> None:
    got = get_result(name)
    reply = whole(PDF, etag(PDF), got.signature_id)
    line = served_line(got, "archive")
    assert got.seen == got.expect(TRANSIENT[name], reply, line, CertificatesServed={"source": "archive"})


# ── Writes ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CONFLICT, EXISTS = s3_error(409, "ConditionalRequestConflict"), s3_error(412, "PreconditionFailed")
MISSING, WON = s3_error(404, "NoSuchKey"), found(OTHER, sha256(OTHER))
DENIED = s3_error(403, "AccessDenied")


def first(asked: str, *puts: Response, reads: tuple[Response, ...] = (succeed,), cause: str = "") -> Fault:
    """A fault during the first download of a certificate. The first of `reads` finds none."""
    script = {"Certificate": [reply(body=PDF)], "PutObject": puts, "GetObject": reads}
    return Fault(f"{GET} GetObject Certificate {asked}", script, is_archived=False, detail={"cause": cause})


UNWRITTEN: Faults = {
    "s3-write-slow": first("PutObject PutObject GetObject", SLOW, cause="ReadTimeoutError"),
    "s3-write-denied": first("PutObject GetObject", DENIED, cause="AccessDenied"),
    "s3-write-slowdown": first("PutObject PutObject GetObject", s3_error(503, "SlowDown"), cause="SlowDown"),
    "s3-write-reset": first("PutObject PutObject GetObject", reset, cause="ConnectionClosedError"),
}


def write_failure_line(fault: Fault, result: FaultResult) -> Line:
    """The log line of a failed write."""
    return {
        "level": "ERROR",
        "message": "archive_write_failed",
        "signature_id": result.signature_id,
        "detail": fault.detail,
    }


@pytest.mark.parametrize("name", UNWRITTEN)
def test_what_cannot_be_archived_is_served_and_counted(name: str, get_result: GetResult) -> None:
    got, fault = get_result(name), UNWRITTEN[name]
    reply = whole(PDF, f'"{sha256(PDF)}"', got.signature_id)
    lines = write_failure_line(fault, got), served_line(got, "provider")
    assert got.seen == got.expect(fault, reply, *lines, **FETCHED, ArchiveWriteFailures={}, CertificatesServed=PROVIDER)
    assert got.archived is None


WRITTEN: Faults = {
    "s3-409-once": first("PutObject PutObject", CONFLICT, succeed),
    "s3-write-answer-lost": first("PutObject PutObject GetObject", lose_response, succeed),
    "s3-412": first("PutObject GetObject", EXISTS, reads=(MISSING, WON)),
    "s3-409-then-412": first("PutObject PutObject GetObject", CONFLICT, EXISTS, reads=(MISSING, WON)),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_archived_first_is_what_is_served(name: str, get_result: GetResult) -> None:
    got = get_result(name)
    content = got.archived or OTHER
    reply = whole(content, etag(content), got.signature_id)
    line = served_line(got, "provider")
    assert got.seen == got.expect(WRITTEN[name], reply, line, **FETCHED, CertificatesServed=PROVIDER)


UNREAD: Faults = {
    "s3-412-unreadable": first("PutObject GetObject", EXISTS, reads=(MISSING, CUT), cause="ResponseStreamingError"),
    "s3-409-unreadable": first("PutObject PutObject PutObject GetObject", CONFLICT, cause="OtherCopyMissing"),
    "s3-write-unreadable": first("PutObject GetObject", DENIED, reads=(MISSING, DENIED), cause="AccessDenied"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_when_another_copy_may_have_won_and_cannot_be_read_ours_is_not_served(name: str, get_result: GetResult) -> None:
    got, fault = get_result(name), UNREAD[name]
    lines, metrics = [refusal_line(fault, got, 503, "service_unavailable")], FETCHED | {"RequestsRefused": REFUSED}
    if name == "s3-write-unreadable":
        lines, metrics = [write_failure_line(fault, got), *lines], metrics | {"ArchiveWriteFailures": {}}
        assert got.archived is None
    assert got.seen == got.expect(fault, UNAVAILABLE, *lines, **metrics)


FAULTS = AWAY | TRANSIENT | UNWRITTEN | WRITTEN | UNREAD
