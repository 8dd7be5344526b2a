"""Faults of S3 reads, played by a scripted server."""

import zlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from develop.fakes.cloud import s3_error
from develop.fakes.memory import sha256
from develop.fakes.server import Response, ScriptedServer, raw, reply, reset
from develop.local.runtime import Context
from tests.service.integration.conftest import ScriptAws, Service
from tests.support.pdf import pdf
from tests.support.responses import PRECONDITION_FAILED, UNAVAILABLE, digest, get, part, whole

PDF = pdf()
GONE = s3_error(412, "PreconditionFailed")
ETAG = '"0123456789abcdef"'
SHA256 = sha256(PDF)
CRC32 = {"x-amz-checksum-crc32": b64encode(zlib.crc32(PDF).to_bytes(4)).decode()}
"""The checksum that botocore verifies if there are two."""


def found(body: bytes = PDF, headers: Mapping[str, str] | None = None) -> Response:
    """S3's response to a request for the whole object."""
    return reply(200, body, {"ETag": ETAG} | dict(headers or {}))


def checksum(text: str, kind: str = "FULL_OBJECT") -> dict[str, str]:
    return {"x-amz-checksum-sha256": text, "x-amz-checksum-type": kind}


@dataclass(frozen=True)
class Kind:
    """A client's request, and S3's response to the first request that it causes."""

    headers: Mapping[str, str]
    status: int
    content_range: Mapping[str, str]
    body: bytes

    def response(self, status: int = 0, body: bytes | None = None, **changes: str | None) -> Response:
        """The valid response with some changes. None removes a header."""
        content = self.body if body is None else body
        headers: dict[str, str | None] = {"Content-Length": str(len(content)), "ETag": ETAG, **self.content_range}
        headers |= {name.replace("_", "-").title().replace("Etag", "ETag"): value for name, value in changes.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
        return raw(f"HTTP/1.1 {status or self.status} Text\r\n{lines}\r\n".encode("latin-1"), content)


WHOLE = Kind({}, 200, {}, PDF)
RANGE = Kind({"range": "bytes=0-9"}, 206, {"Content-Range": "bytes 0-9/2000"}, PDF[:10])
CONDITION = Kind({"if_none_match": '"a"'}, 206, {"Content-Range": "bytes 0-0/2000"}, PDF[:1])
KINDS = {"whole": WHOLE, "range": RANGE, "condition": CONDITION}
TAGS = [None, "x", '""', 'W/"a"']
RANGES = [None, "", *("bytes 0-9/*", "bytes 1-10/2000", "bytes 0-10/2000", "bytes 0-9/5", "items 0-9/2000")]
FAULTS: list[tuple[Kind, Response, str]] = [
    (WHOLE, s3_error(503, "SlowDown"), "SlowDown"),
    (WHOLE, s3_error(500, "InternalError"), "InternalError"),
    (WHOLE, s3_error(403, "AccessDenied"), "AccessDenied"),
    (WHOLE, s3_error(404, "NoSuchBucket"), "NoSuchBucket"),
    (WHOLE, s3_error(403, "NoSuchKey"), "MalformedAnswer"),
    (WHOLE, s3_error(200, "NoSuchKey"), "MalformedAnswer"),
    (WHOLE, reply(404, b"<Error><Code>NoSuchKey</Code></Error>", {"x-amz-delete-marker": "true"}), "DeleteMarker"),
    (WHOLE, reply(404, b"<html>"), "404"),
    (WHOLE, reply(204), "MalformedAnswer"),
    (WHOLE, reply(304), "304"),
    (WHOLE, WHOLE.response(status=206), "MalformedAnswer"),
    (WHOLE, reset, "ConnectionClosedError"),
    # Bytes that are not those of the archive
    (WHOLE, found(headers=checksum(b64encode(b"0" * 32).decode())), "FlexibleChecksumError"),
    (WHOLE, found(headers=checksum("canary")), "Error"),  # from binascii
    (WHOLE, found(PDF[:-20]), "NoChecksum"),
    (WHOLE, found(b""), "NoChecksum"),
    (WHOLE, found(b"<html>", {"x-amz-checksum-sha256": sha256(b"<html>")}), "NoChecksum"),
    # Cut short
    (WHOLE, WHOLE.response(body=PDF[:-1], content_length="2000"), "ResponseStreamingError"),
    (RANGE, RANGE.response(body=PDF[:9], content_length="10"), "IncompleteRead"),
    (CONDITION, CONDITION.response(body=b"", content_length="1"), "IncompleteReadError"),
    # Malformed, or not the requested range
    *((kind, kind.response(etag=tag), "MalformedAnswer") for kind in KINDS.values() for tag in TAGS),
    *(
        (kind, kind.response(content_length=length), "MalformedAnswer")
        for kind in KINDS.values()
        for length in (None, "-1")
    ),
    *((kind, kind.response(content_length="canary"), "ValueError") for kind in KINDS.values()),
    *((kind, kind.response(content_range=text), "MalformedAnswer") for kind in (RANGE, CONDITION) for text in RANGES),
    *((kind, kind.response(body=body), "MalformedAnswer") for kind in (RANGE, CONDITION) for body in (PDF[:5], PDF)),
    (RANGE, RANGE.response(status=200), "MalformedAnswer"),
    (RANGE, RANGE.response(content_range="bytes 0-9/" + "9" * 5000), "MalformedAnswer"),
    # A bucket of the function's own region redirects nobody.
    *((kind, reply(307, headers={"Location": "http://127.0.0.1:1/"}), "Redirected") for kind in KINDS.values()),
]
RETRIED = {"SlowDown", "InternalError", "ConnectionClosedError"}


def assert_unavailable(service: Service, kind: Kind, cause: str) -> None:
    """Also asserts that the provider is not asked instead of the archive."""
    service.seed()
    assert service(get(**kind.headers)) == UNAVAILABLE
    (line,), _ = service.written()
    assert line["detail"] == {"cause": cause}
    assert service.provider.requests == []
    assert service.archived() is None


@pytest.mark.parametrize(("kind", "response", "cause"), FAULTS)
@pytest.mark.fault("s3-malformed", "s3-redirect", "s3-cut")
@pytest.mark.threat("wrong-bytes")
def test_s3_away_is_503_and_the_provider_is_left_alone(
    service: Service, script: ScriptAws, kind: Kind, response: Response, cause: str
) -> None:
    server = script("S3", response)
    assert_unavailable(service, kind, cause)
    assert len(server.requests) == (2 if cause in RETRIED else 1)


def test_a_range_outside_the_file_of_unknown_size_is_503(service: Service, script: ScriptAws) -> None:
    """A separate request reads the size for the 416."""
    server = script("S3", s3_error(416, "InvalidRange"), s3_error(503, "SlowDown"))
    assert_unavailable(service, Kind({"range": "bytes=5000-"}, 416, {}, b""), "SlowDown")
    assert [request.headers["range"] for request in server.requests] == ["bytes=5000-", "bytes=0-0", "bytes=0-0"]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.fault("no-time-to-read")
def test_no_read_of_s3_begins_without_time_for_it(
    service: Service, script: ScriptAws, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    server = script("S3", s3_error(503, "SlowDown"))
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: 4600 - 200 * len(server.requests))
    assert_unavailable(service, kind, "OutOfTime")
    assert len(server.requests) == 1


# ── Checksums ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "archived"),
    [
        ({}, PDF),
        (checksum(SHA256), PDF),
        (checksum("AAAA-2", "COMPOSITE"), PDF),
        ({"x-amz-checksum-sha256": SHA256}, PDF),
        (checksum("canary") | CRC32, PDF),
        (checksum(sha256(b"as archived")) | CRC32, b"as archived"),  # clients detect later damage
    ],
)
def test_the_digest_is_that_of_the_bytes_when_they_were_archived(
    service: Service, script: ScriptAws, headers: dict[str, str], archived: bytes
) -> None:
    service.seed()
    server = script("S3", found(headers=headers))
    expected = whole(PDF, ETAG)
    assert service(get()) == expected | {"headers": expected["headers"] | {"Repr-Digest": digest(archived)}}
    assert server.requests[0].headers["x-amz-checksum-mode"] == "ENABLED"


