"""Faults of S3 reads, played by a scripted server."""

import zlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from develop.fakes.cloud import s3_error
from develop.fakes.memory import sha256
from develop.fakes.server import Response, raw, reply, reset
from develop.local.runtime import Context
from tests.service.integration.conftest import ScriptAws, Service, get
from tests.support.pdf import pdf
from tests.support.responses import UNAVAILABLE, digest, part, refusal, whole

PDF = pdf()
GONE = s3_error(412, "PreconditionFailed")
ETAG = '"0123456789abcdef"'
SHA256 = sha256(PDF)
CRC32 = b64encode(zlib.crc32(PDF).to_bytes(4)).decode()
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

    def answer(self, status: int = 0, body: bytes | None = None, **changes: str | None) -> Response:
        """The valid response with some changes. None removes a header."""
        content = self.body if body is None else body
        headers: dict[str, str | None] = {"Content-Length": str(len(content)), "ETag": ETAG, **self.content_range}
        headers |= {name.replace("_", "-").title().replace("Etag", "ETag"): value for name, value in changes.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
        return raw(f"HTTP/1.1 {status or self.status} Text\r\n{lines}\r\n".encode("latin-1"), content)


WHOLE = Kind({}, 200, {}, PDF)
KINDS = {
    "whole": WHOLE,
    "range": Kind({"range": "bytes=0-9"}, 206, {"Content-Range": "bytes 0-9/2000"}, PDF[:10]),
    "condition": Kind({"if_none_match": '"a"'}, 206, {"Content-Range": "bytes 0-0/2000"}, PDF[:1]),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def assert_unavailable(service: Service, kind: Kind, cause: str) -> None:
    """Also asserts that the provider is not asked instead of the archive."""
    service.seed()
    assert service(get(**kind.headers)) == UNAVAILABLE
    (line,), _ = service.written()
    assert line["detail"] == {"cause": cause}
    assert service.provider.requests == []
    assert service.archived() is None


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (s3_error(503, "SlowDown"), "SlowDown"),
        (s3_error(500, "InternalError"), "InternalError"),
        (s3_error(403, "AccessDenied"), "AccessDenied"),
        (s3_error(404, "NoSuchBucket"), "NoSuchBucket"),
        (s3_error(500, "NoSuchKey"), "MalformedAnswer"),
        (s3_error(200, "NoSuchKey"), "MalformedAnswer"),
        (reply(404, b"<Error><Code>NoSuchKey</Code></Error>", {"x-amz-delete-marker": "true"}), "DeleteMarker"),
        (reply(404), "404"),
        (reply(404, b"<html>"), "404"),
        (reply(204), "MalformedAnswer"),
        (reply(304), "304"),
        (raw(b"HTTP/1.1 200 OK\r\n\r\n" + PDF), "MalformedAnswer"),
        (reset, "ConnectionClosedError"),
    ],
)
@pytest.mark.threat("wrong-bytes")
def test_s3_away_is_503_and_the_provider_is_left_alone(
    service: Service, script: ScriptAws, answer: Response, cause: str
) -> None:
    script("S3", answer)
    assert_unavailable(service, WHOLE, cause)


@every_kind
@pytest.mark.fault("s3-redirect")
def test_a_redirect_of_s3_is_503(service: Service, script: ScriptAws, kind: Kind) -> None:
    """A bucket of the function's own region redirects nobody."""
    service.seed()
    server = script("S3", reply(307, headers={"Location": "http://127.0.0.1:1/"}))
    assert service(get(**kind.headers)) == UNAVAILABLE
    (line,), _ = service.written()
    assert line["detail"] == {"cause": "Redirected"}
    assert (len(server.requests), service.provider.requests) == (1, [])


@every_kind
@pytest.mark.parametrize(
    "change",
    [
        {"etag": None},
        {"etag": "x"},
        {"etag": '""'},
        {"etag": 'W/"a"'},
        {"content_length": None},
        {"content_length": "canary"},
        {"content_length": "-1"},
    ],
)
def test_a_malformed_response_of_s3_is_503(
    service: Service, script: ScriptAws, kind: Kind, change: dict[str, str | None]
) -> None:
    script("S3", kind.answer(**change))  # type: ignore[arg-type]
    assert_unavailable(service, kind, "ValueError" if change == {"content_length": "canary"} else "MalformedAnswer")


