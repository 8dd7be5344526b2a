"""Data is locked, encrypted and never deleted with the stack."""

from fnmatch import fnmatchcase

import pytest

from develop.template import Stack
from tests.service.template.conftest import listed
from tests.support.stack import PARAMETERS

HOLDS_DATA = {
    "AWS::DynamoDB::Table": "Retain",
    "AWS::KMS::Key": "Retain",
    "AWS::Logs::LogGroup": "RetainExceptOnCreate",
    "AWS::S3::Bucket": "RetainExceptOnCreate",
    "AWS::S3::BucketPolicy": "Retain",
    "AWS::SQS::Queue": "RetainExceptOnCreate",
}
"""What is kept when a stack is deleted, or when an update removes or replaces it. The rollback of a failed creation
deletes what is `RetainExceptOnCreate`. Of what holds certificates and keys, that is only the bucket, and S3
deletes no bucket that is not empty. The key is kept as long as the tables, which nobody could read without it.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html"""


@pytest.mark.threat("lost-certificate")
def test_what_holds_data_outlives_the_stack(stack: Stack) -> None:
    kept = {name: resource for name, resource in stack.resources.items() if resource["Type"] in HOLDS_DATA}
    assert len(kept) == 14
    assert {name: resource["DeletionPolicy"] for name, resource in kept.items()} == {
        name: HOLDS_DATA[resource["Type"]] for name, resource in kept.items()
    }
    assert {resource["UpdateReplacePolicy"] for resource in kept.values()} == {"Retain"}


def denied(stack: Stack, action: str, **context: str | list[str]) -> set[str]:
    """The Sids of the bucket policy's statements that deny the action. `context` holds the request's condition keys
    without their prefix: `SecureTransport` for aws:SecureTransport.

    Operators: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    """
    bucket = stack.resolve({"Fn::GetAtt": ["CertificatesBucket", "Arn"]})
    statements = stack.resources["CertificatesBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert {(s["Effect"], s["Principal"]) for s in statements} == {("Deny", "*")}
    found = set()
    for statement in statements:
        resource = bucket if action.startswith(("s3:PutLifecycle", "s3:PutBucket")) else f"{bucket}/*"
        assert set(listed(statement["Resource"])) <= {bucket, f"{bucket}/*"}
        is_meant = resource in listed(statement["Resource"]) and any(
            fnmatchcase(action, pattern) for pattern in listed(statement["Action"])
        )
        if is_meant and all(
            holds(operator, [context.get(key.partition(":")[2], [])], wanted)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        ):
            found.add(statement["Sid"])
    return found


def holds(operator: str, given: list[str | list[str]], wanted: str | list[str]) -> bool:
    values = [value for one in given for value in listed(one)]
    match operator:
        case "Null":
            return (not values) is (wanted == "true")
        case "Bool":
            return values == [wanted]
        case "ForAllValues:StringNotEquals":
            return all(value not in listed(wanted) for value in values)
    raise ValueError(operator)


WRITE = {"SecureTransport": "true", "ObjectCreationOperation": "true"}


@pytest.mark.threat("wrong-bytes", "lost-certificate")
def test_certificates_are_created_over_tls_and_never_overwritten(stack: Stack) -> None:
    assert denied(stack, "s3:PutObject", **WRITE) == {"OnlyCreate"}
    assert denied(stack, "s3:PutObject", **WRITE | {"if-none-match": "*"}) == set()
    assert denied(stack, "s3:GetObject", SecureTransport="true") == set()
    assert denied(stack, "s3:GetObject", SecureTransport="false") == {"OnlyTls"}
    bucket = stack.resources["CertificatesBucket"]["Properties"]
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": "3650"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.threat("wrong-bytes")
def test_nobody_may_hide_a_certificate_behind_a_delete_marker(stack: Stack) -> None:
    assert denied(stack, "s3:DeleteObject", SecureTransport="true") == {"NoDeleteMarkers"}
    assert denied(stack, "s3:DeleteObjectVersion", SecureTransport="true") == set()  # Object Lock controls it


@pytest.mark.parametrize("action", ["s3:PutLifecycleConfiguration", "s3:PutBucketObjectLockConfiguration"])
def test_only_the_template_may_shorten_the_retention_of_certificates(stack: Stack, action: str) -> None:
    assert denied(stack, action, SecureTransport="true") == {"NoShorterLives"}
    assert denied(stack, action, SecureTransport="true", CalledVia=["athena.amazonaws.com"]) == {"NoShorterLives"}
    assert denied(stack, action, SecureTransport="true", CalledVia=["cloudformation.amazonaws.com"]) == set()


@pytest.mark.threat("API8")
def test_one_key_encrypts_all_that_is_kept(stack: Stack) -> None:
    key = stack.resolve({"Fn::GetAtt": ["DataKey", "Arn"]})
    tables = stack.of_type("AWS::DynamoDB::Table").values()
    assert {table["SSESpecification"]["KMSMasterKeyId"] for table in tables} == {key}
    assert {group["KmsKeyId"] for group in stack.of_type("AWS::Logs::LogGroup").values()} == {key}
    assert {queue["KmsMasterKeyId"] for queue in stack.of_type("AWS::SQS::Queue").values()} == {key}
    ((rule,),) = stack.resources["CertificatesBucket"]["Properties"]["BucketEncryption"].values()
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
    allowed = stack.resources["DataKey"]["Properties"]["KeyPolicy"]["Statement"]
    services = [statement["Principal"].get("Service") for statement in allowed]
    assert services == [None, "logs.eu-central-1.amazonaws.com", "events.amazonaws.com", "cloudwatch.amazonaws.com"]


@pytest.mark.threat("forged-messages")
def test_every_queue_refuses_plain_http(stack: Stack) -> None:
    queues = ["ArchiveQueue", "ArchiveDeadLetterQueue", "TriggerDeadLetterQueue"]
    assert sorted(stack.of_type("AWS::SQS::Queue")) == sorted(queues)
    policy = stack.resources["ArchiveQueuePolicy"]["Properties"]
    assert policy["Queues"] == [stack.resolve({"Ref": queue}) for queue in queues]
    (deny,) = [statement for statement in policy["PolicyDocument"]["Statement"] if statement["Effect"] == "Deny"]
    assert deny == {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": [stack.resolve({"Fn::GetAtt": [queue, "Arn"]}) for queue in queues],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_no_table_can_be_deleted_by_mistake(stack: Stack) -> None:
    for table in stack.of_type("AWS::DynamoDB::Table").values():
        assert table["DeletionProtectionEnabled"] is True
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_all_logs_are_kept_for_the_same_time() -> None:
    for days, given in (("365", {}), ("3653", {"WafRequestsPerAddress": "10", "LogRetentionDays": "3653"})):
        stack = Stack("s", PARAMETERS | given)
        (expire,) = stack.resources["AccessLogBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        groups = stack.of_type("AWS::Logs::LogGroup").values()
        assert {expire["ExpirationInDays"], *(group["RetentionInDays"] for group in groups)} == {days}
