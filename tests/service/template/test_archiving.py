"""Archiving ahead of the first download: both triggers, the queue, the pipe. The event after it."""

import json
import re
from typing import Any

import pytest
from moto.events.models import EventPattern
from samtranslator.yaml_helper import yaml_parse

from develop.local.events import pipe_messages, rule_messages
from develop.template import ACCOUNT, ROOT, Stack
from functions.archive_certificate.handler import BATCH_SIZE
from functions.archive_certificate.message import parse_message
from tests.service.template.conftest import ARCHIVE
from tests.support.stack import PARAMETERS

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def record(**image: Any) -> dict[str, Any]:
    return {"eventName": "MODIFY", "dynamodb": {"Keys": {"id": {"S": ID}}, "NewImage": {"id": {"S": ID}} | image}}


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        (record(certificateUrl={"S": "https://api.craftkit.example/v1/signatures/x/certificate"}), True),
        (record(certificateUrl={"NULL": True}), False),
        (record(certificateUrl={"S": ""}), False),
        (record(), False),
        ({"eventName": "REMOVE", "dynamodb": {"Keys": {"id": {"S": ID}}}}, False),
    ],
)
def test_the_pipe_passes_records_with_a_certificate_only(stack: Stack, change: dict[str, Any], *, passes: bool) -> None:
    assert bool(pipe_messages(stack, [change])) is passes


DETAIL = {"event": "signature.completed", "signatureRequestId": ID, "renderId": ID, "status": "completed"}
EVENT = {"account": ACCOUNT, "source": "craftkit.signatures", "detail-type": "signature.completed", "detail": DETAIL}


@pytest.mark.threat("forged-messages")
def test_the_rule_passes_completed_signature_requests_of_the_account_only(stack: Stack) -> None:
    assert len(rule_messages(stack, EVENT)) == 1
    assert rule_messages(stack, EVENT | {"account": "210987654321"}) == []
    assert rule_messages(stack, EVENT | {"source": "craftkit.renders"}) == []
    assert rule_messages(stack, EVENT | {"detail-type": "signature.viewed"}) == []


@pytest.mark.threat("forged-messages")
def test_both_triggers_send_the_one_message_that_the_function_reads(stack: Stack) -> None:
    (by_pipe,) = pipe_messages(stack, [record(certificateUrl={"S": "x"})])
    (by_rule,) = rule_messages(stack, EVENT)
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
    key = stack.resources["DataKey"]["Properties"]
    assert key["EnableKeyRotation"] is True
    (grant,) = [s for s in key["KeyPolicy"]["Statement"] if "events.amazonaws.com" in s["Principal"].get("Service", [])]
    assert set(grant["Action"]) == {"kms:GenerateDataKey", "kms:Decrypt"}
    allow, _ = stack.resources["ArchiveQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert allow["Effect"] == "Allow"
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    assert allow["Condition"]["ArnEquals"]["aws:SourceArn"].endswith("SignatureCompletedRule")
    (rule,) = stack.of_type("AWS::Events::Rule").values()
    reached = {rule["Targets"][0]["Arn"], rule["Targets"][0]["DeadLetterConfig"]["Arn"]}
    assert set(allow["Resource"]) == reached


def test_the_pipe_reads_the_tables_stream_from_its_beginning_once_it_is_ready(stack: Stack) -> None:
    (pipe,) = stack.of_type("AWS::Pipes::Pipe").values()
    assert "/stream/" in pipe["Source"]
    assert pipe["SourceParameters"]["DynamoDBStreamParameters"]["StartingPosition"] == "TRIM_HORIZON"
    assert stack.resources["SignaturesTable"]["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    # The alias waits minutes for the snapshot of a version, if there is one, and the trigger about a minute.
    slow = stack.resources["SignaturesPipe"]["DependsOn"]
    types = [stack.resources[name]["Type"] for name in slow]
    assert types == ["AWS::Lambda::Alias", "AWS::Lambda::EventSourceMapping"]


def test_an_existing_table_uses_its_own_stream_or_none() -> None:
    existing = PARAMETERS | {"SignaturesTableName": "signatures"}
    assert Stack("s", existing).of_type("AWS::Pipes::Pipe") == {}
    labelled = Stack("s", existing | {"SignaturesTableStreamLabel": "2026-06-01T00:00:00.000"})
    (pipe,) = labelled.of_type("AWS::Pipes::Pipe").values()
    assert pipe["Source"].endswith(":table/signatures/stream/2026-06-01T00:00:00.000")


# Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
OBJECT_CREATED: dict[str, Any] = {
    "version": "0",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "resources": ["arn:aws:s3:::CERTIFICATES_BUCKET"],
    "detail": {
        "version": "0",
        "bucket": {"name": "CERTIFICATES_BUCKET"},
        "object": {"key": "p/1.pdf", "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184", "sequencer": "617f0829"},
        "reason": "PutObject",
    },
}


def test_the_rule_of_the_docs_sends_the_key_of_each_archived_certificate(stack: Stack) -> None:
    notifications = stack.resources["CertificatesBucket"]["Properties"]["NotificationConfiguration"]
    assert notifications["EventBridgeConfiguration"] == {"EventBridgeEnabled": True}
    page = (ROOT / "docs" / "deploy.md").read_text()
    (text,) = [text for text in re.findall(r"(?ms)^```yaml\n(.*?)^```$", page) if "ArchivedRule" in text]
    rule = yaml_parse(text)["Resources"]["ArchivedRule"]["Properties"]
    others: list[dict[str, Any]] = [{"object": {"key": ".seals/2026-12-01.json"}}, {"bucket": {"name": "another"}}]
    events: list[Any] = [OBJECT_CREATED | {"detail": OBJECT_CREATED["detail"] | change} for change in ({}, *others)]
    pattern = EventPattern.load(json.dumps(rule["EventPattern"]))
    assert [pattern.matches_event(event) for event in events] == [True, False, False]
    transformer = rule["Targets"][0]["InputTransformer"]
    assert transformer["InputPathsMap"] == {"key": "$.detail.object.key"}
    assert json.loads(transformer["InputTemplate"].replace("<key>", '"p/1.pdf"')) == {"key": "p/1.pdf"}
