"""The contract: names, parameters, statuses."""

import json

from functions.download_certificate.responses import REFUSALS
from tests.conftest import PARAMETERS
from tests.template.conftest import DOWNLOAD, FUNCTIONS, statements
from tools.template import Stack, translated

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


def test_the_names_of_the_contract(stack: Stack) -> None:
    assert {name: stack.resources[name]["Type"] for name in CONTRACT_IDS} == CONTRACT_IDS


def test_all_but_the_providers_parameters_have_working_defaults() -> None:
    parameters = translated()["Parameters"]
    assert {name for name, value in parameters.items() if "Default" not in value} == set(PARAMETERS)
    assert (parameters["MaxCertificateBytes"]["Default"], parameters["Architecture"]["Default"]) == (
        "20971520",
        "arm64",
    )


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
    assert {stack.environment(function)["CERTIFICATES_BUCKET"] for function in FUNCTIONS} == {"kept"}
    for role in ("DownloadCertificateRole", "ArchiveCertificateRole"):
        reached = [s["Resource"] for s in statements(stack, role) if "s3:" in str(s["Action"])]
        assert reached == ["arn:aws:s3:::kept", "arn:aws:s3:::kept/*"]
    assert stack.resolve(translated()["Outputs"]["CertificatesBucketName"]["Value"]) == "kept"


def test_what_is_given_by_name_is_not_looked_for_in_the_stack() -> None:
    """CloudFormation refuses a template whose resources refer to one whose condition does not hold."""
    given = {"ApiKeysTableName": "keys", "SignaturesTableName": "signatures", "CertificatesBucketName": "kept"}
    text = json.dumps([*Stack("s", PARAMETERS | given).resources.values()])
    assert not [name for name in ("ApiKeysTable", "SignaturesTable") if f"s-{name}" in text]
    assert not [name for name in ("certificatesbucket", "accesslogbucket") if f"s-{name}" in text]
