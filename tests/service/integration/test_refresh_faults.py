"""The refresh function: what the token endpoint, AWS and operators can get wrong."""

import json
from codecs import BOM_UTF8
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError

from develop.fakes.server import Response, hang, raw, reply, reset
from develop.local.runtime import Context
from functions.refresh_credential import grants
from functions.refresh_credential import handler as refresh
from functions.refresh_credential.credentials import RefreshFailed
from tests.support.refresh import ASSERTING, ROTATING, SERVICE, STATIC, Refresh, issue
from tests.support.stack import OAUTH, PARAMETERS

MANY_NAMES = [f"canary{number}" for number in range(2000)]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (reply(400, b'{"error": "invalid_grant", "error_description": "canary"}'), "invalid_grant"),
        (reply(401, b"<html>canary"), "refused"),
        (reply(400, BOM_UTF8 + b'{"error": "invalid_grant"}'), "invalid_grant"),
        (reply(200, b'{"error": "invalid_client"}'), "invalid_client"),
    ],
)
@pytest.mark.threat("leaks-to-logs")
@pytest.mark.fault("refresh-refused")
def test_a_refusal_alarms_and_is_not_retried(run: Refresh, response: Response, reason: str) -> None:
    run.endpoint.responses = [response]
    line = run.refused()
    assert (line["reason"], line["detail"].keys()) == (reason, {"reason", "cause"})
    assert (len(run.endpoint.requests), run.token()) == (1, "access-0")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (reset, "unreachable"),
        (reply(429, b"canary", {"Retry-After": "3600"}), "status"),
        (reply(403), "status"),
        (reply(302, headers={"Location": "/canary"}), "status"),
        (reply(body=b"<html>canary"), "answer_malformed"),
        (reply(body=b"{}"), "token_malformed"),
        (reply(body=b" " * 65_537), "too_large"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), "broken_answer"),
        *((issue(token), "token_malformed") for token in ("", "t\r\nX: y", "\u00e9")),
        (issue(7), "token_malformed"),
    ],
)
@pytest.mark.threat("provider-secret", "leaks-to-logs")
@pytest.mark.fault("refresh-endpoint-fails")
def test_a_fault_that_may_pass_is_raised_so_that_lambda_tries_again(
    run: Refresh, response: Response, reason: str
) -> None:
    run.endpoint.responses = [response, issue("access-2")]
    assert (run.failure(), run.token()) == (reason, "access-0")
    assert len(run.endpoint.requests) == 1
    run()
    assert run.token() == "access-2"


@pytest.mark.fault("refresh-slow")
def test_a_slow_endpoint_ends_within_the_time_budget(run: Refresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "TOKEN_SECONDS", 0.2)
    run.endpoint.responses = [hang(5), raw(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 50, pause=0.1)]
    assert [run.failure(), run.failure()] == ["timed_out", "timed_out"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("canary", "json_invalid"),
        ("null", {"grant": "model_attributes_type"}),
        ("{}", {"grant": "union_tag_not_found"}),
        ('{"grant": "canary"}', {"grant": "union_tag_invalid"}),
        ('{"grant": "refresh_token", "client_id": "canary"}', {"refresh_token": "missing"}),
        (
            json.dumps(STATIC | {"client_id": 7, "parameters": {"canary": 7}} | dict.fromkeys(MANY_NAMES)),
            {"client_id": "string_type", "parameters": "string_type", "unknown field": "extra_forbidden"},
        ),
    ],
)
@pytest.mark.threat("leaks-to-logs")
@pytest.mark.fault("refresh-malformed")
def test_credentials_of_the_wrong_form_are_named_without_their_values(
    run: Refresh, text: str, problems: dict[str, str] | str
) -> None:
    run.put(text)
    assert run()["reason"] == "credentials_malformed"
    (line,), metrics = run.written()
    assert line["detail"]["cause"] == problems
    assert (metrics["CredentialsRefused"], run.endpoint.connections) == ([SERVICE], 0)


@pytest.mark.fault("refresh-no-key", "refresh-token-type")
@pytest.mark.parametrize(
    ("credentials", "response", "reason"),
    [
        (ASSERTING, issue(), "signing_key_missing"),
        *((STATIC, issue(token_type=name), "token_type_unsupported") for name in ("DPoP", "mac")),
    ],
)
def test_a_setting_that_only_a_person_can_change_is_named_and_not_retried(
    run: Refresh, credentials: object, response: Response, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.put(credentials)
    run.endpoint.responses = [response]
    settings = refresh.SETTINGS.model_copy(update={"provider_signing_key_arn": ""})
    monkeypatch.setattr(refresh, "SERVICES", refresh.connect(settings))
    line = run.refused()
    assert (line["reason"], line["detail"], run.token()) == (reason, {"reason": reason}, "access-0")


@pytest.mark.parametrize("token_type", ["", "BEARER ", "BearerToken", 7])
def test_a_bearer_token_is_stored_whatever_its_type_is_called(run: Refresh, token_type: object) -> None:
    run.endpoint.responses = [issue(token_type=token_type)]
    assert (run()["seconds"], run.token()) == (3600, "access-1")


@pytest.mark.parametrize(
    ("operation", "secret", "code", "reason"),
    [
        ("GetSecretValue", "ProviderOAuthSecretName", "InternalServiceError", "credentials_unavailable"),
        ("PutSecretValue", "ProviderOAuthSecretName", "InternalServiceError", "credentials_unwritten"),
        ("PutSecretValue", "ProviderSecretName", "AccessDeniedException", "token_unwritten"),
        ("Sign", None, "AccessDeniedException", "unsigned"),
    ],
)
@pytest.mark.fault("refresh-aws-fails")
def test_a_fault_of_aws_is_raised(run: Refresh, operation: str, secret: str | None, code: str, reason: str) -> None:
    run.put(ROTATING if secret else ASSERTING)
    run.endpoint.responses = [issue("access-1", "r2")]
    name = secret and (PARAMETERS | OAUTH)[secret]
    original: Any = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001

    def call(client: Any, asked: str, parameters: Any) -> Any:
        if (asked, parameters.get("SecretId")) == (operation, name):
            raise ClientError({"Error": {"Code": code, "Message": "canary"}}, asked)
        return original(client, asked, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", call)
        with pytest.raises(RefreshFailed, match=reason):
            run()
    (line,), metrics = run.written()
    assert (line["reason"], line["detail"]) == (reason, {"reason": reason, "cause": code})
    assert metrics == {"CredentialRefreshFailures": [SERVICE | {"reason": reason}]}
    assert (run.token(), run.endpoint.connections) == ("access-0", 0 if operation in {"GetSecretValue", "Sign"} else 1)


def test_a_defect_is_raised_without_its_text(run: Refresh, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(refresh, "refresh_credential", fail)
    assert run.failure() == "internal"


def test_no_call_begins_without_time_for_it(run: Refresh) -> None:
    with pytest.raises(RefreshFailed) as failure:
        refresh.handler({}, Context(1))  # type: ignore[arg-type]
    assert failure.value.reason == "credentials_unavailable"
    assert run.endpoint.connections == 0
