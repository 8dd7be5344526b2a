"""The contract: names, parameters, statuses."""

from functions.download_certificate.responses import REFUSALS
from tests.conftest import PARAMETERS
from tests.template.conftest import DOWNLOAD, statements
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
