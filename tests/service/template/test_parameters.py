"""The patterns of the template refuse gross mistakes; tests/operate/test_parameters.py tests the exact check."""

import re
from typing import Any

import pytest

from develop.template import TEMPLATE, Stack, translated
from tests.service.template.conftest import REPLICA_TEMPLATE
from tests.support.stack import OAUTH, PARAMETERS, REPLICA

REQUEST = "{providerRequestId}"
ACCEPTED = {
    "ProviderCertificateUrl": [
        f"https://api.example.com:8443/v1/{REQUEST}/certificate?a={REQUEST}",
        f"http://127.0.0.1:3002/{REQUEST}",
        f"http://localhost/{REQUEST}",
        f"http://[::1]:1/{REQUEST}",
    ],
    "ProviderAuthHeader": ["Authorization: Bearer {secret}", "X-API-KEY:{secret}"],
    "ProviderSecretName": ["craftkit/provider-api-key", "a" * 512],
    "ProviderTokenUrl": ["", "https://account.example.com/oauth/token", "http://127.0.0.1:3002/token"],
    "ProviderOAuthSecretName": ["", "craftkit/provider-oauth", "a" * 200],
    "ProviderSigningKeyArn": ["", "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234"],
    "ProviderLinkField": ["", "url", "documents.0.url", "a b-c"],
    "ProviderLinkHosts": ["", "files.example.com,*.storage.example.com", "a.com:8443 , localhost", "[::1]:9"],
    "ReplicaBucketArn": ["", "arn:aws:s3:::certificates-replica", "arn:aws-us-gov:s3:::a.1"],
    "ReplicaKmsKeyArn": ["", "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234"],
}
REFUSED = {
    "ProviderCertificateUrl": ["", "https://a.com/c", f"ftp://a.com/{REQUEST}", f"http://10.0.0.1/{REQUEST}"],
    "ProviderAuthHeader": ["", "{secret}", "Authorization: secret", "X Y: {secret}"],
    "ProviderSecretName": ["", "a b", "a*", "a" * 513],
    "ProviderTokenUrl": ["account.example.com/token", "http://localhost.a.com/token", "https://a.com/ b"],
    "ProviderOAuthSecretName": ["a b", "a" * 201],
    "ProviderSigningKeyArn": ["alias/key", "arn:aws:kms:*:1:key/*"],
    "ProviderLinkField": [".", ".url", "url.", "data..url"],
    "ProviderLinkHosts": ["https://files.example.com", "a.com/", "user@a.com"],
    "ReplicaBucketArn": ["certificates-replica", "arn:aws:s3:::*", "arn:aws:s3:::a/*", f"arn:aws:s3:::{'a' * 64}"],
    "ReplicaKmsKeyArn": ["arn:aws:kms:eu-west-1:123456789012:alias/a", "arn:aws:kms:eu-west-1:123456789012:key/*"],
}


def is_deployed(parameter: str, value: str) -> bool:
    return re.fullmatch(translated()["Parameters"][parameter]["AllowedPattern"], value) is not None


@pytest.mark.parametrize("parameter", ACCEPTED)
@pytest.mark.threat("API8")
def test_a_gross_mistake_is_refused_before_anything_is_created(parameter: str) -> None:
    values = ACCEPTED[parameter] + REFUSED[parameter]
    assert [value for value in values if is_deployed(parameter, value)] == ACCEPTED[parameter]


DEPLOYED = [one for path in (TEMPLATE, REPLICA_TEMPLATE) for one in translated(path)["Parameters"].items()]
NUMBERS = [(name, parameter) for name, parameter in DEPLOYED if str(parameter.get("Default", "")).isdigit()]


@pytest.mark.parametrize(("name", "parameter"), NUMBERS)
def test_a_number_is_whole_and_within_the_limits_of_its_message(name: str, parameter: dict[str, Any]) -> None:
    """CloudFormation accepts fractions for the type Number, and compares only texts with a pattern."""
    pattern = parameter.get("AllowedPattern") or "|".join(map(str, parameter["AllowedValues"]))

    def find_accepted(*values: object) -> list[object]:
        return [value for value in values if re.fullmatch(pattern, str(value))]

    assert find_accepted("", "-1", "+5", "007", "12.5", "12.0", "1e3", " 20", "20 ", "20\n", "\u0662\u0660") == []
    assert find_accepted(parameter["Default"]) == [parameter["Default"]]
    if message := parameter.get("ConstraintDescription"):
        least, most = (int(number) for number in re.findall(r"[0-9]+", message)[-2:])
        zero = [0] if name == "WafRequestsPerAddress" else []
        assert message == f"must be {'0 or ' * bool(zero)}a whole number from {least} to {most}"
        assert find_accepted(*zero, least - 1, least, most, most + 1) == [*zero, least, most]


def test_no_parameter_is_a_number_that_may_have_a_fraction() -> None:
    assert {parameter["Type"] for _, parameter in DEPLOYED} == {"String"}


@pytest.mark.threat("provider-secret")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ProviderLinkField": "url"}, "ProviderLinkField needs ProviderLinkHosts"),
        ({"ProviderTokenUrl": "https://e.com"}, "ProviderTokenUrl needs ProviderOAuthSecretName"),
        # The function would overwrite the credentials with the first access token.
        (
            OAUTH | {"ProviderOAuthSecretName": PARAMETERS["ProviderSecretName"]},
            "ProviderOAuthSecretName and ProviderSecretName must be two secrets",
        ),
        ({"DomainName": "api.example.com"}, "DomainName needs DomainCertificateArn"),
        ({"ReplicaBucketArn": REPLICA["ReplicaBucketArn"]}, "ReplicaBucketArn needs ReplicaKmsKeyArn"),
        (OAUTH | REPLICA, None),
    ],
)
def test_a_parameter_that_needs_another_is_refused_without_it(given: dict[str, str], words: str | None) -> None:
    holds = Stack("s", PARAMETERS | given)._holds  # noqa: SLF001
    rules = [rule for rule in translated()["Rules"].values() if holds(rule["RuleCondition"])]
    broken = [one["AssertDescription"] for rule in rules for one in rule["Assertions"] if not holds(one["Assert"])]
    assert broken == ([words] if words else [])
