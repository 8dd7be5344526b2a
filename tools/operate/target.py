"""The stack that a command works on: its tables, bucket and queues, and how to reach them."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from certificates.aws import AwsError, client_config
from certificates.budgets import CallLimits
from tools.operate.failures import CannotRun

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

CONNECTIONS = 32
"""Maximum number of concurrent requests to one service."""

_CONFIG = client_config(CallLimits(read_seconds=20, attempts=6)).merge(Config(max_pool_connections=CONNECTIONS))
_FIRST_CONFIG = client_config(CallLimits(read_seconds=10, attempts=2))
_NO_PROXY = Config(proxies={})
_LOCAL_PORT = 3000


@dataclass(frozen=True)
class Target:
    """`name` is the name of the stack, even if its ARN was given. `endpoint_url` is None for AWS itself."""

    name: str
    session: boto3.Session
    endpoint_url: str | None
    api_keys_table: str
    signatures_table: str
    bucket: str
    queue_url: str
    dead_letter_queue_url: str
    parameters: Mapping[str, str]

    @property
    def _config(self) -> Config:
        return _CONFIG.merge(_NO_PROXY) if self.endpoint_url else _CONFIG

    def dynamodb(self) -> "DynamoDBClient":
        return self.session.client("dynamodb", endpoint_url=self.endpoint_url, config=self._config)

    def s3(self) -> "S3Client":
        return self.session.client("s3", endpoint_url=self.endpoint_url, config=self._config)

    def sqs(self) -> "SQSClient":
        return self.session.client("sqs", endpoint_url=self.endpoint_url, config=self._config)

    def secrets_manager(self) -> "SecretsManagerClient":
        return self.session.client("secretsmanager", endpoint_url=self.endpoint_url, config=self._config)

    def cloudwatch(self) -> "CloudWatchClient":
        return self.session.client("cloudwatch", endpoint_url=self.endpoint_url, config=self._config)


def on_a_stack(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that choose a stack to a command, and passes it the chosen one."""

    @click.option("--stack", metavar="NAME", help="Name or ARN of the deployed stack.")
    @click.option("--region", metavar="REGION", help="Its region, if not set in the environment.")
    @click.option("--local", is_flag=True, help="Use the local service that `make run` started.")
    @click.option("--port", type=click.IntRange(1, 65534), help=f"PORT of `make run`; {_LOCAL_PORT} by default.")
    @functools.wraps(command)
    def run(*, stack: str | None, region: str | None, local: bool, port: int | None, **options: Any) -> None:
        if local == bool(stack):
            raise click.UsageError("Give either --stack NAME or --local.")
        if port and not local:
            raise click.UsageError("--port needs --local.")
        if region and not stack:
            raise click.UsageError("--region needs --stack.")
        target = _find_deployed(stack, region) if stack else _find_local(port or _LOCAL_PORT)
        command(target, **options)

    return run


def _find_deployed(name: str, region: str | None) -> Target:
    session = boto3.Session(region_name=region)
    try:
        cloudformation = session.client("cloudformation", config=_FIRST_CONFIG)
    except ValueError as error:
        words = str(error).removesuffix(".")
        raise CannotRun(f"{words}. Check --region, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL.") from error
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            words = "Run `aws cloudformation describe-stacks` to list the stacks."
            raise CannotRun(f"No stack {name} in {session.region_name}. {words}") from error
        raise
    (stack,) = stacks
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def output(key: str) -> str:
        if key not in outputs:
            raise CannotRun(
                f"Stack {name} has no output {key}: is it a stack of this project, deployed with this version?"
            )
        return outputs[key]

    return Target(
        stack["StackName"],
        session,
        endpoint_url=None,
        api_keys_table=output("ApiKeysTableName"),
        signatures_table=output("SignaturesTableName"),
        bucket=output("CertificatesBucketName"),
        queue_url=output("ArchiveQueueUrl"),
        dead_letter_queue_url=output("ArchiveDeadLetterQueueUrl"),
        parameters={p["ParameterKey"]: p["ParameterValue"] for p in stack.get("Parameters", [])},
    )


def _find_local(port: int) -> Target:
    # Imported here: the template's translator takes longer to import than all the rest.
    from tools.local.runtime import CREDENTIALS, drop_user_settings  # noqa: PLC0415
    from tools.local.stack import make_stack  # noqa: PLC0415
    from tools.template import REGION  # noqa: PLC0415

    drop_user_settings()
    stack = make_stack(port + 2)
    endpoint_url = f"http://127.0.0.1:{port + 1}"
    session = boto3.Session(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
    sqs = session.client("sqs", endpoint_url=endpoint_url, config=_FIRST_CONFIG.merge(_NO_PROXY))
    try:
        queue_url, dead_letter_queue_url = (
            sqs.get_queue_url(QueueName=stack.physical_id(queue))["QueueUrl"]
            for queue in ("ArchiveQueue", "ArchiveDeadLetterQueue")
        )
    except (*AwsError, ResponseParserError) as error:
        raise CannotRun(f"No local service runs on port {port}. Start it: make run PORT={port}") from error
    return Target(
        stack.name,
        session,
        endpoint_url,
        api_keys_table=stack.physical_id("ApiKeysTable"),
        signatures_table=stack.physical_id("SignaturesTable"),
        bucket=stack.physical_id("CertificatesBucket"),
        queue_url=queue_url,
        dead_letter_queue_url=dead_letter_queue_url,
        parameters=stack.parameters,
    )
