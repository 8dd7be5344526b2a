"""Faults of S3 while a first download is archived, played by a scripted server."""

from datetime import UTC, datetime
from typing import Any

import pytest

from develop.fakes.cloud import s3_error
from develop.fakes.memory import etag, sha256
from develop.fakes.server import Response, raw, reply, reset
from develop.local.runtime import Context
from tests.service.integration.conftest import PROJECT, ScriptAws, Service
from tests.support.pdf import pdf
from tests.support.responses import ID, REQUEST_ID, UNAVAILABLE, UPSTREAM, digest, get, not_modified, whole

PDF = pdf()
SHA256 = sha256(PDF)
OTHER = pdf(seed=9)
META = "x-amz-meta-"
MISSING = s3_error(404, "NoSuchKey")
DENIED, SLOW_DOWN = s3_error(403, "AccessDenied"), s3_error(503, "SlowDown")
CONFLICT, EXISTS = s3_error(409, "ConditionalRequestConflict"), s3_error(412, "PreconditionFailed")
WRITTEN = reply(200, headers={"ETag": etag(PDF), "x-amz-checksum-sha256": SHA256})
SERVED, OTHER_SERVED = whole(PDF, etag(PDF)), whole(OTHER, etag(OTHER))


def found(body: bytes = PDF) -> Response:
    return reply(200, body, {"ETag": etag(body)})


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("request_id", "stored"),
    [
        ({"S": "a/1 b"}, "a%2F1%20b"),
        ({"N": "1234567"}, "1234567"),
        ({"S": "a\r\nx-amz-meta-b: c"}, "a%0D%0Ax-amz-meta-b%3A%20c"),
        ({"S": "\u00fc\u202e\x00\U0001f58a"}, "%C3%BC%E2%80%AE%00%F0%9F%96%8A"),
        ({"S": "x" * 1024}, "x" * 1024),
        ({"S": "x" * 1025}, None),  # there is no room for it
        ({"S": "\u00fc" * 171}, None),
    ],
)
@pytest.mark.threat("wrong-bytes")
def test_a_certificate_is_only_ever_created_with_its_origin_and_digest(
    service: Service, script: ScriptAws, request_id: dict[str, str], stored: str | None
) -> None:
    """The metadata says when and from which of the provider's requests it was fetched. No response shows that."""
    service.seed(providerRequestId=request_id)
    server, before = script("S3", MISSING, WRITTEN), now()
    assert service(get()) == SERVED
    _, put = server.requests
    assert (put.method, put.target) == ("PUT", f"/craftkit-test-certificatesbucket/{PROJECT}/{ID}.pdf")
    expected = {
        "if-none-match": "*",
        "content-type": "application/pdf",
        "x-amz-checksum-sha256": SHA256,
        "x-amz-storage-class": "INTELLIGENT_TIERING",
    }
    assert put.headers.items() >= expected.items()
    metadata = {name.removeprefix(META): text for name, text in put.headers.items() if name.startswith(META)}
    assert before <= metadata.pop("fetched-at") <= now()
    assert metadata == {"repr-digest": digest(PDF)} | ({"provider-request-id": stored} if stored else {})


@pytest.mark.parametrize(
    ("responses", "expected", "cause"),
    [
        ([CONFLICT, EXISTS, found(OTHER)], OTHER_SERVED, None),
        ([reset, EXISTS, found()], SERVED, None),  # written, but the response was lost
        ([EXISTS, SLOW_DOWN], UNAVAILABLE, "SlowDown"),
        ([EXISTS, MISSING], UNAVAILABLE, "OtherCopyMissing"),
        ([*[CONFLICT] * 3, SLOW_DOWN], UNAVAILABLE, "SlowDown"),
        ([*[CONFLICT] * 3, MISSING], UNAVAILABLE, "OtherCopyMissing"),
    ],
)
@pytest.mark.fault("s3-412", "s3-409-then-412", "s3-412-unreadable", "s3-409-unreadable")
def test_when_another_copy_won_ours_is_not_served(
    service: Service, script: ScriptAws, responses: list[Response], expected: dict[str, Any], cause: str | None
) -> None:
    service.seed()
    server = script("S3", MISSING, *responses)
    assert service(get()) == expected
    (line,), _ = service.written()
    assert line.get("detail") == (cause and {"cause": cause})
    again = ["GET"] * (2 if cause == "SlowDown" else 1)
    assert [request.method for request in server.requests] == ["GET", *["PUT"] * (len(responses) - 1), *again]


UNKNOWN: list[tuple[list[Response], str]] = [
    ([SLOW_DOWN] * 2, "SlowDown"),
    ([DENIED], "AccessDenied"),
    ([reset] * 2, "ConnectionClosedError"),
    ([CONFLICT, DENIED], "AccessDenied"),
    ([reply(200)], "MalformedAnswer"),
    ([reply(204, headers={"ETag": etag(PDF)})], "MalformedAnswer"),
    ([reply(200, headers={"ETag": etag(PDF), "x-amz-checksum-sha256": sha256(OTHER)})], "MalformedAnswer"),
]
NO_SUCH_BUCKET = s3_error(404, "NoSuchBucket")
UNREADABLE = (DENIED, SLOW_DOWN, reset, NO_SUCH_BUCKET, reply(404), reply(200, PDF[:-20]), reply(200, PDF))


