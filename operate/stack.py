"""The stack that a command works on: its tables, bucket and queues, and how to reach them."""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
import click
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from certificates.aws import AwsError, client_config, error_code
from certificates.budgets import CallLimits
from operate.command_line import CannotRun, describe_error

CONNECTIONS = 32
"""Maximum number of concurrent requests to one service."""

_CONFIG = client_config(CallLimits(read_seconds=20, attempts=6)).merge(Config(max_pool_connections=CONNECTIONS))
_FIRST_CONFIG = client_config(CallLimits(read_seconds=10, attempts=2))
_LOCAL_CONFIG = Config(proxies={}, use_fips_endpoint=False, use_dualstack_endpoint=False)
_LOCAL_PORT = 3000


@dataclass(frozen=True)
class DeployedStack:
    """`name` is the stack's name, even if its ARN was given; `options` are those of every client."""

    name: str
    session: boto3.Session
    options: Mapping[str, Any]
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]

    def output(self, key: str) -> str:
        if key not in self.outputs:
            words = "is it a stack of this project, deployed with this version?"
            raise CannotRun(f"Stack {self.name} has no output {key}: {words}")
        return self.outputs[key]

    def client(self, service: str, **options: Any) -> Any:
        return self.session.client(service, **{**self.options, **options})  # type: ignore[call-overload]

    @property
    def is_local(self) -> bool:
        return self.options["endpoint_url"] is not None


def on_a_stack(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that choose a stack to a command, and passes it the chosen one."""

    @click.option("--stack", metavar="NAME", help="Name or ARN of the deployed stack.")
    @click.option("--region", metavar="REGION", help="Its region, if not set in the environment.")
    @click.option("--local", is_flag=True, help="Use the local service that `make run` started.")
    @click.option("--port", type=click.IntRange(1, 65534), help=f"PORT of `make run`; {_LOCAL_PORT} by default.")
    @functools.wraps(command)
    def run(*, stack: str | None, region: str | None, local: bool, port: int | None, **options: Any) -> None:
        if local == bool(stack) or (port and stack) or (region and local):
            raise click.UsageError("Give either --stack NAME, maybe with --region, or --local, maybe with --port.")
        command(find_deployed(stack, region) if stack else find_local(port or _LOCAL_PORT), **options)

    return run


def find_deployed(name: str, region: str | None) -> DeployedStack:
    session = boto3.Session(region_name=region)
    try:
        return _find(session, name)
    except (ClientError, ValueError) as error:
        if isinstance(error, ClientError) and error_code(error) != "ValidationError":
            raise
        words = f"Check the name, --region {session.region_name!r}, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL."
        raise CannotRun(f"{describe_error(error)} {words}") from error


def find_local(port: int) -> DeployedStack:
    """`make run` serves AWS's APIs on the port after its own. The user's AWS configuration is not read: it is for other
    accounts, and may be malformed."""
    # botocore's form of a setting: key in a file, environment variable, default, conversion.
    no_file = (None, None, os.devnull, None)
    settings = {"profile": (None, None, None, None), "config_file": no_file, "credentials_file": no_file}
    core = botocore.session.Session(settings)
    session = boto3.Session("local", "local", region_name="eu-central-1", botocore_session=core)
    try:
        return _find(session, "craftkit-local", f"http://127.0.0.1:{port + 1}")
    except (*AwsError, ResponseParserError) as error:
        words = f"Give its --port, or start it: make run PORT={port}"
        raise CannotRun(f"No local service runs on port {port}. {words}") from error


def _find(session: boto3.Session, name: str, endpoint_url: str | None = None) -> DeployedStack:
    config = _LOCAL_CONFIG if endpoint_url else Config()
    cloudformation = session.client("cloudformation", endpoint_url=endpoint_url, config=_FIRST_CONFIG.merge(config))
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return DeployedStack(
        stack["StackName"],
        session,
        options={"endpoint_url": endpoint_url, "config": _CONFIG.merge(config)},
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
        parameters={one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])},
    )
