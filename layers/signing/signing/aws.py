"""How AWS is called, and what its failures are called in a log."""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

AwsError = (BotoCoreError, ClientError)
"""Everything that a boto3 call, or reading the body that it returns, raises when AWS is at fault."""


def connect_dynamodb() -> "DynamoDBClient":
    return boto3.client("dynamodb", config=client_config(read_timeout=2, attempts=3))


def connect_s3() -> "S3Client":
    return boto3.client("s3", config=client_config(read_timeout=3, attempts=2))


def connect_secrets_manager() -> "SecretsManagerClient":
    return boto3.client("secretsmanager", config=client_config(read_timeout=2, attempts=2))


def connect_sqs() -> "SQSClient":
    return boto3.client("sqs", config=client_config(read_timeout=2, attempts=3))


def client_config(*, read_timeout: float, attempts: int) -> Config:
    """boto3's defaults (60 s time-outs, legacy retries) outlast a Lambda invocation.

    Source: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
    """
    return Config(
        connect_timeout=1,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
    )


def error_code(error: Exception) -> str:
    """The AWS error code (`SlowDown`), or the exception's name: constant words, where messages hold names and ids."""
    return str(error.response["Error"].get("Code", "")) if isinstance(error, ClientError) else type(error).__name__
