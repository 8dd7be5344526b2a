"""`provider check --parameters`: before a deployment, its parameters are held against the functions' own settings."""

import json
from pathlib import Path

import moto
import pytest
from click.testing import Result
from samcli.cli.types import CfnParameterOverridesType
from samcli.commands.deploy.guided_config import GuidedConfig

from develop.template import Stack, translated
from operate.commands.parameters import make_environment, read_defaults
from tests.service.template.conftest import FUNCTIONS
from tests.support.operator import deploy, run
from tests.support.stack import OAUTH, PARAMETERS, REPLICA, STACK

MALFORMED = "must be TOML whose parameter_overrides are Name=Value pairs or a table."
OF_S = "[default.deploy.parameters]\nstack_name = 's'\n"
STARTS = "The functions start with these parameters.\n"
URL, HEADER, NAME = "ProviderCertificateUrl", "ProviderAuthHeader", "ProviderSecretName"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def quote(parameters: dict[str, str]) -> str:
    """The parameters as `sam deploy --guided` saves them."""
    return " ".join(f"{name}={GuidedConfig.quote_parameter_values(value)}" for name, value in parameters.items())


def check(overrides: object, env: str = "default") -> Result:
    text = f'[{env}.global.parameters]\nstack_name = "s"\n[{env}.deploy.parameters]\nregion = "eu-central-1"\n'
    Path("samconfig.local.toml").write_text(f"{text}parameter_overrides = {overrides}\n")
    return run("provider", "check", "--parameters", "samconfig.local.toml", "--env", env)


def check_all(**parameters: str) -> Result:
    """All parameters are answered, as after `--guided`: AWS is not asked."""
    return check(json.dumps(quote(Stack("s", PARAMETERS | parameters).parameters)))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        OAUTH,
        {URL: "https://API.example.com:8443?id={providerRequestId}&merge=true"},
        {HEADER: 'X-API-KEY: "{secret}"', "ProviderLinkField": "a b-c.0", "ProviderLinkHosts": "a.com:8443 , *.b.com"},
        {"ApiKeysTableName": "keys", "SignaturesTableName": "signatures", "CertificatesBucketName": "kept"},
    ],
)
def test_what_the_functions_start_with_is_accepted(parameters: dict[str, str]) -> None:
    result = check_all(**parameters)
    assert (result.exit_code, result.stdout, result.stderr) == (0, STARTS, "")


@pytest.mark.threat("API8", "provider-secret")
@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({URL: "https://example.com/canary"}, f"{URL}: must have {{providerRequestId}} in its path or query"),
        ({URL: "http://canary/{providerRequestId}"}, f"{URL}: is http to another machine; only https is allowed"),
        ({HEADER: "Authorization: canary"}, f'{HEADER}: must have the form "Name: value" with {{secret}} in the value'),
        ({NAME: "can ary"}, f"{NAME}: String should match pattern '^[A-Za-z0-9/_+=.@-]{{1,512}}$'"),
        ({"ProviderLinkField": "canary"}, "ProviderLinkField needs ProviderLinkHosts"),
        ({"MaxCertificateBytes": "canary"}, "MaxCertificateBytes: Input should be a valid integer, unable to parse "),
        ({"ArchiveFetchesPerMinute": "0"}, "ArchiveFetchesPerMinute: Input should be greater than 0"),
        (OAUTH | {"ProviderTokenMinutes": "9"}, "ProviderTokenMinutes: Input should be greater than or equal to 10"),
        (OAUTH | {NAME: OAUTH["ProviderOAuthSecretName"]}, f"ProviderOAuthSecretName and {NAME} must be two secrets"),
    ],
)
def test_a_wrong_parameter_and_its_rule_are_named_in_one_line(parameters: dict[str, str], words: str) -> None:
    result = check_all(**parameters)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {words}")
    assert result.stderr.endswith(". Set it in samconfig.local.toml (default).\n")
    assert (result.stderr.count("\n"), "canary" in result.stderr) == (1, False)


