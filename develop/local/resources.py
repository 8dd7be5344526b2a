"""Creates the template's tables, buckets, secret and queues in a stand-in for AWS."""

import json

import boto3

from develop.environment import REGION
from develop.template import Stack

_TABLE_PROPERTIES = ("AttributeDefinitions", "KeySchema", "BillingMode")
_QUEUE_ATTRIBUTES = ("VisibilityTimeout", "MessageRetentionPeriod")


def create_resources(stack: Stack, secret: str, session: boto3.Session, endpoint_url: str | None = None) -> None:
    """`secret` is the provider's, which operators create by hand on AWS too."""
    dynamodb = session.client("dynamodb", endpoint_url=endpoint_url)
    s3 = session.client("s3", endpoint_url=endpoint_url)
    secrets_manager = session.client("secretsmanager", endpoint_url=endpoint_url)
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
    secrets_manager.create_secret(Name=stack.resolve({"Ref": "ProviderSecretName"}), SecretString=secret)


def create_queues(stack: Stack, session: boto3.Session, endpoint_url: str | None = None) -> None:
    sqs = session.client("sqs", endpoint_url=endpoint_url)
    # A dead-letter queue must exist before the queue that names it.
    queues = stack.of_type("AWS::SQS::Queue").items()
    for logical_id, queue in sorted(queues, key=lambda item: "RedrivePolicy" in item[1]):
        attributes = {name: str(queue[name]) for name in _QUEUE_ATTRIBUTES if name in queue}
        if "RedrivePolicy" in queue:
            attributes["RedrivePolicy"] = json.dumps(queue["RedrivePolicy"])
        sqs.create_queue(QueueName=stack.physical_id(logical_id), Attributes=attributes)  # type: ignore[arg-type]
