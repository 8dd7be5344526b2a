"""AWS clients with timeouts and retries; error codes for the log."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from certificates.budgets import CONNECT_SECONDS, DYNAMODB, KMS, REPLY_SECONDS, S3, SECRETS_MANAGER, SQS, CallLimits

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from botocore.client import BaseClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

AwsError = (BotoCoreError, ClientError)
"""Raised by a call, or by reading its body. A malformed response makes botocore raise anything else: ValueError,
KeyError, RecursionError."""

_CONNECTING = threading.Lock()
_seconds_left: ContextVar[Callable[[], float]] = ContextVar("seconds_left", default=lambda: math.inf)


class OutOfTime(Exception):
    """There is no time left for an attempt."""


class Redirected(Exception):
    """S3 redirects to another region or host."""


def find_seconds_left(context: "LambdaContext") -> float:
    """Returns the seconds until Lambda ends the invocation."""
    return context.get_remaining_time_in_millis() / 1000


@contextmanager
def limit_calls(seconds_left: Callable[[], float]) -> Iterator[None]:
    """In this block and thread, each attempt of a call, botocore's retries too, begins only if it can end in the time
    left."""
    token = _seconds_left.set(seconds_left)
    try:
        yield
    finally:
        _seconds_left.reset(token)


def has_seconds_left(pause: float, limits: CallLimits) -> bool:
    """Returns whether an attempt of a call can end in the time left, after a pause."""
    return _seconds_left.get()() >= pause + limits.attempt_seconds + REPLY_SECONDS


def connect_dynamodb() -> "DynamoDBClient":
    return _limit_attempts(boto3.client("dynamodb", config=client_config(DYNAMODB)), DYNAMODB)


def connect_kms() -> "KMSClient":
    return _limit_attempts(boto3.client("kms", config=client_config(KMS)), KMS)


def connect_s3() -> "S3Client":
    client = _limit_attempts(boto3.client("s3", config=client_config(S3)), S3)
    client.meta.events.register("before-call.s3.HeadBucket", _refuse_redirect)
    return client


def _refuse_redirect(**_: object) -> None:
    """Prevents endless recursion: botocore answers a redirect with HeadBucket, and a redirect of that likewise."""
    raise Redirected


def connect_secrets_manager() -> "SecretsManagerClient":
    """Threads may call this."""
    # Sessions are not thread-safe.
    # Source: https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
    with _CONNECTING:
        return _limit_attempts(boto3.client("secretsmanager", config=client_config(SECRETS_MANAGER)), SECRETS_MANAGER)


def connect_sqs() -> "SQSClient":
    return _limit_attempts(boto3.client("sqs", config=client_config(SQS)), SQS)


def _limit_attempts[Client: BaseClient](client: Client, limits: CallLimits) -> Client:
    def require_time(**_: object) -> None:
        if not has_seconds_left(0, limits):
            raise OutOfTime

    client.meta.events.register("before-send", require_time)  # emitted before each attempt
    return client


def client_config(limits: CallLimits) -> Config:
    """Sets timeouts and attempts, and turns off what costs CPU and gains nothing here: a new user agent for each
    request, and checks of parameters against the model."""
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=limits.read_seconds,
        retries={"mode": "standard", "total_max_attempts": limits.attempts},
        tcp_keepalive=True,
        user_agent="craftkit-certificates",
        parameter_validation=False,
    )


def error_code(error: Exception) -> str:
    """Returns the AWS error code (`SlowDown`) or the exception's name. Messages may hold names and ids."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return type(error).__name__
