"""Each role allows exactly the calls made in its name: the template against every call to AWS of these tests."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from develop.local.stack import ARCHIVE, DOWNLOAD, REFRESH
from develop.template import Stack
from tests.service.artifact.conftest import Refreshing
from tests.support.calls import Call

ROLES = {
    DOWNLOAD: "DownloadCertificateRole",
    ARCHIVE: "ArchiveCertificateRole",
    REFRESH: "RefreshCredentialRole",
    "SignaturesPipe": "SignaturesPipeRole",
}

BY_AWS_ITSELF = {
    "logs:CreateLogStream": "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html",
    "logs:PutLogEvents": "the same",
    "xray:PutTraceSegments": "https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html",
    "xray:PutTelemetryRecords": "the same",
    "kms:Decrypt": "https://docs.aws.amazon.com/kms/latest/developerguide/ (services-s3, -dynamodb, -sqs)",
    "kms:GenerateDataKey": "the same",
    "sqs:GetQueueAttributes": "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    "dynamodb:ListStreams": "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-permissions.html",
    "sqs:SendMessage TriggerDeadLetterQueue": "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-dlq.html",
}
"""Actions that AWS takes in a role's name without a request of ours, or only after failures, with the source."""


def permissions(stack: Stack, role: str) -> Iterator[tuple[str, str]]:
    """Action and resource pattern."""
    for policy in stack.resources[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions, resources = statement["Action"], statement["Resource"]
            for action in [actions] if isinstance(actions, str) else actions:
                for resource in [resources] if isinstance(resources, str) else resources:
                    yield action, _any_stream(resource)


def _any_stream(arn: str) -> str:
    """A stream's label is its creation time."""
    return re.sub(r"/stream/.*", "/stream/*", arn)


def covers(permission: tuple[str, str], call: Call) -> bool:
    action, resource = permission
    return action == call.action and fnmatchcase(_any_stream(call.resource), resource)


@pytest.mark.threat("API8")
def test_a_role_allows_what_is_done_in_its_name_and_no_more(refreshing: Refreshing, calls: set[Call]) -> None:
    for who, role in ROLES.items():
        allowed = set(permissions(refreshing.stack, role))
        done = {call for call in calls if call.who == who}
        assert done
        assert {call for call in done if not any(covers(permission, call) for permission in allowed)} == set()
        unused = {permission for permission in allowed if not any(covers(permission, call) for call in done)}
        assert {(action, resource) for action, resource in unused if not _is_excused(action, resource)} == set()
        assert not BY_AWS_ITSELF.keys() & {call.action for call in done}


def _is_excused(action: str, resource: str) -> bool:
    return action in BY_AWS_ITSELF or f"{action} {resource.rpartition('-')[2]}" in BY_AWS_ITSELF
