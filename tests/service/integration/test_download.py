"""Whole responses for every row of the contract's table. test_parts.py has ranges and conditions."""

import hashlib
import uuid
from typing import Any

import pytest

from certificates import budgets
from certificates.models import STATUSES
from develop.fakes.server import reply
from develop.local import seeds
from functions.download_certificate.download import INLINE_LIMIT
from tests.service.integration.conftest import KEY, OTHER, PROJECT, Service
from tests.support.deployed import DYNAMODB
from tests.support.pdf import pdf
from tests.support.responses import ID, INTERNAL, NOT_FOUND, REQUEST_ID, UNAUTHORIZED, UPSTREAM, get, refusal, whole

SERVED = whole(pdf(), f'"{hashlib.md5(pdf(), usedforsecurity=False).hexdigest()}"')

# ── 200 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_download_is_fetched_and_archived_and_later_ones_are_not_fetched(service: Service) -> None:
    service.seed()
    assert service(get()) == service(get()) == SERVED
    assert service.archived() == pdf()
    (request,) = service.provider.requests
    assert request.target == "/v1/requests/req_1/certificate"
    assert request.headers["authorization"] == f"Bearer {seeds.PROVIDER_SECRET}"


def test_an_archived_certificate_up_to_the_inline_limit_needs_no_provider(service: Service) -> None:
    service.seed(providerRequestId=None)
    for content in (pdf(seed=7), pdf(INLINE_LIMIT)):
        etag = service.archive(content)
        assert service(get(ID.upper())) == whole(content, etag)
    assert service.provider.requests == []


def put_key(service: Service, **attributes: Any) -> None:
    DYNAMODB.put_item(TableName=service.stack.physical_id("ApiKeysTable"), Item=seeds.api_keys()[0] | attributes)


# ── 401, 404, 409 ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_key_and_every_wrong_key_get_the_same_response(service: Service) -> None:
    service.seed()
    service.archive(pdf())
    unknown = ("ck_acct_0123456789abcdef", "ck_live_short", "ck_live_unknownunknownunknown", KEY.lower())
    keys = (*unknown, seeds.REVOKED_KEY, seeds.EXPIRED_KEY)
    for authorization in ("", KEY, f"Basic {KEY}", *(f"Bearer {key}" for key in keys)):
        assert service(get(key=None, authorization=authorization)) == UNAUTHORIZED, authorization
        assert service(get("not-a-uuid", key=None, authorization=authorization)) == UNAUTHORIZED
    assert service(get(key=None)) == UNAUTHORIZED


@pytest.mark.threat("API2")
@pytest.mark.fault("key-revoked")
def test_a_key_revoked_during_a_download_is_refused_from_the_next_on(service: Service) -> None:
    service.seed()

    def revoke(connection: Any) -> None:
        put_key(service, revokedAt={"S": "2099-01-01T00:00:00.000Z"})
        reply(body=pdf())(connection)

    service.provider.responses = [revoke]
    assert service(get()) == SERVED
    assert service.archived() == pdf()
    assert service(get()) == UNAUTHORIZED


@pytest.mark.threat("API1")
def test_nothing_of_another_project_is_told(service: Service) -> None:
    service.seed(project="prj_other")
    service.archive(pdf(), project="prj_other")
    service.archive(pdf())
    assert service(get()) == NOT_FOUND
    service.seed(project="prj_other", status={"S": "broken"})
    for event in (get(), get(OTHER), get("not-a-uuid"), get(""), get() | {"pathParameters": None}):
        assert service(event) == NOT_FOUND


@pytest.mark.parametrize(("status", "may_follow"), STATUSES.items())
def test_only_a_certificate_that_may_follow_may_be_retried(service: Service, status: str, *, may_follow: bool) -> None:
    text = f"Completion certificate is not available yet (status: {status})."
    for absent in (None, {"NULL": True}, {"S": ""}):
        service.seed(status={"S": status}, certificateUrl=absent, providerRequestId=absent)
        assert service(get()) == refusal(409, "conflict", text, **({"Retry_After": "30"} if may_follow else {}))


# ── 500, 502 ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "broken", [{"projectId": {"N": "7"}}, {"certificateUrl": {"BOOL": True}}, {"providerRequestId": {"S": ""}}]
)
def test_an_item_that_breaks_the_rules_is_a_defect_and_breaks_nothing_else(service: Service, broken: Any) -> None:
    service.seed(**broken)
    service.seed(signature_id=OTHER)
    assert service(get()) == INTERNAL
    (line,), _ = service.written()
    assert (line["level"], line["signature_id"], line["detail"]["record"]) == ("ERROR", ID, "signatures")
    assert service(get(OTHER))["statusCode"] == 200


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ({"revokedAt": {"S": ""}}, INTERNAL),
        ({"expiresAt": {"S": "2099-01-01T00:00:00"}}, INTERNAL),
        ({"projectId": {"S": ""}}, INTERNAL),
        ({"expiresAt": {"N": "1780659728"}}, UNAUTHORIZED),
        ({"expiresAt": {"N": "4102444800"}}, SERVED),
        ({"expiresAt": {"S": "2100-01-01T00:00:00Z"}}, SERVED),
    ],
)
@pytest.mark.threat("API2")
@pytest.mark.fault("key-expired")
def test_a_broken_or_expired_key_opens_nothing(
    service: Service, attribute: dict[str, Any], expected: dict[str, Any]
) -> None:
    service.seed()
    put_key(service, **attribute)
    assert service(get()) == expected


