"""A stack's parameters as its functions read them. A deployment stops at one with which they would not start."""

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from pydantic import ValidationError

from certificates.settings import Settings
from functions.archive_certificate.settings import ArchiveSettings
from functions.download_certificate.settings import DownloadSettings
from functions.refresh_credential.settings import RefreshSettings
from operate.command_line import CannotRun

_TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_PARAMETER = re.compile(r'^  (\w+):\n    Type: String\n(?:    Default: "?(.*?)"?\n)?', re.MULTILINE)
_OVERRIDE = re.compile(r"(?:ParameterKey=)?(\w+)(?:,ParameterValue)?=(.*)", re.DOTALL)
_CREATED = dict.fromkeys(("API_KEYS_TABLE", "ARCHIVE_QUEUE_URL", "CERTIFICATES_BUCKET", "SIGNATURES_TABLE"), "created")


def read_defaults() -> dict[str, str | None]:
    """Reads the template's parameters with their defaults; None for those without one."""
    return {match[1]: match[2] for match in _PARAMETER.finditer(_TEMPLATE.read_text())}


def make_environment(parameters: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that the template sets for the functions, with any name for what the stack creates."""
    return {_variable(name): value for name, value in parameters.items()} | _CREATED


def read_settings[S: Settings](settings: type[S], parameters: Mapping[str, str], advice: str = "") -> S:
    """Reads a function's settings from its stack's parameters. Raises CannotRun, which names the invalid ones."""
    names = {_variable(name): name for name in read_defaults()}
    try:
        return settings.model_validate(make_environment(parameters))
    except ValidationError as error:
        found = error.errors(include_input=False)
        text = "; ".join(": ".join((*map(str, one["loc"]), one["msg"].removeprefix("Value error, "))) for one in found)
        raise CannotRun(re.sub("[A-Z_]{2,}", lambda word: names.get(word[0], word[0]), f"{text}.") + advice) from None


def check_parameters(file: Path, env: str) -> None:
    """Checks the parameters that `sam deploy` would deploy with a configuration file. Raises CannotRun."""
    try:
        tables = tomllib.loads(file.read_text()).get(env, {})
        options = {**tables.get("global", {}).get("parameters", {}), **tables.get("deploy", {}).get("parameters", {})}
        answers = dict(_parse_overrides(options.get("parameter_overrides", {})))
    except (AttributeError, TypeError, ValueError):
        raise CannotRun(f"{file} must be TOML whose parameter_overrides are Name=Value pairs or a table.") from None
    if "stack_name" not in options:
        raise CannotRun(f"{file} has no stack_name for {env}.")
    defaults = read_defaults()
    kept = {} if defaults.keys() <= answers.keys() else _read_kept(options)
    parameters = {name: value for name, value in defaults.items() if value is not None} | kept | answers
    functions: list[type[Settings]] = [DownloadSettings, ArchiveSettings]
    if parameters["ProviderTokenUrl"]:
        functions.append(RefreshSettings)
    for settings in functions:
        read_settings(settings, parameters, advice=f" Set it in {file.name} ({env}).")


def _parse_overrides(overrides: str | list[str] | dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields names and values. Raises ValueError.

    The forms: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
    """
    if isinstance(overrides, dict):
        yield from ((name, str(value)) for name, value in overrides.items())
        return
    for word in shlex.split(overrides if isinstance(overrides, str) else " ".join(overrides)):
        match = _OVERRIDE.fullmatch(word)
        if match is None:
            raise ValueError
        yield match[1], match[2]


def _read_kept(options: Mapping[str, str]) -> dict[str, str]:
    """Reads the parameters of the stack, if it exists: those without an answer stay as they are."""
    session = boto3.Session(profile_name=options.get("profile"), region_name=options.get("region"))
    try:
        (stack,) = session.client("cloudformation").describe_stacks(StackName=options["stack_name"])["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return {}
        raise
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}


def _variable(parameter: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", parameter).upper()
