"""Two stacks of the template in one account and region share nothing."""

import json
import re
from collections.abc import Iterator
from typing import Any

from develop.template import Stack, translated
from tests.support.stack import OAUTH, PARAMETERS, REPLICA

WITHIN = {
    ("AWS::ApiGateway::Stage", "StageName"),
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::CodeDeploy::DeploymentGroup", "DeploymentConfigName"),
    ("AWS::IAM::Policy", "PolicyName"),
    ("AWS::Lambda::Alias", "Name"),
}
"""Names within another resource, AWS's own names, and names of metrics, which are compared with their dimensions."""


def make(name: str, account_role: str) -> Stack:
    """A stack with everything. Its domain and its long-lived credentials are its own."""
    own = {"DomainName": f"{name}.example.com", "ProviderOAuthSecretName": f"craftkit/oauth-of-{name}"}
    shared = {"WafRequestsPerAddress": "1000", "AlarmEmail": "a@e.com", "ApiGatewayAccountRole": account_role}
    return Stack(name, PARAMETERS | OAUTH | REPLICA | shared | own)


def find_names(stack: Stack) -> Iterator[tuple[str, str]]:
    for resource in stack.resources.values():
        for name, value in resource.get("Properties", {}).items():
            if name.endswith("Name") and (resource["Type"], name) not in WITHIN:
                yield resource["Type"], value


def find_metrics(stack: Stack) -> Iterator[str]:
    """The metrics that alarms, dashboard and firewall read or write, with their namespaces and dimensions."""
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        dimensions = sorted((one["Name"], one["Value"]) for one in alarm["Dimensions"])
        yield json.dumps([alarm["Namespace"], alarm["MetricName"], dimensions])
    (dashboard,) = stack.of_type("AWS::CloudWatch::Dashboard").values()
    for widget in json.loads(dashboard["DashboardBody"])["widgets"]:
        yield from map(json.dumps, widget["properties"].get("metrics", []))
    (firewall,) = stack.of_type("AWS::WAFv2::WebACL").values()
    yield from re.findall(r'"MetricName": "(.+?)"', json.dumps(firewall))


def find_environment(stack: Stack) -> Iterator[Any]:
    """What the functions write to."""
    for function in stack.of_type("AWS::Lambda::Function").values():
        yield function["LoggingConfig"]["LogGroup"]
        yield function["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]


def test_nothing_that_aws_scopes_to_an_account_or_a_region_is_in_both() -> None:
    production, staging = make("production", "create"), make("staging", "exists")
    for find in (find_names, find_metrics, find_environment):
        ours, theirs = set(find(production)), set(find(staging))
        assert len(ours) == len(theirs) > 3
        assert ours & theirs == set()
    assert [output for output in translated()["Outputs"].values() if "Export" in output] == []
    # One per account and region, by its nature.
    assert set(production.resources) - set(staging.resources) == {"ApiGatewayAccount", "ApiGatewayLogRole"}


def test_the_api_has_one_name_whichever_of_the_two_its_metrics_carry(stack: Stack) -> None:
    """API Gateway takes it from the property or from the definition's title."""
    api = stack.resources["CertificatesApi"]["Properties"]
    named = {
        dimension["Value"]
        for alarm in stack.of_type("AWS::CloudWatch::Alarm").values()
        for dimension in alarm["Dimensions"]
        if dimension["Name"] == "ApiName"
    }
    assert {api["Name"], api["Body"]["info"]["title"]} == named == {stack.name}