@pytest.mark.parametrize("kind", [KINDS["range"], KINDS["condition"]], ids=["range", "condition"])
@pytest.mark.parametrize(
    "change",
    [
        {"status": 200},
        {"content_range": None},
        {"content_range": ""},
        {"content_range": "bytes 0-9/*"},
        {"content_range": "bytes 1-10/2000"},
        {"content_range": "bytes 0-10/2000"},
        {"content_range": "bytes 0-9/5"},
        {"content_range": "items 0-9/2000"},
        {"content_range": "bytes 0-9/" + "9" * 5000},
        {"body": PDF[:5]},
        {"body": PDF},
    ],
)
@pytest.mark.fault("s3-malformed")
def test_a_response_that_is_not_the_requested_range_is_503(
    service: Service, script: ScriptAws, kind: Kind, change: dict[str, Any]
) -> None:
    script("S3", kind.answer(**change))
    assert_unavailable(service, kind, "MalformedAnswer")


@every_kind
def test_a_truncated_response_is_never_served(service: Service, script: ScriptAws, kind: Kind) -> None:
    script("S3", kind.answer(body=kind.body[:-1], content_length=str(len(kind.body))))
    cause = {200: "ResponseStreamingError", 206: "IncompleteRead" if len(kind.body) > 1 else "IncompleteReadError"}
    assert_unavailable(service, kind, cause[kind.status])


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (found(headers=checksum(b64encode(b"0" * 32).decode())), "FlexibleChecksumError"),
        (found(headers=checksum("canary")), "Error"),  # from binascii
        (found(b"<html>"), "NoChecksum"),
        (found(PDF[:-20]), "NoChecksum"),
        (found(b""), "NoChecksum"),
        (found(b"<html>", {"x-amz-checksum-sha256": sha256(b"<html>")}), "NoChecksum"),
        (WHOLE.answer(status=206), "MalformedAnswer"),
    ],
)
def test_bytes_that_are_not_those_of_the_archive_are_never_served(
    service: Service, script: ScriptAws, answer: Response, cause: str
) -> None:
    script("S3", answer)
    assert_unavailable(service, WHOLE, cause)


def test_a_range_outside_the_file_of_unknown_size_is_503(service: Service, script: ScriptAws) -> None:
    """A separate request reads the size for the 416."""
    kind = Kind({"range": "bytes=5000-"}, 416, {}, b"")
    server = script("S3", s3_error(416, "InvalidRange"), s3_error(503, "SlowDown"))
    assert_unavailable(service, kind, "SlowDown")
    assert [request.headers["range"] for request in server.requests] == ["bytes=5000-", "bytes=0-0", "bytes=0-0"]


# ── Checksums ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "headers",
    [
        {},
        checksum(SHA256),
        checksum("AAAA-2", "COMPOSITE"),
        {"x-amz-checksum-sha256": SHA256},
        checksum("canary") | {"x-amz-checksum-crc32": CRC32},
    ],
)
def test_the_digest_is_that_of_the_bytes(service: Service, script: ScriptAws, headers: dict[str, str]) -> None:
    service.seed()
    server = script("S3", found(headers=headers))
    assert service(get()) == whole(PDF, ETAG)
    assert server.requests[0].headers["x-amz-checksum-mode"] == "ENABLED"


def test_the_digest_is_the_archived_one_so_clients_detect_later_damage(service: Service, script: ScriptAws) -> None:
    service.seed()
    archived = sha256(b"as archived")
    script("S3", found(headers=checksum(archived) | {"x-amz-checksum-crc32": CRC32}))
    assert service(get())["headers"]["Repr-Digest"] == f"sha-256=:{archived}:"


def ranged(**metadata: str) -> Response:
    headers = {"ETag": ETAG, "Content-Range": "bytes 0-9/2000"}
    return reply(206, PDF[:10], headers | {f"x-amz-meta-{name}": text for name, text in metadata.items()})


