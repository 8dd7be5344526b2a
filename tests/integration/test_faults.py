"""AWS when it does not do as asked: scripted servers in the place of DynamoDB and S3."""

import hashlib
import json
import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff

from functions.download_certificate import handler as download
from functions.download_certificate.settings import DownloadSettings
from signing import archive, provider, records
from tests.integration.conftest import DYNAMODB, PROJECT, S3, Service, get
from tests.kit.answers import ID, INTERNAL, JSON, REQUEST_ID, UNAUTHORIZED, UNAVAILABLE
from tests.kit.cloud import dynamodb_error, s3_error
from tests.kit.pdf import pdf
from tests.kit.server import Answer, ScriptedServer, raw, reply, reset
from tools.local import seeds
from tools.local.runtime import Context

PDF = pdf()
ETAG = '"0123456789abcdef"'

Place = Callable[..., ScriptedServer]


@pytest.fixture
def place(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Puts a scripted server in the place of a service of AWS, and makes the function anew."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    monkeypatch.setattr(archive, "CONFLICT_PAUSE", 0)
    monkeypatch.setattr(provider, "RETRY_PAUSE", 0.001)
    monkeypatch.setattr(records, "FIRST_PAUSE", 0)
    open_servers = []

    def run(name: str, *answers: Answer) -> ScriptedServer:
        server = ScriptedServer(*answers)
        server.__enter__()
        open_servers.append(server)
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", server.url)
        url = f"{service.provider.url}/{{providerRequestId}}"
        settings = DownloadSettings.parse(os.environ | {"PROVIDER_CERTIFICATE_URL": url})
        monkeypatch.setattr(download, "SERVICES", download.connect(settings))
        return server

    yield run
    for server in open_servers:
        server.__exit__()


def found(body: bytes = PDF, **headers: str) -> Answer:
    """An answer of S3's GetObject."""
    return reply(200, body, {"ETag": ETAG} | {name.replace("_", "-"): value for name, value in headers.items()})


# ── DynamoDB ──────────────────────────────────────────────────────────────────────────────────────────────────────────

KEYS, SIGNATURES = "craftkit-test-ApiKeysTable", "craftkit-test-SignaturesTable"
KEY_ITEM = seeds.api_keys()[0]
SIGNATURE_ITEM = {
    "id": {"S": ID},
    "projectId": {"S": PROJECT},
    "status": {"S": "completed"},
    "certificateUrl": {"S": f"https://api.craftkit.example/v1/signatures/{ID}/certificate"},
    "providerRequestId": {"S": "req_1"},
}


def batch(responses: dict[str, Any], unprocessed: dict[str, Any] | None = None) -> Answer:
    return reply(200, json.dumps({"Responses": responses, "UnprocessedKeys": unprocessed or {}}).encode())


def left(table: str, key: str, value: str) -> dict[str, Any]:
    return {table: {"Keys": [{key: {"S": value}}], "ConsistentRead": True}}


@pytest.mark.parametrize(
    ("answer", "cause", "tries"),
    [
        (dynamodb_error(500, "InternalServerError"), "InternalServerError", 3),
        (dynamodb_error(400, "ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException", 3),
        (dynamodb_error(400, "ThrottlingException"), "ThrottlingException", 3),
        (dynamodb_error(400, "AccessDeniedException"), "AccessDeniedException", 1),
        (dynamodb_error(400, "ResourceNotFoundException"), "ResourceNotFoundException", 1),
        (reset, "ConnectionClosedError", 3),
        (raw(), "ConnectionClosedError", 3),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), "MalformedAnswer", 1),
    ],
)
def test_dynamodb_away_is_503(service: Service, place: Place, answer: Answer, cause: str, tries: int) -> None:
    server = place("DYNAMODB", answer)
    assert service(get()) == UNAVAILABLE
    (line,), metrics = service.written()
    assert line["detail"] == {"cause": cause}
    assert metrics == {"RequestsRefused": [{"code": "service_unavailable", "service": "download_certificate"}]}
    assert len(server.requests) == tries


def test_key_and_signature_are_read_together_and_consistently(service: Service, place: Place) -> None:
    server = place("DYNAMODB", batch({}))
    assert service(get()) == UNAUTHORIZED
    (request,) = server.requests
    assert request.headers["x-amz-target"] == "DynamoDB_20120810.BatchGetItem"
    key_hash = hashlib.sha256(seeds.KEY.encode()).hexdigest()
    assert json.loads(request.body) == {
        "RequestItems": left(KEYS, "keyHash", key_hash) | left(SIGNATURES, "id", ID),
    }


