"""Alarms, dashboard and queries watch existing metrics and logs, and docs/run.md explains them."""

import json
import re

import pytest

from develop.environment import REGION
from develop.template import ACCOUNT, ROOT, Stack
from tests.service.template.conftest import FUNCTIONS, REPLICA_TEMPLATE
from tests.support.stack import OAUTH, PARAMETERS, REPLICA

NAMESPACE = "CraftkitCertificates/craftkit-test"
SOURCES = "".join(
    path.read_text() for room in ("functions", "layers/certificates") for path in (ROOT / room).rglob("*.py")
)
KNOWN_VALUES = {"archive", "archive_certificate", "craftkit-test", "download_certificate", "live", "provider"}
"""Values of the dashboard's dimensions that name no resource."""


def test_every_alarm_watches_an_existing_metric_and_notifies_the_topic(stack: Stack) -> None:
    names = {stack.resolve({"Ref": name}) for name in stack.resources} | {stack.physical_id(n) for n in stack.resources}
    services = {stack.environment(function)["POWERTOOLS_SERVICE_NAME"] for function in FUNCTIONS}
    known = names | services | {"craftkit-test", "live", "internal", "certificates-replica", "Replica"}
    versions = {"1", *(f"{stack.physical_id(function)}:live" for function in FUNCTIONS)}
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) == 22
    assert {name for name, alarm in alarms.items() if alarm["TreatMissingData"] == "breaching"} == {
        "CredentialRefreshAlarm"
    }
    for name, alarm in alarms.items():
        if "ExtendedStatistic" in alarm:  # a percentile of few requests raises no alarm
            assert alarm["EvaluateLowSampleCountPercentile"] == "ignore"
        is_canary = name.startswith("Canary")
        assert {dimension["Value"] for dimension in alarm["Dimensions"]} <= known | (versions if is_canary else set())
        # CodeDeploy reads the canary's alarms; others on the same failures notify.
        assert alarm.get("AlarmActions") == (None if is_canary else [stack.resolve({"Ref": "AlarmTopic"})])
        assert alarm["TreatMissingData"] in {"breaching", "notBreaching"}
        assert alarm.get("DatapointsToAlarm", 1) <= int(alarm["EvaluationPeriods"])  # CloudWatch refuses more


def test_every_alarm_has_an_entry_for_operators(stack: Stack) -> None:
    page = (ROOT / "docs" / "run.md").read_text()
    entries = re.findall(r"^- (`\w+Alarm`.*?)[:,](?! `)", page, re.MULTILINE)
    named = [name for entry in entries for name in re.findall(r"\w+Alarm", entry)]
    replica = Stack("replica", {}, REPLICA_TEMPLATE)
    alarms = [name for one in (stack, replica) for name in one.of_type("AWS::CloudWatch::Alarm")]
    assert sorted(named) == sorted(alarms)


def test_alarms_reach_the_given_email_address() -> None:
    assert Stack("s", PARAMETERS).of_type("AWS::SNS::Subscription") == {}
    (subscription,) = Stack("s", PARAMETERS | {"AlarmEmail": "a@e.com"}).of_type("AWS::SNS::Subscription").values()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "a@e.com")


@pytest.mark.threat("API8")
def test_only_alarms_publish_to_the_topic_and_only_over_tls(stack: Stack) -> None:
    """Source: https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html"""
    allow, deny = stack.resources["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    publish = {"Action": "sns:Publish", "Resource": stack.resolve({"Ref": "AlarmTopic"})}
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"
    alarms = {"Principal": {"Service": "cloudwatch.amazonaws.com"}, "Condition": {"ArnLike": {"aws:SourceArn": arn}}}
    assert allow == {"Sid": "AlarmsPublish", "Effect": "Allow"} | publish | alarms
    anyone = {"Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    assert deny == {"Sid": "OnlyTls", "Effect": "Deny"} | publish | anyone


@pytest.mark.parametrize(
    "parameters",
    [PARAMETERS, PARAMETERS | {"SignaturesTableName": "signatures"}, PARAMETERS | OAUTH, PARAMETERS | OAUTH | REPLICA],
)
def test_the_dashboard_shows_existing_alarms_and_metrics(parameters: dict[str, str]) -> None:
    stack = Stack("craftkit-test", parameters)
    (dashboard,) = stack.of_type("AWS::CloudWatch::Dashboard").values()
    # Dashboards are global: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
    assert dashboard["DashboardName"] == f"{stack.name}-{REGION}"
    status, *charts = json.loads(dashboard["DashboardBody"])["widgets"]
    notifying = {name for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items() if "AlarmActions" in alarm}
    assert set(status["properties"]["alarms"]) == {stack.resolve({"Fn::GetAtt": [name, "Arn"]}) for name in notifying}
    for chart in charts:
        for namespace, name, *dimensions in (m for m in chart["properties"]["metrics"] if isinstance(m[0], str)):
            assert namespace.startswith("AWS/") or f'"{name}"' in SOURCES
            values = [value for value in dimensions[1::2] if isinstance(value, str)]
            assert set(values) <= KNOWN_VALUES | {stack.physical_id(name) for name in stack.resources}


def test_saved_queries_ask_for_what_the_functions_write(stack: Stack) -> None:
    queries = stack.of_type("AWS::Logs::QueryDefinition")
    names = {query["Name"].partition("/")[2] for query in queries.values()}
    assert names == {"Who fetched this certificate?", "Refusals by code", "Provider latency"}
    groups = set(stack.of_type("AWS::Logs::LogGroup"))
    assert {group for query in queries.values() for group in query["LogGroupNames"]} <= {
        stack.physical_id(group) for group in groups
    }
