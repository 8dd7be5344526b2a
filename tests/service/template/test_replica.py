"""The second copy of the archive: the stack that is copied, and the bucket that docs/replica.yaml creates."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from develop.template import ACCOUNT, Stack
from tests.service.template.conftest import REPLICA_TEMPLATE, statements
from tests.service.template.test_parameters import is_deployed
from tests.support.stack import PARAMETERS, REPLICA

BUCKET, KEY = REPLICA.values()
REPLICA_STACK = Stack("replica", {"SourceAccount": ACCOUNT, "SourceStackName": "craftkit-test"}, REPLICA_TEMPLATE)


def dimensions(stack: Stack) -> dict[str, str]:
    alarm = stack.resources["ReplicationFailuresAlarm"]["Properties"]
    return {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}


def test_without_parameters_there_is_no_second_copy() -> None:
    stack = Stack("s", PARAMETERS)
    assert "ReplicationConfiguration" not in stack.resources["CertificatesBucket"]["Properties"]
    assert not [name for name in (*stack.resources, *stack.outputs) if "Repli" in name]


@pytest.mark.threat("lost-certificate")
def test_every_certificate_is_copied_with_its_lock_and_no_delete_marker_is(stack: Stack) -> None:
    role = stack.resolve({"Fn::GetAtt": ["ReplicationRole", "Arn"]})
    assert stack.outputs["ReplicationRoleArn"] == role
    destination = {"Bucket": BUCKET, "StorageClass": "INTELLIGENT_TIERING", "Metrics": {"Status": "Enabled"}}
    rule = {
        "Id": "Replica",
        "Status": "Enabled",
        "Priority": 0,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": destination | {"EncryptionConfiguration": {"ReplicaKmsKeyID": KEY}},
    }
    replication = stack.resources["CertificatesBucket"]["Properties"]["ReplicationConfiguration"]
    assert replication == {"Role": role, "Rules": [rule]}


def permissions(archive: str, keys: str | list[str]) -> list[dict[str, Any]]:
    """Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
    and, in the same guide, object-lock-managing.html and replication-config-for-kms-objects.html."""
    read = ["VersionForReplication", "VersionAcl", "VersionTagging", "Retention", "LegalHold"]
    allowed = [
        (["s3:GetReplicationConfiguration", "s3:ListBucket"], archive),
        ([f"s3:GetObject{what}" for what in read], f"{archive}/*"),
        (["s3:ReplicateObject", "s3:ReplicateTags"], f"{BUCKET}/*"),
        (["kms:Decrypt", "kms:GenerateDataKey"], keys),
        (["kms:Encrypt", "kms:GenerateDataKey"], KEY),
    ]
    return [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]


def test_the_replication_role_may_read_the_archive_and_copy_it(stack: Stack) -> None:
    archive, key = (stack.resolve({"Fn::GetAtt": [name, "Arn"]}) for name in ("CertificatesBucket", "DataKey"))
    assert statements(stack, "ReplicationRole") == permissions(archive, key)
    trust = stack.resources["ReplicationRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust == [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}]


def test_the_role_and_the_alarm_serve_an_adopted_archive_too() -> None:
    """Its replication is set by hand: the bucket is not this stack's."""
    key = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/kept"
    kept = {"CertificatesBucketName": "kept-archive", "ExistingKeyArn": key}
    stack = Stack("s", PARAMETERS | REPLICA | kept)
    keys = [stack.resolve({"Fn::GetAtt": ["DataKey", "Arn"]}), key]
    assert statements(stack, "ReplicationRole") == permissions("arn:aws:s3:::kept-archive", keys)
    assert dimensions(stack)["SourceBucket"] == "kept-archive"