ALL = Stack("s", PARAMETERS).parameters
AS_FOR_AWS = " ".join(f"ParameterKey={name},ParameterValue='{value}'" for name, value in ALL.items())
FORMS = [quote(ALL), [quote({name: value}) for name, value in ALL.items()], AS_FOR_AWS, ALL]


@pytest.mark.parametrize("form", FORMS, ids=["as saved", "list", "as for the AWS CLI", "table"])
def test_parameters_are_read_as_sam_reads_them(form: str | list[str] | dict[str, str]) -> None:
    if isinstance(form, dict):
        text = "{" + ", ".join(f"{name} = {json.dumps(value)}" for name, value in form.items()) + "}"
    else:
        assert CfnParameterOverridesType().convert([form] if isinstance(form, str) else form, None, None) == ALL
        text = json.dumps(form)
    assert check(text, "staging").stdout == STARTS
    wrong = check(text.replace("http://127.0.0.1:1", "http://example.com"), "staging")
    words = f"{URL}: is http to another machine; only https is allowed. Set it in samconfig.local.toml (staging)."
    assert (wrong.exit_code, wrong.stderr) == (2, f"Error: {words}\n")


def test_a_parameter_without_an_answer_keeps_the_value_of_the_stack() -> None:
    with moto.mock_aws():
        missing = check("{}")
        deploy("s", {}, PARAMETERS | {URL: "https://old"})
        kept, corrected = check("{}"), check(json.dumps(quote({URL: PARAMETERS[URL]})))
    assert [result.exit_code for result in (missing, kept, corrected)] == [2, 2, 0]
    assert missing.stderr.startswith(f"Error: {URL}: Field required; {HEADER}: Field required; {NAME}: Field required.")
    assert kept.stderr.startswith(f"Error: {URL}: must have {{providerRequestId}}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[canary", f"f.toml {MALFORMED}"),
        ("default = 1", f"f.toml {MALFORMED}"),
        ("[default.deploy.parameters]\nparameter_overrides = 'A=1 canary'", f"f.toml {MALFORMED}"),
        ("[default.deploy.parameters]\nparameter_overrides = [1]", f"f.toml {MALFORMED}"),
        ("[other.deploy.parameters]\nstack_name = 's'", "f.toml has no stack_name for default."),
        (
            f"{OF_S}profile = 'a'",
            "The config profile (a) could not be found. Set AWS_PROFILE to one of `aws configure list-profiles`.",
        ),
        (f"{OF_S}region = 'a b'", "Provided region_name 'a b' doesn't match a supported format."),
        (None, "[Errno 2] No such file or directory: 'f.toml'."),
    ],
)
def test_a_file_that_cannot_be_read_stops_a_deployment_too(text: str | None, words: str) -> None:
    if text:
        Path("f.toml").write_text(text)
    result = run("provider", "check", "--parameters", "f.toml")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {words}\n")


@pytest.mark.parametrize(
    "options", [["--parameters", "f", "--local"], ["--local"], ["--local", "--request", "a", "--env", "staging"]]
)
def test_parameters_or_a_request_to_a_stack_are_checked(options: list[str]) -> None:
    words = "Error: Give a stack and --request, or --parameters with or without --env.\n"
    assert run("provider", "check", *options).stderr.endswith(words)


def test_the_defaults_are_those_of_the_template() -> None:
    found = {name: parameter.get("Default") for name, parameter in translated()["Parameters"].items()}
    assert read_defaults() == {name: None if value is None else str(value) for name, value in found.items()}


def test_the_parameters_reach_the_settings_as_the_template_passes_them() -> None:
    stack = Stack("s", {name: f"value of {name}" for name in STACK.parameters} | REPLICA)
    environment = make_environment(stack.parameters)
    created = {name for name, value in environment.items() if value == "created"}
    for function, settings in FUNCTIONS.items():
        names = {name.upper() for name in settings.model_fields} - created
        passed = stack.environment(function)
        assert {name: environment[name] for name in names} == {name: passed[name] for name in names}
    assert created == {"API_KEYS_TABLE", "ARCHIVE_QUEUE_URL", "CERTIFICATES_BUCKET", "SIGNATURES_TABLE"}
