"""A deployment accepts exactly the parameters with which the functions start."""

import os
import re
from typing import Any

import pytest
from hypothesis import strategies as st
from pydantic import ValidationError

from certificates.settings import ProviderSettings
from develop.template import TEMPLATE, translated
from functions.refresh_credential.settings import RefreshSettings
from tests.service.template.conftest import REPLICA_TEMPLATE
from tests.support.examples import given

# Seed values. The fuzz test mutates each of them in a few places.
GOOD = {
    "ProviderCertificateUrl": [
        "https://api.example.com/v1/requests/{providerRequestId}/certificate",
        "https://API.example.com:8443?id={providerRequestId}&merge=true&again={providerRequestId}",
        "https://192.0.2.7/a%20b/{providerRequestId}",
        "https://[2001:db8::1]:65535/{providerRequestId}",
        "http://127.0.0.1:3002/{providerRequestId}",
        "http://localhost/{providerRequestId}",
        "http://[::1]:1/{providerRequestId}",
    ],
    "ProviderAuthHeader": ["Authorization: Bearer {secret}", "X-API-KEY:{secret}", "Authorization: {secret} "],
    "ProviderSecretName": ["craftkit/provider-api-key", "a+b=c@d.e_f-g", "a" * 512],
    "ProviderTokenUrl": [
        "https://account.example.com/oauth/token",
        "https://ACCOUNT.example.com:8443?a=b",
        "https://192.0.2.7",
        "http://127.0.0.1:3002/token",
        "http://[::1]:1",
    ],
    "ProviderOAuthSecretName": ["craftkit/provider-oauth", "a" * 200],
    "ProviderSigningKeyArn": [
        "",
        "arn:aws:kms:eu-central-1:123456789012:key/5f6bcd3e-5b5c-4ad1-a4d9-9e4e1a2d7c11",
        "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234",
    ],
    "ProviderLinkField": ["", "url", "data.url", "documents.0.url", "a b-c.~", "0"],
    "ProviderLinkHosts": [
        "",
        "files.example.com,*.storage.example.com",
        "Files.example.com:8443 , 192.0.2.7",
        "[::1]:9",
        "localhost",
    ],
}
BAD = {
    "ProviderCertificateUrl": [
        "",
        "https://api.example.com/c",
        "ftp://e.com/{providerRequestId}",
        "HTTPS://e.com/{providerRequestId}",
        "https://{providerRequestId}.e.com/",
        "https://{providerRequestId}.e.com/{providerRequestId}",
        "https://e.com:{providerRequestId}/",
        "http://10.0.0.1/{providerRequestId}",
        "http://LOCALHOST/{providerRequestId}",
        "http://127.1/{providerRequestId}",
        "http://127.0.0.256/{providerRequestId}",
        "http://[0:0:0:0:0:0:0:1]/{providerRequestId}",
        "https://api.example.com/x?filter[id]={providerRequestId}",
        "https://api.example.com/{providerRequestId}#certificate",
        "https://api.example.com/pr\u00fcfung/{providerRequestId}",
        "https://api.example.com/{id}/{providerRequestId}",
        'https://api.example.com/"{providerRequestId}"',
        "https://api.example.com:/{providerRequestId}",
        "https://api.example.com:0/{providerRequestId}",
        "https://api.example.com:65536/{providerRequestId}",
        "https://api.example.com:080/{providerRequestId}",
        "https://api.example.com./{providerRequestId}",
        "https://-/{providerRequestId}",
        "https://user@api.example.com/{providerRequestId}",
        "https://api.example.com/{providerRequestId}\n",
    ],
    "ProviderAuthHeader": [
        "",
        "{secret}",
        "Authorization: secret",
        "X Y: {secret}",
        "X: {secret}\n",
        "X: \u00e9{secret}",
    ],
    "ProviderSecretName": ["", "a b", "a*", "a" * 513, "a\n"],
    "ProviderTokenUrl": [
        "account.example.com/oauth/token",
        "HTTPS://account.example.com/",
        "http://10.0.0.1/token",
        "http://LOCALHOST/",
        "https://user@account.example.com/",
        "https://account.example.com/#token",
        "https://account.example.com:0/",
        "https://account.example.com./",
        "https://account.example.com/token\n",
    ],
    "ProviderOAuthSecretName": ["a b", "a" * 201, "a\n"],
    "ProviderSigningKeyArn": ["alias/key", "arn:aws:kms:eu-central-1:123456789012:alias/key", "arn:aws:kms:*:1:key/*"],
    "ProviderLinkField": [".", ".url", "url.", "data..url", "a\n", "a\t", "pr\u00fcfung"],
    "ProviderLinkHosts": [
        " ",
        "*",
        "*.",
        "*example.com",
        "files.*.com",
        "*.192.0.2.7",
        "*.7",
        "a..b",
        "files.example.com.",
        ",",
        ",,,",
        "a.com,",
        "a.com/",
        "https://files.example.com",
        "files.example.com:99999",
        "a.com\n",
        "a.com\t",
    ],
}
WITHOUT_FUNCTION = {"ProviderTokenUrl", "ProviderOAuthSecretName"}
"""If they are empty, the function that reads them does not exist."""

