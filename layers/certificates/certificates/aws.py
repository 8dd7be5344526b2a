"""How AWS is called, how long it may take, and what its failures are called in a log."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

AwsError = (BotoCoreError, ClientError)
"""Raised by a call, or by reading the body that it returns, if AWS is at fault and its response is well-formed. A
malformed response can make botocore raise anything: ValueError, KeyError, RecursionError."""

CONNECT_SECONDS = 1
S3_READ_SECONDS = 3
S3_ATTEMPTS = 2
LONGEST_PAUSE = 1
"""Seconds that botocore waits before its second attempt, at most."""
REPLY_SECONDS = 0.5
"""Time for the caller's reply after the last call."""

S3_SECONDS = S3_ATTEMPTS * (CONNECT_SECONDS + S3_READ_SECONDS) + LONGEST_PAUSE + REPLY_SECONDS
"""The longest that one call of S3 takes, with its time-outs and its second attempt, and the reply after it."""

_CONNECTING = threading.Lock()
_seconds_left: ContextVar[Callable[[], float]] = ContextVar("seconds_left", default=lambda: math.inf)


class OutOfTime(Exception):
    """There is no time left for an attempt."""


@contextmanager
def limit_calls(seconds_left: Callable[[], float]) -> Iterator[None]:
    """Within this block, in this thread, an attempt of a call begins only if it can end in the time left.

    Bounds botocore's own attempts too, which no argument of a call does.
    """
    token = _seconds_left.set(seconds_left)
    try:
        yield
    finally:
        _seconds_left.reset(token)


def connect_dynamodb() -> "DynamoDBClient":
    return _limit_attempts(boto3.client("dynamodb", config=client_config(read_timeout=2, attempts=3)))


def connect_s3() -> "S3Client":
    return _limit_attempts(boto3.client("s3", config=client_config(read_timeout=S3_READ_SECONDS, attempts=S3_ATTEMPTS)))


def connect_secrets_manager() -> "SecretsManagerClient":
    """Threads may call this. Sessions are not thread-safe.

    Source: https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
    """
    with _CONNECTING:
        return _limit_attempts(boto3.client("secretsmanager", config=client_config(read_timeout=2, attempts=2)))


def connect_sqs() -> "SQSClient":
    return _limit_attempts(boto3.client("sqs", config=client_config(read_timeout=2, attempts=3)))


def _limit_attempts[Client: BaseClient](client: Client) -> Client:
    """The client, none of whose attempts begins without time for it."""
    seconds = CONNECT_SECONDS + client.meta.config.read_timeout + REPLY_SECONDS  # type: ignore[attr-defined]

    def require_time(**_: object) -> None:
        if _seconds_left.get()() < seconds:
            raise OutOfTime

    client.meta.events.register("before-send", require_time)  # emitted before each attempt
    return client


def client_config(*, read_timeout: float, attempts: int) -> Config:
    """boto3's defaults (60 s time-outs, legacy retries) outlast a Lambda invocation.

    By default it also rebuilds its user agent for every request and checks parameters against the model. Both cost
    CPU and gain nothing here.
    Source: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
    """
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        user_agent="craftkit-certificates",
        parameter_validation=False,
    )


def error_code(error: Exception) -> str:
    """The AWS error code (`SlowDown`), or the exception's name: constant words, where messages hold names and ids."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return type(error).__name__