def test_a_malformed_id_costs_the_keys_read_only_and_a_malformed_key_none(service: Service, place: Place) -> None:
    server = place("DYNAMODB", batch({KEYS: [KEY_ITEM]}))
    assert service(get("not-a-uuid"))["statusCode"] == 404
    assert list(json.loads(server.requests[0].body)["RequestItems"]) == [KEYS]
    assert service(get(key="ck_live_short")) == UNAUTHORIZED
    assert len(server.requests) == 1


def test_unprocessed_keys_are_read_again(service: Service, place: Place) -> None:
    rest = left(SIGNATURES, "id", ID)
    server = place("DYNAMODB", batch({KEYS: [KEY_ITEM]}, rest), batch({SIGNATURES: [SIGNATURE_ITEM]}))
    assert service(get())["statusCode"] == 200
    assert json.loads(server.requests[1].body) == {"RequestItems": rest}


def test_keys_that_stay_unprocessed_are_503_and_never_401(service: Service, place: Place) -> None:
    place("DYNAMODB", batch({SIGNATURES: [SIGNATURE_ITEM]}, left(KEYS, "keyHash", "0" * 64)))
    assert service(get()) == UNAVAILABLE
    assert service.provider.requests == []


# ── S3 reads ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (s3_error(503, "SlowDown"), "SlowDown"),
        (s3_error(500, "InternalError"), "InternalError"),
        (s3_error(403, "AccessDenied"), "AccessDenied"),
        (s3_error(404, "NoSuchBucket"), "NoSuchBucket"),
        (reset, "ConnectionClosedError"),
        (raw(b"HTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: 2000\r\n\r\n" + PDF[:1999]), "ResponseStreamingError"),
        (found(x_amz_checksum_sha256=b64encode(b"0" * 32).decode()), "FlexibleChecksumError"),
    ],
)
def test_s3_away_is_503_and_the_provider_is_left_alone(
    service: Service, place: Place, answer: Answer, cause: str
) -> None:
    service.seed()
    place("S3", answer)
    assert service(get()) == UNAVAILABLE
    (line,), _ = service.written()
    assert line["detail"] == {"cause": cause}
    assert service.provider.requests == []


def test_a_range_cut_short_is_never_served(service: Service, place: Place) -> None:
    service.seed()
    head = b"HTTP/1.1 206 Partial Content\r\nETag: x\r\nContent-Range: bytes 0-999/2000\r\nContent-Length: 1000\r\n\r\n"
    place("S3", raw(head + PDF[:500]))
    assert service(get(range="bytes=0-999")) == UNAVAILABLE


def test_s3_is_asked_to_check_what_it_sends(service: Service, place: Place) -> None:
    service.seed()
    checksum = b64encode(hashlib.sha256(PDF).digest()).decode()
    server = place("S3", found(x_amz_checksum_sha256=checksum))  # of the content: boto3 verifies it
    response = service(get())
    assert (response["statusCode"], response["headers"]["Repr-Digest"]) == (200, f"sha-256=:{checksum}:")
    assert server.requests[0].headers["x-amz-checksum-mode"] == "ENABLED"


@pytest.mark.parametrize("headers", [{}, {"x-amz-checksum-sha256": "AAAA-2", "x-amz-checksum-type": "COMPOSITE"}])
def test_the_digest_is_that_of_the_bytes(service: Service, place: Place, headers: dict[str, str]) -> None:
    service.seed()
    place("S3", reply(200, PDF, {"ETag": ETAG} | headers))
    checksum = b64encode(hashlib.sha256(PDF).digest()).decode()
    assert service(get())["headers"]["Repr-Digest"] == f"sha-256=:{checksum}:"


def test_the_digest_is_the_archived_one_so_that_a_client_sees_what_goes_wrong_later(
    service: Service, place: Place
) -> None:
    service.seed()
    archived = b64encode(hashlib.sha256(b"as archived").digest()).decode()
    crc32 = b64encode(zlib.crc32(PDF).to_bytes(4)).decode()  # what botocore verifies, where there are two
    place("S3", found(x_amz_checksum_crc32=crc32, x_amz_checksum_sha256=archived, x_amz_checksum_type="FULL_OBJECT"))
    assert service(get())["headers"]["Repr-Digest"] == f"sha-256=:{archived}:"


# ── S3 writes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

