"""The functions: environment, limits, roles, versions."""

import copy
import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest

from certificates import budgets
from certificates.settings import ProviderSettings, Settings, StoreSettings
from develop.template import ROOT, Stack, read_source, translate, translated
from functions.download_certificate.responses import INTERNAL
from tests.service.template.conftest import ARCHIVE, DOWNLOAD, FUNCTIONS, REFRESH
from tests.support.stack import OAUTH, PARAMETERS


@pytest.mark.parametrize(("function", "settings"), FUNCTIONS.items())
def test_the_environment_is_what_the_settings_read(stack: Stack, function: str, settings: type[Settings]) -> None:
    shared = StoreSettings.model_fields | ProviderSettings.model_fields
    ours = {name.upper() for name in settings.model_fields | shared}
    others = {"AWS_ENDPOINT_URL", "PYDANTIC_DISABLE_PLUGINS", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
    assert stack.environment(function).keys() - {"GLIBC_TUNABLES"} == ours | others | {"RELEASE"}
    assert stack.environment(function)["AWS_ENDPOINT_URL"] == ""


@pytest.mark.parametrize("function", FUNCTIONS)
def test_sam_local_points_at_the_local_service(function: str) -> None:
    variables = json.loads((ROOT / "develop" / "local" / "sam-local.json").read_text())[function]
    local = Stack("craftkit-local", PARAMETERS | OAUTH).environment(function)
    assert variables.keys() <= local.keys()
    elsewhere = {"AWS_ENDPOINT_URL", "ARCHIVE_QUEUE_URL", "PROVIDER_CERTIFICATE_URL", "PROVIDER_TOKEN_URL"}
    same = variables.keys() - elsewhere
    assert {name: variables[name] for name in same} == {name: local[name] for name in same}
    names = {name.upper() for name in FUNCTIONS[function].model_fields if name.endswith(("_table", "_bucket", "_name"))}
    assert names <= same


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_functions_and_layers_have_one_architecture(architecture: str) -> None:
    stack = Stack("s", PARAMETERS | OAUTH | {"Architecture": architecture})
    functions = stack.of_type("AWS::Lambda::Function")
    assert functions.keys() == FUNCTIONS.keys()
    for function in functions.values():
        assert (function["Architectures"], function["Runtime"]) == ([architecture], "python3.13")
    layers = stack.of_type("AWS::Lambda::LayerVersion")
    assert sorted(layer["LayerName"] for layer in layers.values()) == ["s-certificates", "s-dependencies"]
    assert all(layer["CompatibleArchitectures"] == [architecture] for layer in layers.values())


def test_inner_timeouts_end_before_outer_ones(stack: Stack) -> None:
    timeout = stack.resources[DOWNLOAD]["Properties"]["Timeout"]
    assert budgets.PROVIDER_SECONDS + budgets.ARCHIVE_SECONDS < timeout < 29
    assert budgets.PROVIDER_CONNECT_SECONDS + budgets.SHORTEST_TRY_SECONDS < budgets.PROVIDER_SECONDS
    # One fetch and its write, after the other calls of a message, which `limit_calls` ends before the timeout.
    calls = (budgets.DYNAMODB, budgets.S3, budgets.SECRETS_MANAGER, budgets.SQS)
    seconds = budgets.PROVIDER_SECONDS + sum(limits.call_seconds for limits in calls)
    assert seconds < stack.resources[ARCHIVE]["Properties"]["Timeout"]
    # The credentials are read twice, and both secrets are written.
    seconds = budgets.TOKEN_SECONDS + budgets.KMS.call_seconds + 4 * budgets.SECRETS_MANAGER.call_seconds
    assert seconds + budgets.REPLY_SECONDS < stack.resources[REFRESH]["Properties"]["Timeout"]


def test_concurrency_is_reserved_only_on_demand(stack: Stack) -> None:
    demanded = {f"{name}ReservedConcurrency": "1" for name in ("Download", "Archive", "Refresh")}
    for one, reserved in ((stack, None), (Stack("s", PARAMETERS | OAUTH | demanded), "1")):
        functions = one.of_type("AWS::Lambda::Function").values()
        assert {function.get("ReservedConcurrentExecutions") for function in functions} == {reserved}


# ── Versions ──────────────────────────────────────────────────────────────────────────────────────────────────────────


SOURCE = read_source()


def release(source: dict[str, Any], name: str) -> None:
    """What `make deploy` does to the built template: tests/develop/test_make_deploy.py."""
    source["Globals"]["Function"]["Environment"]["Variables"]["RELEASE"] = name


def deployed(change: Callable[[dict[str, Any]], None]) -> dict[str, dict[str, Any]]:
    """Each function's configuration after a change to the template, as its version records it.

    Only these properties make a new version: PublishVersion "doesn't publish a version if the function's configuration
    and code haven't changed", and tags, concurrency and the name of the version's resource are part of neither.
    Source: https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
    """
    source = copy.deepcopy(SOURCE)
    change(source)
    resources = translate(source)["Resources"]
    versions = [name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version"]
    configurations = {}
    for version in versions:
        properties = resources[resources[version]["Properties"]["FunctionName"]["Ref"]]["Properties"]
        layers = [resources[layer["Ref"]]["Properties"] for layer in properties["Layers"]]
        not_recorded = {"Tags", "ReservedConcurrentExecutions"}
        recorded = {name: value for name, value in properties.items() if name not in not_recorded}
        configurations[version] = recorded | {"Layers": layers}
    return configurations


@cache
def unchanged() -> dict[str, dict[str, Any]]:
    return deployed(lambda _: None)


def change_layer(source: dict[str, Any], name: str) -> None:
    source["Resources"][name]["Properties"]["ContentUri"] = "s3://a/b"


CHANGES: list[Callable[[dict[str, Any]], None]] = [
    partial(release, name="2026-11-26T04:30:00Z"),
    partial(change_layer, name="CertificatesLayer"),
    partial(change_layer, name="DependenciesLayer"),
    lambda source: source["Globals"]["Function"].update(MemorySize=2048),
]


@pytest.mark.parametrize("change", CHANGES, ids=["release", "shared package", "dependencies", "memory"])
def test_every_deployed_change_reaches_the_clients(change: Callable[[dict[str, Any]], None]) -> None:
    """The alias serves clients. It moves if both the version's resource and the configuration that it records are new:
    for a new resource without a new configuration Lambda publishes no version, and the deployment fails."""
    before, after = unchanged(), deployed(change)
    assert len(before) == len(after) == len(FUNCTIONS)
    assert not before.keys() & after.keys()
    assert not [configuration for configuration in after.values() if configuration in before.values()]


CANARIES = {DOWNLOAD: ["CanaryErrorsAlarm", "CanaryInternalErrorsAlarm"], ARCHIVE: ["CanaryArchiveErrorsAlarm"]}


@pytest.mark.parametrize(("function", "alarms"), CANARIES.items())
def test_a_new_version_gets_traffic_gradually_and_loses_it_on_an_alarm_that_is_new_for_each_version(
    stack: Stack, function: str, alarms: list[str]
) -> None:
    """CodeDeploy stops a deployment whose alarm is red, even if it was red before, because of the version that the
    deployment replaces. CloudFormation replaces an alarm whose name changes, and a new alarm has no state.

    Sources: https://github.com/aws/serverless-application-model/issues/716 and, for the dimensions,
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"""
    group = stack.resources[f"{function}DeploymentGroup"]["Properties"]
    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert group["AutoRollbackConfiguration"]["Enabled"] is True
    assert group["AlarmConfiguration"]["Alarms"] == [{"Name": stack.physical_id(alarm)} for alarm in alarms]
    assert group["ServiceRoleArn"].endswith("DeploymentRole")
    template = translated()["Resources"]
    (version,) = (name for name in template if name.startswith(f"{function}Version"))
    listed = json.dumps(template[f"{function}DeploymentGroup"]["Properties"]["AlarmConfiguration"])
    for alarm in alarms:
        assert f'{{"Ref": "{alarm}"}}' in listed
        properties = template[alarm]["Properties"]
        assert properties["AlarmName"]["Fn::Sub"].endswith(f"-${{{version}.Version}}")
        dimensions = {one["Name"]: one["Value"] for one in properties["Dimensions"]}
        number = dimensions.get("ExecutedVersion") or dimensions.get("version")
        assert number == {"Fn::GetAtt": [version, "Version"]}
        assert dimensions.get("Resource", {"Fn::Sub": f"${{{function}}}:live"}) == {"Fn::Sub": f"${{{function}}}:live"}
        assert (properties["Period"], properties["TreatMissingData"]) == (60, "notBreaching")
        assert properties["Period"] * properties["EvaluationPeriods"] <= 180  # the canary takes 300 seconds


def test_the_alarm_on_our_own_defects_counts_no_failure_of_the_provider(stack: Stack) -> None:
    alarm = stack.resources["InternalErrorsAlarm"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("CraftkitCertificates/craftkit-test", "RequestsRefused")
    assert {one["Name"]: one["Value"] for one in alarm["Dimensions"]} == {
        "code": INTERNAL.code,
        "service": stack.environment(DOWNLOAD)["POWERTOOLS_SERVICE_NAME"],
    }


@pytest.mark.threat("API9")
def test_clients_and_messages_come_to_the_alias(stack: Stack) -> None:
    (operations,) = stack.resources["CertificatesApi"]["Properties"]["Body"]["paths"].values()
    for operation in operations.values():
        assert operation["x-amazon-apigateway-integration"]["uri"].endswith(f"{DOWNLOAD}:live/invocations")
    permissions = stack.of_type("AWS::Lambda::Permission").values()
    routes = {p["SourceArn"].partition("/")[2] for p in permissions if p["Principal"] == "apigateway.amazonaws.com"}
    assert {route.split("/")[1] for route in routes} == {operation.upper() for operation in operations}
    (mapping,) = stack.of_type("AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionName"].endswith(f"{ARCHIVE}:live")


def test_downloads_start_from_a_snapshot_by_default() -> None:
    for choice in ("PublishedVersions", "None"):
        function = Stack("s", PARAMETERS | {"DownloadSnapStart": choice}).resources[DOWNLOAD]["Properties"]
        assert function["SnapStart"] == {"ApplyOn": choice}
    assert Stack("s", PARAMETERS).resources[DOWNLOAD]["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}


def test_every_function_writes_to_a_log_group_of_its_own(stack: Stack) -> None:
    groups = {f["LoggingConfig"]["LogGroup"] for f in stack.of_type("AWS::Lambda::Function").values()}
    assert groups == {stack.physical_id(f"{name.removesuffix('Function')}LogGroup") for name in FUNCTIONS}
