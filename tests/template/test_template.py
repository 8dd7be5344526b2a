"""The translated template, for what no checker sees."""

import json
import re
from typing import Any

import pytest

from functions.download_certificate.download import INLINE_LIMIT
from functions.download_certificate.handler import ARCHIVE_SECONDS, PROVIDER_SECONDS
from functions.download_certificate.responses import INTERNAL, REFUSALS, refused
from functions.download_certificate.settings import DownloadSettings
from signing.errors import InvalidRecord
from tests.conftest import PARAMETERS
from tools.template import ROOT, Stack, translated

FUNCTION = "DownloadCertificateFunction"
CONTRACT_IDS = {
    "CertificatesApi": "AWS::ApiGateway::RestApi",
    "DownloadCertificateFunction": "AWS::Lambda::Function",
    "ApiKeysTable": "AWS::DynamoDB::Table",
    "SignaturesTable": "AWS::DynamoDB::Table",
    "CertificatesBucket": "AWS::S3::Bucket",
}
GATEWAY_TYPES = {
    "DEFAULT_4XX",
    "DEFAULT_5XX",
    "MISSING_AUTHENTICATION_TOKEN",
    "RESOURCE_NOT_FOUND",
    "THROTTLED",
    "QUOTA_EXCEEDED",
    "WAF_FILTERED",
    "INTEGRATION_TIMEOUT",
    "INTEGRATION_FAILURE",
    "REQUEST_TOO_LARGE",
    "BAD_REQUEST_BODY",
    "BAD_REQUEST_PARAMETERS",
}


@pytest.fixture
def api(stack: Stack) -> dict[str, Any]:
    return dict(stack.resources["CertificatesApi"]["Properties"]["Body"])


@pytest.fixture
def gateway_responses(api: dict[str, Any]) -> dict[str, Any]:
    return dict(api["x-amazon-apigateway-gateway-responses"])


def statements(stack: Stack, role: str) -> list[dict[str, Any]]:
    policies = stack.resources[role]["Properties"]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def test_the_names_of_the_contract(stack: Stack) -> None:
    assert {name: stack.resources[name]["Type"] for name in CONTRACT_IDS} == CONTRACT_IDS


def test_all_but_the_providers_parameters_have_working_defaults() -> None:
    parameters = translated()["Parameters"]
    assert {name for name, value in parameters.items() if "Default" not in value} == set(PARAMETERS)
    assert (parameters["MaxCertificateBytes"]["Default"], parameters["Architecture"]["Default"]) == (20971520, "arm64")


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (
            "ProviderCertificateUrl",
            [
                "https://api.example.com/v1/requests/{providerRequestId}/certificate",
                "https://api.example.com/c?id={providerRequestId}&merge=true",
                "http://127.0.0.1:3002/{providerRequestId}",
            ],
            ["", "https://api.example.com/c", "ftp://e.com/{providerRequestId}", "https://{providerRequestId}.e.com/"],
        ),
        (
            "ProviderAuthHeader",
            ["Authorization: Bearer {secret}", "X-API-KEY: {secret}", "Authorization: {secret}"],
            ["", "{secret}", "Authorization: secret", "X Y: {secret}"],
        ),
        ("ProviderSecretName", ["craftkit/provider-api-key", "a+b=c@d.e_f-g"], ["", "a b", "a*"]),
        ("ProviderLinkHosts", ["", "files.example.com,*.storage.example.com"], ["https://files.example.com"]),
    ],
)
def test_a_deployment_refuses_what_the_settings_refuse(parameter: str, good: list[str], bad: list[str]) -> None:
    pattern = re.compile(translated()["Parameters"][parameter]["AllowedPattern"])
    assert [value for value in good if not pattern.fullmatch(value)] == []
    assert [value for value in bad if pattern.fullmatch(value)] == []


def test_the_one_route(api: dict[str, Any]) -> None:
    assert {path: list(operations) for path, operations in api["paths"].items()} == {
        "/v1/signatures/{id}/certificate": ["get"]
    }
    assert api["x-amazon-apigateway-binary-media-types"] == ["*/*"]


