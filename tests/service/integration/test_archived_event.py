"""The rule of docs/deploy.md for archived certificates, with moto's S3, EventBridge and SQS, and with AWS's own
event."""

import json
import re
from typing import Any

import pytest
from moto.events.models import EventPattern
from samtranslator.yaml_helper import yaml_parse

from develop.template import ROOT, Stack
from tests.service.integration.conftest import PROJECT, Service, get
from tests.support.deployed import AWS, S3, SQS
from tests.support.responses import ID

EVENTS = AWS.client("events")
KEY = f"{PROJECT}/{ID}.pdf"
# Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
OBJECT_CREATED: dict[str, Any] = {
    "version": "0",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "resources": ["arn:aws:s3:::CERTIFICATES_BUCKET"],
    "detail": {
        "version": "0",
        "bucket": {"name": "CERTIFICATES_BUCKET"},
        "object": {"key": KEY, "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184", "sequencer": "617f08299329d189"},
        "reason": "PutObject",
    },
}


@pytest.fixture
def rule() -> dict[str, Any]:
    page = (ROOT / "docs" / "deploy.md").read_text()
    (stack,) = [text for text in re.findall(r"(?ms)^```yaml\n(.*?)^```$", page) if "ArchivedRule" in text]
    found: dict[str, Any] = yaml_parse(stack)["Resources"]["ArchivedRule"]["Properties"]
    return found


def test_the_rule_sends_each_archived_certificate_to_the_queue(
    service: Service, stack: Stack, rule: dict[str, Any]
) -> None:
    notifications = stack.resources["CertificatesBucket"]["Properties"]["NotificationConfiguration"]
    assert notifications["EventBridgeConfiguration"] == {"EventBridgeEnabled": True}
    S3.put_bucket_notification_configuration(
        Bucket=service.bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    url = SQS.create_queue(QueueName="archived")["QueueUrl"]
    arn = SQS.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps(rule["EventPattern"]).replace("CERTIFICATES_BUCKET", service.bucket)
    EVENTS.put_rule(Name="archived", EventPattern=pattern)
    EVENTS.put_targets(Rule="archived", Targets=[{"Id": "queue", "Arn": arn}])
    service.seed()
    service(get())
    S3.put_object(Bucket=service.bucket, Key=".seals/2026-12-01.json", Body=b"{}")
    (message,) = SQS.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert json.loads(message["Body"])["detail"]["object"]["key"] == KEY


@pytest.mark.parametrize(
    ("change", "matches"),
    [({}, True), ({"object": {"key": ".seals/2026-12-01.json"}}, False), ({"bucket": {"name": "another"}}, False)],
)
def test_the_rules_pattern_matches_the_event_that_aws_documents(
    rule: dict[str, Any], change: dict[str, Any], *, matches: bool
) -> None:
    event: Any = OBJECT_CREATED | {"detail": OBJECT_CREATED["detail"] | change}
    assert EventPattern.load(json.dumps(rule["EventPattern"])).matches_event(event) is matches


def test_a_message_is_json_with_the_key(rule: dict[str, Any]) -> None:
    transformer = rule["Targets"][0]["InputTransformer"]
    assert transformer["InputPathsMap"] == {"key": "$.detail.object.key"}
    assert json.loads(transformer["InputTemplate"].replace("<key>", json.dumps(KEY))) == {"key": KEY}
