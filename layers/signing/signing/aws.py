"""How AWS is called, and what its failures are called in a log."""

from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

AwsError = (BotoCoreError, ClientError)
"""Everything that a call, or reading the body that it returns, raises when AWS is at fault."""


# The clients of boto3 are botocore's. What boto3 adds, resources and transfers, would take a twentieth of a cold start.
_SESSION = get_session()


def connect_dynamodb() -> "DynamoDBClient":
    return cast("DynamoDBClient", _SESSION.create_client("dynamodb", config=client_config(read_timeout=2, attempts=3)))


def connect_s3() -> "S3Client":
    return cast("S3Client", _SESSION.create_client("s3", config=client_config(read_timeout=3, attempts=2)))


def connect_secrets_manager() -> "SecretsManagerClient":
    return cast(
        "SecretsManagerClient",
        _SESSION.create_client("secretsmanager", config=client_config(read_timeout=2, attempts=2)),
    )


def connect_sqs() -> "SQSClient":
    return cast("SQSClient", _SESSION.create_client("sqs", config=client_config(read_timeout=2, attempts=3)))


def client_config(*, read_timeout: float, attempts: int) -> Config:
    """boto3's defaults (60 s time-outs, legacy retries) outlast a Lambda invocation.

    Its own user agent is put together anew for each request, and parameters are checked against the model: both take
    their part of every request's CPU, and tell us nothing.
    Source: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
    """
    return Config(
        connect_timeout=1,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        user_agent="craftkit-certificates",
        parameter_validation=False,
    )


def error_code(error: Exception) -> str:
    """The AWS error code (`SlowDown`), or the exception's name: constant words, where messages hold names and ids."""
    return str(error.response["Error"].get("Code", "")) if isinstance(error, ClientError) else type(error).__name__
