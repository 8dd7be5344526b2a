"""Faults of DynamoDB and Secrets Manager, played by scripted servers. test_s3_reads.py and test_s3_writes.py have those
of S3."""

import hashlib
import json
import uuid
from typing import Any

import pytest

from certificates import budgets
from develop.fakes.cloud import dynamodb_error, s3_error
from develop.fakes.server import Response, raw, reply, reset
from develop.local import seeds
from develop.local.runtime import Context
from tests.service.integration.conftest import OTHER, ScriptAws, Service
from tests.support.deployed import DYNAMODB
from tests.support.pdf import pdf
from tests.support.responses import ID, INTERNAL, REQUEST_ID, UNAUTHORIZED, UNAVAILABLE, get

PDF = pdf()

# ── DynamoDB ──────────────────────────────────────────────────────────────────────────────────────────────────────────

KEYS, SIGNATURES = "craftkit-test-ApiKeysTable", "craftkit-test-SignaturesTable"
KEY_ITEM = seeds.api_keys()[0]
SIGNATURE_ITEM = seeds.signature(ID, "completed", "req_1", is_available=True)


def batch(responses: dict[str, Any], unprocessed: dict[str, Any] | None = None) -> Response:
    return reply(200, json.dumps({"Responses": responses, "UnprocessedKeys": unprocessed or {}}).encode())


def left(table: str, key: str, value: str) -> dict[str, Any]:
    return {table: {"Keys": [{key: {"S": value}}], "ConsistentRead": True}}


OTHER_ITEM = SIGNATURE_ITEM | {"id": {"S": OTHER}}


MALFORMED: list[dict[str, Any]] = [
    {"another-table": []},
    {KEYS: [KEY_ITEM, KEY_ITEM]},
    {KEYS: [KEY_ITEM | {"expiresAt": {"N": "canary"}}]},
    {KEYS: [seeds.api_keys()[1]]},
    {KEYS: [KEY_ITEM], SIGNATURES: [OTHER_ITEM]},
]


@pytest.mark.parametrize(
    ("response", "cause", "tries"),
    [
        (dynamodb_error(500, "InternalServerError"), "InternalServerError", 3),
        (dynamodb_error(400, "ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException", 3),
        (dynamodb_error(400, "AccessDeniedException"), "AccessDeniedException", 1),
        (reset, "ConnectionClosedError", 3),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), "MalformedAnswer", 1),
        (reply(200, b"<html>"), "MalformedAnswer", 1),
        (reply(200, b"null"), "AttributeError", 1),
        (reply(200, b"[" * 100_000), "RecursionError", 1),
        (reply(200, b'{"Responses": {}}'), "MalformedAnswer", 1),
        (reply(200, b'{"UnprocessedKeys": {}}'), "MalformedAnswer", 1),
        (reply(200, b'{"Responses": {}, "UnprocessedKeys": []}'), "AttributeError", 1),
        (reply(200, b'{"Responses": [], "UnprocessedKeys": {}}'), "AttributeError", 1),
        (batch({KEYS: KEY_ITEM}), "AttributeError", 1),
        (batch({}, {"another-table": {"Keys": []}}), "MalformedAnswer", 1),
        *((batch(responses), "MalformedAnswer", 1) for responses in MALFORMED),
    ],
)
@pytest.mark.fault("dynamodb-malformed", "dynamodb-another-item")
def test_dynamodb_away_is_503(service: Service, script: ScriptAws, response: Response, cause: str, tries: int) -> None:
    """Never 500, 401 or another certificate."""
    service.archive(PDF, signature_id=OTHER)
    server = script("DYNAMODB", response)
    assert service(get()) == UNAVAILABLE
    (line,), metrics = service.written()
    assert line["detail"] == {"cause": cause}
    assert metrics == {"RequestsRefused": [{"code": "service_unavailable", "service": "download_certificate"}]}
    assert len(server.requests) == tries