@pytest.mark.parametrize(
    ("responses", "cause", "after"),
    [
        *((responses, cause, (MISSING, whole(PDF, f'"{SHA256}"'))) for responses, cause in UNKNOWN),
        *((responses, cause, (found(OTHER), OTHER_SERVED)) for responses, cause in UNKNOWN),
        *(([DENIED], "AccessDenied", (read, UNAVAILABLE)) for read in UNREADABLE),
    ],
)
@pytest.mark.fault("s3-write-denied", "s3-write-slowdown", "s3-write-reset", "s3-write-unreadable")
def test_after_a_write_of_unknown_outcome_ours_is_served_only_if_the_archive_certainly_holds_no_other(
    service: Service, script: ScriptAws, responses: list[Response], cause: str, after: tuple[Response, dict[str, Any]]
) -> None:
    """`test_one_content.py` combines all writes with all reads."""
    service.seed()
    read, expected = after
    script("S3", MISSING, *responses, read)
    assert service(get()) == expected
    (error, line), metrics = service.written()
    assert (error["level"], error["message"], error["signature_id"]) == ("ERROR", "archive_write_failed", ID)
    assert (error["detail"], error["request_id"]) == ({"cause": cause}, REQUEST_ID)
    assert metrics["ArchiveWriteFailures"] == [{"service": "download_certificate"}]
    if expected == UNAVAILABLE:
        assert (line["message"], line["status"]) == ("request_refused", 503)
    else:
        assert (line["message"], line["source"]) == ("certificate_served", "provider")
        assert metrics["CertificatesServed"] == [{"service": "download_certificate", "source": "provider"}]


@pytest.mark.fault("s3-write-too-large")
def test_an_unarchived_certificate_is_served_whole_or_not_at_all(service: Service, script: ScriptAws) -> None:
    """Parts of two renderings would combine into a third."""

    def ask(**headers: str) -> dict[str, Any]:
        script("S3", MISSING, DENIED, MISSING)
        return service(get(**headers))

    service.seed()
    assert ask(range="bytes=0-9") == whole(PDF, f'"{SHA256}"')
    assert ask(if_match='"other"')["statusCode"] == 412
    service.output()
    assert ask(if_none_match="*") == not_modified(f'"{SHA256}"')
    assert service.written()[1]["CertificatesServed"] == [{"service": "download_certificate", "source": "provider"}]
    largest = pdf(4_500_000)
    service.provider.responses = [reply(body=largest)]
    assert ask() == whole(largest, f'"{sha256(largest)}"')
    service.provider.responses = [reply(body=pdf(4_500_001))]
    response = ask()
    assert (response["statusCode"], "has 4500001 bytes" in response["body"]) == (413, True)
    service.output()
    assert ask(range="bytes=0-9") == UNAVAILABLE
    (_, line), _ = service.written()
    assert line["detail"] == {"cause": "TooLargeToServeWhole"}


# ── Time ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("put", "causes"),
    [
        (WRITTEN, [None]),
        (EXISTS, ["OutOfTime"]),
        (DENIED, ["AccessDenied", "OutOfTime"]),
        *((again, ["OutOfTime", "OutOfTime"]) for again in (CONFLICT, SLOW_DOWN, reset)),
    ],
)
@pytest.mark.fault("no-time-to-read-after-write", "no-time-to-write")
def test_without_time_for_another_call_the_bytes_are_served_only_if_they_were_written(
    service: Service, script: ScriptAws, monkeypatch: pytest.MonkeyPatch, put: Response, causes: list[str | None]
) -> None:
    """Neither our retry, botocore's nor a read begins."""
    service.seed()
    server = script("S3", MISSING, put)
    left = {0: 28_000, 1: 28_000, 2: 4_400}
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: left[len(server.requests)])
    assert service(get()) == (SERVED if put is WRITTEN else UNAVAILABLE)
    assert [request.method for request in server.requests] == ["GET", "PUT"]
    lines, _ = service.written()
    assert [line.get("detail") for line in lines] == [cause and {"cause": cause} for cause in causes]
    assert [line["message"] == "archive_write_failed" for line in lines] == [True, False][-len(lines) :]


def test_a_fetch_ends_in_time_for_the_write(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.seed()
    service.provider.responses = [raw(b"", pause=1), reply(body=PDF)]
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: 9_700)  # 0.2 s for the fetch
    assert service(get()) == UPSTREAM
    (line,), _ = service.written()
    assert line["detail"] == {"reason": "timed_out", "transient": False}