MISSING = s3_error(404, "NoSuchKey")


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        ([s3_error(503, "SlowDown")], "SlowDown"),
        ([s3_error(403, "AccessDenied")], "AccessDenied"),
        ([reset], "ConnectionClosedError"),
    ],
)
def test_when_the_archive_cannot_be_written_the_bytes_are_served_all_the_same(
    service: Service, place: Place, answers: list[Answer], cause: str
) -> None:
    service.seed()
    place("S3", MISSING, *answers)
    checksum = b64encode(hashlib.sha256(PDF).digest()).decode()
    response = service(get())
    assert (response["statusCode"], b64decode(response["body"])) == (200, PDF)
    assert response["headers"]["ETag"] == f'"{checksum}"'
    assert response["headers"]["Repr-Digest"] == f"sha-256=:{checksum}:"
    (error, line), metrics = service.written()
    assert (error["level"], error["message"], error["signature_id"]) == ("ERROR", "archive_write_failed", ID)
    assert error["detail"] == {"cause": cause}
    assert (line["message"], line["source"]) == ("certificate_served", "provider")
    assert metrics["ArchiveWriteFailures"] == [{"service": "download_certificate"}]
    assert metrics["CertificatesServed"] == [{"service": "download_certificate", "source": "provider"}]


def test_an_unarchived_certificate_is_served_whole_or_not_at_all(service: Service, place: Place) -> None:
    """Parts of two renderings would make a third document."""
    service.seed()
    answers = [MISSING, s3_error(403, "AccessDenied")]
    place("S3", *answers)
    assert service(get(range="bytes=0-9"))["statusCode"] == 200
    service.provider.answers = [reply(body=pdf(4_500_001))]
    place("S3", *answers)
    assert service(get())["statusCode"] == 413
    place("S3", *answers)
    assert service(get(range="bytes=0-9")) == UNAVAILABLE


def test_conditions_hold_for_an_unarchived_certificate(service: Service, place: Place) -> None:
    service.seed()
    answers = [s3_error(404, ""), s3_error(403, "AccessDenied")]
    place("S3", *answers)
    assert service(get(if_match='"other"'))["statusCode"] == 412
    place("S3", *answers)
    assert service(get(if_none_match="*")) == {
        "statusCode": 304,
        "headers": {name: value for name, value in JSON.items() if name != "Content-Type"}
        | {"ETag": f'"{b64encode(hashlib.sha256(PDF).digest()).decode()}"', "Accept-Ranges": "bytes"},
        "body": "",
        "isBase64Encoded": False,
    }


def test_a_concurrent_write_is_waited_for(service: Service, place: Place) -> None:
    service.seed()
    winner = pdf(seed=9)
    conflict, lost = s3_error(409, "ConditionalRequestConflict"), s3_error(412, "PreconditionFailed")
    server = place("S3", MISSING, conflict, lost, found(winner))
    response = service(get())
    assert (response["statusCode"], b64decode(response["body"])) == (200, winner)
    assert [request.method for request in server.requests] == ["GET", "PUT", "PUT", "GET"]


def test_a_certificate_is_only_ever_created(service: Service, place: Place) -> None:
    service.seed()
    server = place("S3", MISSING, reply(200), found())
    assert service(get())["statusCode"] == 200
    put = server.requests[1]
    assert (put.method, put.target) == ("PUT", f"/craftkit-test-certificatesbucket/{PROJECT}/{ID}.pdf")
    assert put.headers["if-none-match"] == "*"
    assert put.headers["content-type"] == "application/pdf"
    assert put.headers["x-amz-checksum-sha256"] == b64encode(hashlib.sha256(PDF).digest()).decode()


def test_a_lost_answer_to_the_write_loses_nothing(service: Service, place: Place) -> None:
    """The write has happened, its answer is lost, boto3 tries again: the certificate is there already."""
    service.seed()
    place("S3", MISSING, reset, s3_error(412, "PreconditionFailed"), found())
    response = service(get())
    assert (response["statusCode"], b64decode(response["body"])) == (200, PDF)


def test_a_write_of_unknown_outcome_still_serves_what_is_archived(service: Service, place: Place) -> None:
    service.seed()
    winner = pdf(seed=9)
    place("S3", MISSING, reset, reset, found(winner))
    response = service(get())
    assert (response["statusCode"], b64decode(response["body"])) == (200, winner)
    (error, _), metrics = service.written()
    assert (error["message"], error["request_id"]) == ("archive_write_failed", REQUEST_ID)
    assert "ArchiveWriteFailures" in metrics


@pytest.mark.parametrize("answer", [s3_error(503, "SlowDown"), MISSING])
def test_when_our_own_copy_is_archived_and_cannot_be_read_it_is_served(
    service: Service, place: Place, answer: Answer
) -> None:
    service.seed()
    place("S3", MISSING, reply(200), answer)
    response = service(get())
    assert (response["statusCode"], b64decode(response["body"])) == (200, PDF)


def test_without_time_to_read_again_the_bytes_are_served(
    service: Service, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.seed()
    server = place("S3", MISSING, reply(200))
    left = iter([28000, 9000])
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: next(left))
    assert service(get())["statusCode"] == 200
    assert [request.method for request in server.requests] == ["GET", "PUT"]