@pytest.mark.fault("no-time-to-read")
def test_no_read_begins_without_time_for_it(
    service: Service, script: ScriptAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither botocore's retries nor the read of unprocessed keys."""
    for response in (dynamodb_error(500, "InternalServerError"), batch({}, left(SIGNATURES, "id", ID))):
        server = script("DYNAMODB", response)
        left_ms = lambda _, server=server: 28_000 - 12_500 * len(server.requests)  # noqa: E731
        monkeypatch.setattr(Context, "get_remaining_time_in_millis", left_ms)
        assert service(get()) == UNAVAILABLE
        (line,), _ = service.written()
        assert (line["detail"], len(server.requests)) == ({"cause": "OutOfTime"}, 2)


@pytest.mark.threat("API2")
def test_key_and_signature_are_read_together_and_consistently(service: Service, script: ScriptAws) -> None:
    server = script("DYNAMODB", batch({}))
    assert service(get()) == UNAUTHORIZED
    (request,) = server.requests
    assert request.headers["x-amz-target"] == "DynamoDB_20120810.BatchGetItem"
    key_hash = hashlib.sha256(seeds.KEY.encode()).hexdigest()
    assert json.loads(request.body) == {
        "RequestItems": left(KEYS, "keyHash", key_hash) | left(SIGNATURES, "id", ID),
    }


@pytest.mark.threat("API4")
def test_a_malformed_id_costs_the_keys_read_only_and_a_malformed_key_none(service: Service, script: ScriptAws) -> None:
    server = script("DYNAMODB", batch({KEYS: [KEY_ITEM]}))
    assert service(get("not-a-uuid"))["statusCode"] == 404
    assert list(json.loads(server.requests[0].body)["RequestItems"]) == [KEYS]
    assert service(get(key="ck_live_short")) == UNAUTHORIZED
    assert len(server.requests) == 1


def test_unprocessed_keys_are_read_again_as_they_were_requested_first(service: Service, script: ScriptAws) -> None:
    others = {"Keys": [{"id": {"S": OTHER}}], "ConsistentRead": False}
    unread = batch({KEYS: [KEY_ITEM]}, {SIGNATURES: others})
    for second, status in ((batch({SIGNATURES: [SIGNATURE_ITEM]}), 200), (batch({SIGNATURES: []}), 404)):
        server = script("DYNAMODB", unread, second)
        assert service(get())["statusCode"] == status
        assert json.loads(server.requests[1].body) == {"RequestItems": left(SIGNATURES, "id", ID)}


@pytest.mark.threat("API2")
def test_keys_that_stay_unprocessed_are_503_and_never_401(service: Service, script: ScriptAws) -> None:
    rest = left(KEYS, "keyHash", "0" * 64)
    server = script("DYNAMODB", batch({SIGNATURES: [SIGNATURE_ITEM]}, rest), batch({}, rest))
    assert service(get()) == UNAVAILABLE
    (line,), _ = service.written()
    assert line["detail"] == {"cause": "UnprocessedKeys"}
    assert len(server.requests) == budgets.UNPROCESSED_READS
    assert service.provider.requests == []


@pytest.mark.parametrize(
    ("response", "tries"),
    [(reset, 2), (reply(400, b'{"__type": "AccessDeniedException"}'), 1), (reply(500, b"canary"), 2)],
)
@pytest.mark.fault("secret-reset", "secret-denied", "archived-without-provider")
def test_secrets_manager_away_is_502_and_archived_certificates_are_served(
    service: Service, script: ScriptAws, response: Response, tries: int
) -> None:
    service.seed()
    server = script("SECRETS_MANAGER", response)
    assert service(get())["statusCode"] == 502
    (line,), _ = service.written()
    assert line["detail"] == {"reason": "secret_unavailable", "transient": False}
    service.archive(PDF)
    assert service(get())["statusCode"] == 200
    assert (len(server.requests), service.provider.requests) == (tries, [])


@pytest.mark.threat("API3", "leaks-to-logs")
def test_nothing_secret_is_ever_written(service: Service, script: ScriptAws) -> None:
    """Every outcome of a request, with canaries in everything that must stay secret."""
    canary = "cAnArY"
    key = f"ck_live_{canary}0123456789"
    item = seeds.api_keys()[0] | {"keyHash": {"S": hashlib.sha256(key.encode()).hexdigest()}, "name": {"S": canary}}
    DYNAMODB.put_item(TableName=KEYS, Item=item)
    pdf_with_canary = pdf().replace(b"0000007", canary.encode() + b"x")
    outputs = [pdf_with_canary, b"<html>cAnArY</html>", b"%PDF-cAnArY"]
    headers = {"Location": f"https://{canary}.example.com/", "X-Canary": canary, "Retry-After": canary}
    responses = [reply(status, body, headers) for status in (200, 202, 302, 401, 404, 429, 500) for body in outputs] + [
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
    secret: Any = {"name": {"S": canary}, "renderId": {"S": canary}, "providerRequestId": {"S": canary}}
    for number, response in enumerate(responses):
        signature_id = str(uuid.UUID(int=number))  # none is archived, and no failure remembered
        service.seed(signature_id=signature_id, **secret)
        service.provider.responses = [response]
        replies.append(service(get(signature_id, key=key)))
    assert len(service.provider.requests) > len(responses)
    for name in ("status", "projectId", "certificateUrl"):
        broken: dict[str, Any] = {name: {"S": f"{canary}!"}}
        service.seed(**broken)
        replies.append(service(get(key=key)))
    service.seed()
    service.provider.responses = [reply(body=pdf_with_canary)]
    wrong = (f"Bearer {canary}", f"Basic {canary}", f"Bearer ck_live_unknown{canary}0123456789")
    events = [get(key=None, authorization=authorization) for authorization in wrong] + [
        get(canary, key=key),
        get(key=key, if_match=canary, if_none_match=canary, range=canary, if_range=canary),
        {"headers": {canary: 7}, "requestContext": canary},
        type(canary, (), {})(),  # the exception names its class
    ]
    replies += [service(event) for event in events]
    script("S3", s3_error(403, "AccessDenied"), s3_error(403, "AccessDenied"))
    replies.append(service(get(key=key)))
    script("DYNAMODB", dynamodb_error(400, "ValidationException"))
    replies.append(service(get(key=key)))
    output = service.output()
    leaked = [line for line in output.splitlines() if canary in line]
    # Only a key's prefix may be logged: here it holds all but the last letter of the canary.
    assert leaked == []
    assert output.count('"key_prefix":"ck_live_cAnAr"') > len(responses)
    assert [reply for reply in replies if canary in json.dumps(reply)] == []
    assert {reply["statusCode"] for reply in replies} >= {200, 401, 404, 412, 500, 502, 503}
    assert INTERNAL["body"] in [reply["body"] for reply in replies]
    assert REQUEST_ID in output
