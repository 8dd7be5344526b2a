"""Faults of AWS during a download from the built artifact. docs/reliability.md has a row for each fault."""

import json
from typing import Any

import pytest

from develop.fakes.cloud import dynamodb_error, lose_response, s3_error, succeed
from develop.fakes.memory import sha256
from develop.fakes.server import Response, hang, raw, reply, reset
from tests.support.faults import PDF, Fault, Faults, GetResult
from tests.support.responses import UNAVAILABLE

SLOW = hang(10)
WRONG = reply(200, b"<html>", {"ETag": '"x"', "x-amz-checksum-sha256": sha256(PDF)})


# ── Reads ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

GET = "BatchGetItem"
THRICE = f"{GET} {GET} {GET}"
THROTTLED = dynamodb_error(400, "ProvisionedThroughputExceededException")
UNPROCESSED: dict[str, Any] = {"craftkit-test-ApiKeysTable": {}, "craftkit-test-SignaturesTable": {}}
UNREAD = reply(200, json.dumps({"Responses": {}, "UnprocessedKeys": UNPROCESSED}).encode())


def dynamodb(cause: str, asked: str, response: Response) -> Fault:
    return Fault(asked, {GET: [response]}, UNAVAILABLE, {"cause": cause})


def s3(cause: str, times: int, response: Response, **headers: str) -> Fault:
    asked = " ".join([GET, *["GetObject"] * times])
    return Fault(asked, {"GetObject": [response]}, UNAVAILABLE, {"cause": cause}, headers=headers)


def for_every_request(name: str, cause: str, times: int, response: Response) -> Faults:
    """The fault for a whole certificate, for a range, and for a condition, which reads the entity tag first."""
    return {
        name: s3(cause, times, response),
        f"{name}-range": s3(cause, times, response, range="bytes=0-9"),
        f"{name}-condition": s3(cause, times, response, if_none_match='"a"'),
    }


CUT = raw(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 2000\r\n\r\n', PDF[:1999])
HIDDEN = reply(404, b"<Error><Code>NoSuchKey</Code></Error>", {"x-amz-delete-marker": "true"})

AWAY: Faults = {
    "dynamodb-slow": dynamodb("ReadTimeoutError", THRICE, SLOW),
    "dynamodb-throttled": dynamodb("ProvisionedThroughputExceededException", THRICE, THROTTLED),
    "dynamodb-5xx": dynamodb("InternalServerError", THRICE, dynamodb_error(500, "InternalServerError")),
    "dynamodb-reset": dynamodb("ConnectionClosedError", THRICE, reset),
    "dynamodb-unprocessed": dynamodb("UnprocessedKeys", f"{THRICE} {GET}", UNREAD),
    "dynamodb-cut": dynamodb("MalformedAnswer", GET, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")),
    "dynamodb-denied": dynamodb("AccessDeniedException", GET, dynamodb_error(400, "AccessDeniedException")),
    "dynamodb-clock": dynamodb("InvalidSignatureException", GET, dynamodb_error(400, "InvalidSignatureException")),
    "s3-slow": s3("ReadTimeoutError", 2, SLOW),
    **for_every_request("s3-slowdown", "SlowDown", 2, s3_error(503, "SlowDown")),
    **for_every_request("s3-5xx", "InternalError", 2, s3_error(500, "InternalError")),
    **for_every_request("s3-reset", "ConnectionClosedError", 2, reset),
    **for_every_request("s3-denied", "AccessDenied", 1, s3_error(403, "AccessDenied")),
    **for_every_request("s3-no-bucket", "NoSuchBucket", 1, s3_error(404, "NoSuchBucket")),
    **for_every_request("s3-clock", "RequestTimeTooSkewed", 1, s3_error(403, "RequestTimeTooSkewed")),
    **for_every_request("s3-deleted", "DeleteMarker", 1, HIDDEN),
    **for_every_request("s3-malformed", "MalformedAnswer", 1, reply(200, PDF)),
    "s3-cut": s3("ResponseStreamingError", 1, CUT),
    "s3-wrong-checksum": s3("FlexibleChecksumError", 1, WRONG),
    "s3-no-checksum": s3("NoChecksum", 1, reply(200, b"<html>", {"ETag": '"x"'})),
}


def once(operation: str, response: Response) -> Fault:
    """A fault that the second attempt does not meet."""
    asked = f"{GET} {GET} GetObject" if operation == GET else f"{GET} GetObject GetObject"
    return Fault(asked, {operation: [response, succeed]})


TRANSIENT: Faults = {
    "dynamodb-throttled-once": once(GET, THROTTLED),
    "dynamodb-reset-once": once(GET, reset),
    "dynamodb-unprocessed-once": once(GET, UNREAD),
    "s3-slowdown-once": once("GetObject", s3_error(503, "SlowDown")),
    "s3-reset-once": once("GetObject", reset),
}

# ── Writes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def first(asked: str, *puts: Response, **fault: Any) -> Fault:
    """A fault during the first download of a certificate."""
    script = {"Certificate": [reply(body=PDF)], "PutObject": puts}
    return Fault(f"{GET} GetObject Certificate {asked}", script, is_archived=False, **fault)


READ_TIMED_OUT = {"cause": "ReadTimeoutError"}
WRITES: Faults = {
    "s3-write-slow": first("PutObject PutObject GetObject", SLOW, detail=READ_TIMED_OUT, unarchived=PDF),
    "s3-409-once": first("PutObject PutObject", s3_error(409, "ConditionalRequestConflict"), succeed),
    "s3-write-answer-lost": first("PutObject PutObject GetObject", lose_response, succeed),
}

FAULTS = AWAY | TRANSIENT | WRITES


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_aws_has_its_outcome_and_leaves_nothing_behind(name: str, get_result: GetResult) -> None:
    result = get_result(name)
    assert result.seen == result.expected