CHARACTERS = st.sampled_from("a7Z.:/?#[]{}@%,* \"'\\-_|\n\t\u00e9") | st.characters()


@st.composite
def changed(draw: st.DrawFn, values: list[str]) -> str:
    text = draw(st.sampled_from(values))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(st.text(CHARACTERS, max_size=3)) + text[start + draw(st.integers(0, 3)) :]
    return text


def is_deployed(parameter: str, value: str) -> bool:
    return re.fullmatch(translated()["Parameters"][parameter]["AllowedPattern"], value) is not None


def is_started_with(parameter: str, value: str) -> bool:
    variable = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", parameter).upper()
    settings = RefreshSettings if variable.lower() in RefreshSettings.model_fields else ProviderSettings
    try:
        settings.model_validate(os.environ | {"PROVIDER_LINK_HOSTS": "localhost", variable: value})
    except ValidationError:
        return value == "" and parameter in WITHOUT_FUNCTION
    return True


def pairs(values: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(parameter, value) for parameter in values for value in values[parameter]]


@pytest.mark.parametrize(("parameter", "value"), pairs(GOOD))
def test_a_valid_value_is_accepted(parameter: str, value: str) -> None:
    assert (is_deployed(parameter, value), is_started_with(parameter, value)) == (True, True)


@pytest.mark.parametrize(("parameter", "value"), pairs(BAD))
@pytest.mark.threat("API8")
def test_a_wrong_value_is_refused_before_anything_is_created(parameter: str, value: str) -> None:
    assert (is_deployed(parameter, value), is_started_with(parameter, value)) == (False, False)


DEPLOYED = [one for path in (TEMPLATE, REPLICA_TEMPLATE) for one in translated(path)["Parameters"].items()]
NUMBERS = [(name, parameter) for name, parameter in DEPLOYED if str(parameter.get("Default", "")).isdigit()]


@pytest.mark.parametrize(("name", "parameter"), NUMBERS)
def test_a_number_is_whole_and_within_the_limits_of_its_message(name: str, parameter: dict[str, Any]) -> None:
    """CloudFormation accepts fractions for the type Number, and compares only texts with a pattern."""
    pattern = parameter.get("AllowedPattern") or "|".join(map(str, parameter["AllowedValues"]))

    def find_accepted(*values: object) -> list[object]:
        return [value for value in values if re.fullmatch(pattern, str(value))]

    assert parameter["Type"] == "String"
    assert find_accepted("", "-1", "+5", "007", "12.5", "12.0", "1e3", " 20", "20 ", "20\n", "\u0662\u0660") == []
    assert find_accepted(parameter["Default"]) == [parameter["Default"]]
    if message := parameter.get("ConstraintDescription"):
        least, most = (int(number) for number in re.findall(r"[0-9]+", message)[-2:])
        zero = [0] if name == "WafRequestsPerAddress" else []
        assert message == f"must be {'0 or ' * bool(zero)}a whole number from {least} to {most}"
        assert find_accepted(*zero, least - 1, least, most, most + 1) == [*zero, least, most]


def test_no_parameter_is_a_number_that_may_have_a_fraction() -> None:
    assert {parameter["Type"] for _, parameter in DEPLOYED} == {"String"}
    assert {name for name, parameter in NUMBERS if "AllowedValues" in parameter} == {
        "LogRetentionDays",
        "RefreshReservedConcurrency",
    }


BUCKET, KMS_KEY = "arn:aws:s3:::", "arn:aws:kms:eu-west-1:123456789012:"


@pytest.mark.parametrize(
    ("parameter", "value", "is_accepted"),
    [
        ("ReplicaBucketArn", "", True),
        ("ReplicaBucketArn", f"{BUCKET}certificates-replica", True),
        ("ReplicaBucketArn", "arn:aws-us-gov:s3:::a.1", True),
        ("ReplicaBucketArn", "certificates-replica", False),
        ("ReplicaBucketArn", f"{BUCKET}*", False),
        ("ReplicaBucketArn", f"{BUCKET}certificates/*", False),
        ("ReplicaBucketArn", f"{BUCKET}Certificates", False),
        ("ReplicaBucketArn", f"{BUCKET}ab", False),
        ("ReplicaBucketArn", f"{BUCKET}{'a' * 64}", False),
        ("ReplicaKmsKeyArn", "", True),
        ("ReplicaKmsKeyArn", f"{KMS_KEY}key/mrk-1234", True),
        ("ReplicaKmsKeyArn", f"{KMS_KEY}alias/certificates", False),
        ("ReplicaKmsKeyArn", f"{KMS_KEY}key/*", False),
    ],
)
def test_a_second_copy_is_named_by_exact_arns(parameter: str, value: str, *, is_accepted: bool) -> None:
    assert is_deployed(parameter, value) is is_accepted


@pytest.mark.fuzz
@pytest.mark.parametrize("parameter", GOOD)
@given(data=st.data())
def test_any_value_is_deployed_if_and_only_if_the_functions_start_with_it(parameter: str, data: st.DataObject) -> None:
    accepted = st.from_regex(translated()["Parameters"][parameter]["AllowedPattern"], fullmatch=True)
    value = data.draw(changed(GOOD[parameter] + BAD[parameter]) | accepted)
    assert is_deployed(parameter, value) == is_started_with(parameter, value)
