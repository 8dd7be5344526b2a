"""The contract: names, parameters, statuses."""

import json

import pytest

from develop.template import Stack, translated
from tests.service.template.conftest import ARCHIVE, DOWNLOAD, listed, statements
from tests.support.stack import PARAMETERS

CONTRACT_IDS = {
    "AWS::ApiGateway::RestApi": ["CertificatesApi"],
    "AWS::Lambda::Function": ["DownloadCertificateFunction", "ArchiveCertificateFunction"],
    "AWS::DynamoDB::Table": ["ApiKeysTable", "SignaturesTable"],
    "AWS::S3::Bucket": ["CertificatesBucket"],
    "AWS::SQS::Queue": ["ArchiveQueue", "ArchiveDeadLetterQueue"],
}


def test_the_names_of_the_contract(stack: Stack) -> None:
    for kind, names in CONTRACT_IDS.items():
        assert {stack.resources[name]["Type"] for name in names} == {kind}


def test_all_but_the_providers_parameters_have_working_defaults() -> None:
    parameters = translated()["Parameters"]
    assert {name for name, value in parameters.items() if "Default" not in value} == set(PARAMETERS)
    assert parameters["MaxCertificateBytes"]["Default"] == "20971520"
    assert parameters["Architecture"]["Default"] == "arm64"


def test_existing_tables_are_used_by_name() -> None:
    stack = Stack("s", PARAMETERS | {"ApiKeysTableName": "keys", "SignaturesTableName": "signatures"})
    assert stack.of_type("AWS::DynamoDB::Table") == {}
    environment = stack.environment(DOWNLOAD)
    assert (environment["API_KEYS_TABLE"], environment["SIGNATURES_TABLE"]) == ("keys", "signatures")
    (read,) = [s for s in statements(stack, "DownloadCertificateRole") if s["Action"] == "dynamodb:BatchGetItem"]
    assert [arn.rpartition("/")[2] for arn in read["Resource"]] == ["keys", "signatures"]


def test_an_existing_archive_is_used_by_name_and_left_as_it_is() -> None:
    stack = Stack("s", PARAMETERS | {"CertificatesBucketName": "kept"})
    assert stack.of_type("AWS::S3::Bucket") == stack.of_type("AWS::S3::BucketPolicy") == {}
    assert {stack.environment(function)["CERTIFICATES_BUCKET"] for function in (DOWNLOAD, ARCHIVE)} == {"kept"}
    for role in ("DownloadCertificateRole", "ArchiveCertificateRole"):
        reached = [s["Resource"] for s in statements(stack, role) if "s3:" in str(s["Action"])]
        assert reached == ["arn:aws:s3:::kept", "arn:aws:s3:::kept/*"]
    assert stack.resolve(translated()["Outputs"]["CertificatesBucketName"]["Value"]) == "kept"


@pytest.mark.parametrize("role", ["DownloadCertificateRole", "ArchiveCertificateRole", "SignaturesPipeRole"])
def test_the_key_of_what_exists_may_be_used(role: str) -> None:
    """The key that a deleted stack has kept: its policy lets the account's IAM policies decide."""
    existing = "arn:aws:kms:eu-central-1:123456789012:key/5f6bcd3e-5b5c-4ad1-a4d9-9e4e1a2d7c11"
    for given, keys in (("", ["DataKey"]), (existing, ["DataKey", existing])):
        stack = Stack("s", PARAMETERS | {"ExistingKeyArn": given})
        arns = [key if key == existing else stack.resolve({"Fn::GetAtt": [key, "Arn"]}) for key in keys]
        (use,) = [s["Resource"] for s in statements(stack, role) if "kms:Decrypt" in s["Action"]]
        assert listed(use) == arns


def test_what_is_given_by_name_is_not_looked_for_in_the_stack() -> None:
    """CloudFormation refuses a template whose resources refer to one whose condition does not hold."""
    given = {"ApiKeysTableName": "keys", "SignaturesTableName": "signatures", "CertificatesBucketName": "kept"}
    text = json.dumps([*Stack("s", PARAMETERS | given).resources.values()])
    assert not [name for name in ("ApiKeysTable", "SignaturesTable") if f"s-{name}" in text]
    assert not [name for name in ("certificatesbucket", "accesslogbucket") if f"s-{name}" in text]
