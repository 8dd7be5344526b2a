"""docs/github.yaml: the role with which GitHub deploys."""

import re

import pytest

from develop.template import ACCOUNT, ROOT, Stack, translated
from tests.service.template.conftest import statements
from tests.support.stack import OAUTH, PARAMETERS, REPLICA

TEMPLATE = ROOT / "docs" / "github.yaml"
GITHUB = "token.actions.githubusercontent.com"
SERVICES = {"AWS::ApiGateway": "apigateway", "AWS::IAM": "iam", "AWS::WAFv2": "wafv2"}
"""IAM's names of services that are not those of CloudFormation in lower case."""


@pytest.mark.threat("supply-chain")
@pytest.mark.parametrize("prefix", ["repo:octo-org@123456/certificates@456789", "repo:octo-org/certificates"])
def test_only_tags_of_the_repository_in_the_environment_may_use_the_role(prefix: str) -> None:
    """The subject has ids in repositories since 2026-07-15:
    https://github.com/aws-actions/configure-aws-credentials/issues/1888. AWS checks the ref since 2026-01."""
    stack = Stack("s", {"SubjectPrefix": prefix, "Environment": "staging"}, TEMPLATE)
    assert stack.resources["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{GITHUB}:aud": "sts.amazonaws.com",
                    f"{GITHUB}:sub": f"{prefix}:environment:staging",
                },
                "StringLike": {f"{GITHUB}:ref": "refs/tags/v*"},
            },
        }
    ]
    pattern = translated(TEMPLATE)["Parameters"]["SubjectPrefix"]["AllowedPattern"]
    assert re.fullmatch(pattern, prefix)
    assert not any(re.fullmatch(pattern, text) for text in (f"{prefix}:*", "repo:octo-org/*", "repo:*", "octo-org/a"))


def test_the_role_reaches_every_service_of_the_stack(stack: Stack) -> None:
    everything = Stack(
        "s", PARAMETERS | OAUTH | REPLICA | {"DomainName": "a.example.com", "WafRequestsPerAddress": "10"}
    )
    types = {resource["Type"] for one in (stack, everything) for resource in one.resources.values()}
    used = {SERVICES.get(name, name.partition("::")[2].lower()) for name in (one.rpartition("::")[0] for one in types)}
    role = Stack("s", {"SubjectPrefix": "repo:a/b", "Environment": "production"}, TEMPLATE)
    (allowed,) = statements(role, "DeployRole")
    assert {action.partition(":")[0] for action in allowed["Action"]} == used | {"cloudformation"}


@pytest.mark.parametrize(("choice", "created"), [("create", ["GitHub"]), ("exists", [])])
def test_github_is_made_known_to_an_account_once(choice: str, created: list[str]) -> None:
    parameters = {"SubjectPrefix": "repo:a/b", "Environment": "production", "OidcProvider": choice}
    assert list(Stack("s", parameters, TEMPLATE).of_type("AWS::IAM::OIDCProvider")) == created
