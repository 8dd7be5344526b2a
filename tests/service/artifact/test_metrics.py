"""The metrics that the built functions write, and the alarms of their own stack and of another."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from develop.fakes.cloud import Cloud, s3_error
from develop.fakes.server import ScriptedServer, reply
from develop.local import seeds
from develop.local.emulator import Emulator, ExecutionEnvironment
from develop.local.stack import ARCHIVE, DOWNLOAD, REFRESH, LocalService
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


@pytest.fixture
def refused_and_short(running: LocalService, refreshing: Refreshing) -> str:
    """The log of a refused refresh, and of one whose access token lives for a minute."""
    running.client("secretsmanager").put_secret_value(
        SecretId=OAUTH["ProviderOAuthSecretName"], SecretString=json.dumps(STATIC)
    )
    with ScriptedServer(reply(400, b'{"error": "invalid_client"}'), issue(seeds.PROVIDER_SECRET, expires_in=60)) as url:
        addresses = {"AWS_ENDPOINT_URL": running.aws_url, "PROVIDER_TOKEN_URL": url.url}
        with Emulator(refreshing.stack, REFRESH, refreshing.stack.environment(REFRESH) | addresses) as invoke:
            for _ in range(2):
                invoke(json.dumps(seeds.event(seeds.REFRESH_EVENT)).encode())
            return invoke.log()


def log_of(function: Any) -> str:
    assert isinstance(function, ExecutionEnvironment)
    return function.log()


@pytest.mark.usefixtures("calls")
def test_each_alarm_reads_what_the_functions_of_its_stack_write_and_of_no_other(
    running: LocalService, refreshing: Refreshing, refused_and_short: str, cloud: Cloud, stack: Stack
) -> None:
    functions = [running.functions[DOWNLOAD], running.functions[ARCHIVE], refreshing.invoke]
    written = set[Metric]().union(*(find_written(log_of(one)) for one in functions), find_written(refused_and_short))
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