def test_a_copy_that_fails_raises_an_alarm(stack: Stack) -> None:
    alarm = stack.resources["ReplicationFailuresAlarm"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/S3", "OperationsFailedReplication", 1)
    assert dimensions(stack) == {
        "SourceBucket": stack.physical_id("CertificatesBucket"),
        "DestinationBucket": "certificates-replica",
        "RuleId": "Replica",
    }


# ── docs/replica.yaml ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_outputs_of_the_replica_are_parameters_of_the_stack() -> None:
    assert REPLICA_STACK.outputs.keys() == REPLICA.keys()
    assert all(is_deployed(name, value) for name, value in REPLICA_STACK.outputs.items())


@pytest.mark.threat("lost-certificate", "wrong-bytes")
def test_the_replica_can_take_the_place_of_the_archive(stack: Stack) -> None:
    """Same lock, versions and tiers. The key is the replica's own, and nothing logs, copies or announces it."""
    archive = dict(stack.resources["CertificatesBucket"]["Properties"])
    replica = dict(REPLICA_STACK.resources["ReplicaBucket"]["Properties"])
    for name in ("LoggingConfiguration", "ReplicationConfiguration", "NotificationConfiguration"):
        del archive[name]
    encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": REPLICA_STACK.outputs["ReplicaKmsKeyArn"]}
    rule = {"ServerSideEncryptionByDefault": encryption, "BucketKeyEnabled": True}
    assert replica == archive | {"BucketEncryption": {"ServerSideEncryptionConfiguration": [rule]}}


def test_what_holds_the_second_copy_outlives_its_stack() -> None:
    """As in tests/service/template/test_data.py."""
    deletion = {name: resource.get("DeletionPolicy") for name, resource in REPLICA_STACK.resources.items()}
    assert deletion == {
        "ReplicaKey": "Retain",
        "ReplicaBucket": "RetainExceptOnCreate",
        "ReplicaBucketPolicy": "Retain",
        "ReplicationLagAlarm": None,
    }


@pytest.mark.threat("lost-certificate", "wrong-bytes")
def test_the_replica_is_protected_like_the_archive_and_admits_one_role(stack: Stack) -> None:
    def policy(of: Stack, bucket: str) -> dict[str, Any]:
        found = of.resources[f"{bucket}Policy"]["Properties"]["PolicyDocument"]["Statement"]
        return {
            statement["Sid"]: {name: value for name, value in statement.items() if name not in {"Sid", "Resource"}}
            for statement in found
        }

    archive, replica = policy(stack, "CertificatesBucket"), policy(REPLICA_STACK, "ReplicaBucket")
    admitted, verifies = replica.pop("SourceReplicates"), replica.pop("SourceVerifies")
    assert replica == archive

    source = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    role = admitted["Condition"]["ArnLike"]["aws:PrincipalArn"]
    assert verifies == source | {
        "Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketVersions"]
    }
    assert admitted == source | {
        "Action": ["s3:ReplicateObject", "s3:ReplicateTags"],
        "Condition": {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/craftkit-test-ReplicationRole-*"}},
    }
    # CloudFormation appends a dash and random characters.
    assert fnmatchcase(stack.resolve({"Fn::GetAtt": ["ReplicationRole", "Arn"]}) + "-1OCDU6XTSQ9FE", role)
    _, *allowed = REPLICA_STACK.resources["ReplicaKey"]["Properties"]["KeyPolicy"]["Statement"]
    assert allowed == [
        admitted | {"Action": ["kms:Encrypt", "kms:GenerateDataKey"], "Resource": "*"},
        source | {"Action": "kms:Decrypt", "Resource": "*"},
    ]


def test_a_copy_that_lags_raises_an_alarm_where_s3_publishes_the_latency() -> None:
    alarm = REPLICA_STACK.resources["ReplicationLagAlarm"]["Properties"]
    (query,) = alarm["Metrics"]
    assert query["Expression"] == (
        'SELECT MAX(ReplicationLatency) FROM SCHEMA("AWS/S3", DestinationBucket, RuleId, SourceBucket) '
        "WHERE DestinationBucket = 'replica-replicabucket'"
    )
    assert (alarm["Threshold"], "AlarmActions" in alarm) == (3600, False)
    topic = "arn:aws:sns:eu-west-1:123456789012:alarms"
    alarm = Stack("replica", {"AlarmTopicArn": topic}, REPLICA_TEMPLATE).resources["ReplicationLagAlarm"]["Properties"]
    assert alarm["AlarmActions"] == [topic]
