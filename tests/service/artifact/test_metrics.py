"""The metrics that the built functions write, and the alarms of their own stack and of another."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from develop.fakes.cloud import Cloud, s3_error
from develop.fakes.server import reply
from develop.local import seeds
from develop.local.emulator import ExecutionEnvironment
from develop.local.stack import ARCHIVE, DOWNLOAD, LocalService
from develop.template import Stack
from tests.service.artifact.conftest import Refreshing
from tests.support.execution_environments import ExecutionEnvironments, download_event, invoke
from tests.support.faults import signature_id
from tests.support.refresh import STATIC, issue
from tests.support.stack import OAUTH

Metric = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, dimensions with their values."""


def find_written(log: str) -> set[Metric]:
    entries = [json.loads(line) for line in log.splitlines() if line.startswith('{"_aws"')]
    return {
        (directive["Namespace"], directive["Metrics"][0]["Name"], frozenset((name, entry[name]) for name in names))
        for entry in entries
        for directive in entry["_aws"]["CloudWatchMetrics"]
        for names in directive["Dimensions"]
    }


def find_watched(stack: Stack) -> set[Metric]:
    """The functions' own metrics that alarms read. The emulator runs the version $LATEST, the stack version 1."""

    def find_dimensions(alarm: dict[str, Any]) -> Iterable[tuple[str, str]]:
        for one in alarm["Dimensions"]:
            yield one["Name"], "$LATEST" if one["Name"] == "version" else one["Value"]

    alarms = stack.of_type("AWS::CloudWatch::Alarm").values()
    ours = [alarm for alarm in alarms if not alarm["Namespace"].startswith("AWS/")]
    return {(alarm["Namespace"], alarm["MetricName"], frozenset(find_dimensions(alarm))) for alarm in ours}


def log_of(function: Any) -> str:
    assert isinstance(function, ExecutionEnvironment)
    return function.log()


@pytest.mark.usefixtures("calls")
def test_each_alarm_reads_what_the_functions_of_its_stack_write_and_of_no_other(
    running: LocalService, refreshing: Refreshing, cloud: Cloud, stack: Stack
) -> None:
    # A refused refresh, and one whose access token lives for a minute.
    refreshing.endpoint.requests.clear()
    refreshing.endpoint.responses = [
        reply(400, b'{"error": "invalid_client"}'),
        issue(seeds.PROVIDER_SECRET, expires_in=60),
    ]
    secret = {"SecretId": OAUTH["ProviderOAuthSecretName"], "SecretString": json.dumps(STATIC)}
    running.client("secretsmanager").put_secret_value(**secret)
    for _ in range(2):
        refreshing.invoke(json.dumps(seeds.event(seeds.REFRESH_EVENT)).encode())
    functions = [running.functions[DOWNLOAD], running.functions[ARCHIVE], refreshing.invoke]
    written = set[Metric]().union(*(find_written(log_of(one)) for one in functions))
    id_ = signature_id("metrics")
    cloud.tables.put_signature(id_)
    cloud.script(id_, {"PutObject": [s3_error(403, "AccessDenied")]})
    with ExecutionEnvironments(cloud) as environments, environments.borrow() as instance:
        assert invoke(instance, download_event(id_)).reply["statusCode"] == 200
        of_another_stack = find_written(instance.log())

    watched = find_watched(refreshing.stack)
    assert {name for _, name, _ in watched - written} == {"ArchiveWriteFailures"}
    warm_up = {"InternalErrors", "RequestsRefused"}  # its event is of no kind that the function knows
    assert {name for _, name, _ in find_watched(stack) & of_another_stack} == {"ArchiveWriteFailures"} | warm_up
    assert watched & of_another_stack == find_watched(stack) & written == set()