def ranged(**metadata: str) -> Response:
    headers = {"ETag": ETAG, "Content-Range": "bytes 0-9/2000"}
    return reply(206, PDF[:10], headers | {f"x-amz-meta-{name}": text for name, text in metadata.items()})


@pytest.mark.parametrize(
    ("responses", "conditions"),
    [
        ([ranged(**{"repr-digest": digest(PDF)})], [None]),
        ([ranged(), found(headers=checksum(SHA256))], [None, ETAG]),
        ([ranged(), found(headers=checksum("AAAA-2", "COMPOSITE"))], [None, ETAG]),
        ([ranged(), found()], [None, ETAG]),
        ([ranged(), GONE, ranged(), found()], [None, ETAG, None, ETAG]),  # replaced before its digest is read
    ],
)
def test_only_without_the_metadata_a_second_request_gets_the_digest_of_a_part(
    service: Service, script: ScriptAws, responses: list[Response], conditions: list[str | None]
) -> None:
    service.seed()
    server = script("S3", *responses)
    assert service(get(range="bytes=0-9")) == part(PDF, ETAG, 0, 9)
    assert conditions_of(server) == conditions
    ranges = [request.headers.get("range") for request in server.requests]
    assert ranges == [None if condition else "bytes=0-9" for condition in conditions]