def test_a_range_costs_one_request(service: Service, script: ScriptAws) -> None:
    service.seed()
    server = script("S3", ranged(**{"repr-digest": digest(PDF)}))
    assert service(get(range="bytes=0-9")) == part(PDF, ETAG, 0, 9)
    assert len(server.requests) == 1


@pytest.mark.parametrize("headers", [checksum(SHA256), checksum("AAAA-2", "COMPOSITE"), {}])
def test_without_the_metadata_a_second_request_gets_the_digest(
    service: Service, script: ScriptAws, headers: dict[str, str]
) -> None:
    service.seed()
    server = script("S3", ranged(), found(headers=headers))
    assert service(get(range="bytes=0-9")) == part(PDF, ETAG, 0, 9)
    ranges = [(request.headers.get("range"), request.headers.get("if-match")) for request in server.requests]
    assert ranges == [("bytes=0-9", None), (None, ETAG)]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (found(PDF[:-20]), "MalformedAnswer"),
        (reply(200, PDF, {"ETag": '"b"'}), "MalformedAnswer"),
        (found(b"<html>".ljust(2000)), "NoChecksum"),
        (WHOLE.answer(body=PDF[:-1], content_length="2000"), "ResponseStreamingError"),
        (s3_error(403, "AccessDenied"), "AccessDenied"),
    ],
)
@pytest.mark.fault("s3-no-digest")
def test_a_part_whose_digest_cannot_be_read_is_503(
    service: Service, script: ScriptAws, answer: Response, cause: str
) -> None:
    script("S3", ranged(), answer)
    assert_unavailable(service, KINDS["range"], cause)


def test_an_object_that_is_replaced_before_its_digest_is_read_is_read_again(
    service: Service, script: ScriptAws
) -> None:
    service.seed()
    script("S3", ranged(), GONE, ranged(), found())
    assert service(get(range="bytes=0-9")) == part(PDF, ETAG, 0, 9)


# ── Two requests for one response ─────────────────────────────────────────────────────────────────────────────────────


def described(etag: str) -> Response:
    return reply(206, PDF[:1], {"ETag": etag, "Content-Range": "bytes 0-0/2000"})


NEW = reply(200, pdf(seed=2), {"ETag": '"new"'})


@pytest.mark.parametrize(
    "headers",
    [{"if_match": '"old", "new"'}, {"if_none_match": '"a"'}, {"if_range": '"old"', "range": "bytes=0-9"}],
)
def test_bytes_are_those_that_the_conditions_were_evaluated_for(
    service: Service, script: ScriptAws, headers: dict[str, str]
) -> None:
    """The object is replaced between the two requests, and the conditions are evaluated again."""
    service.seed()
    server = script("S3", described('"old"'), GONE, described('"new"'), NEW)
    assert service(get(**headers)) == whole(pdf(seed=2), '"new"')
    assert [request.headers.get("if-match") for request in server.requests] == [None, '"old"', None, '"new"']
    (line,), _ = service.written()
    assert line["source"] == "archive"


def test_the_new_object_may_fail_the_condition(service: Service, script: ScriptAws) -> None:
    service.seed()
    script("S3", described('"old"'), GONE, described('"new"'))
    assert service(get(if_match='"old"')) == refusal(
        412, "precondition_failed", "The certificate does not match If-Match."
    )


@pytest.mark.fault("s3-replaced")
def test_an_object_that_is_replaced_again_and_again_is_503(service: Service, script: ScriptAws) -> None:
    service.seed()
    server = script("S3", described('"old"'), GONE, described('"new"'), GONE)
    assert service(get(if_none_match='"a"')) == UNAVAILABLE
    assert len(server.requests) == 4


# ── Time ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@every_kind
@pytest.mark.fault("no-time-to-read")
def test_no_read_of_s3_begins_without_time_for_it(
    service: Service, script: ScriptAws, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    server = script("S3", s3_error(503, "SlowDown"))
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: 4600 - 200 * len(server.requests))
    assert_unavailable(service, kind, "OutOfTime")
    assert len(server.requests) == 1