def test_the_api_is_regional_and_throttled_and_caches_nothing(stack: Stack) -> None:
    assert stack.resources["CertificatesApi"]["Properties"]["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
    assert "CacheClusterEnabled" not in stage
    assert all(setting["ThrottlingRateLimit"] > 0 for setting in stage["MethodSettings"])


def test_every_answer_of_the_gateway_is_in_the_envelope(gateway_responses: dict[str, Any]) -> None:
    assert set(gateway_responses) == GATEWAY_TYPES
    for response in gateway_responses.values():
        body = json.loads(response["responseTemplates"]["application/json"])
        assert list(body) == ["error"]
        assert list(body["error"]) == ["code", "message"]
        headers = response["responseParameters"]
        assert headers["gatewayresponse.header.Cache-Control"] == "'private, no-store'"
        assert headers["gatewayresponse.header.X-Content-Type-Options"] == "'nosniff'"
        assert headers["gatewayresponse.header.Content-Type"] == "'application/json'"


@pytest.mark.parametrize(
    ("kind", "status", "code", "retries"),
    [
        ("MISSING_AUTHENTICATION_TOKEN", "404", "not_found", False),
        ("RESOURCE_NOT_FOUND", "404", "not_found", False),
        ("THROTTLED", None, "rate_limited", True),
        ("QUOTA_EXCEEDED", None, "rate_limited", True),
        ("DEFAULT_5XX", "500", "internal", False),
        ("INTEGRATION_FAILURE", "500", "internal", False),
        ("INTEGRATION_TIMEOUT", "503", "service_unavailable", True),
        ("REQUEST_TOO_LARGE", None, "content_too_large", False),
    ],
)
def test_what_the_gateway_says_itself(
    gateway_responses: dict[str, Any], kind: str, status: str | None, code: str, *, retries: bool
) -> None:
    response = gateway_responses[kind]
    assert response.get("statusCode") == status
    assert json.loads(response["responseTemplates"]["application/json"])["error"]["code"] == code
    assert ("gatewayresponse.header.Retry-After" in response["responseParameters"]) is retries


def test_gateway_and_function_say_a_defect_in_the_same_words(gateway_responses: dict[str, Any]) -> None:
    ours = refused(INTERNAL, InvalidRecord("signatures", {}), "id")["body"]
    assert gateway_responses["DEFAULT_5XX"]["responseTemplates"]["application/json"] == ours


def test_the_statuses_and_codes_of_the_contract() -> None:
    assert {(refusal.status, refusal.code) for refusal in REFUSALS.values()} == {
        (401, "unauthorized"),
        (404, "not_found"),
        (409, "conflict"),
        (412, "precondition_failed"),
        (413, "content_too_large"),
        (416, "range_not_satisfiable"),
        (500, "internal"),
        (502, "upstream_error"),
        (503, "service_unavailable"),
    }


def test_the_environment_is_what_the_settings_read(stack: Stack) -> None:
    ours = {name.upper() for name in DownloadSettings.model_fields}
    others = {"AWS_ENDPOINT_URL", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
    assert stack.environment(FUNCTION).keys() == ours | others
    assert stack.environment(FUNCTION)["AWS_ENDPOINT_URL"] == ""


def test_existing_tables_are_used_by_name() -> None:
    stack = Stack("s", PARAMETERS | {"ApiKeysTableName": "keys", "SignaturesTableName": "signatures"})
    assert stack.of_type("AWS::DynamoDB::Table") == {}
    environment = stack.environment(FUNCTION)
    assert (environment["API_KEYS_TABLE"], environment["SIGNATURES_TABLE"]) == ("keys", "signatures")
    (read,) = [s for s in statements(stack, "DownloadCertificateRole") if s["Action"] == "dynamodb:BatchGetItem"]
    assert [arn.rpartition("/")[2] for arn in read["Resource"]] == ["keys", "signatures"]


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_function_and_layers_are_of_one_architecture(architecture: str) -> None:
    stack = Stack("s", PARAMETERS | {"Architecture": architecture})
    function = stack.resources[FUNCTION]["Properties"]
    assert (function["Architectures"], function["Runtime"]) == ([architecture], "python3.13")
    layers = stack.of_type("AWS::Lambda::LayerVersion")
    assert len(layers) == 2
    assert all(layer["CompatibleArchitectures"] == [architecture] for layer in layers.values())


def test_time_outs_end_from_the_inside_out(stack: Stack) -> None:
    timeout = stack.resources[FUNCTION]["Properties"]["Timeout"]
    assert PROVIDER_SECONDS + ARCHIVE_SECONDS < timeout < 29


def test_the_inline_limit_fits_into_a_reply_of_lambda() -> None:
    assert INLINE_LIMIT * 4 / 3 + 2000 < 6_291_556


def test_the_role_names_what_it_reaches_and_can_delete_nothing(stack: Stack) -> None:
    role = statements(stack, "DownloadCertificateRole")
    actions = {action for s in role for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    assert actions == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "dynamodb:BatchGetItem",
        "s3:ListBucket",
        "s3:GetObject",
        "s3:PutObject",
        "secretsmanager:GetSecretValue",
    }
    for statement in role:
        resources = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        assert all(arn.startswith("arn:aws:") and "*" not in arn.removesuffix("/*") for arn in resources)


def test_what_holds_data_outlives_the_stack(stack: Stack) -> None:
    holds_data = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Logs::LogGroup"}
    kept = {name: r for name, r in stack.resources.items() if r["Type"] in holds_data}
    assert len(kept) == 4
    assert (
        {r["DeletionPolicy"] for r in kept.values()} == {r["UpdateReplacePolicy"] for r in kept.values()} == {"Retain"}
    )


def test_certificates_are_created_over_tls_and_never_overwritten(stack: Stack) -> None:
    tls, create = stack.resources["CertificatesBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (create["Effect"], create["Action"], create["Condition"]["Null"]) == (
        "Deny",
        "s3:PutObject",
        {"s3:if-none-match": "true"},
    )
    bucket = stack.resources["CertificatesBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


def test_sam_local_points_at_the_local_stack() -> None:
    variables = json.loads((ROOT / "tools" / "local" / "sam-local.json").read_text())[FUNCTION]
    local = Stack("craftkit-local", PARAMETERS).environment(FUNCTION)
    for name in ("API_KEYS_TABLE", "SIGNATURES_TABLE", "CERTIFICATES_BUCKET", "PROVIDER_SECRET_NAME"):
        assert variables[name] == local[name]
    assert variables.keys() <= local.keys()
