"""What the template's roles must not allow. tests/service/artifact/test_permissions.py tests what they must allow."""

import pytest

from develop.template import Stack
from tests.service.template.conftest import listed, statements

WITHOUT_RESOURCES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "cloudwatch:DescribeAlarms"}
"""Actions that are granted on all resources."""

ROLES = [
    "DownloadCertificateRole",
    "ArchiveCertificateRole",
    "RefreshCredentialRole",
    "RefreshScheduleRole",
    "SignaturesPipeRole",
    "DeploymentRole",
    "ReplicationRole",
]


def test_every_role_is_the_templates_own(stack: Stack) -> None:
    """SAM would create roles with managed policies, whose resources are wildcards."""
    assert set(stack.of_type("AWS::IAM::Role")) == {*ROLES, "ApiGatewayLogRole"}
    managed = {name for name, role in stack.of_type("AWS::IAM::Role").items() if "ManagedPolicyArns" in role}
    assert managed == {"ApiGatewayLogRole"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.threat("API8", "lost-certificate")
def test_a_role_names_what_it_reaches_and_can_delete_no_data(stack: Stack, role: str) -> None:
    for statement in statements(stack, role):
        actions = set(listed(statement["Action"]))
        assert not any("*" in action for action in actions)
        assert not {action for action in actions if "Delete" in action} - {"sqs:DeleteMessage"}
        if actions <= WITHOUT_RESOURCES:
            continue
        for arn in listed(statement["Resource"]):
            assert arn.startswith("arn:aws:")
            assert "*" not in arn.removesuffix("/*").removesuffix(":*")