@pytest.mark.parametrize(
    "event", [{}, None, [], "text", {"requestContext": {}}, {"requestContext": {"requestId": REQUEST_ID}, "headers": 7}]
)
def test_an_event_of_another_kind_is_a_defect(service: Service, event: Any) -> None:
    response = service(event)
    assert (response["statusCode"], response["body"]) == (500, INTERNAL["body"])
    (line,), metrics = service.written()
    assert line["detail"]["trace"]
    assert response["headers"]["X-Request-Id"] == str(uuid.UUID(line["request_id"]))  # Lambda's
    assert metrics == {
        "RequestsRefused": [{"code": "internal", "service": "download_certificate"}],
        "InternalErrors": [{"version": "$LATEST", "service": "download_certificate"}],
    }


@pytest.mark.threat("API10")
def test_a_failure_of_the_provider_is_never_the_clients_and_never_archived(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "REMEMBERED_SECONDS", 0)
    service.seed()
    failures = [reply(status, b"canary", {"Retry-After": "999"}) for status in (401, 404, 409, 429, 500)]
    for response in (*failures, reply(body=b"<html>canary</html>")):
        service.provider.responses = [response]
        assert service(get()) == UPSTREAM
        assert service.archived() is None
    service.provider.responses = [reply(body=pdf())]
    assert service(get()) == SERVED


# ── The log and the metrics ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.threat("API6")
def test_one_line_tells_who_fetched_which_certificate(service: Service) -> None:
    service.seed()
    service(get())
    (line,), metrics = service.written()
    assert line.pop("milliseconds") > 0
    assert line.pop("timestamp")
    assert "handler" in line.pop("location")
    assert line == {
        "level": "INFO",
        "message": "certificate_served",
        "service": "download_certificate",
        "request_id": REQUEST_ID,
        "method": "GET",
        "project_id": PROJECT,
        "key_prefix": "ck_test_Local",
        "signature_id": ID,
        "status": 200,
        "source": "provider",
        "bytes": 2000,
    }
    assert metrics == {
        "ProviderMilliseconds": [{"service": "download_certificate"}],
        "CertificatesServed": [{"service": "download_certificate", "source": "provider"}],
    }
    service(get(range="bytes=0-9"))
    (line,), metrics = service.written()
    assert (line["status"], line["source"], line["bytes"]) == (206, "archive", 10)
    assert metrics == {"CertificatesServed": [{"service": "download_certificate", "source": "archive"}]}
    service(get(if_none_match="*"))
    (line,), _ = service.written()
    assert (line["status"], line["source"], line["bytes"]) == (304, "archive", 0)


def test_head_is_handled_like_get_and_logged_as_head(service: Service) -> None:
    """API Gateway omits the body (RFC 9110 section 9.3.2)."""
    service.seed()
    service.archive(pdf())
    for headers in ({}, {"range": "bytes=0-9"}, {"if_none_match": "*"}, {"if_match": '"a"'}):
        assert service(get(**headers) | {"httpMethod": "HEAD"}) == service(get(**headers))
        (head, got), _ = service.written()
        assert {name for name in got if got[name] != head[name]} <= {"method", "milliseconds", "timestamp"}
        assert (head["method"], got["method"]) == ("HEAD", "GET")


def test_a_refusal_is_logged_with_its_reason(service: Service) -> None:
    service.seed()
    service.provider.responses = [reply(404)]
    service(get())
    (line,), metrics = service.written()
    assert (line["level"], line["message"], line["status"]) == ("ERROR", "request_refused", 502)
    assert (line["code"], line["project_id"], line["signature_id"]) == ("upstream_error", PROJECT, ID)
    assert line["detail"] == {"reason": "status", "upstream_status": 404, "transient": False}
    assert metrics == {
        "ProviderMilliseconds": [{"service": "download_certificate"}],
        "RequestsRefused": [{"code": "upstream_error", "service": "download_certificate"}],
        "UpstreamFailures": [{"service": "download_certificate"}],
    }
    service(get(key=None))
    (line,), metrics = service.written()
    assert (line["level"], line["code"], line["signature_id"]) == ("INFO", "unauthorized", ID)
    assert "project_id" not in line
    assert metrics == {"RequestsRefused": [{"code": "unauthorized", "service": "download_certificate"}]}
