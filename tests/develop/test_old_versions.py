"""What a deployment deletes: old versions of the functions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import moto
import pytest

from develop.build.old_versions import main
from develop.environment import REGION

STACK = "craftkit-certificates-staging"
CONFIG = f'version = 0.1\n[staging.global.parameters]\nstack_name = "{STACK}"\n[staging.deploy.parameters]\n'


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[Any]:
    """Lambda with two stacks' functions: each has an alias `live`."""
    (tmp_path / "samconfig.toml").write_text(f'{CONFIG}region = "{REGION}"\n')
    with moto.mock_aws(config={"lambda": {"use_docker": False}}):
        role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client = boto3.client("lambda")
        code = {"Code": {"ZipFile": "pass"}, "Runtime": "python3.13", "Handler": "index.handler"}
        for stack in (STACK, "another"):
            function = {"Type": "AWS::Lambda::Function", "Properties": code | {"FunctionName": stack, "Role": role}}
            boto3.client("cloudformation").create_stack(
                StackName=stack, TemplateBody=json.dumps({"Resources": {"Download": function}})
            )
        yield client


def publish(client: Any, function: str, number: int, **alias: object) -> None:
    for index in range(number):
        client.update_function_configuration(FunctionName=function, Description=str(index))
        client.publish_version(FunctionName=function)
    client.create_alias(FunctionName=function, Name="live", **alias)


def find_versions(client: Any, function: str) -> list[str]:
    return [one["Version"] for one in client.list_versions_by_function(FunctionName=function)["Versions"]]


@pytest.mark.parametrize(
    ("alias", "kept"),
    [
        ({"FunctionVersion": "7"}, ["5", "6", "7"]),
        ({"FunctionVersion": "2"}, ["2", "5", "6", "7"]),
        ({"FunctionVersion": "7", "RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}}}, ["3", "5", "6", "7"]),
    ],
    ids=["newest", "rolled back by hand", "shifting"],
)
def test_the_newest_three_versions_and_those_of_an_alias_stay(
    functions: Any, tmp_path: Path, alias: dict[str, object], kept: list[str]
) -> None:
    publish(functions, STACK, 7, **alias)
    publish(functions, "another", 5, FunctionVersion="5")
    for _ in range(2):  # the second time, nothing is left to delete
        main(tmp_path / "samconfig.toml", "staging")
        assert find_versions(functions, STACK) == ["$LATEST", *kept]
    assert len(find_versions(functions, "another")) == 6
