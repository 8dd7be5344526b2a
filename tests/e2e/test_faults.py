"""AWS when it does not do as asked, before the built artifact. docs/reliability.md has a row for each fault."""

import json

import pytest

from tests.kit.answers import UNAVAILABLE, whole
from tests.kit.aws import etag
from tests.kit.cloud import dynamodb_error, lost, s3_error, sha256, well
from tests.kit.faults import PDF, SERVICE, Fault, Faults, Run, refused, served, signature_id
from tests.kit.pdf import pdf
from tests.kit.server import Answer, hang, raw, reply, reset
from tools.local import seeds

SLOW = hang(10)
OTHER = pdf(seed=99)


def found(content: bytes, checksum: str) -> Answer:
    return reply(200, content, {"ETag": etag(content), "x-amz-checksum-sha256": checksum})


# ── Reads ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

GET = "BatchGetItem"
THRICE = f"{GET} {GET} {GET}"
CUT = raw(b"HTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: 2000\r\n\r\n" + PDF[:1999])
CUT_RANGE = raw(
    b"HTTP/1.1 206 OK\r\nETag: x\r\nContent-Range: bytes 0-999/2000\r\nContent-Length: 1000\r\n\r\n" + PDF[:9]
)
THROTTLED = dynamodb_error(400, "ProvisionedThroughputExceededException")


def nothing_read(name: str) -> Answer:
    """All keys are left for another request."""
    wanted = {
        "ApiKeysTable": {"keyHash": seeds.api_keys()[0]["keyHash"]},
        "SignaturesTable": {"id": {"S": signature_id(name)}},
    }
    left = {f"craftkit-test-{table}": {"Keys": [key], "ConsistentRead": True} for table, key in wanted.items()}
    return reply(200, json.dumps({"Responses": {}, "UnprocessedKeys": left}).encode())


def dynamodb(cause: str, asked: str, answer: Answer) -> Fault:
    return Fault(asked, {GET: [answer]}, detail={"cause": cause})


def s3(cause: str, asked: str, answer: Answer, **headers: str) -> Fault:
    script = {"GetObject": [answer], "HeadObject": [answer]}
    return Fault(f"{GET} {asked}", script, detail={"cause": cause}, headers=headers)


