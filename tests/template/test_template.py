"""The translated template, for what no checker sees."""

import json
import re
from typing import Any

import pytest

from functions.archive_certificate.handler import BATCH_SIZE
from functions.archive_certificate.message import parse_message
from functions.archive_certificate.settings import ArchiveSettings
from functions.download_certificate.download import INLINE_LIMIT
from functions.download_certificate.responses import INTERNAL, REFUSALS, refused
from functions.download_certificate.settings import DownloadSettings
from signing.archive import ARCHIVE_SECONDS
from signing.errors import InvalidRecord
from signing.provider import PROVIDER_SECONDS
from signing.settings import Settings
from tests.conftest import PARAMETERS
from tools.local.events import pipe_messages, rule_messages
from tools.template import ROOT, Stack, translated

FUNCTION = "DownloadCertificateFunction"
NAMESPACE = "CraftkitCertificates"
ARCHIVE = "ArchiveCertificateFunction"
FUNCTIONS: dict[str, type[Settings]] = {FUNCTION: DownloadSettings, ARCHIVE: ArchiveSettings}
CONTRACT_IDS = {
    "CertificatesApi": "AWS::ApiGateway::RestApi",
    "DownloadCertificateFunction": "AWS::Lambda::Function",
    "ApiKeysTable": "AWS::DynamoDB::Table",
    "SignaturesTable": "AWS::DynamoDB::Table",
    "CertificatesBucket": "AWS::S3::Bucket",
    "ArchiveCertificateFunction": "AWS::Lambda::Function",
    "ArchiveQueue": "AWS::SQS::Queue",
    "ArchiveDeadLetterQueue": "AWS::SQS::Queue",
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
    "INVALID_SIGNATURE",
    "ACCESS_DENIED",
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
    assert (parameters["MaxCertificateBytes"]["Default"], parameters["Architecture"]["Default"]) == (
        "20971520",
        "arm64",
    )


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
            [
                "",
                "https://api.example.com/c",
                "ftp://e.com/{providerRequestId}",
                "https://{providerRequestId}.e.com/",
                "http://10.0.0.1/{providerRequestId}",
            ],
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
    assert [(s["ThrottlingRateLimit"], s["ThrottlingBurstLimit"]) for s in stage["MethodSettings"]] == [("100", "50")]


def test_the_access_log_is_json_and_has_no_header(stack: Stack) -> None:
    (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
    entry = json.loads(stage["AccessLogSetting"]["Format"])
    assert {"requestId", "status", "path", "milliseconds"} <= entry.keys()
    assert not any(
        word in value.lower() for value in entry.values() for word in ("header", "authorizer", "authorization")
    )
    assert stage["AccessLogSetting"]["DestinationArn"].endswith("ApiAccessLogGroup")


@pytest.mark.parametrize("choice", ["create", "exists"])
def test_the_stage_waits_for_the_role_that_it_logs_with(choice: str) -> None:
    stack = Stack("s", PARAMETERS | {"ApiGatewayAccountRole": choice})
    (stage,) = stack.of_type("AWS::ApiGateway::Stage").values()
    accounts = list(stack.of_type("AWS::ApiGateway::Account"))
    assert accounts == (["ApiGatewayAccount"] if choice == "create" else [])
    assert stage["Variables"]["LogRole"] == ("s-ApiGatewayAccount" if accounts else "exists")


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


@pytest.mark.parametrize(("function", "settings"), FUNCTIONS.items())
def test_the_environment_is_what_the_settings_read(stack: Stack, function: str, settings: type[Settings]) -> None:
    ours = {name.upper() for name in settings.model_fields}
    others = {"AWS_ENDPOINT_URL", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
    assert stack.environment(function).keys() == ours | others
    assert stack.environment(function)["AWS_ENDPOINT_URL"] == ""


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
    functions = stack.of_type("AWS::Lambda::Function")
    assert len(functions) == 2
    for function in functions.values():
        assert (function["Architectures"], function["Runtime"]) == ([architecture], "python3.13")
    layers = stack.of_type("AWS::Lambda::LayerVersion")
    assert len(layers) == 2
    assert all(layer["CompatibleArchitectures"] == [architecture] for layer in layers.values())


def test_time_outs_end_from_the_inside_out(stack: Stack) -> None:
    timeout = stack.resources[FUNCTION]["Properties"]["Timeout"]
    assert PROVIDER_SECONDS + ARCHIVE_SECONDS < timeout < 29


def test_the_inline_limit_fits_into_a_reply_of_lambda() -> None:
    assert INLINE_LIMIT * 4 / 3 + 2000 < 6_291_556


BOTH = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "dynamodb:BatchGetItem",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    "s3:ListBucket",
    "s3:GetObject",
    "s3:PutObject",
    "secretsmanager:GetSecretValue",
}
ROLES = {
    "DownloadCertificateRole": BOTH,
    "ArchiveCertificateRole": BOTH
    | {
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ChangeMessageVisibility",
    },
    "SignaturesPipeRole": {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "sqs:SendMessage",
    },
}


@pytest.mark.parametrize(("role", "allowed"), ROLES.items())
def test_a_role_names_what_it_reaches_and_can_delete_no_data(stack: Stack, role: str, allowed: set[str]) -> None:
    policy = statements(stack, role)
    actions = {action for s in policy for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    assert actions == allowed
    for statement in policy:
        if statement["Action"] == ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]:
            continue  # X-Ray knows no resources
        resources = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        assert all(arn.startswith("arn:aws:") and "*" not in arn.removesuffix("/*") for arn in resources)


def test_what_holds_data_outlives_the_stack(stack: Stack) -> None:
    holds_data = {"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::SQS::Queue"}
    kept = {name: r for name, r in stack.resources.items() if r["Type"] in holds_data}
    assert len(kept) == 11
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
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": "3650"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_sam_local_points_at_the_local_stack(function: str) -> None:
    variables = json.loads((ROOT / "tools" / "local" / "sam-local.json").read_text())[function]
    local = Stack("craftkit-local", PARAMETERS).environment(function)
    assert variables.keys() <= local.keys()
    elsewhere = {"AWS_ENDPOINT_URL", "ARCHIVE_QUEUE_URL", "PROVIDER_CERTIFICATE_URL"}
    same = variables.keys() - elsewhere
    assert {name: variables[name] for name in same} == {name: local[name] for name in same}
    assert {name for name in local if name.endswith(("_TABLE", "_BUCKET"))} <= same


def test_one_key_encrypts_all_that_is_kept(stack: Stack) -> None:
    key = stack.resolve({"Fn::GetAtt": ["DataKey", "Arn"]})
    assert {
        table["SSESpecification"]["KMSMasterKeyId"] for table in stack.of_type("AWS::DynamoDB::Table").values()
    } == {key}
    assert {group["KmsKeyId"] for group in stack.of_type("AWS::Logs::LogGroup").values()} == {key}
    (rule,) = stack.resources["CertificatesBucket"]["Properties"]["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
    services = [
        s["Principal"].get("Service") for s in stack.resources["DataKey"]["Properties"]["KeyPolicy"]["Statement"]
    ]
    assert services == [None, "logs.eu-central-1.amazonaws.com", ["events.amazonaws.com", "cloudwatch.amazonaws.com"]]


def test_no_table_can_be_deleted_by_mistake(stack: Stack) -> None:
    for table in stack.of_type("AWS::DynamoDB::Table").values():
        assert table["DeletionProtectionEnabled"] is True
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


# ── Archiving ahead ───────────────────────────────────────────────────────────────────────────────────────────────────

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def record(**image: Any) -> dict[str, Any]:
    return {"eventName": "MODIFY", "dynamodb": {"Keys": {"id": {"S": ID}}, "NewImage": {"id": {"S": ID}} | image}}


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        (record(certificateUrl={"S": "https://api.craftkit.example/v1/signatures/x/certificate"}), True),
        (record(certificateUrl={"NULL": True}), False),
        (record(), False),
        ({"eventName": "REMOVE", "dynamodb": {"Keys": {"id": {"S": ID}}}}, False),
    ],
)
def test_the_pipe_lets_through_what_has_a_certificate(stack: Stack, change: dict[str, Any], *, passes: bool) -> None:
    assert bool(pipe_messages(stack, [change])) is passes


def test_the_rule_lets_through_completed_signatures_only(stack: Stack) -> None:
    detail = {"event": "signature.completed", "signatureRequestId": ID, "renderId": ID, "status": "completed"}
    event = {"source": "craftkit.signatures", "detail-type": "signature.completed", "detail": detail}
    assert len(rule_messages(stack, event)) == 1
    assert rule_messages(stack, event | {"source": "craftkit.renders"}) == []
    assert rule_messages(stack, event | {"detail-type": "signature.viewed"}) == []


def test_both_triggers_send_the_one_message_that_the_function_reads(stack: Stack) -> None:
    (by_pipe,) = pipe_messages(stack, [record(certificateUrl={"S": "x"})])
    detail = {"event": "signature.completed", "signatureRequestId": ID}
    event = {"source": "craftkit.signatures", "detail-type": "signature.completed", "detail": detail}
    (by_rule,) = rule_messages(stack, event)
    assert json.loads(by_pipe) == json.loads(by_rule) == {"signatureRequestId": ID}
    assert parse_message(by_pipe) == parse_message(by_rule) == ID


def test_the_queue_waits_for_the_function_and_keeps_what_fails(stack: Stack) -> None:
    queue = stack.resources["ArchiveQueue"]["Properties"]
    function = stack.resources[ARCHIVE]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    assert queue["RedrivePolicy"]["deadLetterTargetArn"].endswith("ArchiveDeadLetterQueue")
    assert stack.resources["ArchiveDeadLetterQueue"]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600
    (mapping,) = stack.of_type("AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == BATCH_SIZE
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == "2"


def test_eventbridge_may_send_to_the_encrypted_queues(stack: Stack) -> None:
    queues = [stack.resources[name]["Properties"] for name in ("ArchiveQueue", "ArchiveDeadLetterQueue")]
    key = stack.resources["DataKey"]["Properties"]
    assert {queue["KmsMasterKeyId"] for queue in queues} == {stack.resolve({"Fn::GetAtt": ["DataKey", "Arn"]})}
    assert key["EnableKeyRotation"] is True
    (grant,) = [s for s in key["KeyPolicy"]["Statement"] if "events.amazonaws.com" in s["Principal"].get("Service", [])]
    assert set(grant["Action"]) == {"kms:GenerateDataKey", "kms:Decrypt"}
    (allow,) = stack.resources["ArchiveQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    assert allow["Condition"]["ArnEquals"]["aws:SourceArn"].endswith("SignatureCompletedRule")
    (rule,) = stack.of_type("AWS::Events::Rule").values()
    reached = {rule["Targets"][0]["Arn"], rule["Targets"][0]["DeadLetterConfig"]["Arn"]}
    assert set(allow["Resource"]) == reached


def test_the_pipe_reads_the_tables_stream_from_its_beginning(stack: Stack) -> None:
    (pipe,) = stack.of_type("AWS::Pipes::Pipe").values()
    assert "/stream/" in pipe["Source"]
    assert pipe["SourceParameters"]["DynamoDBStreamParameters"]["StartingPosition"] == "TRIM_HORIZON"
    assert stack.resources["SignaturesTable"]["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


def test_an_existing_table_brings_its_own_stream_or_none() -> None:
    existing = PARAMETERS | {"SignaturesTableName": "signatures"}
    assert Stack("s", existing).of_type("AWS::Pipes::Pipe") == {}
    labelled = Stack("s", existing | {"SignaturesTableStreamLabel": "2026-06-01T00:00:00.000"})
    (pipe,) = labelled.of_type("AWS::Pipes::Pipe").values()
    assert pipe["Source"].endswith(":table/signatures/stream/2026-06-01T00:00:00.000")


# ── Eyes ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_alarm_looks_at_what_exists_and_tells_the_topic(stack: Stack) -> None:
    names = {stack.resolve({"Ref": name}) for name in stack.resources} | {stack.physical_id(n) for n in stack.resources}
    services = {stack.environment(function)["POWERTOOLS_SERVICE_NAME"] for function in FUNCTIONS}
    known = names | services | {"craftkit-test-certificates", "live"}
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) == 12
    for alarm in alarms.values():
        assert {dimension["Value"] for dimension in alarm["Dimensions"]} <= known
        assert alarm["AlarmActions"] == [stack.resolve({"Ref": "AlarmTopic"})]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_our_own_metrics_are_those_that_the_code_counts(stack: Stack) -> None:
    sources = [path.read_text() for folder in ("functions", "layers/signing") for path in (ROOT / folder).rglob("*.py")]
    ours = {a["MetricName"] for a in stack.of_type("AWS::CloudWatch::Alarm").values() if a["Namespace"] == NAMESPACE}
    assert ours == {"UpstreamFailures", "ArchiveWriteFailures"}
    assert all(any(f'"{metric}"' in source for source in sources) for metric in ours)
    assert {stack.environment(function)["POWERTOOLS_METRICS_NAMESPACE"] for function in FUNCTIONS} == {NAMESPACE}


def test_every_alarm_has_an_entry_for_operators(stack: Stack) -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    told = re.findall(r"^\| `(\w+Alarm)` \|", page, re.MULTILINE)
    assert sorted(told) == sorted(stack.of_type("AWS::CloudWatch::Alarm"))


def test_alarms_reach_whoever_is_named() -> None:
    assert Stack("s", PARAMETERS).of_type("AWS::SNS::Subscription") == {}
    (subscription,) = Stack("s", PARAMETERS | {"AlarmEmail": "a@e.com"}).of_type("AWS::SNS::Subscription").values()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "a@e.com")


def test_concurrency_is_reserved_only_on_demand() -> None:
    assert all(
        "ReservedConcurrentExecutions" not in f
        for f in Stack("s", PARAMETERS).of_type("AWS::Lambda::Function").values()
    )
    stack = Stack("s", PARAMETERS | {"DownloadReservedConcurrency": "50"})
    assert stack.resources[FUNCTION]["Properties"]["ReservedConcurrentExecutions"] == "50"
