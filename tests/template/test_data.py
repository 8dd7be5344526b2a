"""What is kept: locked, encrypted, never deleted with the stack."""

from tools.template import Stack


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
    assert services == [None, "logs.eu-central-1.amazonaws.com", "events.amazonaws.com", "cloudwatch.amazonaws.com"]


def test_no_table_can_be_deleted_by_mistake(stack: Stack) -> None:
    for table in stack.of_type("AWS::DynamoDB::Table").values():
        assert table["DeletionProtectionEnabled"] is True
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