AWAY: Faults = {
    "dynamodb-slow": dynamodb("ReadTimeoutError", THRICE, SLOW),
    "s3-slow": s3("ReadTimeoutError", "GetObject GetObject", SLOW),
    "dynamodb-throttled": dynamodb("ProvisionedThroughputExceededException", THRICE, THROTTLED),
    "dynamodb-5xx": dynamodb("InternalServerError", THRICE, dynamodb_error(500, "InternalServerError")),
    "dynamodb-reset": dynamodb("ConnectionClosedError", THRICE, reset),
    "dynamodb-unprocessed": dynamodb("UnprocessedKeys", f"{THRICE} {GET}", nothing_read("dynamodb-unprocessed")),
    "dynamodb-cut": dynamodb("MalformedAnswer", GET, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")),
    "dynamodb-denied": dynamodb("AccessDeniedException", GET, dynamodb_error(400, "AccessDeniedException")),
    "dynamodb-clock": dynamodb("InvalidSignatureException", GET, dynamodb_error(400, "InvalidSignatureException")),
    "s3-slowdown": s3("SlowDown", "GetObject GetObject", s3_error(503, "SlowDown")),
    "s3-5xx": s3("InternalError", "GetObject GetObject", s3_error(500, "InternalError")),
    "s3-reset": s3("ConnectionClosedError", "GetObject GetObject", reset),
    "s3-denied": s3("AccessDenied", "GetObject", s3_error(403, "AccessDenied")),
    "s3-no-bucket": s3("NoSuchBucket", "GetObject", s3_error(404, "NoSuchBucket")),
    "s3-clock": s3("RequestTimeTooSkewed", "GetObject", s3_error(403, "RequestTimeTooSkewed")),
    "s3-cut": s3("ResponseStreamingError", "GetObject", CUT),
    "s3-range-cut": s3("IncompleteRead", "GetObject", CUT_RANGE, range="bytes=0-9"),
    "s3-wrong-checksum": s3("FlexibleChecksumError", "GetObject", found(OTHER, sha256(PDF))),
    "s3-head-503": s3("503", "HeadObject HeadObject", reply(503), if_none_match='"a"'),
}


@pytest.mark.parametrize("name", AWAY)
def test_aws_away_is_503_and_the_provider_is_left_alone(name: str, ran: Run) -> None:
    got = ran(name)
    assert got.outcome.reply == UNAVAILABLE
    assert got.lines == refused(AWAY[name], got, 503, "service_unavailable")
    assert got.outcome.metrics == {"RequestsRefused": [{"code": "service_unavailable"} | SERVICE]}
    assert got.asked == AWAY[name].asked


PASSING: Faults = {
    "dynamodb-throttled-once": Fault(f"{GET} {GET} GetObject", {GET: [THROTTLED, well]}),
    "dynamodb-reset-once": Fault(f"{GET} {GET} GetObject", {GET: [reset, well]}),
    "dynamodb-unprocessed-once": Fault(
        f"{GET} {GET} GetObject", {GET: [nothing_read("dynamodb-unprocessed-once"), well]}
    ),
    "s3-slowdown-once": Fault(f"{GET} GetObject GetObject", {"GetObject": [s3_error(503, "SlowDown"), well]}),
    "s3-reset-once": Fault(f"{GET} GetObject GetObject", {"GetObject": [reset, well]}),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_tried_again_unseen_by_the_client(name: str, ran: Run) -> None:
    got = ran(name)
    assert got.outcome.reply == whole(PDF, etag(PDF), got.signature_id)
    assert got.lines == [served(got, "archive")]
    assert got.outcome.metrics == {"CertificatesServed": [{"source": "archive"} | SERVICE]}
    assert got.asked == PASSING[name].asked


# ── Writes ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CONFLICT, EXISTS = s3_error(409, "ConditionalRequestConflict"), s3_error(412, "PreconditionFailed")
MISSING, WON = s3_error(404, "NoSuchKey"), found(OTHER, sha256(OTHER))
UNREADABLE = "another copy is archived and can't be read"


def first(asked: str, *puts: Answer, reads: tuple[Answer, ...] = (well,), cause: str = "") -> Fault:
    """The first download of a certificate: `reads` begins with the one that finds none."""
    script = {"Certificate": [reply(body=PDF)], "PutObject": puts, "GetObject": reads}
    return Fault(f"{GET} GetObject Certificate {asked}", script, is_archived=False, detail={"cause": cause})


UNWRITTEN: Faults = {
    "s3-write-slow": first("PutObject PutObject GetObject", SLOW, cause="ReadTimeoutError"),
    "s3-write-denied": first("PutObject GetObject", s3_error(403, "AccessDenied"), cause="AccessDenied"),
    "s3-write-slowdown": first("PutObject PutObject GetObject", s3_error(503, "SlowDown"), cause="SlowDown"),
    "s3-write-reset": first("PutObject PutObject GetObject", reset, cause="ConnectionClosedError"),
}


@pytest.mark.parametrize("name", UNWRITTEN)
def test_what_cannot_be_archived_is_served_and_counted(name: str, ran: Run) -> None:
    got = ran(name)
    assert got.outcome.reply == whole(PDF, f'"{sha256(PDF)}"', got.signature_id)
    assert got.lines == [
        {
            "level": "ERROR",
            "message": "archive_write_failed",
            "signature_id": got.signature_id,
            "detail": UNWRITTEN[name].detail,
        },
        served(got, "provider"),
    ]
    assert got.outcome.metrics == {
        "ProviderMilliseconds": [SERVICE],
        "ArchiveWriteFailures": [SERVICE],
        "CertificatesServed": [{"source": "provider"} | SERVICE],
    }
    assert (got.asked, got.archived) == (UNWRITTEN[name].asked, None)


WRITTEN: Faults = {
    "s3-409-once": first("PutObject PutObject GetObject", CONFLICT, well),
    "s3-write-answer-lost": first("PutObject PutObject GetObject", lost, well),
    "s3-412": first("PutObject GetObject", EXISTS, reads=(MISSING, WON)),
    "s3-409-then-412": first("PutObject PutObject GetObject", CONFLICT, EXISTS, reads=(MISSING, WON)),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_archived_first_is_what_is_served(name: str, ran: Run) -> None:
    got = ran(name)
    content = got.archived or OTHER
    assert got.outcome.reply == whole(content, etag(content), got.signature_id)
    assert got.lines == [served(got, "provider")]
    assert got.outcome.metrics == {
        "ProviderMilliseconds": [SERVICE],
        "CertificatesServed": [{"source": "provider"} | SERVICE],
    }
    assert got.asked == WRITTEN[name].asked


UNREAD: Faults = {
    "s3-read-back": first("PutObject GetObject", well, reads=(MISSING, s3_error(403, "AccessDenied"))),
    "s3-412-unreadable": first("PutObject GetObject", EXISTS, reads=(MISSING, CUT), cause=UNREADABLE),
    "s3-409-unreadable": first("PutObject PutObject PutObject GetObject", CONFLICT, cause=UNREADABLE),
}


@pytest.mark.parametrize("name", ["s3-read-back"])
def test_what_is_archived_and_cannot_be_read_back_is_served_as_it_was_fetched(name: str, ran: Run) -> None:
    got = ran(name)
    assert got.outcome.reply == whole(PDF, f'"{sha256(PDF)}"', got.signature_id)
    assert got.lines == [served(got, "provider")]
    assert (got.asked, got.archived) == (UNREAD[name].asked, PDF)


@pytest.mark.parametrize("name", ["s3-412-unreadable", "s3-409-unreadable"])
def test_when_another_copy_won_and_cannot_be_read_ours_is_not_served(name: str, ran: Run) -> None:
    got = ran(name)
    assert got.outcome.reply == UNAVAILABLE
    assert got.lines == refused(UNREAD[name], got, 503, "service_unavailable")
    assert got.outcome.metrics == {
        "ProviderMilliseconds": [SERVICE],
        "RequestsRefused": [{"code": "service_unavailable"} | SERVICE],
    }
    assert got.asked == UNREAD[name].asked


FAULTS = AWAY | PASSING | UNWRITTEN | WRITTEN | UNREAD


@pytest.mark.parametrize("name", FAULTS)
def test_once_a_fault_of_aws_is_over_the_next_request_is_served(name: str, ran: Run) -> None:
    got = ran(name)
    assert got.after == whole(got.kept, etag(got.kept), got.signature_id)
