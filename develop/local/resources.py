"""Creates the template's tables, buckets, secret and queues in a stand-in for AWS."""

import json
from collections.abc import Callable
from typing import Any

from develop.environment import REGION
from develop.template import Stack

_TABLE_PROPERTIES = ("AttributeDefinitions", "KeySchema", "BillingMode")
_QUEUE_ATTRIBUTES = ("VisibilityTimeout", "MessageRetentionPeriod")


def create_resources(stack: Stack, secret: str, client: Callable[..., Any]) -> None:
    """`secret` is the provider's, which operators create by hand on AWS too. `client` makes boto3's clients."""
    dynamodb, s3 = client("dynamodb"), client("s3")
    for logical_id, table in stack.of_type("AWS::DynamoDB::Table").items():
        properties = {name: table[name] for name in _TABLE_PROPERTIES}
        if "StreamSpecification" in table:
            properties["StreamSpecification"] = {"StreamEnabled": True} | table["StreamSpecification"]
        dynamodb.create_table(TableName=stack.physical_id(logical_id), **properties)
    for logical_id, bucket in stack.of_type("AWS::S3::Bucket").items():
        name = stack.physical_id(logical_id)
        s3.create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": REGION},
            ObjectLockEnabledForBucket=bucket.get("ObjectLockEnabled", False),
        )
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=bucket["VersioningConfiguration"])
        if lock := bucket.get("ObjectLockConfiguration"):
            retention = lock["Rule"]["DefaultRetention"]
            lock = lock | {"Rule": {"DefaultRetention": retention | {"Days": int(retention["Days"])}}}
            s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    client("secretsmanager").create_secret(Name=stack.resolve({"Ref": "ProviderSecretName"}), SecretString=secret)


def create_queues(stack: Stack, client: Callable[..., Any]) -> None:
    sqs = client("sqs")
    # A dead-letter queue must exist before the queue that names it.
    queues = stack.of_type("AWS::SQS::Queue").items()
    for logical_id, queue in sorted(queues, key=lambda item: "RedrivePolicy" in item[1]):
        attributes = {name: str(queue[name]) for name in _QUEUE_ATTRIBUTES if name in queue}
        if "RedrivePolicy" in queue:
            attributes["RedrivePolicy"] = json.dumps(queue["RedrivePolicy"])
        sqs.create_queue(QueueName=stack.physical_id(logical_id), Attributes=attributes)