@pytest.mark.parametrize("answer", [s3_error(503, "SlowDown"), MISSING])
@pytest.mark.parametrize(
    "lost", [[s3_error(412, "PreconditionFailed")], [s3_error(409, "ConditionalRequestConflict")] * 3]
)
def test_when_another_copy_won_and_cannot_be_read_ours_is_not_served(
    service: Service, place: Place, lost: list[Answer], answer: Answer
) -> None:
    service.seed()
    place("S3", MISSING, *lost, answer)
    assert service(get()) == UNAVAILABLE


# ── Secrets Manager ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "answer", [reset, reply(400, b'{"__type": "ResourceNotFoundException"}'), reply(500, b"canary")]
)
def test_secrets_manager_away_is_502_and_archived_certificates_are_served(
    service: Service, place: Place, answer: Answer
) -> None:
    service.seed()
    place("SECRETS_MANAGER", answer)
    assert service(get())["statusCode"] == 502
    (line,), _ = service.written()
    assert line["detail"] == {"reason": "secret_unavailable", "passing": False}
    service.archive(PDF)
    assert service(get())["statusCode"] == 200


# ── Secrets ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_secret_is_ever_written(service: Service, place: Place) -> None:
    """Every way that a request can go, with canaries in all that must not be told."""
    canary = "cAnArY"
    key = f"ck_live_{canary}0123456789"
    item = seeds.api_keys()[0] | {"keyHash": {"S": hashlib.sha256(key.encode()).hexdigest()}, "name": {"S": canary}}
    DYNAMODB.put_item(TableName=KEYS, Item=item)
    pdf_with_canary = pdf().replace(b"0000007", canary.encode() + b"x")
    url = {"S": f"https://{canary}.example.com/v1/signatures/{ID}/certificate"}
    outputs = [pdf_with_canary, b"<html>cAnArY</html>", b"%PDF-cAnArY"]
    headers = {"Location": f"https://{canary}.example.com/", "X-Canary": canary, "Retry-After": canary}
    answers = [reply(status, body, headers) for status in (200, 202, 302, 401, 404, 429, 500) for body in outputs]
    answers += [
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\ncAnArY malformed header line\r\n: cAnArY\r\n\r\ncAnArY"),
        raw(b"cAnArY\r\n\r\n"),
        raw(b"HTTP/1.1 cAnArY\r\n\r\n"),
        raw(b"HTTP/1.1 200 cAnArY\r\nTransfer-Encoding: chunked\r\n\r\ncAnArY\r\n"),
        reply(200, b"cAnArY", {"Content-Encoding": "cAnArY"}),
        reply(200, b"cAnArY", {"Content-Encoding": "gzip"}),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: cAnArY\r\n\r\ncAnArY"),
        reset,
    ]
    replies: list[dict[str, Any]] = []
    service.seed(certificateUrl=url, name={"S": canary}, renderId={"S": canary}, providerRequestId={"S": canary})
    for answer in answers:
        service.provider.answers = [answer]
        replies.append(service(get(key=key)))
        for entry in S3.list_object_versions(Bucket=service.bucket).get("Versions", []):
            S3.delete_object(
                Bucket=service.bucket,
                Key=entry["Key"],
                VersionId=entry["VersionId"],
                BypassGovernanceRetention=True,
            )
    for name in ("status", "projectId", "certificateUrl"):
        broken: dict[str, Any] = {name: {"S": f"{canary}!"}}
        service.seed(**broken)
        replies.append(service(get(key=key)))
    service.seed()
    service.provider.answers = [reply(body=pdf_with_canary)]
    for wrong in (f"Bearer {canary}", f"Basic {canary}", f"Bearer ck_live_unknown{canary}0123456789"):
        replies.append(service(get(key=None, authorization=wrong)))  # noqa: PERF401
    replies.append(service(get(canary, key=key)))
    replies.append(service(get(key=key, if_match=canary, if_none_match=canary, range=canary, if_range=canary)))
    replies.append(service({"headers": {canary: 7}, "requestContext": canary}))
    place("S3", s3_error(403, "AccessDenied"), s3_error(403, "AccessDenied"))
    replies.append(service(get(key=key)))
    place("DYNAMODB", dynamodb_error(400, "ValidationException"))
    replies.append(service(get(key=key)))
    output = service.output()
    told = [line for line in output.splitlines() if canary in line]
    # The only thing that may be told of a key is its prefix, here all but the last letter of the canary.
    assert told == []
    assert output.count('"key_prefix":"ck_live_cAnAr"') > len(answers)
    assert [reply for reply in replies if canary in json.dumps(reply)] == []
    assert {reply["statusCode"] for reply in replies} >= {200, 401, 404, 412, 500, 502, 503}
    assert INTERNAL["body"] in [reply["body"] for reply in replies]
    assert REQUEST_ID in output
