"""One parameter says how long logs are kept."""

import re

import boto3

from develop.template import Stack, translated
from tests.support.stack import PARAMETERS


def find_retentions(stack: Stack) -> set[str]:
    groups = stack.of_type("AWS::Logs::LogGroup").values()
    (expire,) = stack.resources["AccessLogBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    return {expire["ExpirationInDays"], *(group["RetentionInDays"] for group in groups)}


def test_all_logs_are_kept_for_the_same_time() -> None:
    assert find_retentions(Stack("s", PARAMETERS)) == {"365"}
    assert find_retentions(Stack("s", PARAMETERS | {"WafRequestsPerAddress": "10", "LogRetentionDays": "3653"})) == {
        "3653"
    }


def test_the_retention_is_one_that_cloudwatch_accepts() -> None:
    """boto3's model has the list in the parameter's documentation."""
    model = boto3.client("logs", region_name="eu-central-1").meta.service_model.operation_model("PutRetentionPolicy")
    text = model.input_shape.members["retentionInDays"].documentation
    accepted = [int(number) for number in re.findall(r"[0-9]+", text.partition("Possible values are:")[2])]
    assert translated()["Parameters"]["LogRetentionDays"]["AllowedValues"] == accepted
