"""The API: its route, the gateway's own responses, its access log."""

import json
from typing import Any

import pytest

from certificates.errors import InvalidRecord
from develop.environment import REGION
from develop.template import ACCOUNT, Stack
from functions.download_certificate.responses import INTERNAL, error_response
from tests.support.stack import PARAMETERS

GATEWAY_ERRORS = {
    "DEFAULT_4XX": (None, "bad_request", None),
    "DEFAULT_5XX": ("500", "internal", None),
    "MISSING_AUTHENTICATION_TOKEN": ("404", "not_found", None),
    "RESOURCE_NOT_FOUND": ("404", "not_found", None),
    "INVALID_SIGNATURE": ("404", "not_found", None),
    "ACCESS_DENIED": ("404", "not_found", None),
    "BAD_REQUEST_BODY": (None, "bad_request", None),
    "BAD_REQUEST_PARAMETERS": (None, "bad_request", None),
    "REQUEST_TOO_LARGE": (None, "content_too_large", None),
    "THROTTLED": (None, "rate_limited", "'1'"),
    "QUOTA_EXCEEDED": (None, "rate_limited", "'1'"),
    "WAF_FILTERED": (None, "forbidden", None),
    "INTEGRATION_FAILURE": ("500", "internal", None),
    "INTEGRATION_TIMEOUT": ("503", "service_unavailable", "'5'"),
}
"""The status (None: API Gateway's own), code and Retry-After of each type of its own responses."""
HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Type": "application/json",
    "X-Content-Type-Options": "nosniff",
}


@pytest.fixture
def api(stack: Stack) -> dict[str, Any]:
    return dict(stack.resources["CertificatesApi"]["Properties"]["Body"])


@pytest.mark.threat("API5", "API6", "API8")
def test_the_one_route_is_open_to_no_other_origin(api: dict[str, Any]) -> None:
    assert {path: sorted(operations) for path, operations in api["paths"].items()} == {
        "/v1/signatures/{id}/certificate": ["get", "head"]
    }
    assert api["x-amazon-apigateway-binary-media-types"] == ["*/*"]


@pytest.mark.threat("API4")
def test_the_api_is_regional_and_throttled_and_caches_nothing(stack: Stack) -> None:
    api = stack.resources["CertificatesApi"]["Properties"]
    assert api["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
    assert not stage.get("CacheClusterEnabled")
    assert stage["MethodSettings"] == [
        {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": "100", "ThrottlingBurstLimit": "50"}
    ]


@pytest.mark.threat("API8")
def test_both_addresses_of_the_api_need_tls_1_2() -> None:
    """Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies-list.html"""
    stack = Stack("s", PARAMETERS | {"DomainName": "api.example.com"}).resources
    assert "CustomDomainMapping" in stack
    for name in ("CertificatesApi", "CustomDomain"):
        properties = stack[name]["Properties"]
        floor = properties["SecurityPolicy"], properties["EndpointAccessMode"]
        assert floor == ("SecurityPolicy_TLS13_1_2_2021_06", "STRICT")


@pytest.mark.threat("leaks-to-logs")
def test_the_access_log_is_json_and_has_no_header(stack: Stack) -> None:
    (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
    entry = json.loads(stage["AccessLogSetting"]["Format"])
    assert {"requestId", "status", "path", "milliseconds", "tls"} <= entry.keys()
    texts = " ".join(entry.values()).lower()
    assert not [word for word in ("header", "authorizer", "authorization") if word in texts]
    assert stage["AccessLogSetting"]["DestinationArn"].endswith("ApiAccessLogGroup")


@pytest.mark.parametrize("choice", ["create", "exists"])
def test_the_stage_waits_for_its_logging_role(choice: str) -> None:
    stack = Stack("s", PARAMETERS | {"ApiGatewayAccountRole": choice})
    (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
    accounts = list(stack.of_type("AWS::ApiGateway::Account"))
    assert accounts == (["ApiGatewayAccount"] if choice == "create" else [])
    assert stage["Variables"]["LogRole"] == ("s-ApiGatewayAccount" if accounts else "exists")


def test_the_gateway_responds_in_the_envelope_and_the_words_of_the_function(api: dict[str, Any]) -> None:
    responses, errors = api["x-amazon-apigateway-gateway-responses"], {}
    for kind, response in responses.items():
        headers = dict(response["responseParameters"])
        retry_after = headers.pop("gatewayresponse.header.Retry-After", None)
        assert headers == {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in HEADERS.items()}
        body = json.loads(response["responseTemplates"]["application/json"])
        assert (list(body), list(body["error"])) == (["error"], ["code", "message"])
        errors[kind] = (response.get("statusCode"), body["error"]["code"], retry_after)
    assert errors == GATEWAY_ERRORS
    ours = error_response(INTERNAL, InvalidRecord("signatures", {}), "id")["body"]
    assert responses["DEFAULT_5XX"]["responseTemplates"]["application/json"] == ours


@pytest.fixture
def firewalled() -> Stack:
    return Stack("s", PARAMETERS | {"WafRequestsPerAddress": "2000"})


@pytest.mark.threat("API4")
def test_the_firewall_limits_addresses_and_keeps_no_header(stack: Stack, firewalled: Stack) -> None:
    """It and a domain are created on demand only."""
    assert not stack.resources.keys() & {"CustomDomain", "CustomDomainMapping", "WebAcl", "WebAclAssociation"}
    (acl,) = firewalled.of_type("AWS::WAFv2::WebACL").values()
    rate, known = acl["Rules"]
    limit = rate["Statement"]["RateBasedStatement"]
    assert limit == {"AggregateKeyType": "IP", "Limit": "2000", "EvaluationWindowSec": 300}
    assert known["Statement"]["ManagedRuleGroupStatement"]["Name"] == "AWSManagedRulesKnownBadInputsRuleSet"
    assert not any(part["VisibilityConfig"]["SampledRequestsEnabled"] for part in (acl, rate, known))
    (association,) = firewalled.of_type("AWS::WAFv2::WebACLAssociation").values()
    assert association["ResourceArn"].endswith("::/restapis/s-CertificatesApi/stages/s-CertificatesApiliveStage")


@pytest.mark.threat("leaks-to-logs")
def test_the_firewall_logs_what_it_blocks_without_the_key(firewalled: Stack) -> None:
    (logging,) = firewalled.of_type("AWS::WAFv2::LoggingConfiguration").values()
    group = firewalled.resources["WebAclLogGroup"]["Properties"]
    assert group["LogGroupName"] == "aws-waf-logs-s"  # WAF requires the prefix
    blocked = [{"ActionCondition": {"Action": "BLOCK"}}]
    assert logging == {
        "ResourceArn": firewalled.resolve({"Fn::GetAtt": ["WebAcl", "Arn"]}),
        "LogDestinationConfigs": [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:s-WebAclLogGroup"],
        "RedactedFields": [{"SingleHeader": {"Name": "authorization"}}],
        "LoggingFilter": {
            "DefaultBehavior": "DROP",
            "Filters": [{"Behavior": "KEEP", "Requirement": "MEETS_ANY", "Conditions": blocked}],
        },
    }
    statements = firewalled.resources["DataKey"]["Properties"]["KeyPolicy"]["Statement"]
    (logs,) = [one for one in statements if one["Principal"].get("Service", "").startswith("logs.")]
    allowed = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert [arn.partition(":log-group:")[2] for arn in allowed] == ["s-*", group["LogGroupName"]]
