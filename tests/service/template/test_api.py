"""The API: its route, the gateway's own responses, its access log."""

import json
from typing import Any

import pytest

from certificates.errors import InvalidRecord
from develop.environment import REGION
from develop.template import ACCOUNT, Stack
from functions.download_certificate.responses import INTERNAL, error_response
from tests.support.stack import PARAMETERS

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
    "INVALID_SIGNATURE",
    "ACCESS_DENIED",
}


@pytest.fixture
def api(stack: Stack) -> dict[str, Any]:
    return dict(stack.resources["CertificatesApi"]["Properties"]["Body"])


@pytest.fixture
def gateway_responses(api: dict[str, Any]) -> dict[str, Any]:
    return dict(api["x-amazon-apigateway-gateway-responses"])


@pytest.mark.threat("API5", "API6")
def test_the_one_route(api: dict[str, Any]) -> None:
    assert {path: sorted(operations) for path, operations in api["paths"].items()} == {
        "/v1/signatures/{id}/certificate": ["get", "head"]
    }
    assert api["x-amazon-apigateway-binary-media-types"] == ["*/*"]


@pytest.mark.threat("API4")
def test_the_api_is_regional_and_throttled_and_caches_nothing(stack: Stack) -> None:
    api = stack.resources["CertificatesApi"]["Properties"]
    assert api["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
    assert "CacheClusterEnabled" not in stage
    assert stage["MethodSettings"] == [
        {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": "100", "ThrottlingBurstLimit": "50"}
    ]


@pytest.mark.threat("API8")
def test_both_addresses_of_the_api_need_tls_1_2() -> None:
    """Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies-list.html"""
    stack = Stack("s", PARAMETERS | {"DomainName": "api.example.com"}).resources
    for name in ("CertificatesApi", "CustomDomain"):
        properties = stack[name]["Properties"]
        floor = properties["SecurityPolicy"], properties["EndpointAccessMode"]
        assert floor == ("SecurityPolicy_TLS13_1_2_2021_06", "STRICT")


@pytest.mark.threat("leaks-to-logs")
def test_the_access_log_is_json_and_has_no_header(stack: Stack) -> None:
    (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
    entry = json.loads(stage["AccessLogSetting"]["Format"])
    assert {"requestId", "status", "path", "milliseconds", "tls"} <= entry.keys()
    assert not any(
        word in value.lower() for value in entry.values() for word in ("header", "authorizer", "authorization")
    )
    assert stage["AccessLogSetting"]["DestinationArn"].endswith("ApiAccessLogGroup")


@pytest.mark.parametrize("choice", ["create", "exists"])
def test_the_stage_waits_for_its_logging_role(choice: str) -> None:
    stack = Stack("s", PARAMETERS | {"ApiGatewayAccountRole": choice})
    (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
    accounts = list(stack.of_type("AWS::ApiGateway::Account"))
    assert accounts == (["ApiGatewayAccount"] if choice == "create" else [])
    assert stage["Variables"]["LogRole"] == ("s-ApiGatewayAccount" if accounts else "exists")


def test_every_response_of_the_gateway_is_in_the_envelope(gateway_responses: dict[str, Any]) -> None:
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
def test_the_gateway_has_its_own_statuses_and_codes(
    gateway_responses: dict[str, Any], kind: str, status: str | None, code: str, *, retries: bool
) -> None:
    response = gateway_responses[kind]
    assert response.get("statusCode") == status
    assert json.loads(response["responseTemplates"]["application/json"])["error"]["code"] == code
    assert ("gatewayresponse.header.Retry-After" in response["responseParameters"]) is retries


def test_gateway_and_function_report_a_defect_in_the_same_words(gateway_responses: dict[str, Any]) -> None:
    ours = error_response(INTERNAL, InvalidRecord("signatures", {}), "id")["body"]
    assert gateway_responses["DEFAULT_5XX"]["responseTemplates"]["application/json"] == ours


def test_a_domain_and_a_firewall_are_created_on_demand_only(stack: Stack) -> None:
    on_demand = {"AWS::ApiGateway::DomainName", "AWS::ApiGateway::BasePathMapping"}
    firewall = {"AWS::WAFv2::WebACL", "AWS::WAFv2::WebACLAssociation"}
    assert not (on_demand | firewall) & {resource["Type"] for resource in stack.resources.values()}
    named = PARAMETERS | {
        "DomainName": "api.example.com",
        "DomainCertificateArn": "arn:aws:acm:r:1:certificate/a",
    }
    types = {resource["Type"] for resource in Stack("s", named | {"WafRequestsPerAddress": "2000"}).resources.values()}
    assert on_demand | firewall <= types


@pytest.mark.threat("API4")
def test_the_firewall_limits_addresses_and_keeps_no_header() -> None:
    stack = Stack("s", PARAMETERS | {"WafRequestsPerAddress": "2000"})
    (acl,) = stack.of_type("AWS::WAFv2::WebACL").values()
    rate, known = acl["Rules"]
    assert rate["Statement"]["RateBasedStatement"] == {
        "AggregateKeyType": "IP",
        "Limit": "2000",
        "EvaluationWindowSec": 300,
    }
    assert known["Statement"]["ManagedRuleGroupStatement"]["Name"] == "AWSManagedRulesKnownBadInputsRuleSet"
    assert not any(part["VisibilityConfig"]["SampledRequestsEnabled"] for part in (acl, rate, known))
    (association,) = stack.of_type("AWS::WAFv2::WebACLAssociation").values()
    assert association["ResourceArn"].endswith("::/restapis/s-CertificatesApi/stages/s-CertificatesApiliveStage")


@pytest.mark.threat("leaks-to-logs")
def test_the_firewall_logs_what_it_blocks_without_the_key() -> None:
    stack = Stack("s", PARAMETERS | {"WafRequestsPerAddress": "2000"})
    (logging,) = stack.of_type("AWS::WAFv2::LoggingConfiguration").values()
    group = stack.resources["WebAclLogGroup"]["Properties"]
    assert group["LogGroupName"] == "aws-waf-logs-s"  # WAF requires the prefix
    assert logging == {
        "ResourceArn": stack.resolve({"Fn::GetAtt": ["WebAcl", "Arn"]}),
        "LogDestinationConfigs": [
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{stack.resolve({'Ref': 'WebAclLogGroup'})}"
        ],
        "RedactedFields": [{"SingleHeader": {"Name": "authorization"}}],
        "LoggingFilter": {
            "DefaultBehavior": "DROP",
            "Filters": [
                {
                    "Behavior": "KEEP",
                    "Requirement": "MEETS_ANY",
                    "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}],
                }
            ],
        },
    }
    statements = stack.resources["DataKey"]["Properties"]["KeyPolicy"]["Statement"]
    (logs,) = [one for one in statements if one["Principal"].get("Service", "").startswith("logs.")]
    allowed = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert [arn.partition(":log-group:")[2] for arn in allowed] == ["s-*", group["LogGroupName"]]


@pytest.mark.threat("API8")
def test_no_origin_is_allowed_and_no_cache_kept(stack: Stack, api: dict[str, Any]) -> None:
    assert all("options" not in operations for operations in api["paths"].values())
    (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
    assert not stage.get("CacheClusterEnabled")