def conditions_of(server: ScriptedServer) -> list[str | None]:
    return [request.headers.get("if-match") for request in server.requests]


@pytest.mark.parametrize(
    ("response", "cause"),
    [
        (found(PDF[:-20]), "MalformedAnswer"),
        (reply(200, PDF, {"ETag": '"b"'}), "MalformedAnswer"),
        (found(b"<html>".ljust(2000)), "NoChecksum"),
        (WHOLE.response(body=PDF[:-1], content_length="2000"), "ResponseStreamingError"),
        (s3_error(403, "AccessDenied"), "AccessDenied"),
    ],
)
@pytest.mark.fault("s3-no-digest")
def test_a_part_whose_digest_cannot_be_read_is_503(
    service: Service, script: ScriptAws, response: Response, cause: str
) -> None:
    script("S3", ranged(), response)
    assert_unavailable(service, RANGE, cause)


# ── Two requests for one response ─────────────────────────────────────────────────────────────────────────────────────


def described(etag: str) -> Response:
    return reply(206, PDF[:1], {"ETag": etag, "Content-Range": "bytes 0-0/2000"})


SERVED = whole(pdf(seed=2), '"new"')


@pytest.mark.parametrize(
    ("headers", "last", "expected"),
    [
        ({"if_match": '"old", "new"'}, reply(200, pdf(seed=2), {"ETag": '"new"'}), SERVED),
        ({"if_none_match": '"a"'}, reply(200, pdf(seed=2), {"ETag": '"new"'}), SERVED),
        ({"if_range": '"old"', "range": "bytes=0-9"}, reply(200, pdf(seed=2), {"ETag": '"new"'}), SERVED),
        ({"if_match": '"old"'}, None, PRECONDITION_FAILED),
        ({"if_none_match": '"a"'}, GONE, UNAVAILABLE),  # replaced again
    ],
)
@pytest.mark.fault("s3-replaced")
def test_bytes_are_those_that_the_conditions_were_evaluated_for(
    service: Service, script: ScriptAws, headers: dict[str, str], last: Response | None, expected: object
) -> None:
    """The object is replaced between the two requests, and the conditions are evaluated again."""
    service.seed()
    server = script("S3", described('"old"'), GONE, described('"new"'), *([last] if last else []))
    assert service(get(**headers)) == expected
    assert conditions_of(server) == [None, '"old"', None, '"new"'][: 4 if last else 3]
    (line,), _ = service.written()
    assert line.get("source") == ("archive" if expected == SERVED else None)
