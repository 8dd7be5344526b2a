"""Access tokens that expire: the schedule, the function's retries, what is there without a token endpoint."""

import re
from typing import Any

import pytest

from certificates.budgets import TOKEN_RETRY_SECONDS
from develop.environment import REGION
from develop.template import ACCOUNT, Stack
from tests.service.template.conftest import REFRESH, statements
from tests.service.template.test_parameters import is_deployed
from tests.support.stack import OAUTH, PARAMETERS, REPLICA

SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"


def test_without_a_token_endpoint_nothing_of_it_exists(stack: Stack) -> None:
    def find(resources: dict[str, Any]) -> set[str]:
        return {name for name in resources if re.search("Refresh|Credential|Schedule", name)}

    without = Stack("craftkit-test", PARAMETERS | REPLICA).resources
    assert (find(without), find(stack.resources)) == (set(), stack.resources.keys() - without.keys())


def test_the_schedule_invokes_the_alias_as_often_as_asked() -> None:
    stack = Stack("s", PARAMETERS | OAUTH | {"ProviderTokenMinutes": "45"})
    (schedule,) = stack.of_type("AWS::Scheduler::Schedule").values()
    assert schedule["ScheduleExpression"] == "rate(45 minutes)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    alias = stack.resolve({"Ref": f"{REFRESH}Aliaslive"})
    assert (schedule["Target"]["Arn"], alias.endswith(f"{REFRESH}:live")) == (alias, True)
    (invoke,) = statements(stack, "RefreshScheduleRole")
    assert invoke == {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": alias}
    assert ("PROVIDER_TOKEN_MINUTES", "45") in stack.environment(REFRESH).items()


def test_a_failed_run_is_tried_again_twice_and_before_the_next_one(stack: Stack) -> None:
    """Lambda waits one minute before the first retry and two before the second.
    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
    retries = stack.resources[f"{REFRESH}EventInvokeConfig"]["Properties"]
    assert (retries["MaximumRetryAttempts"], retries["Qualifier"]) == (2, "live")
    timeout = stack.resources[REFRESH]["Properties"]["Timeout"]
    assert 60 + timeout + 120 + timeout <= TOKEN_RETRY_SECONDS
    shortest = next(minutes for minutes in range(720) if is_deployed("ProviderTokenMinutes", str(minutes)))
    assert TOKEN_RETRY_SECONDS < retries["MaximumEventAgeInSeconds"] <= shortest * 60


@pytest.mark.threat("provider-secret")
def test_the_role_reaches_the_two_secrets_and_the_signing_key(stack: Stack) -> None:
    read_and_write, write = [s for s in statements(stack, "RefreshCredentialRole") if "secretsm" in str(s["Action"])]
    put = "secretsmanager:PutSecretValue"
    assert read_and_write["Action"] == ["secretsmanager:GetSecretValue", put]
    assert read_and_write["Resource"] == f"{SECRET}{OAUTH['ProviderOAuthSecretName']}-??????"
    assert (write["Action"], write["Resource"]) == (put, f"{SECRET}{PARAMETERS['ProviderSecretName']}-??????")
    sign = {"Effect": "Allow", "Action": "kms:Sign", "Resource": OAUTH["ProviderSigningKeyArn"]}
    assert sign in statements(stack, "RefreshCredentialRole")
    unsigned = Stack("s", PARAMETERS | OAUTH | {"ProviderSigningKeyArn": ""})
    assert "kms:Sign" not in [s["Action"] for s in statements(unsigned, "RefreshCredentialRole")]


@pytest.mark.threat("provider-secret")
def test_no_other_role_reaches_the_long_lived_credentials(stack: Stack) -> None:
    reaching = [
        role
        for role in stack.of_type("AWS::IAM::Role")
        if OAUTH["ProviderOAuthSecretName"] in str(statements(stack, role))
    ]
    assert reaching == ["RefreshCredentialRole"]


@pytest.mark.parametrize("minutes", ["10", "20", "720"])
def test_the_alarms_look_back_over_two_intervals_and_at_most_a_day(minutes: str) -> None:
    """Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    (EvaluationPeriods)"""
    stack = Stack("s", PARAMETERS | OAUTH | {"ProviderTokenMinutes": minutes})
    alarms = {name: alarm for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items() if "Credential" in name}
    seconds = {alarm["Period"] * int(alarm["EvaluationPeriods"]) for alarm in alarms.values()}
    assert seconds == {2 * 60 * int(minutes)}
    assert max(seconds) <= 86_400
    # One interval without a new token is not enough for the first alarm; for the others, one bad token is.
    assert {name: alarm.get("DatapointsToAlarm") for name, alarm in alarms.items()} == {
        "CredentialRefreshAlarm": None,
        "CredentialRefusedAlarm": 1,
        "CredentialLifetimeAlarm": 1,
    }


@pytest.mark.threat("provider-secret")
def test_a_second_stack_with_the_same_credentials_is_refused_before_its_first_run() -> None:
    """Each would end the other's refresh tokens. CloudFormation refuses a name that another stack's alarm has."""
    stacks = [Stack(name, PARAMETERS | OAUTH).resources for name in ("production", "staging")]
    (name,) = {stack["CredentialRefreshAlarm"]["Properties"]["AlarmName"] for stack in stacks}
    assert name == f"Credential refresh of {OAUTH['ProviderOAuthSecretName']}"
    assert {stack["RefreshSchedule"]["DependsOn"] for stack in stacks} == {"CredentialRefreshAlarm"}
    longest = next(length for length in range(300, 0, -1) if is_deployed("ProviderOAuthSecretName", "a" * length))
    assert len(name) - len(OAUTH["ProviderOAuthSecretName"]) + longest <= 255  # CloudWatch's limit
